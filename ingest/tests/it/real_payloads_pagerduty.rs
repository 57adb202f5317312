//! Real payloads of PagerDuty.

use crate::real_payloads::{body, check, rows};
use crate::support::tables;
use flowgauge_ingest::providers::pagerduty::{Pagerduty, rest};
use flowgauge_lake::model::{Entity, Incident, Observation, Time};

const FILES: &[(&str, &[&str])] = &[
    ("incident.priority_updated.json", &["incidents"]),
    ("incident.resolved.json", &["incidents"]),
    ("incident.triggered.json", &["incidents"]),
    ("service.updated.json", &[]),
];

fn at(text: &str) -> Option<Time> {
    Some(Time::parse(text).expect(text))
}

fn incident(seen: &Observation) -> &Incident {
    match &seen.entity {
        Entity::Incident(row) => row,
        other => panic!("an incident, not {other:?}"),
    }
}

#[test]
fn every_file_gives_what_it_says() {
    check(&Pagerduty, FILES, &["rest_incidents.json"], |_| Vec::new());
}

#[test]
fn a_resolution_is_dated_by_its_event() {
    let Some(seen) = rows(&Pagerduty, "incident.resolved.json", Vec::new()) else { return };
    let row = incident(&seen[0]);
    assert_eq!((row.incident_id.as_str(), row.severity.as_deref()), ("PCPZE64", Some("high")));
    assert_eq!((row.created_at, row.resolved_at), (None, at("2021-06-04T13:16:53.816Z")));
}

#[test]
fn an_old_trigger_is_dated_by_its_event() {
    let Some(seen) = rows(&Pagerduty, "incident.triggered.json", Vec::new()) else { return };
    let row = incident(&seen[0]);
    assert_eq!((row.created_at, row.started_at), (at("2021-06-04T13:35:29.781Z"), at("2021-06-04T13:35:29.781Z")));
    assert_eq!(row.services, Some(vec!["pig208".to_owned()]));
}

#[test]
fn a_priority_is_the_severity() {
    let Some(seen) = rows(&Pagerduty, "incident.priority_updated.json", Vec::new()) else { return };
    assert_eq!(incident(&seen[0]).severity.as_deref(), Some("P1"));
    assert_eq!(incident(&seen[0]).created_at, at("2020-04-09T15:16:27Z"));
}

#[test]
fn the_rest_answer_gives_the_same_rows() {
    let Some(body) = body("pagerduty", "rest_incidents.json") else { return };
    let seen = rest(&serde_json::from_slice(&body).expect("JSON")).expect("incidents");
    assert_eq!(tables(&seen), ["incidents", "incidents"]);
    let row = incident(&seen[1]);
    assert_eq!((row.incident_id.as_str(), row.acknowledged_at, row.resolved_at), ("Q3CZAU7Q4008QD", at("2022-11-03T06:44:37Z"), None));
    assert_eq!(row.services, Some(vec!["DevService".to_owned()]));
}
