//! `/sources`: where events come in, what came, what of it could not be read or was refused, and how to connect another.

use super::failure::Stop;
use super::format::{self, Moment};
use super::visit::{Shell, Visit};
use crate::app::App;
use crate::config::Config;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use flowgauge_ingest::{OWN_KIND, providers};
use flowgauge_lake::SourceStats;
use flowgauge_lake::model::Time;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Template)]
#[template(path = "sources.html")]
struct SourcesPage {
    shell: Shell,
    sources: Vec<SourceView>,
    /// Deliveries to sources that there are none of.
    strangers: Option<Refused>,
    has_events: bool,
    rows_address: String,
    needs_token: bool,
    /// Whether sources are those that every fresh installation has.
    is_default: bool,
}

struct SourceView {
    name: String,
    /// The provider as it writes itself.
    title: String,
    /// Where its deliveries go; imported rows have none of their own.
    address: Option<String>,
    /// What to let it send.
    wanted: String,
    is_signed: bool,
    events: Vec<EventRow>,
    total: String,
    problems: u64,
    last: Option<Moment>,
    refused: Option<Refused>,
}

struct EventRow {
    name: String,
    count: String,
    problems: String,
    has_problems: bool,
    problem: String,
    last: Moment,
}

struct Refused {
    count: String,
    reason: String,
    last: Moment,
}

pub async fn page(State(app): State<App>, visit: Visit) -> Response {
    let page = show(&app, &visit);
    visit.answer(page)
}

fn show(app: &App, visit: &Visit) -> Result<SourcesPage, Stop> {
    let facts = app.engine().facts(&app.tenant());
    let filters = visit.filters(app, &facts, &[])?;
    let (config, now) = (app.config(), app.now());
    let base = base(&config, &visit.headers);
    let mut stats: BTreeMap<(String, String), Vec<SourceStats>> = BTreeMap::new();
    for counted in app.lake().source_stats(&app.tenant()) {
        stats.entry((counted.source.to_string(), counted.kind.clone())).or_default().push(counted);
    }
    let has_events = !stats.is_empty();
    let is_default = config.sources.is_empty() && config.is_open();
    let configured: Vec<(String, &str)> = if is_default {
        providers::ALL.iter().map(|provider| (provider.kind().to_owned(), provider.kind())).collect()
    } else {
        config.sources.values().map(|source| (source.name.clone(), source.kind)).collect()
    };
    let keys = configured.into_iter().map(|(name, kind)| (name, kind.to_owned()));
    let all: BTreeSet<(String, String)> = keys.chain(stats.keys().cloned()).collect();
    let refusals = app.counters().refusals();
    let refused = |name: &str| {
        refusals.get(name).map(|refusal| Refused {
            count: format::counted(refusal.count as i64, "delivery", "deliveries"),
            reason: format::words(refusal.reason),
            last: Moment::ago(refusal.at, now),
        })
    };
    let view = |(name, kind): (String, String)| {
        let events = stats.remove(&(name.clone(), kind.clone())).unwrap_or_default();
        let provider = providers::by_kind(&kind);
        let source = config.source(&name).filter(|source| source.kind == kind);
        SourceView {
            title: provider.map_or_else(
                || if kind == OWN_KIND { "Imported rows".to_owned() } else { kind.clone() },
                |provider| provider.title().to_owned(),
            ),
            address: source.as_ref().map(|source| format!("{base}/hooks/{}", source.name)),
            wanted: provider.map(|provider| provider.events().join(", ")).unwrap_or_default(),
            is_signed: source.is_some_and(|source| !source.secrets.is_none()),
            total: format::counted(events.iter().map(|event| event.count as i64).sum(), "event", "events"),
            problems: events.iter().map(|event| event.problems).sum(),
            last: events.iter().map(|event| event.last_received_at).max().map(|at| Moment::ago(at, now)),
            refused: refused(&name),
            events: events.into_iter().map(|event| event_row(event, now)).collect(),
            name,
        }
    };
    Ok(SourcesPage {
        sources: all.into_iter().map(view).collect(),
        strangers: refused(""),
        has_events,
        rows_address: format!("{base}/v1/events/deployments"),
        needs_token: !config.readers.is_empty() || !config.is_open(),
        is_default,
        shell: visit.shell("Sources", Some(&filters)),
    })
}

fn event_row(event: SourceStats, now: Time) -> EventRow {
    let word = if event.unknown { "unknown" } else { "unreadable" };
    EventRow {
        name: event.event,
        count: format::grouped(event.count as i64),
        problems: if event.problems > 0 { format!("{} {word}", format::grouped(event.problems as i64)) } else { "none".to_owned() },
        has_problems: event.problems > 0,
        problem: event.last_problem.unwrap_or_default(),
        last: Moment::ago(event.last_received_at, now),
    }
}

/// Where this server is reached: as configured, else as the browser says it did.
fn base(config: &Config, headers: &HeaderMap) -> String {
    if let Some(url) = &config.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_name = |host: &&str| !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-[]_".contains(c));
    format!("http://{}", host.filter(is_name).map_or_else(|| config.listen.to_string(), str::to_owned))
}
