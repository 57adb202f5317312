//! Scans: of what is deployed, by digest, commit or run, and of changes before or after their merge.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, gates, maybe};
use crate::row::{Row, text, time};
use crate::time::Time;

pub fn fill(m: &mut Maker) {
    if m.dice.chance(0.2) {
        return; // a world without scanners
    }
    let deployments = gates::in_production(m);
    for service in m.services.clone() {
        let kinds: Vec<&str> = ["sast", "sca", "container"].into_iter().filter(|_| m.dice.chance(0.3)).collect();
        for d in deployments.iter().filter(|d| text(d, "service").as_deref() == Some(service.name.as_str())) {
            for kind in &kinds {
                if m.dice.chance(0.65) {
                    let finished = gates::moment(m, d);
                    of_deployment(m, d, kind, finished);
                }
            }
        }
    }
    for change in m.tables.get("changes").cloned().unwrap_or_default() {
        if let (Some(merged), true) = (time(&change, "merged_at"), m.dice.chance(0.35)) {
            of_change(m, &change, merged);
        }
    }
}

fn of_deployment(m: &mut Maker, d: &Row, kind: &str, finished: Time) {
    let (digest, sha) = (d.get("digest").cloned().unwrap_or_default(), d.get("sha").cloned().unwrap_or_default());
    let mut row = scan(m, kind, finished);
    let run = run_of(m, &sha);
    match m.dice.below(4) {
        0 if !run.is_null() => row["run_id"] = run,
        0 | 1 => row["sha"] = sha,
        2 => row["digest"] = digest,
        _ => (row["sha"], row["digest"]) = (sha, digest),
    }
    m.put("scans", row);
}

fn of_change(m: &mut Maker, change: &Row, merged: Time) {
    let kind = m.dice.of(&["sast", "sca", "sast", "sca", "secret"]);
    let finished = merged + m.dice.of(&[TimeDelta::zero(), TimeDelta::microseconds(1), TimeDelta::minutes(-30), TimeDelta::minutes(-90)]);
    let mut row = scan(m, kind, finished);
    row["repo"] = if m.dice.chance(0.7) { change["repo"].clone() } else { Value::Null };
    let mut commits: Vec<Value> = change.get("commit_shas").and_then(Value::as_array).cloned().unwrap_or_default();
    commits.extend(change.get("merge_sha").cloned());
    match m.dice.below(3) {
        0 if !commits.is_empty() => row["sha"] = m.dice.of(&commits),
        1 => row["run_id"] = any_run(m, change, &commits),
        _ => row["change_id"] = change["change_id"].clone(),
    }
    m.put("scans", row);
}

fn scan(m: &mut Maker, kind: &str, finished: Time) -> Value {
    let id = m.id("scan-");
    let found = |m: &mut Maker| if m.dice.chance(0.8) { json!(m.dice.below(4)) } else { Value::Null };
    let gate = if m.dice.chance(0.7) { json!("passed") } else { m.dice.of(&[json!("failed"), json!("none"), Value::Null]) };
    json!({"scan_id": id, "kind": kind, "tool": "scanner", "finished_at": maybe(Some(finished).filter(|_| m.dice.chance(0.95))),
        "gate": gate, "critical": found(m), "high": found(m), "medium": found(m), "low": found(m)})
}

fn run_of(m: &Maker, sha: &Value) -> Value {
    let runs = m.tables.get("pipeline_runs").into_iter().flatten();
    let mut of_sha = runs.filter(|r| !sha.is_null() && r.get("sha") == Some(sha));
    of_sha.next().map_or(Value::Null, |run| run["run_id"].clone())
}

/// A run of the change or of one of its commits, else any.
fn any_run(m: &mut Maker, change: &Row, commits: &[Value]) -> Value {
    let runs = m.tables.get("pipeline_runs").cloned().unwrap_or_default();
    let its = |r: &&Row| r.get("change_id") == change.get("change_id") || r.get("sha").is_some_and(|sha| commits.contains(sha));
    let mine: Vec<Row> = runs.iter().filter(its).cloned().collect();
    let one = m.dice.of(if mine.is_empty() { &runs } else { &mine });
    one["run_id"].clone()
}
