//! One incident.

use super::{View, entities, members, raw_events, text_in, text_of};
use crate::error::AppError;
use flowgauge_lake::model::Table;
use flowgauge_lake::model::facts::FactTable;
use flowgauge_query::Found;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub fn show(view: &View<'_>, id: &str) -> Result<Map<String, Value>, AppError> {
    let found = view.find(Table::Incident, id);
    let source = view.choose("incident", id, "source", found.iter().map(|found| found.source.to_string()).collect())?;
    let found: Vec<Found> = found.into_iter().filter(|found| found.source.as_str() == source).collect();
    let links = view.facts(FactTable::IncidentLinks, &[("incident_id", id), ("source", &source)])?;
    let charged: BTreeSet<(&str, &str)> =
        links.iter().filter_map(|link| text_in(link, "deployment_id").zip(text_in(link, "deployment_source"))).collect();
    let mut deployments = Vec::new();
    for (deployment, source) in charged {
        deployments.extend(view.facts(FactTable::Deployments, &[("deployment_id", deployment), ("source", source)])?);
    }
    let fix = found.first().and_then(|found| text_of(Table::Incident.spec(), &found.row, "fixed_by_deployment"));
    let fixed_by = fix.map_or(Ok(Vec::new()), |fix| view.facts(FactTable::Deployments, &[("deployment_id", fix)]))?;
    Ok(members! {
        "data": entities(Table::Incident, &found.iter().take(1).collect::<Vec<_>>())?.pop().unwrap_or_default(),
        "verdicts": view.verdicts("incident_id", id)?,
        "links": links,
        "deployments": deployments,
        "fixed_by": fixed_by,
        "failures": view.facts(FactTable::DeploymentFailures, &[("incident_id", id)])?,
        "raw_events": raw_events(&found),
    })
}
