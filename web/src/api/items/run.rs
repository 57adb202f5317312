//! One pipeline run, and one job of it. Both may have several attempts; the last is what counts.

use super::{View, entities, members, raw_events, text_of};
use crate::error::AppError;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Cell, Row, Table};
use flowgauge_query::Found;
use serde_json::{Map, Value};

fn attempt(table: Table, row: &Row) -> i64 {
    match table.spec().column("attempt").map(|i| &row.cells[i]) {
        Some(Cell::Integer(attempt)) => *attempt,
        _ => 0,
    }
}

/// The attempts of an entity of one source, the last one last.
fn attempts(table: Table, found: Vec<Found>, source: &str, column: &str, value: &str) -> Vec<Found> {
    let is_it = |found: &Found| found.source.as_str() == source && text_of(table.spec(), &found.row, column) == Some(value);
    let mut attempts: Vec<Found> = found.into_iter().filter(is_it).collect();
    attempts.sort_by_key(|found| attempt(table, &found.row));
    attempts
}

pub fn show(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let facts = view.app.engine().facts(&view.app.tenant());
    let runs = || facts.runs.values().flat_map(|runs| runs.values()).filter(|run| run.run_id == id);
    let source = view.choose("run", id, "source", runs().map(|run| run.source.clone()).collect())?;
    let of_source = runs().filter(|run| run.source == source);
    let pipeline = view.choose("run", id, "pipeline", of_source.map(|run| run.pipeline.clone()).collect())?;
    let attempts = attempts(Table::PipelineRun, view.find(Table::PipelineRun, &pipeline), &source, "run_id", id);
    let jobs: Vec<Found> = view.find(Table::Job, id).into_iter().filter(|found| found.source.as_str() == source).collect();
    let last = attempts.last();
    let text = |column: &str| last.and_then(|found| text_of(Table::PipelineRun.spec(), &found.row, column));
    let change = match text("repo").zip(text("change_id")) {
        Some((repo, number)) => {
            let changes = view.find(Table::Change, repo).into_iter();
            changes.filter(|found| text_of(Table::Change.spec(), &found.row, "change_id") == Some(number)).collect()
        }
        None => Vec::new(),
    };
    Ok(members! {
        "data": entities(Table::PipelineRun, &last.into_iter().collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "attempts": entities(Table::PipelineRun, &attempts.iter().collect::<Vec<_>>())?,
        "facts": view.facts(FactTable::Pipelines, &[("run_id", id), ("source", &source), ("pipeline", &pipeline)])?,
        "jobs": entities(Table::Job, &jobs.iter().collect::<Vec<_>>())?,
        "changes": entities(Table::Change, &change.iter().collect::<Vec<_>>())?,
        "deployments": deployments_of(view, id, &source)?,
        "raw_events": raw_events(attempts.iter().chain(&jobs)),
    })
}

/// The deployments that a run did.
fn deployments_of(view: &View<'_>, run: &str, source: &str) -> Result<Vec<Value>, AppError> {
    let facts = view.app.engine().facts(&view.app.tenant());
    let all = facts.services.values().flat_map(|service| service.deployments.iter());
    let mut deployments = Vec::new();
    for deployment in all.filter(|deployment| deployment.row.run_id.as_deref() == Some(run) && deployment.source.as_str() == source) {
        deployments.extend(view.facts(FactTable::Deployments, &[("deployment_id", &deployment.row.deployment_id), ("source", source)])?);
    }
    Ok(deployments)
}

pub fn show_job(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let all = view.app.engine().entity_batch(&view.app.tenant(), Table::Job);
    let rows = super::rows_where(&all, &[("job_id", id)])?;
    let named = |row: &Value, column: &str| super::text_in(row, column).unwrap_or_default().to_owned();
    let source = view.choose("job", id, "source", rows.iter().map(|row| named(row, "source")).collect())?;
    let of_source = rows.iter().filter(|row| named(row, "source") == source);
    let run = view.choose("job", id, "run_id", of_source.map(|row| named(row, "run_id")).collect())?;
    let attempts = attempts(Table::Job, view.find(Table::Job, &run), &source, "job_id", id);
    Ok(members! {
        "data": entities(Table::Job, &attempts.last().into_iter().collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "attempts": entities(Table::Job, &attempts.iter().collect::<Vec<_>>())?,
        "runs": view.facts(FactTable::Pipelines, &[("run_id", &run), ("source", &source)])?,
        "deployments": deployments_of(view, &run, &source)?,
        "raw_events": raw_events(&attempts),
    })
}
