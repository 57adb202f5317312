//! PagerDuty's events and REST answers as incidents. Pure.

use super::payload::{Event, Incident, Message};
use crate::provider::NormaliseError;
use crate::providers::shared::{event_name, filled, json, need};
use flowgauge_lake::model::{Incident as Row, Observation, Time};
use serde::Deserialize;
use serde_json::Value;

/// What a delivery says. Events about a service, a note or a status update are known and say nothing.
pub fn normalise(body: &[u8]) -> Result<Vec<Observation>, NormaliseError> {
    let event = need(json::<Message>(body)?.event, "event")?;
    let name = event.event_type.clone().unwrap_or_default();
    match name.split_once('.') {
        Some(("incident", change)) => incident_event(event, change),
        Some(("service", _)) | Some(("pagey", "ping")) => Ok(Vec::new()),
        _ => Err(NormaliseError::UnknownEvent(event_name(&name))),
    }
}

fn incident_event(event: Event, change: &str) -> Result<Vec<Observation>, NormaliseError> {
    let at = need(event.occurred_at, "event.occurred_at")?;
    let data = need(event.data, "event.data")?;
    if data.get("type").and_then(Value::as_str) != Some("incident") {
        return Ok(Vec::new());
    }
    let incident = read(&data)?;
    // Older deliveries say when it was triggered only by being sent.
    let created_at = incident.created_at.or((change == "triggered").then_some(at));
    let mut row = row(incident, created_at)?;
    row.acknowledged_at = (change == "acknowledged").then_some(at);
    row.resolved_at = (change == "resolved").then_some(at);
    let row = Observation::new(row).updated_at(Some(at));
    Ok(vec![match change {
        "reopened" => row.clearing("resolved_at"),
        "unacknowledged" => row.clearing("acknowledged_at"),
        _ => row,
    }])
}

/// What PagerDuty's REST API answers, as the same rows: `{"incidents": […]}`, `{"incident": {…}}`, a list of incidents or one.
pub fn rest(answer: &Value) -> Result<Vec<Observation>, NormaliseError> {
    match answer {
        Value::Array(incidents) => incidents.iter().map(rest_incident).collect(),
        Value::Object(members) => match (members.get("incidents"), members.get("incident")) {
            (Some(page), _) => rest(page),
            (None, Some(incident)) => Ok(vec![rest_incident(incident)?]),
            (None, None) => Ok(vec![rest_incident(answer)?]),
        },
        _ => Err(NormaliseError::Malformed("no incident and no page of incidents".to_owned())),
    }
}

fn rest_incident(answer: &Value) -> Result<Observation, NormaliseError> {
    let incident = read(answer)?;
    let changed_at = incident.last_status_change_at;
    let updated_at = [incident.updated_at, changed_at, incident.created_at].into_iter().flatten().max();
    let is_resolved = incident.status.as_deref() == Some("resolved");
    // Old records have no `resolved_at`: being resolved was their last change of status.
    let resolved_at = incident.resolved_at.or(changed_at).filter(|_| is_resolved);
    let acknowledged_at = incident.acknowledgements.iter().flatten().filter_map(|acknowledgement| acknowledgement.at).min();
    let is_open = matches!(incident.status.as_deref(), Some("triggered" | "acknowledged"));
    let created_at = incident.created_at;
    let row = Row { acknowledged_at, resolved_at, ..row(incident, created_at)? };
    let row = Observation::new(row).updated_at(updated_at);
    Ok(if is_open { row.clearing("resolved_at") } else { row })
}

fn read(incident: &Value) -> Result<Incident, NormaliseError> {
    Incident::deserialize(incident).map_err(|_| NormaliseError::Malformed("not the shape of an incident".to_owned()))
}

fn row(incident: Incident, created_at: Option<Time>) -> Result<Row, NormaliseError> {
    let severity = incident.priority.and_then(|priority| priority.summary).and_then(filled);
    Ok(Row {
        incident_id: need(incident.id, "incident.id")?,
        services: incident.service.and_then(|service| service.summary).and_then(filled).map(|service| vec![service]),
        severity: severity.or(incident.urgency),
        title: incident.title,
        // PagerDuty knows no start of the impact apart: an incident starts when it is triggered.
        started_at: created_at,
        created_at,
        url: incident.html_url,
        ..Row::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowgauge_lake::model::Entity;
    use serde_json::json;

    fn incident(answer: &Value) -> (Row, Observation) {
        let rows = rest(answer).expect("an answer of the API");
        let Entity::Incident(row) = rows[0].entity.clone() else { panic!("incidents only") };
        (row, rows[0].clone())
    }

    fn at(text: &str) -> Option<Time> {
        Some(Time::parse(text).expect(text))
    }

    #[test]
    fn a_record_without_resolved_at_was_resolved_by_its_last_change() {
        let (row, seen) = incident(&json!({"incidents": [{
            "id": "PR1", "type": "incident", "status": "resolved", "title": "Baskets empty themselves",
            "created_at": "2026-05-04T08:00:00Z", "last_status_change_at": "2026-05-04T09:30:00Z", "urgency": "low",
            "service": {"summary": "basket"}, "acknowledgements": [{"at": "2026-05-04T08:20:00Z"}, {"at": "2026-05-04T08:05:00Z"}]
        }]}));
        assert_eq!(row.incident_id, "PR1");
        assert_eq!(row.services, Some(vec!["basket".to_owned()]));
        assert_eq!((row.created_at, row.started_at), (at("2026-05-04T08:00:00Z"), at("2026-05-04T08:00:00Z")));
        assert_eq!((row.acknowledged_at, row.resolved_at), (at("2026-05-04T08:05:00Z"), at("2026-05-04T09:30:00Z")));
        assert_eq!(row.severity.as_deref(), Some("low"));
        assert_eq!((seen.updated_at, seen.cleared.len()), (at("2026-05-04T09:30:00Z"), 0));
    }

    #[test]
    fn an_open_record_takes_an_earlier_resolution_back() {
        for answer in [
            json!({"incident": {"id": "PR2", "status": "acknowledged", "created_at": "2026-05-04T08:00:00Z"}}),
            json!([{"id": "PR2", "status": "triggered", "last_status_change_at": "2026-05-04T08:00:00Z"}]),
        ] {
            let (row, seen) = incident(&answer);
            assert_eq!((row.resolved_at, seen.cleared), (None, vec!["resolved_at".to_owned()]));
            assert_eq!(seen.updated_at, at("2026-05-04T08:00:00Z"));
        }
    }

    #[test]
    fn what_is_no_incident_is_refused() {
        for answer in [json!(3), json!({"incidents": 3}), json!({"id": {}}), json!([[]]), json!({"error": {"message": "no"}})] {
            assert!(rest(&answer).is_err(), "{answer}");
        }
    }
}
