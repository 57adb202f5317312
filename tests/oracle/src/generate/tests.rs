//! Results of tests: of pipelines, flaky ones among them, and of deployments, with passes after failures and what was healthy when.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, at, jobs, maybe};
use crate::row::{Row, source, text, time};
use crate::time::Time;

pub fn fill(m: &mut Maker) {
    of_pipelines(m);
    for d in deployed(m) {
        let environment = text(&d, "environment").unwrap_or_default();
        let share = if environment.starts_with("prod") { 0.3 } else { 0.12 };
        if m.dice.chance(share) {
            of_deployment(m, &d);
        }
    }
    healthy(m);
}

/// One row of every success that has finished, as it was told last.
pub fn deployed(m: &Maker) -> Vec<Row> {
    let mut found: Vec<Row> = Vec::new();
    for row in &m.tables["deployments"] {
        let known = |other: &Row| source(other) == source(row) && text(other, "deployment_id") == text(row, "deployment_id");
        if text(row, "outcome").as_deref() == Some("success") && row.contains_key("finished_at") && !found.iter().any(known) {
            found.push(row.clone());
        }
    }
    found
}

fn of_pipelines(m: &mut Maker) {
    let runs = m.tables.get("pipeline_runs").cloned().unwrap_or_default();
    for _ in 0..m.dice.between(4, 10) {
        let run = m.dice.of(&runs);
        let Some(begin) = jobs::begin(&run).filter(|t| time(&run, "started_at").is_none_or(|s| s >= *t)) else { continue };
        let suite = m.dice.of(&[json!("unit"), json!("unit"), json!("e2e"), Value::Null]);
        for _ in 0..m.dice.between(1, 3) {
            of_run(m, &run, begin, &suite);
        }
    }
}

/// A test in a run, often tried again with another result.
fn of_run(m: &mut Maker, run: &Row, begin: Time, suite: &Value) {
    let id = |row: &Row| text(row, "run_id");
    let mine: Vec<Row> = m.tables.get("jobs").into_iter().flatten().filter(|j| id(j) == id(run)).cloned().collect();
    let job = if mine.is_empty() || m.dice.chance(0.2) { None } else { Some(m.dice.of(&mine)) };
    let began = job.as_ref().and_then(|j| time(j, "started_at")).or(time(run, "started_at")).unwrap_or(begin);
    let started = began.max(begin) + m.minutes(0, 20);
    let has_start = m.dice.chance(0.85);
    let service = m.dice.of(&m.services.clone()).name;
    let row = json!({"test_id": m.dice.of(&["adds", "removes", "pays"]), "suite": suite, "attempt": 1,
        "sha": if m.dice.chance(0.9) { run.get("sha").cloned().unwrap_or_default() } else { Value::Null },
        "phase": if m.dice.chance(0.9) { json!("pipeline") } else { Value::Null },
        "run_id": if m.dice.chance(0.93) { json!(id(run)) } else { m.dice.of(&[Value::Null, json!("run-unknown")]) },
        "job_id": job.as_ref().map_or(Value::Null, |j| j["job_id"].clone()),
        "service": if m.dice.chance(0.15) { json!(service) } else { Value::Null },
        "environment": if m.dice.chance(0.1) { json!("qa") } else { Value::Null },
        "duration_seconds": if m.dice.chance(0.5) { json!(m.dice.below(900) as f64 / 2.0) } else { Value::Null },
        "result": result(m), "started_at": maybe(Some(started).filter(|_| has_start))});
    if m.dice.chance(0.3) {
        let mut again = row.clone();
        again["attempt"] = json!(2);
        again["result"] = json!(if row["result"] == "success" { "failure" } else { "success" });
        if m.dice.chance(0.4) && !mine.is_empty() {
            again["job_id"] = m.dice.of(&mine)["job_id"].clone(); // perhaps a job of another name
        }
        if has_start && m.dice.chance(0.7) {
            again["started_at"] = at(started + m.minutes(1, 30));
        }
        m.put("test_results", again);
    }
    m.put("test_results", row);
}

fn result(m: &mut Maker) -> &'static str {
    match m.dice.below(20) {
        0..12 => "success",
        12..15 => "failure",
        15 => "error",
        16 => "timeout",
        17 | 18 => "skip",
        _ => "cancellation",
    }
}

/// A result after a deployment, known by its id, its place or its application; after a bad one the test often passes.
fn of_deployment(m: &mut Maker, d: &Row) {
    let Some(finished) = time(d, "finished_at") else { return };
    let (service, environment) = (text(d, "service").unwrap_or_default(), text(d, "environment").unwrap_or_default());
    let mut started = finished
        + match m.dice.below(5) {
            0 => -TimeDelta::minutes(1), // while it still runs
            1 => TimeDelta::minutes(7),
            _ => m.minutes(31, 300),
        };
    let mut row = json!({"test_id": m.dice.of(&["opens", "buys"]), "suite": m.dice.of(&["smoke", "unit"]), "attempt": 1,
        "phase": "post_deploy", "sha": if m.dice.chance(0.3) { d.get("sha").cloned().unwrap_or_default() } else { Value::Null },
        "duration_seconds": if m.dice.chance(0.3) { json!(60.5) } else { Value::Null }});
    match m.dice.below(4) {
        0 => (row["service"], row["environment"]) = (json!(service), json!(environment)),
        // Whether what is known by its application alone makes its deployment fail, rule 32 leaves to others to say.
        1 if !is_near(m, &service, &environment, started) => row["app"] = json!(app(&service, &environment)),
        2 => (row["deployment_id"], row["app"]) = (d["deployment_id"].clone(), json!(app(&service, &environment))),
        _ => row["deployment_id"] = d["deployment_id"].clone(),
    }
    if row["deployment_id"].is_string() {
        let from = source(d);
        row["source"] = if from == "import" || m.dice.chance(0.2) { Value::Null } else { json!(from) };
    }
    let tells_health = row["app"].is_string() || m.dice.chance(0.4);
    if tells_health {
        observe(m, &service, &environment, started);
    }
    let bad = m.dice.chance(0.75);
    row["result"] = json!(if bad { m.dice.of(&["failure", "failure", "error", "timeout"]) } else { m.dice.of(&["success", "skip"]) });
    row["started_at"] = at(started);
    m.put("test_results", row.clone());
    if bad && m.dice.chance(0.7) {
        let day = TimeDelta::hours(24);
        let after = m.minutes(2, 200);
        let (pause, attempt) =
            m.dice.of(&[(after, 1), (after, 2), (day, 1), (day + TimeDelta::microseconds(1), 1), (TimeDelta::zero(), 2), (day * 2, 1)]);
        started += pause;
        row["attempt"] = json!(attempt);
        row["result"] = json!("success");
        row["started_at"] = at(started);
        m.put("test_results", row);
    }
}

fn app(service: &str, environment: &str) -> String {
    format!("{service}-{environment}-sync")
}

/// A deployment there finished in the 30 minutes before.
fn is_near(m: &Maker, service: &str, environment: &str, t: Time) -> bool {
    let there = |row: &Row| text(row, "service").as_deref() == Some(service) && text(row, "environment").as_deref() == Some(environment);
    let finishes = m.tables["deployments"].iter().filter(|row| there(row)).filter_map(|row| time(row, "finished_at"));
    finishes.into_iter().any(|end| t - TimeDelta::minutes(30) <= end && end <= t)
}

/// An application that tells only its health, and since when: before or after the test, or just as it started.
fn observe(m: &mut Maker, service: &str, environment: &str, tested: Time) {
    let healthy = match m.dice.below(6) {
        0 => tested,
        1 | 2 => tested - m.minutes(1, 90),
        _ => tested + m.minutes(1, 90),
    };
    let seen = healthy + m.minutes(0, 10);
    m.put(
        "gitops_observations",
        json!({"app": app(service, environment), "service": service, "environment": environment, "observed_at": at(seen),
        "sync_status": "Unknown", "health": "Healthy", "healthy_at": at(healthy)}),
    );
}

/// Half of the other looks at healthy applications say since when, too.
fn healthy(m: &mut Maker) {
    let mut rows = m.tables.remove("gitops_observations").unwrap_or_default();
    for row in &mut rows {
        let is_healthy = text(row, "health").as_deref() == Some("Healthy") && !row.contains_key("healthy_at");
        if let (true, Some(seen), true) = (is_healthy, time(row, "observed_at"), m.dice.chance(0.5)) {
            let since = m.minutes(0, 240);
            row.insert("healthy_at".into(), at(seen - since));
        }
    }
    m.tables.insert("gitops_observations".into(), rows);
}
