//! One GitOps application.

use super::{View, entities, members, raw_events};
use crate::error::AppError;
use flowgauge_lake::model::Table;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_query::Found;
use serde_json::{Map, Value};

pub fn show(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let found = view.find(Table::GitopsObservation, id);
    let source = view.choose("application", id, "source", found.iter().map(|found| found.source.to_string()).collect())?;
    // In order of the key, which ends in the time of observation.
    let found: Vec<Found> = found.into_iter().filter(|found| found.source.as_str() == source).collect();
    let facts = view.app.engine().facts(&view.app.tenant());
    let app = facts.apps.values().find(|app| app.app == id && app.source.as_str() == source);
    let place = app.and_then(|app| app.service.as_deref().zip(app.environment.as_deref()));
    let deployments = place.map_or(Ok(Vec::new()), |(service, environment)| {
        view.facts(FactTable::Deployments, &[("service", service), ("environment", environment)])
    })?;
    let of_app = |table| view.facts(table, &[("app", id), ("source", &source)]);
    Ok(members! {
        "data": entities(Table::GitopsObservation, &found.last().into_iter().collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "service": app.and_then(|app| app.service.clone()),
        "environment": app.and_then(|app| app.environment.clone()),
        "stretches": of_app(FactTable::DriftStretches)?,
        "episodes": of_app(FactTable::DriftEpisodes)?,
        "deployments": deployments,
        "raw_events": raw_events(&found),
    })
}
