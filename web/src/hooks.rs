//! The way in: webhooks of providers and rows of our own schema. Bytes are verified, journalled, and only then answered; reading
//! them comes after.

use crate::app::App;
use crate::auth::Writer;
use crate::error::AppError;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, body::Bytes};
use flowgauge_ingest::{Headers, Webhook, own_event, providers};
use flowgauge_lake::model::{RawEvent, Source, Table, nearest};
use serde_json::json;

/// 25 MiB: what is larger, the senders that we know do not send.
pub const MAX_BODY: usize = 26_214_400;

async fn read(request: Request<Body>) -> Result<(HeaderMap, Bytes), AppError> {
    let (parts, body) = request.into_parts();
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(AppError::TooLarge);
    }
    let compressed = parts.headers.get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity");
    if compressed {
        return Err(AppError::Compressed);
    }
    let body = axum::body::to_bytes(body, MAX_BODY).await.map_err(|_| AppError::TooLarge)?;
    Ok((parts.headers, body))
}

/// `POST /hooks/{source}`. An unknown source and a bad signature answer alike, so that nobody can find out which sources there are.
pub async fn hook(State(app): State<App>, Path(name): Path<String>, request: Request<Body>) -> Result<Response, AppError> {
    let started = std::time::Instant::now();
    let (headers, body) = read(request).await?;
    let config = app.config();
    let now = app.now();
    let Some(source) = config.source(&name) else {
        app.counters().refused("", "unknown_source", now);
        return Err(AppError::Unverified);
    };
    let Some(provider) = providers::by_kind(source.kind) else { return Err(AppError::Unverified) };
    let headers =
        Headers::new(headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))));
    let hook = match provider.verify(Webhook::new(headers, body), &source.secrets, now) {
        Ok(hook) => hook,
        Err(rejected) => {
            app.counters().refused(&source.name, rejected.reason(), now);
            return Err(AppError::Unverified);
        }
    };
    let delivery = provider.delivery_id(&hook);
    let kept = hook.headers.keep(provider.kept_headers());
    let event = RawEvent::new(app.tenant(), Source::new(&source.name), source.kind, delivery, now, kept, hook.body);
    store(&app, event, started).await
}

/// `POST /v1/events/{table}`: rows of our own schema, all or nothing.
pub async fn rows(State(app): State<App>, _: Writer, Path(name): Path<String>, request: Request<Body>) -> Result<Response, AppError> {
    let started = std::time::Instant::now();
    let Some(table) = Table::parse(&name) else {
        let hint =
            nearest(&name, Table::ALL.iter().map(|table| table.name())).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        return Err(AppError::NotFound(format!("unknown table `{name}`{hint}")));
    };
    let (_, body) = read(request).await?;
    take(&app, table, body, started).await
}

/// The one way in for rows of our own schema, whether a script sent them or a form.
pub async fn take(app: &App, table: Table, body: Bytes, started: std::time::Instant) -> Result<Response, AppError> {
    let event =
        own_event(app.tenant(), Source::new("import"), table, body, app.now()).map_err(|error| AppError::BadRequest(error.to_string()))?;
    store(app, event, started).await
}

async fn store(app: &App, event: RawEvent, started: std::time::Instant) -> Result<Response, AppError> {
    let (id, source) = (event.event_id, event.source.clone());
    let receipts = app.lake().append(vec![event]).await?;
    let duplicate = receipts.first().is_some_and(|receipt| receipt.duplicate);
    app.counters().received(source.as_str(), duplicate, started.elapsed().as_secs_f64());
    let answer = if duplicate { json!({"event_id": id.to_string(), "duplicate": true}) } else { json!({"event_id": id.to_string()}) };
    Ok(Json(answer).into_response())
}
