//! Issue Hook: an issue of the type incident, or with one of the configured labels, is an incident. Any other says nothing for us.

use super::payload::{self, Label, Project};
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::{Incident, Observation, Time};
use serde::Deserialize;

/// A scoped label that names a service: `service::checkout`.
const SERVICE_LABEL: &str = "service::";

#[derive(Deserialize)]
struct Hook {
    project: Option<Project>,
    repository: Option<Project>,
    object_attributes: Option<Attributes>,
    labels: Option<Vec<Label>>,
    changes: Option<Changes>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "shared::id")]
    iid: Option<String>,
    r#type: Option<String>,
    action: Option<String>,
    state: Option<String>,
    title: Option<String>,
    confidential: Option<bool>,
    severity: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    updated_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    closed_at: Option<Time>,
    labels: Option<Vec<Label>>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Changes {
    escalation_status: Option<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    /// A word, or a number in some versions; only the word is told apart.
    #[serde(default, deserialize_with = "shared::id")]
    current: Option<String>,
}

pub(super) fn normalise(body: &[u8], rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let issue = shared::need(hook.object_attributes, "object_attributes")?;
    let labels = payload::titles(issue.labels.or(hook.labels)).unwrap_or_default();
    let is_incident = issue.r#type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("incident"))
        || labels.iter().any(|label| rules.incident_labels.iter().any(|rule| rule.to_lowercase() == label.to_lowercase()));
    if !is_incident {
        return Ok(Vec::new());
    }
    let project = Project::either(hook.project, hook.repository);
    let path = shared::need(project.path(), "project.path_with_namespace")?;
    let iid = shared::need(issue.iid, "object_attributes.iid")?;

    let mut services: Vec<String> =
        labels.iter().filter_map(|label| label.strip_prefix(SERVICE_LABEL)).filter_map(shared::filled).collect();
    if services.is_empty() {
        services.extend(project.name());
    }
    let is_closed = issue.state.as_deref() == Some("closed") || issue.action.as_deref() == Some("close");
    let closed_at = issue.closed_at.or(issue.updated_at.filter(|_| issue.action.as_deref() == Some("close")));
    let turned_to = hook.changes.and_then(|changes| changes.escalation_status).and_then(|turn| turn.current);
    let incident = Incident {
        incident_id: format!("{path}#{iid}"),
        services: Some(services),
        severity: issue.severity,
        // The title of a confidential issue is part of what is confidential.
        title: issue.title.filter(|_| issue.confidential != Some(true)),
        created_at: issue.created_at,
        acknowledged_at: issue.updated_at.filter(|_| turned_to.as_deref() == Some("acknowledged")),
        resolved_at: closed_at.filter(|_| is_closed),
        url: issue.url,
        ..Default::default()
    };
    let mut told = Observation::new(incident).updated_at(issue.updated_at);
    if issue.action.as_deref() == Some("reopen") {
        told = told.clearing("resolved_at");
    }
    Ok(vec![told])
}
