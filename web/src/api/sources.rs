//! `/api/v1/sources`: what comes in from where, and what of it could not be read or was refused.

use super::endpoint::{Endpoint, answers, choice, operation, query};
use super::format::{self, Format};
use super::parameters::Parameters;
use crate::app::App;
use crate::auth::Reader;
use crate::counters::Refusal;
use crate::error::AppError;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing;
use flowgauge_lake::SourceStats;
use flowgauge_lake::model::Time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::Ref;

/// The kind of rows of our own schema.
const OWN: &str = "flowgauge";

pub fn endpoints() -> Vec<Endpoint> {
    let operation = operation("listSources", "Each source: its events by name, its last delivery and its last refusal.")
        .parameter(query("format", "The form of the answer.", choice(["json"])))
        .response("200", answers("All sources.", Ref::from_schema_name("Sources")));
    vec![Endpoint::get("/api/v1/sources", routing::get(list), operation)]
}

async fn list(_: Reader, State(app): State<App>, headers: HeaderMap, mut parameters: Parameters) -> Result<Response, AppError> {
    format::wanted(&mut parameters, &headers, &[Format::Json])?;
    parameters.only(["format"])?;
    let config = app.config();
    let mut refusals = app.counters().refusals();
    // Refusals of names that are no source: an administrator may have mistyped one.
    let unknown = refusals.remove("");
    let mut stats: BTreeMap<String, Vec<SourceStats>> = BTreeMap::new();
    for seen in app.lake().source_stats(&app.tenant()) {
        stats.entry(seen.source.to_string()).or_default().push(seen);
    }
    for name in config.sources.keys().chain(refusals.keys()) {
        stats.entry(name.clone()).or_default();
    }
    let source = |(name, stats): (String, Vec<SourceStats>)| {
        let known = config.source(&name);
        let kind = known.as_ref().map(|source| source.kind.to_owned()).or_else(|| stats.first().map(|seen| seen.kind.clone()));
        let hook = match (&known, kind.as_deref()) {
            (Some(_), _) => Some(format!("/hooks/{name}")),
            (None, Some(OWN)) => Some("/v1/events/{table}".to_owned()),
            _ => None,
        };
        json!({
            "name": name,
            "kind": kind,
            "hook": hook.map(|path| format!("{}{path}", config.public_url.as_deref().unwrap_or_default().trim_end_matches('/'))),
            "configured": config.sources.contains_key(&name),
            "total": stats.iter().map(|seen| seen.count).sum::<u64>(),
            "problems": stats.iter().map(|seen| seen.problems).sum::<u64>(),
            "last_received_at": stats.iter().map(|seen| seen.last_received_at).max().map(|at| at.to_string()),
            "last_refusal": refusals.get(&name).map(refusal),
            "events": events(&stats),
        })
    };
    let data: Vec<Value> = stats.into_iter().map(source).collect();
    Ok(format::json(&json!({"data": data, "next_cursor": null, "refused_unknown": unknown.as_ref().map(refusal)})))
}

fn refusal(refusal: &Refusal) -> Value {
    json!({"reason": refusal.reason, "at": refusal.at.to_string(), "count": refusal.count})
}

/// By name; one name under several kinds (a source that changed its kind) is one.
fn events(stats: &[SourceStats]) -> Map<String, Value> {
    let mut names: BTreeMap<&str, Vec<&SourceStats>> = BTreeMap::new();
    for seen in stats {
        names.entry(&seen.event).or_default().push(seen);
    }
    let event = |(name, seen): (&str, Vec<&SourceStats>)| {
        let last = seen.iter().max_by_key(|seen| seen.last_received_at);
        let value = json!({
            "count": seen.iter().map(|seen| seen.count).sum::<u64>(),
            "problems": seen.iter().map(|seen| seen.problems).sum::<u64>(),
            "unknown": last.is_some_and(|seen| seen.unknown),
            "last_received_at": last.map_or(Time::MIN, |seen| seen.last_received_at).to_string(),
            "last_problem": last.and_then(|seen| seen.last_problem.as_deref()),
        });
        (name.to_owned(), value)
    };
    names.into_iter().map(event).collect()
}
