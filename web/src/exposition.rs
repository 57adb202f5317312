//! `/metrics` for Prometheus: the process's own series, and the figures of delivery. The latter are computed beside scraping and kept
//! as text; a scrape asks no question.

mod delivery;
mod families;
mod openmetrics;
mod sources;
mod windows;

use crate::accept;
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use delivery::HighWater;
use families::Families;
use flowgauge_lake::model::Time;
use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;

const TEXT: &str = "text/plain";
const OPENMETRICS: &str = "application/openmetrics-text";
/// Between two computations at least.
const PAUSE: Duration = Duration::from_secs(1);
/// Windows end now: without news they are moved this often.
const AT_LEAST: Duration = Duration::from_secs(60);
/// Series of one tenant; more would harm the Prometheus that reads them.
const MAX_SERIES: usize = 20_000;

/// The figures as they were last computed.
#[derive(Default)]
pub struct Exposition {
    shown: RwLock<Arc<Shown>>,
    /// One computation at a time, and what counters have reached.
    computing: tokio::sync::Mutex<HighWater>,
}

#[derive(Default)]
struct Shown {
    text: String,
    openmetrics: String,
    facts_version: u64,
    dropped: usize,
}

impl Exposition {
    fn shown(&self) -> Arc<Shown> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Keeps the figures fresh, for ever. News show within about a second; a computation that takes long is followed by a pause half again as long.
pub async fn keep_fresh(app: App) {
    let mut refreshes = app.engine().refreshes();
    loop {
        refreshes.mark_unchanged();
        let started = Instant::now();
        refresh(&app).await;
        tokio::time::sleep_until(started + PAUSE.max(started.elapsed().mul_f32(2.5))).await;
        let seen = app.exposition().shown().facts_version;
        let news = async {
            while app.engine().facts(&app.tenant()).version == seen {
                if refreshes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Late is fine: then the windows move without news.
        let _ = tokio::time::timeout_at(started + AT_LEAST, news).await;
    }
}

/// Computes the figures of this moment.
pub async fn refresh(app: &App) {
    let started = Instant::now();
    let exposition = app.exposition();
    let mut high_water = exposition.computing.lock().await;
    let (tenant, now) = (app.tenant(), app.now());
    let facts = app.engine().facts(&tenant);
    let mut families = Families::default();
    windows::add(&facts, now, &mut families).await;
    delivery::add(app, &facts, now, &mut high_water, &mut families);
    let (mut all, dropped) = families.limited(MAX_SERIES);
    let before = exposition.shown().dropped;
    if dropped > 0 && before == 0 {
        tracing::warn!(dropped, limit = MAX_SERIES, "more series than are shown to Prometheus; the rest is left out");
    }
    let mut own = Families::default();
    own.counter(
        "dora_series_dropped_total",
        "Series left out of this page because there are more than the limit; the most at any one time.",
        &[],
        dropped.max(before) as f64,
    );
    own.gauge(
        "dora_snapshot_timestamp_seconds",
        "The moment at which the dora_ series were computed and at which their windows end.",
        &[],
        seconds(now),
    );
    own.gauge(
        "dora_scrape_duration_seconds",
        "How long computing the dora_ series took; scraping them computes nothing.",
        &[],
        started.elapsed().as_secs_f64(),
    );
    all.extend(own.all());
    let fresh =
        Shown { text: text(&all), openmetrics: openmetrics::text(&all), facts_version: facts.version, dropped: dropped.max(before) };
    *exposition.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
}

fn text(families: &[MetricFamily]) -> String {
    TextEncoder::new().encode_to_string(families).unwrap_or_else(|error| {
        tracing::error!(%error, "the series could not be written");
        String::new()
    })
}

fn seconds(at: Time) -> f64 {
    at.micros() as f64 / 1e6
}

pub async fn metrics(_: Reader, State(app): State<App>, headers: HeaderMap) -> Result<Response, AppError> {
    let shown = app.exposition().shown();
    let mut live = app.counters().gather();
    live.extend(sources::families(&app));
    Ok(if accept::preferred(&headers, &[TEXT, OPENMETRICS]) == OPENMETRICS {
        let body = [openmetrics::text(&live).as_str(), &shown.openmetrics, openmetrics::END].concat();
        ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], body).into_response()
    } else {
        let body = [text(&live).as_str(), &shown.text].concat();
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
    })
}
