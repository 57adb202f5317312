//! `/api/v1/sources`: what comes in from where, and what of it could not be read or was refused.

use super::endpoint::{Endpoint, answers, choice, in_path, operation, query};
use super::format::{self, Format};
use super::parameters::Parameters;
use crate::app::App;
use crate::auth::Reader;
use crate::counters::Refusal;
use crate::error::AppError;
use crate::rows::json_rows;
use arrow::array::{RecordBatch, StringArray};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{SortOptions, concat_batches, filter_record_batch, sort_to_indices, take_record_batch};
use arrow::error::ArrowError;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing;
use flowgauge_lake::model::{Time, nearest};
use flowgauge_lake::{RawScan, SourceStats};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::Ref;

/// The kind of rows of our own schema.
const OWN: &str = "flowgauge";

pub fn endpoints() -> Vec<Endpoint> {
    let list_all = operation("listSources", "Each source: its events by name, its last delivery and its last refusal.")
        .parameter(query("format", "The form of the answer.", choice(["json"])))
        .response("200", answers("All sources.", Ref::from_schema_name("Sources")));
    let one = operation("getSource", "One source, with the latest raw events that it sent.")
        .parameter(in_path("name", "The source's name."))
        .parameter(query("format", "The form of the answer.", choice(["json"])))
        .response("200", answers("The source.", Ref::from_schema_name("Item")));
    vec![Endpoint::get("/api/v1/sources", routing::get(list), list_all), Endpoint::get("/api/v1/sources/{name}", routing::get(one_of), one)]
}

/// Raw events that are shown with a source.
const LATEST: usize = 100;

async fn one_of(
    _: Reader,
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
    mut parameters: Parameters,
) -> Result<Response, AppError> {
    format::wanted(&mut parameters, &headers, &[Format::Json])?;
    parameters.only([])?;
    let all = all(&app);
    let names: Vec<&str> = all.iter().filter_map(|source| source["name"].as_str()).collect();
    let Some(source) = all.iter().find(|source| source["name"] == name.as_str()) else {
        let hint = nearest(&name, names).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        return Err(AppError::NotFound(format!("unknown source `{name}`{hint}")));
    };
    let last = source["last_received_at"].as_str().and_then(Time::parse);
    let events = match last {
        Some(last) => latest(&app, &name, last).await?,
        None => Vec::new(),
    };
    Ok(format::json(&json!({"data": source, "raw_events": events})))
}

/// The last raw events of a source, the newest first: those of the day of its last delivery and of the day before.
async fn latest(app: &App, name: &str, last: Time) -> Result<Vec<Value>, AppError> {
    let failed = |error: ArrowError| AppError::Internal(error.to_string());
    let columns = ["event_id", "source", "kind", "received_at"].map(str::to_owned).to_vec();
    let scan = RawScan { columns: Some(columns), from: Some(last.plus_seconds(-86_400)), to: None };
    let mut batches = app.lake().raw_batches(&app.tenant(), scan).await?;
    let mut newest: Option<RecordBatch> = None;
    while let Some(batch) = batches.try_next().await? {
        let source = batch.column_by_name("source").ok_or_else(|| AppError::Internal("raw events have no source".to_owned()))?;
        let own = filter_record_batch(&batch, &eq(source, &StringArray::new_scalar(name)).map_err(failed)?).map_err(failed)?;
        let known = newest.iter().chain([&own]);
        let all = concat_batches(&own.schema(), known).map_err(failed)?;
        let newest_first = SortOptions { descending: true, nulls_first: false };
        let received_at = all.column_by_name("received_at").ok_or_else(|| AppError::Internal("raw events have no time".to_owned()))?;
        let order = sort_to_indices(received_at, Some(newest_first), Some(LATEST)).map_err(failed)?;
        newest = Some(take_record_batch(&all, &order).map_err(failed)?);
    }
    let rows = json_rows(&newest.into_iter().collect::<Vec<_>>()).map_err(failed)?;
    let mut rows = rows.as_array().cloned().unwrap_or_default();
    for row in &mut rows {
        row["href"] = format!("/api/v1/raw/{}", row["event_id"].as_str().unwrap_or_default()).into();
    }
    Ok(rows)
}

async fn list(_: Reader, State(app): State<App>, headers: HeaderMap, mut parameters: Parameters) -> Result<Response, AppError> {
    format::wanted(&mut parameters, &headers, &[Format::Json])?;
    parameters.only([])?;
    let unknown = app.counters().refusals().remove("");
    Ok(format::json(&json!({"data": all(&app), "next_cursor": null, "refused_unknown": unknown.as_ref().map(refusal)})))
}

/// Every source that is configured, has sent something or was refused.
fn all(app: &App) -> Vec<Value> {
    let config = app.config();
    let mut refusals = app.counters().refusals();
    // Refusals of names that are no source: an administrator may have mistyped one.
    refusals.remove("");
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
    stats.into_iter().map(source).collect()
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
