//! What is there before a deployment to production starts, or comes too late: tests of its commit and approvals of every kind.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, at, maybe, tests};
use crate::row::{Row, source, text, time};
use crate::time::Time;

pub fn fill(m: &mut Maker) {
    if m.dice.chance(0.2) {
        return; // a world in which nobody is asked
    }
    let deployments = in_production(m);
    for service in m.services.clone() {
        // What this service usually has.
        let habits: Vec<&str> = ["test", "environment", "release", "change"].into_iter().filter(|_| m.dice.chance(0.3)).collect();
        for d in deployments.iter().filter(|d| text(d, "service").as_deref() == Some(service.name.as_str())) {
            for habit in &habits {
                let decided = moment(m, d);
                match (*habit, m.dice.chance(0.65)) {
                    (_, false) => {}
                    ("test", _) => test(m, d, decided),
                    (kind, _) => approval(m, d, kind, decided),
                }
            }
        }
    }
}

pub fn in_production(m: &Maker) -> Vec<Row> {
    let mut all = tests::deployed(m);
    all.retain(|d| text(d, "environment").is_some_and(|e| e.starts_with("prod")));
    all
}

/// Mostly in the hours before the deployment started, sometimes just as it did, sometimes too late.
pub fn moment(m: &mut Maker, d: &Row) -> Time {
    let start = time(d, "started_at").or(time(d, "finished_at")).expect("a deployment that was made up has its times");
    match m.dice.below(12) {
        0 => start,
        1 => start + TimeDelta::microseconds(1),
        2 => start + m.minutes(1, 200),
        _ => start - m.minutes(1, 900),
    }
}

/// A test of a pipeline that nobody knows, on the commit that is deployed.
fn test(m: &mut Maker, d: &Row, finished: Time) {
    let seconds = m.dice.of(&[0.0, 30.0, 90.5]);
    let service = if m.dice.chance(0.5) { d["service"].clone() } else { Value::Null };
    let row = json!({"test_id": m.dice.of(&["adds", "pays"]), "suite": m.dice.of(&["unit", "contract"]), "attempt": m.dice.of(&[1, 1, 2]),
        "phase": "pipeline", "sha": d.get("sha").cloned().unwrap_or_default(), "service": service,
        "result": if m.dice.chance(0.8) { "success" } else { m.dice.of(&["failure", "error", "skip"]) }, "duration_seconds": seconds,
        "started_at": at(finished - TimeDelta::milliseconds((seconds * 1000.0) as i64))});
    m.put("test_results", row);
}

fn approval(m: &mut Maker, d: &Row, kind: &str, decided: Time) {
    let id = m.id("approval-");
    let mut row = json!({"approval_id": id, "kind": kind, "requested_at": at(decided - TimeDelta::minutes(m.dice.between(0, 300))),
        "decided_at": maybe(Some(decided).filter(|_| m.dice.chance(0.95))),
        "decision": if m.dice.chance(0.9) { "approved" } else { "rejected" }, "actor": "ann"});
    let version = d.get("version").cloned().unwrap_or_default();
    match (kind, m.dice.below(3)) {
        (_, 0) => {
            row["deployment_id"] = d["deployment_id"].clone();
            let from = source(d);
            row["source"] = if from == "import" || m.dice.chance(0.2) { Value::Null } else { json!(from) };
        }
        ("environment", _) => {
            (row["service"], row["environment"]) = (d["service"].clone(), d["environment"].clone());
            row["version"] = m.dice.of(&[Value::Null, version, json!("0.0")]);
        }
        ("release", _) => {
            (row["service"], row["version"]) = (d["service"].clone(), if m.dice.chance(0.9) { version } else { Value::Null });
            row["environment"] = m.dice.of(&[Value::Null, d["environment"].clone(), json!("qa")]);
        }
        _ => row["change_id"] = merged_before(m, d),
    }
    m.put("approvals", row);
}

/// One of the last changes that were merged into the repository of the service before.
fn merged_before(m: &mut Maker, d: &Row) -> Value {
    let service = m.services.iter().find(|s| text(d, "service").as_ref() == Some(&s.name)).expect("a service of the world");
    let address = m.repos[service.repo].address.clone();
    let here = |c: &&Row| text(c, "repo").as_ref() == Some(&address) && time(c, "merged_at") <= time(d, "started_at");
    let mut changes: Vec<(Option<Time>, String)> =
        m.tables["changes"].iter().filter(here).filter_map(|c| Some((Some(time(c, "merged_at")?), text(c, "change_id")?))).collect();
    changes.sort();
    let last: Vec<String> = changes.into_iter().rev().take(2).map(|c| c.1).collect();
    if last.is_empty() { Value::Null } else { json!(m.dice.of(&last)) }
}
