//! Incidents: early, late, exactly at the limit, duplicates, with and without a cause or a service.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Made, Maker, at, maybe};

pub fn fill(m: &mut Maker) {
    if m.dice.chance(0.06) {
        return; // rule 11: a world without any incident source
    }
    let production: Vec<Made> = m.made.iter().filter(|d| d.environment.starts_with("prod")).cloned().collect();
    let mut earlier: Vec<String> = Vec::new();
    for _ in 0..m.dice.between(4, 16) {
        let d = m.dice.of(&production);
        let day = TimeDelta::hours(24);
        let lag = match m.dice.below(10) {
            0 => day,                              // exactly the limit
            1 => day + TimeDelta::microseconds(1), // just over it
            2 => TimeDelta::hours(25),
            3 => TimeDelta::zero(),
            4 => TimeDelta::minutes(-20),
            _ => m.minutes(1, 1400),
        };
        let start = d.finished_at + lag;
        let id = m.id("inc-");
        let other = m.dice.of(&m.services.clone()).name;
        let services = match m.dice.below(10) {
            0 => json!([]),
            1 => Value::Null,
            2 | 3 => json!([d.service, other]),
            4 => json!([other]),
            _ => json!([d.service]),
        };
        let environment = match m.dice.below(10) {
            0 | 1 => json!("preprod"),
            2..5 => json!(d.environment),
            5 => json!("production"),
            _ => Value::Null,
        };
        let resolved = match m.dice.below(10) {
            0 | 1 => None,
            2 => Some(start - m.minutes(1, 60)),
            3 => Some(start),
            4 => Some(d.finished_at - TimeDelta::minutes(5)),
            _ => Some(start + m.minutes(1, 3000)),
        };
        let (mut by_deployment, mut by_sha) = (Value::Null, Value::Null);
        match m.dice.below(12) {
            0 => by_deployment = json!(m.dice.of(&production).id),
            1 => by_deployment = json!(d.id),
            2 => by_deployment = json!("d-unknown"),
            3 => by_sha = json!(d.sha),
            4 => {
                let repo = m.dice.below(m.repos.len() as u64) as usize;
                by_sha = json!(m.dice.of(&m.repos[repo].main.clone()).1);
            }
            5 => {
                let unknown = m.dice.hex(40);
                by_sha = json!(m.dice.of(&[unknown, "0".repeat(40)]));
            }
            _ => {}
        }
        let fixed_by = if m.dice.chance(0.2) { json!(m.dice.of(&production).id) } else { Value::Null };
        let duplicate_of = match m.dice.below(12) {
            0 if !earlier.is_empty() => json!(m.dice.of(&earlier)),
            1 => json!("inc-unknown"),
            _ => Value::Null,
        };
        let source = if m.dice.chance(0.2) { json!("pager") } else { Value::Null };
        let started = if m.dice.chance(0.8) { at(start) } else { Value::Null };
        let created = if m.dice.chance(0.9) { at(start + TimeDelta::minutes(3)) } else { Value::Null };
        let mut row = json!({"incident_id": id, "services": services, "environment": environment, "severity": "high", "title": "it is down",
            "started_at": started, "created_at": created, "resolved_at": maybe(resolved), "caused_by_deployment": by_deployment,
            "caused_by_sha": by_sha, "fixed_by_deployment": fixed_by, "duplicate_of": duplicate_of, "source": source});
        if duplicate_of.is_null() {
            earlier.push(id);
        }
        if m.dice.chance(0.15) {
            // Opened, resolved, reopened, and sometimes resolved again.
            row["resolved_at"] = Value::Null;
            let step = |hours: i64, column: &str, value: Value| {
                let mut next = row.clone();
                next["updated_at"] = at(start + TimeDelta::hours(hours));
                next[column] = value;
                next
            };
            let resolved = step(2, "resolved_at", at(start + TimeDelta::hours(2)));
            let reopened = step(3, "cleared", json!(["resolved_at"]));
            let again = step(9, "resolved_at", at(start + TimeDelta::hours(9)));
            m.put("incidents", reopened);
            m.put("incidents", resolved);
            if m.dice.chance(0.5) {
                m.put("incidents", again);
            }
        } else {
            m.put("incidents", row);
        }
    }
}
