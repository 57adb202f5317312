//! What stands between a version and production: scans.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, at, maybe};
use crate::row::{Row, list, sha, text, time};
use crate::time::Time;

pub fn fill(m: &mut Maker) {
    for service in m.services.clone() {
        let kinds: Vec<&str> = ["sast", "sca", "container", "secret"].into_iter().filter(|_| m.dice.chance(0.5)).collect();
        scan_versions(m, &service.name, service.repo, &kinds);
    }
    for change in m.tables.get("changes").cloned().unwrap_or_default() {
        if let (Some(merged), true) = (time(&change, "merged_at"), m.dice.chance(0.3)) {
            scan_change(m, &change, merged);
        }
    }
}

/// Most versions of a service, by the kinds of scan that it has.
fn scan_versions(m: &mut Maker, service: &str, repo: usize, kinds: &[&str]) {
    let is_mine = |row: &&Row| text(row, "service").as_deref() == Some(service) && row.contains_key("finished_at");
    let rows: Vec<Row> = m.tables["deployments"].iter().filter(is_mine).cloned().collect();
    let mut seen: BTreeSet<(Option<String>, Option<String>)> = BTreeSet::new();
    for row in &rows {
        let version = (sha(row, "sha"), text(row, "digest"));
        if version == (None, None) || !seen.insert(version.clone()) {
            continue;
        }
        let same = |r: &&Row| (sha(r, "sha"), text(r, "digest")) == version;
        let live = rows.iter().filter(same).find(|r| text(r, "environment").is_some_and(|e| e.starts_with("prod")));
        let start = live.and_then(|r| time(r, "started_at"));
        for kind in kinds {
            if m.dice.chance(0.55) {
                let first = time(row, "finished_at").expect("it finished");
                scan_version(m, kind, repo, &version, first, start);
            }
        }
    }
}

/// A scan of what was first deployed at `first`, and to production from `start` on.
fn scan_version(
    m: &mut Maker,
    kind: &str,
    repo: usize,
    (sha, digest): &(Option<String>, Option<String>),
    first: Time,
    start: Option<Time>,
) {
    let finished = match m.dice.below(12) {
        0 => start.unwrap_or(first),              // just in time
        1 | 2 => first + m.minutes(60, 5 * 1440), // late
        _ => first - m.minutes(1, 2000),
    };
    let address = m.repos[repo].address.clone();
    let (mut by_digest, mut by_sha, mut by_run) = (json!(digest), json!(sha), Value::Null);
    match m.dice.below(10) {
        0..4 if digest.is_some() => by_sha = Value::Null,
        4 if digest.is_some() => by_digest = json!(format!("sha256:{}", m.dice.hex(64))), // another build of the same commit
        0..6 => by_digest = Value::Null,
        6 | 7 if sha.is_some() => {
            by_run = json!(run(m, &address, sha.as_deref(), finished));
            (by_digest, by_sha) = (Value::Null, Value::Null);
        }
        _ => {}
    }
    let repo = if m.dice.chance(0.7) { json!(address) } else { Value::Null };
    let row = json!({"kind": kind, "repo": repo, "sha": by_sha, "digest": by_digest, "run_id": by_run});
    let ended = Some(finished).filter(|_| m.dice.chance(0.94));
    put(m, row.clone(), ended);
    if m.dice.chance(0.25) {
        // Looked at again, with what is known by then.
        let later = finished + m.dice.of(&[TimeDelta::zero(), TimeDelta::hours(5), TimeDelta::days(9)]);
        put(m, row, Some(later));
    }
}

/// A scan before, at or after the merge, linked to the change by number, by commit or by run.
fn scan_change(m: &mut Maker, change: &Row, merged: Time) {
    let lag = m.dice.of(&[TimeDelta::zero(), TimeDelta::microseconds(1), TimeDelta::minutes(50), TimeDelta::minutes(-9)]);
    let finished = if m.dice.chance(0.5) { merged - m.minutes(1, 300) } else { merged + lag };
    let commits: Vec<String> = list(change, "commit_shas").unwrap_or_default().into_iter().chain(sha(change, "merge_sha")).collect();
    let address = text(change, "repo").unwrap_or_default();
    let mut row = json!({"kind": m.dice.of(&["sast", "sca", "sca", "secret"]), "repo": address});
    match m.dice.below(8) {
        0..3 => row["change_id"] = change["change_id"].clone(),
        3 => (row["change_id"], row["repo"]) = (change["change_id"].clone(), json!("git.example.org/acme/other")),
        4 => row["run_id"] = json!(run(m, &address, commits.first().map(String::as_str), finished)),
        5 if !commits.is_empty() => (row["sha"], row["repo"]) = (json!(m.dice.of(&commits)), Value::Null),
        _ if !commits.is_empty() => row["sha"] = json!(m.dice.of(&commits)),
        _ => {}
    }
    put(m, row, Some(finished));
}

/// The run in which something was scanned; its id, which another pipeline sometimes has too.
fn run(m: &mut Maker, repo: &str, sha: Option<&str>, finished: Time) -> String {
    let id = m.id("");
    let started = finished - m.minutes(1, 30);
    let template = if m.dice.chance(0.4) { json!("templates/scan@1") } else { Value::Null };
    let row = |pipeline: &str, sha: Value| {
        json!({"pipeline": pipeline, "run_id": id, "attempt": 1, "repo": repo, "sha": sha, "branch": "main", "is_default_branch": true,
            "created_at": at(started), "started_at": at(started), "finished_at": at(finished), "result": "success", "kind": "ci",
            "template_ref": template})
    };
    let (this, other) = (row("scan", json!(sha)), row("static", json!(m.dice.hex(40))));
    m.put("pipeline_runs", this);
    if m.dice.chance(0.1) {
        m.put("pipeline_runs", other);
    }
    id
}

fn put(m: &mut Maker, mut row: Value, finished: Option<Time>) {
    row["scan_id"] = json!(m.id("scan-"));
    row["finished_at"] = maybe(finished);
    row["gate"] = m.dice.of(&[json!("passed"), json!("passed"), json!("passed"), json!("failed"), json!("none"), Value::Null]);
    for (severity, most) in [("critical", 2), ("high", 5), ("medium", 20), ("low", 50)] {
        if m.dice.chance(0.9) {
            row[severity] = json!(m.dice.below(most));
        }
    }
    if m.dice.chance(0.1) {
        row["source"] = json!("scanner"); // to which no run belongs
    }
    m.put("scans", row);
}
