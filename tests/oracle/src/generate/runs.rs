//! Pipeline runs: attempts, queues, missing times, skips and cancellations.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, at, maybe};
use crate::time::Time;

pub fn fill(m: &mut Maker) {
    for n in 0..m.dice.between(1, 3) {
        let pipeline = format!("build-{n}");
        let repo = m.dice.below(m.repos.len() as u64) as usize;
        let address = if m.dice.chance(0.9) { json!(m.repos[repo].address) } else { Value::Null };
        for _ in 0..m.dice.between(3, 25) {
            run(m, &pipeline, &address);
        }
    }
}

fn run(m: &mut Maker, pipeline: &str, repo: &Value) {
    let id = m.id("");
    let created = m.instant();
    let branch = m.dice.of(&["main", "topic"]);
    let attempts = m.dice.of(&[1, 1, 1, 1, 2, 3]);
    let mut ready = created;
    for attempt in 1..=attempts {
        let queued = ready + m.minutes(0, 3);
        let mut started = queued + m.minutes(0, 20);
        if m.dice.chance(0.04) {
            started = queued - TimeDelta::seconds(7); // a clock that is wrong
        }
        let mut finished = started + m.minutes(1, 90);
        if m.dice.chance(0.03) {
            finished = started - TimeDelta::seconds(1);
        }
        let last = attempt == attempts;
        let result = match m.dice.below(14) {
            0 if last => "in_progress",
            1 => "cancellation",
            2 => "skip",
            3 => "error",
            4 => "timeout",
            5 | 6 => "failure",
            _ if !last => "failure",
            _ => "success",
        };
        let is_open = result == "in_progress";
        let has_queue = m.dice.chance(if attempt == 1 { 0.6 } else { 0.75 });
        let has_start = m.dice.chance(0.93);
        let duration =
            if m.dice.chance(0.4) && !is_open { json!(m.dice.between(1_000_000, 4_000_000_000) as f64 / 1e6) } else { Value::Null };
        let template = if m.dice.chance(0.5) { json!("templates/build@2") } else { Value::Null };
        let row = json!({"template_ref": template, "pipeline": pipeline, "run_id": id, "attempt": attempt, "repo": repo, "branch": branch,
            "is_default_branch": branch == "main", "created_at": if m.dice.chance(0.9) { at(created) } else { Value::Null },
            "queued_at": maybe(Some(queued).filter(|_| has_queue)), "started_at": maybe(Some(started).filter(|_| has_start)),
            "finished_at": maybe(Some(finished).filter(|_| !is_open)), "duration_seconds": duration, "result": result, "kind": "ci"});
        if m.dice.chance(0.15) && !is_open && has_start {
            // It was also seen while it ran.
            let mut running = row.clone();
            running["result"] = json!("in_progress");
            running["finished_at"] = Value::Null;
            running["duration_seconds"] = Value::Null;
            m.put("pipeline_runs", running);
        }
        m.put("pipeline_runs", row);
        if m.dice.chance(0.3) {
            job(m, &id, attempt, started);
        }
        ready = finished + m.minutes(1, 200);
    }
}

/// A job of an attempt; one in four was tried again, perhaps days later.
fn job(m: &mut Maker, run: &str, attempt: i64, from: Time) {
    let started = from + m.minutes(0, 5);
    for number in [attempt, attempt + 1].into_iter().take(if m.dice.chance(0.25) { 2 } else { 1 }) {
        let id = m.id("job-");
        let at_work = started + m.minutes(0, 9) + TimeDelta::days(if number > attempt { m.dice.between(0, 9) } else { 0 });
        m.put(
            "jobs",
            json!({"run_id": run, "job_id": id, "attempt": number, "name": "test", "started_at": at(at_work), "result": "success"}),
        );
    }
}
