//! `flowgauge serve`: the server. SIGHUP reads the configuration again; SIGTERM and SIGINT stop in order: no new connections, the
//! requests under way are finished, what is journalled goes to the tables.

use super::Place;
use anyhow::Context;
use clap::Args;
use flowgauge_web::App;
use flowgauge_web::config::Config;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Acknowledge before anything is stored and keep duplicates: the control of the crash test, which must then fail
    #[arg(long, hide = true)]
    unsafe_control: bool,
    /// Move the tail to the tables when it has this many bytes: the crash test wants flushes all the time
    #[arg(long, hide = true, value_name = "BYTES")]
    flush_bytes: Option<usize>,
}

/// How often changed facts are written for those who read the folder.
const FACTS_EVERY: Duration = Duration::from_secs(15 * 60);

impl Serve {
    pub async fn run(self) -> anyhow::Result<()> {
        flowgauge_web::log_to_stderr();
        let overrides = self.place.overrides(self.listen.clone());
        let config = Config::load(&overrides)?;
        config.check_server()?;
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {}; choose another address with --listen", config.listen))?;
        let (unsafe_control, flush_bytes) = (self.unsafe_control, self.flush_bytes);
        let app = App::open_with(config, overrides, |options| {
            if unsafe_control {
                options.durability = flowgauge_lake::Durability::Unsafe;
            }
            if let Some(bytes) = flush_bytes {
                options.flush_bytes = bytes;
            }
        })
        .await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, folder = %app.lake().path().display(), "serving http://{address}/");
        serve_until_stopped(app, listener).await
    }
}

/// Serves until a signal, then closes the lake.
pub async fn serve_until_stopped(app: App, listener: TcpListener) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(reload_on_hangup(app.clone()));
    tokio::spawn(app.clone().keep_facts_written(FACTS_EVERY));
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    flowgauge_web::serve(app.clone(), listener, stop).await;
    app.flush().await.context("what is journalled could not be moved to the tables; it is safe in the journal")?;
    Ok(())
}

async fn reload_on_hangup(app: App) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        match app.reload() {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(error) => tracing::error!(%error, "the configuration was not taken over; the old one stays"),
        }
    }
}
