//! Listening: the router, limits against slow clients, and an orderly stop.

use crate::app::App;
use crate::{api, exposition, hooks, pages};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// Connections at once; more wait.
const MAX_CONNECTIONS: usize = 1024;
/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests that are under way may take when the server stops.
const DRAIN: Duration = Duration::from_secs(8);

/// Every route there is.
pub fn router(app: App) -> Router {
    let ingest = Router::new().route("/hooks/{source}", post(hooks::hook)).route("/v1/events/{table}", post(hooks::rows));
    Router::new()
        .merge(pages::routes())
        .merge(api::routes())
        .route("/metrics", get(exposition::metrics))
        .layer(CompressionLayer::new())
        .merge(ingest)
        .layer(middleware::from_fn_with_state(app.clone(), guard))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

/// Counts the request and sets the headers that every answer has.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    app.counters().request(&route, response.status().as_u16());
    let headers = response.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                  frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
    let fixed: [(HeaderName, &'static str); 3] =
        [(header::CONTENT_SECURITY_POLICY, policy), (header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "same-origin")];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Serves until `stop` is done: no new connections then, those under way get a few seconds.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()>) {
    // What is shown follows what comes in, as long as anybody can look.
    let fresh = [tokio::spawn(app.engine().clone().keep_fresh()), tokio::spawn(exposition::keep_fresh(app.clone()))];
    let router = router(app);
    let mut builder = Builder::new();
    // Without a timer hyper has no time limit for headers, and slow clients could hold every connection.
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut stop => break,
            accepted = async {
                let place = places.clone().acquire_owned().await;
                (listener.accept().await, place)
            } => match accepted {
                (Ok((stream, _)), Ok(place)) => (stream, place),
                (Err(error), _) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: give those in use a moment to close.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                (_, Err(_)) => break,
            },
        };
        stream.set_nodelay(true).ok();
        let service = TowerToHyperService::new(
            router.clone().map_request(|request: hyper::Request<hyper::body::Incoming>| request.map(axum::body::Body::new)),
        );
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            connection.await.ok();
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were cut off: they took longer than the server waits when it stops");
    }
    fresh.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Logs to standard error: text, one line an event. `RUST_LOG` chooses what (the configuration reads the environment).
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(crate::config::log_filter());
    let text = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    text.try_init().ok();
}
