//! One deployment.

use super::{View, entities, members, raw_events, text_in, text_of};
use crate::error::AppError;
use flowgauge_lake::model::Table;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_query::Found;
use flowgauge_query::facts::Facts;
use flowgauge_query::facts::deployments::Classified;
use flowgauge_query::facts::state::State;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub fn show(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let found = view.find(Table::Deployment, id);
    let source = view.choose("deployment", id, "source", found.iter().map(|found| found.source.to_string()).collect())?;
    let found: Vec<Found> = found.into_iter().filter(|found| found.source.as_str() == source).collect();
    let Telling { id: told_by, source: told_source, others, state } = telling(view, id, &source);
    let fact = view.fact(FactTable::Deployments, &[("deployment_id", &told_by), ("source", &told_source)])?;
    let service = text_in(&fact, "service").unwrap_or_default().to_owned();
    let of_service = |column: &str, id: &str| view.facts(FactTable::Deployments, &[(column, id), ("service", &service)]);
    let named = |column: &str| text_in(&fact, column).map_or(Ok(Vec::new()), |id| of_service("deployment_id", id));
    let mut suspected = Vec::new();
    for id in fact["suspected_duplicate_of"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        suspected.extend(of_service("deployment_id", id)?);
    }
    // Other evidence of the same deployment has rows and raw events of its own.
    let others = others.iter().filter(|(other, of)| (other.as_str(), of.as_str()) != (id, source.as_str()));
    let evidence: Vec<Found> = others
        .flat_map(|(other, of)| view.find(Table::Deployment, other).into_iter().filter(move |found| found.source.as_str() == of))
        .collect();
    let of_this = |table, column: &str| view.facts(table, &[("deployment_id", &told_by), (column, &told_source)]);
    let first = found.first();
    let text = |column: &str| first.and_then(|found| text_of(Table::Deployment.spec(), &found.row, column));
    let artifact: Vec<Found> = text("digest").map(|digest| view.find(Table::Artifact, digest)).unwrap_or_default();
    let runs = text("run_id").map_or(Ok(Vec::new()), |run| view.facts(FactTable::Pipelines, &[("run_id", run), ("source", &source)]))?;
    let facts = view.app.engine().facts(&view.app.tenant());
    let mut changes = of_this(FactTable::Changes, "source")?;
    let tickets = name_tickets(&facts, &mut changes);
    Ok(members! {
        "data": fact.clone(),
        "ledger": view.fact(FactTable::DeploymentLedger, &[("deployment_id", id), ("source", &source)])?,
        "state": state,
        "suspected_duplicates": suspected,
        "row": entities(Table::Deployment, &found.iter().take(1).collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "evidence": entities(Table::Deployment, &evidence.iter().collect::<Vec<_>>())?,
        "verdicts": view.verdicts("deployment_id", id)?,
        "failures": of_this(FactTable::DeploymentFailures, "source")?,
        "changes": changes,
        "tickets": tickets,
        "manifests": entities(Table::Manifest, &pinned(view, &facts, &told_by, &told_source).iter().collect::<Vec<_>>())?,
        "incidents": view.facts(FactTable::IncidentLinks, &[("deployment_id", &told_by), ("deployment_source", &told_source)])?,
        "previous": named("previous_deployment_id")?.pop().unwrap_or_default(),
        "next": of_service("previous_deployment_id", &told_by)?,
        "remediation": named("remediation_deployment_id")?.pop().unwrap_or_default(),
        "remedies": of_service("remediation_deployment_id", &told_by)?,
        "artifacts": entities(Table::Artifact, &artifact.iter().collect::<Vec<_>>())?,
        "runs": runs,
        "raw_events": raw_events(found.iter().chain(&evidence)),
    })
}

/// Adds to each commit the tickets of its change; gives all of them, each once.
fn name_tickets(facts: &Facts, changes: &mut [Value]) -> Vec<String> {
    let mut all = BTreeSet::new();
    for change in changes.iter_mut() {
        let repo = text_in(change, "repo").and_then(|repo| facts.repos.get(repo));
        let node = repo.zip(text_in(change, "sha")).and_then(|(repo, sha)| Some((repo, repo.find(sha)?)));
        let tickets = node.map(|(repo, node)| repo.tickets(node)).unwrap_or_default();
        all.extend(tickets.iter().cloned());
        if let Some(change) = change.as_object_mut() {
            change.insert("tickets".to_owned(), tickets.into());
        }
    }
    all.into_iter().collect()
}

/// The row of the configuration that said which image was deployed, if that is how the commit was found.
fn pinned(view: &View<'_>, facts: &Facts, id: &str, source: &str) -> Vec<Found> {
    let mut all = facts.services.values().flat_map(|service| service.deployments.iter());
    let Some(told) = all.find(|deployment| deployment.row.deployment_id == id && deployment.source.as_str() == source) else {
        return Vec::new();
    };
    let (Some(repo), Some((sha, path, image))) = (&told.row.config_repo, &told.link.pinned) else { return Vec::new() };
    let spec = Table::Manifest.spec();
    let is_it = |found: &Found| {
        [("sha", sha), ("path", path), ("image", image)]
            .iter()
            .all(|(column, value)| text_of(spec, &found.row, column) == Some(value.as_str()))
    };
    view.find(Table::Manifest, repo).into_iter().filter(is_it).collect()
}

/// Under which id and source the facts have a deployment, all evidence of it, and its state now.
struct Telling {
    id: String,
    source: String,
    others: Vec<(String, String)>,
    state: Option<&'static str>,
}

fn telling(view: &View<'_>, id: &str, source: &str) -> Telling {
    let facts = view.app.engine().facts(&view.app.tenant());
    let evidence = |deployment: &Classified| -> Vec<(String, String)> {
        let duplicates = deployment.duplicates.iter().map(|other| (other.deployment_id.clone(), other.source.to_string()));
        std::iter::once((deployment.row.deployment_id.clone(), deployment.source.to_string())).chain(duplicates).collect()
    };
    for (service, of) in &facts.services {
        for (index, deployment) in of.deployments.iter().enumerate() {
            let others = evidence(deployment);
            if others.iter().any(|(other, of)| other == id && of == source) {
                let state = facts.state(service, of, index, view.app.now()).map(State::as_str);
                let (id, source) = others[0].clone();
                return Telling { id, source, others, state };
            }
        }
    }
    Telling { id: id.to_owned(), source: source.to_owned(), others: Vec::new(), state: None }
}
