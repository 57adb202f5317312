//! One deployment.

use super::{View, entities, item, raw_events, text_in, text_of};
use crate::error::AppError;
use flowgauge_lake::model::Table;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_query::Found;
use serde_json::{Map, Value};

pub fn show(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let found = view.find(Table::Deployment, id);
    let source = view.choose("deployment", id, "source", found.iter().map(|found| found.source.to_string()).collect())?;
    let found: Vec<Found> = found.into_iter().filter(|found| found.source.as_str() == source).collect();
    let (told_by, told_source) = telling(view, id, &source);
    let fact = view.fact(FactTable::Deployments, &[("deployment_id", &told_by), ("source", &told_source)])?;
    let service = text_in(&fact, "service").unwrap_or_default().to_owned();
    let of_service = |column: &str, id: &str| view.facts(FactTable::Deployments, &[(column, id), ("service", &service)]);
    let named = |column: &str| text_in(&fact, column).map_or(Ok(Vec::new()), |id| of_service("deployment_id", id));
    // Other evidence of the same deployment has rows and raw events of its own.
    let others: Vec<&str> = std::iter::once(told_by.as_str())
        .chain(fact["duplicates"].as_array().into_iter().flatten().filter_map(Value::as_str))
        .filter(|other| *other != id)
        .collect();
    let evidence: Vec<Found> = others.iter().flat_map(|other| view.find(Table::Deployment, other)).collect();
    let of_this = |table, column: &str| view.facts(table, &[("deployment_id", &told_by), (column, &told_source)]);
    let first = found.first();
    let text = |column: &str| first.and_then(|found| text_of(Table::Deployment.spec(), &found.row, column));
    let artifact: Vec<Found> = text("digest").map(|digest| view.find(Table::Artifact, digest)).unwrap_or_default();
    let runs = text("run_id").map_or(Ok(Vec::new()), |run| view.facts(FactTable::Pipelines, &[("run_id", run), ("source", &source)]))?;
    Ok(item! {
        "row": entities(Table::Deployment, &found.iter().take(1).collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "evidence": entities(Table::Deployment, &evidence.iter().collect::<Vec<_>>())?,
        "failures": of_this(FactTable::DeploymentFailures, "source")?,
        "changes": of_this(FactTable::Changes, "source")?,
        "incidents": view.facts(FactTable::IncidentLinks, &[("deployment_id", &told_by), ("deployment_source", &told_source)])?,
        "previous": named("previous_deployment_id")?.pop().unwrap_or_default(),
        "next": of_service("previous_deployment_id", &told_by)?,
        "remediation": named("remediation_deployment_id")?.pop().unwrap_or_default(),
        "remedies": of_service("remediation_deployment_id", &told_by)?,
        "artifacts": entities(Table::Artifact, &artifact.iter().collect::<Vec<_>>())?,
        "runs": runs,
        "raw_events": raw_events(found.iter().chain(&evidence)),
        "data": fact,
    })
}

/// The id and source under which the facts have this evidence.
fn telling(view: &View<'_>, id: &str, source: &str) -> (String, String) {
    let facts = view.app.engine().facts(&view.app.tenant());
    let all = || facts.services.values().flat_map(|service| service.deployments.iter());
    let own = all().find(|deployment| deployment.row.deployment_id == id && deployment.source.as_str() == source);
    let told = own.or_else(|| all().find(|deployment| deployment.duplicates.iter().any(|duplicate| duplicate == id)));
    match told {
        Some(deployment) => (deployment.row.deployment_id.clone(), deployment.source.to_string()),
        None => (id.to_owned(), source.to_owned()),
    }
}
