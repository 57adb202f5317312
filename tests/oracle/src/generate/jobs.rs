//! What runs ran on, and their jobs: several attempts, needs that are lists, empty or unknown, ties, cancellations, times that are missing.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, at, maybe};
use crate::row::{Row, text, time};
use crate::time::Time;

pub fn fill(m: &mut Maker) {
    let mut runs = m.tables.remove("pipeline_runs").unwrap_or_default();
    runs_on(m, &mut runs);
    let share = m.dice.of(&[0.1, 0.2, 0.7]); // few know their jobs, or most do
    for row in &runs {
        let ended = text(row, "result").is_some_and(|r| r != "in_progress");
        if ended && m.dice.chance(share) {
            jobs(m, row);
        }
    }
    m.tables.insert("pipeline_runs".into(), runs);
}

/// The earliest time that a row of a run says.
pub fn begin(run: &Row) -> Option<Time> {
    ["created_at", "queued_at", "started_at", "finished_at"].iter().filter_map(|c| time(run, c)).min()
}

/// Every row of a run gets its commit. Many runs are of one commit, so that what failed is green later; some do not know it, and some ran
/// for a change.
fn runs_on(m: &mut Maker, runs: &mut [Row]) {
    let mut known: Vec<(Time, String, String, Option<String>)> = Vec::new(); // begin, run, pipeline, repository
    for row in runs.iter() {
        let (id, pipeline) = (text(row, "run_id").unwrap_or_default(), text(row, "pipeline").unwrap_or_default());
        if let (Some(t), false) = (begin(row), known.iter().any(|k| k.1 == id)) {
            known.push((t, id, pipeline, text(row, "repo")));
        }
    }
    known.sort();
    let mut last: Option<(String, Value)> = None; // pipeline and commit of the run before
    for (t, id, pipeline, address) in known {
        let same = last.clone().filter(|(p, sha)| *p == pipeline && !sha.is_null() && m.dice.chance(0.5));
        let sha = match same {
            Some((_, sha)) => sha,
            None if m.dice.chance(0.08) => Value::Null,
            None => head(m, address.as_deref(), t),
        };
        let change = if m.dice.chance(0.3) { change_of(m, address.as_deref()) } else { Value::Null };
        for row in runs.iter_mut().filter(|row| text(row, "run_id").as_ref() == Some(&id)) {
            for (column, value) in [("sha", &sha), ("change_id", &change)] {
                if !value.is_null() {
                    row.insert(column.into(), value.clone());
                }
            }
        }
        last = Some((pipeline, sha));
    }
}

fn head(m: &mut Maker, address: Option<&str>, t: Time) -> Value {
    let repo = m.repos.iter().find(|r| Some(r.address.as_str()) == address);
    repo.and_then(|r| r.head(t)).map_or_else(|| json!(m.dice.hex(40)), |sha| json!(sha))
}

fn change_of(m: &mut Maker, address: Option<&str>) -> Value {
    let changes = m.tables.get("changes").into_iter().flatten();
    let here: Vec<String> = changes.filter(|c| text(c, "repo").as_deref() == address).filter_map(|c| text(c, "change_id")).collect();
    if here.is_empty() { Value::Null } else { json!(m.dice.of(&here)) }
}

/// A job as it is made up.
struct Plan {
    name: &'static str,
    needs: &'static [&'static str],
    from: Time,
    to: Time,
}

/// Up to five jobs of an attempt: two side by side, two after the first, one after these.
fn jobs(m: &mut Maker, run: &Row) {
    let Some(from) = time(run, "started_at").or_else(|| begin(run)) else { return };
    let mut plans = vec![plan(m, "compile", &[], from)];
    plans.push(plan(m, "lint", &[], from));
    let compiled = plans[0].to;
    let unit = plan(m, "unit", &["compile"], compiled);
    let mut e2e = plan(m, "e2e", &["compile", "deploy-to-qa"], compiled);
    if m.dice.chance(0.3) {
        e2e.to = unit.to.max(e2e.from); // both end at once
    }
    let tested = unit.to.max(e2e.to);
    plans.push(unit);
    plans.push(e2e);
    plans.push(plan(m, "package", &["unit", "e2e"], tested));
    // Fewer in most runs, so that a needed job is not always known.
    plans.retain(|_| m.dice.chance(0.6));
    let style = m.dice.below(3); // needs are unknown, said, or said by some
    let broken = m.dice.below(5) as usize;
    for (n, plan) in plans.iter().enumerate() {
        let result = text(run, "result").unwrap_or_default();
        let result = match result.as_str() {
            "success" | "skip" => result.as_str(),
            other if n == broken || (n + 1 == plans.len() && broken >= plans.len()) => other,
            _ if n > broken => "skip",
            _ => "success",
        };
        let says_needs = style == 1 || (style == 2 && m.dice.chance(0.5));
        put(m, run, plan, result, if says_needs { json!(plan.needs) } else { Value::Null });
    }
}

fn plan(m: &mut Maker, name: &'static str, needs: &'static [&'static str], after: Time) -> Plan {
    let from = after + if m.dice.chance(0.4) { TimeDelta::zero() } else { m.minutes(0, 4) };
    let to = from + if m.dice.chance(0.05) { TimeDelta::zero() } else { m.minutes(1, 25) };
    Plan { name, needs, from, to }
}

fn put(m: &mut Maker, run: &Row, plan: &Plan, result: &str, needs: Value) {
    let id = m.id("job-");
    let attempt = run["attempt"].as_i64().expect("every attempt has a number");
    let finished = match m.dice.below(30) {
        0 => None,                                         // nobody said
        1 => Some(plan.from - TimeDelta::microseconds(1)), // a clock that is wrong
        _ => Some(plan.to),
    };
    let ran = result != "skip" || m.dice.chance(0.2);
    let row = json!({"run_id": run["run_id"], "job_id": id, "attempt": attempt, "needs": needs, "result": result,
        "name": if m.dice.chance(0.95) { json!(plan.name) } else { Value::Null },
        "started_at": maybe(Some(plan.from).filter(|_| ran)), "finished_at": maybe(finished.filter(|_| ran))});
    if result == "success" && m.dice.chance(0.12) {
        // Tried before, under the same id or another one, as its own attempt or as an earlier one.
        let mut first = row.clone();
        let length = m.minutes(1, 12);
        first["result"] = json!(m.dice.of(&["failure", "timeout", "cancellation"]));
        (first["started_at"], first["finished_at"]) = (at(plan.from - length), at(plan.from));
        if m.dice.chance(0.5) {
            first["job_id"] = json!(m.id("job-"));
        } else {
            first["attempt"] = json!(attempt + 1);
        }
        m.put("jobs", first);
    }
    m.put("jobs", row);
}
