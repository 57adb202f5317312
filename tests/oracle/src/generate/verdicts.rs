//! What persons say: few things, each several times, so that words replace one another and are taken back.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Made, Maker, at};
use crate::row::{Row, list, source, text, time};
use crate::time::Time;

/// What verdicts are about.
#[derive(Clone)]
struct Subject {
    is_incident: bool,
    source: String,
    id: String,
    at: Time,
}

pub fn fill(m: &mut Maker) {
    if !m.dice.chance(0.35) {
        return;
    }
    let mut subjects: Vec<Subject> = Vec::new();
    for _ in 0..m.dice.between(2, 4) {
        subjects.push(subject(m));
    }
    let mut before: Option<(Time, String)> = None; // the last one's time and id
    let mut keys: Vec<(String, String)> = Vec::new();
    for _ in 0..m.dice.between(3, 9) {
        let about = if m.dice.chance(0.1) { unknown(m) } else { m.dice.of(&subjects) };
        let mut decided = match m.dice.below(8) {
            0 => m.end + m.minutes(1, 60 * 1440), // after some questions' as_of, or after all
            1 | 2 => m.instant(),
            _ => about.at + m.minutes(1, 4 * 1440),
        };
        let mut id = m.id("v-");
        if let Some((t, same)) = &before {
            if m.dice.chance(0.15) {
                decided = *t; // a tie, decided by the ids
            }
            if m.dice.chance(0.1) {
                id = same.clone(); // an id that is unique only within its source
            }
        }
        let mut from = match m.dice.below(8) {
            0 => "mirror".to_owned(),
            1 => "pager".to_owned(),
            2 => "person".to_owned(),
            3 => about.source.clone(),
            _ => "import".to_owned(),
        };
        if keys.contains(&(from.clone(), id.clone())) {
            from = m.id("person-");
        }
        keys.push((from.clone(), id.clone()));
        before = Some((decided, id.clone()));
        put(m, &about, decided, &id, &from);
    }
}

fn put(m: &mut Maker, about: &Subject, decided: Time, id: &str, from: &str) {
    let (failed, kind, caused_by) = word(m, about);
    let (deployment, incident) = if about.is_incident { (Value::Null, json!(about.id)) } else { (json!(about.id), Value::Null) };
    let row = json!({"verdict_id": id, "deployment_id": deployment, "incident_id": incident, "failed": failed, "kind": kind,
        "caused_by_deployment": caused_by, "reason": if m.dice.chance(0.5) { json!("seen by a person") } else { Value::Null },
        "actor": m.dice.of(&[json!("ann"), json!("bob"), Value::Null]), "decided_at": at(decided),
        "source": if from == "import" && m.dice.chance(0.8) { Value::Null } else { json!(from) }});
    if !about.is_incident && failed.is_boolean() && m.dice.chance(0.1) {
        // The same verdict, corrected.
        let mut corrected = row.clone();
        corrected["failed"] = json!(failed == json!(false));
        corrected["decided_at"] = at(decided + TimeDelta::hours(1));
        m.put("verdicts", corrected);
    }
    m.put("verdicts", row);
}

/// failed, kind and caused_by_deployment; none of them takes back.
fn word(m: &mut Maker, about: &Subject) -> (Value, Value, Value) {
    let none = Value::Null;
    if about.is_incident {
        return match m.dice.below(8) {
            0 => (none.clone(), none.clone(), none),
            1 | 2 => (json!(false), none.clone(), none),
            _ => (none.clone(), none, cause(m)),
        };
    }
    let kind = json!(m.dice.of(&["release", "hotfix", "rollback", "revert", "no_op", "config_only"]));
    match m.dice.below(12) {
        0 | 1 => (none.clone(), none.clone(), none),
        2..5 => (json!(true), none.clone(), none),
        5..8 => (json!(false), none.clone(), none),
        8 => (json!(true), kind, none),
        _ => (none.clone(), kind, none),
    }
}

/// Mostly a deployment to production; else any row's, or none that is known.
fn cause(m: &mut Maker) -> Value {
    match m.dice.below(10) {
        0 => json!("d-unknown"),
        1 => json!(any_row(m).id),
        _ => json!(m.dice.of(&in_production(m)).id),
    }
}

fn unknown(m: &mut Maker) -> Subject {
    let is_incident = m.dice.chance(0.5);
    let id = if is_incident { "inc-unknown" } else { "d-unknown" };
    Subject { is_incident, source: "import".into(), id: id.into(), at: m.instant() }
}

fn subject(m: &mut Maker) -> Subject {
    let incidents = m.tables.get("incidents").cloned().unwrap_or_default();
    match m.dice.below(10) {
        0 => any_row(m),
        1..4 if !incidents.is_empty() => {
            let incident = m.dice.of(&incidents);
            suspect(m, &incident)
        }
        4..8 if !incidents.is_empty() => {
            let incident = m.dice.of(&incidents);
            let id = text(&incident, "incident_id").expect("every incident has an id");
            Subject { is_incident: true, source: source(&incident), id, at: start(&incident).unwrap_or(m.end) }
        }
        _ => {
            let made = m.dice.of(&in_production(m));
            of(&made)
        }
    }
}

/// Any row of a deployment, also one of another tier, one that is not finished, or the lesser evidence of another one.
fn any_row(m: &mut Maker) -> Subject {
    let row = m.dice.of(&m.tables["deployments"]);
    let id = text(&row, "deployment_id").expect("every deployment has an id");
    Subject { is_incident: false, source: source(&row), id, at: time(&row, "started_at").unwrap_or(m.end) }
}

/// The deployment that an incident seems to belong to.
fn suspect(m: &mut Maker, incident: &Row) -> Subject {
    let production = in_production(m);
    let services = list(incident, "services").unwrap_or_default();
    let start = start(incident).unwrap_or(m.end);
    let near = production.iter().filter(|d| services.contains(&d.service) && d.finished_at <= start);
    let latest = near.max_by_key(|d| d.finished_at).cloned();
    of(&latest.unwrap_or_else(|| m.dice.of(&production)))
}

fn start(incident: &Row) -> Option<Time> {
    time(incident, "started_at").or_else(|| time(incident, "created_at"))
}

fn of(d: &Made) -> Subject {
    Subject { is_incident: false, source: d.source.clone(), id: d.id.clone(), at: d.finished_at }
}

fn in_production(m: &Maker) -> Vec<Made> {
    m.made.iter().filter(|d| d.environment.starts_with("prod")).cloned().collect()
}
