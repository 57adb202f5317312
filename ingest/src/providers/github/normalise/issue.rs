//! Issues that are incidents, by their labels.

use super::super::payload::IssueEvent;
use super::{Rows, names};
use crate::provider::Rules;
use crate::providers::shared::{filled, need};
use flowgauge_lake::model::{Incident, Observation};

pub fn issue(event: IssueEvent, rules: &Rules) -> Rows {
    let issue = need(event.issue, "issue")?;
    let repository = need(event.repository, "repository")?;
    let is_incident = |label: &String| rules.incident_labels.iter().any(|wanted| wanted.to_lowercase() == label.to_lowercase());
    if !names(issue.labels.unwrap_or_default()).iter().any(is_incident) {
        return Ok(Vec::new());
    }
    let number = need(issue.number, "issue.number")?;
    let full_name = need(repository.full_name.clone(), "repository.full_name")?;
    let is_open = issue.state.as_deref() == Some("open");
    let row = Incident {
        incident_id: format!("{full_name}#{number}"),
        services: repository.name.and_then(filled).map(|name| vec![name]),
        title: issue.title,
        created_at: issue.created_at,
        resolved_at: issue.closed_at.filter(|_| !is_open),
        url: issue.html_url,
        ..Incident::default()
    };
    let row = Observation::new(row).updated_at(issue.updated_at);
    Ok(vec![if is_open && event.action.as_deref() != Some("opened") { row.clearing("resolved_at") } else { row }])
}
