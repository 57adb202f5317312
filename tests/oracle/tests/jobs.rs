//! Wasted time and critical paths, worked out by hand. All days are of May 2024, all times UTC.

#![allow(clippy::unwrap_used, reason = "tests end where something is missing")]

mod by_hand;

use by_hand::{ask, world};
use flowgauge_oracle::{Question, World, answer};
use serde_json::{Value, json};

/// A minute of a day of May.
fn may(day: u32, minute: u32) -> String {
    format!("2024-05-{day:02}T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

fn point(world: &World, metric: &str) -> Value {
    answer(world, &ask(metric))[0]["points"][0].clone()
}

/// A run of `build` on the 2nd, from a minute to another.
fn run(id: &str, sha: &str, result: &str, from: u32, to: u32) -> Value {
    json!({"pipeline": "build", "run_id": id, "attempt": 1, "repo": "git.example.org/acme/cart", "sha": sha, "result": result,
        "started_at": may(2, from), "finished_at": may(2, to)})
}

fn job(run: &str, name: &str, result: &str, from: u32, to: u32) -> Value {
    json!({"run_id": run, "job_id": format!("{run}-{name}"), "attempt": 1, "name": name, "result": result,
        "started_at": may(2, from), "finished_at": may(2, to)})
}

fn with(mut row: Value, columns: Value) -> Value {
    row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
    row
}

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

#[test]
fn time_is_wasted_by_what_is_green_later_and_by_cancellations() {
    let w = world(json!({"pipeline_runs": [
        run("1", A, "failure", 0, 10), // green later on A: 10 min = 600 s
        run("2", A, "success", 20, 50),
        run("3", B, "failure", 60, 65),      // never green on B
        run("4", B, "cancellation", 70, 72), // 2 min = 120 s
        run("5", A, "timeout", 80, 84),      // it was green before, not later
        run("6", B, "skip", 90, 95), // neither
        run("7", B, "in_progress", 96, 97)]}));
    let p = point(&w, "wasted_time");
    // 600 + 120 of five that ended.
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["coverage"]), (&json!(720.0), &json!(5), &json!("ok"), &json!(1.0)));
    assert_eq!((&p["numerator"], &p["denominator"], &p["ci"]), (&Value::Null, &Value::Null, &Value::Null));
    // Asked at minute 45, run 2 has not finished: nothing is wasted yet, and that is a number.
    let early = Question { as_of: may(2, 45).parse().unwrap(), ..ask("wasted_time") };
    let p = &answer(&w, &early)[0]["points"][0];
    assert_eq!((&p["value"], &p["n"], &p["status"]), (&json!(0.0), &json!(1), &json!("ok")));
}

#[test]
fn where_jobs_are_known_they_are_the_units() {
    let w = world(json!({
        "pipeline_runs": [run("1", A, "failure", 0, 30), run("2", A, "success", 40, 70), run("3", A, "failure", 75, 80)],
        "jobs": [
            job("1", "compile", "success", 0, 5),
            job("1", "test", "failure", 5, 25), // green in run 2: 20 min = 1200 s
            job("1", "lint", "error", 5, 6),    // never green
            job("2", "test", "success", 45, 65),
            job("2", "deploy", "cancellation", 65, 66), // 60 s
            with(job("2", "old", "failure", 50, 49), json!({})), // ends before it starts: no unit
            job("2", "later", "skip", 66, 67)]}));
    let p = point(&w, "wasted_time");
    // Units: compile, test, lint, test, deploy and run 3, which has no jobs and is not green later. 1200 + 60.
    assert_eq!((&p["value"], &p["n"]), (&json!(1260.0), &json!(6)));
}

#[test]
fn wasted_time_compares_like_with_like() {
    let other = with(run("2", A, "success", 20, 50), json!({"pipeline": "release"}));
    let unknown = |id: &str, result: &str, from: u32, to: u32| with(run(id, A, result, from, to), json!({"sha": null}));
    let of = |runs: Value| point(&world(json!({"pipeline_runs": runs})), "wasted_time")["value"].clone();
    assert_eq!(of(json!([run("1", A, "failure", 0, 10), other])), 0.0);
    assert_eq!(of(json!([unknown("1", "failure", 0, 10), unknown("2", "success", 20, 30)])), 0.0);
    // A second attempt of the same run; the time is what the provider counts: 90 s.
    let first = with(run("1", A, "failure", 0, 10), json!({"duration_seconds": 90.0}));
    let second = with(run("1", A, "success", 20, 30), json!({"attempt": 2}));
    assert_eq!(of(json!([first, second])), 90.0);
    assert_eq!(of(json!([])), Value::Null);
}

#[test]
fn a_path_goes_back_through_what_was_needed() {
    let w = world(json!({
        "pipeline_runs": [run("1", A, "success", 0, 60)],
        "jobs": [
            with(job("1", "compile", "success", 0, 10), json!({"needs": []})),
            with(job("1", "lint", "success", 0, 18), json!({"needs": []})),
            with(job("1", "unit", "success", 11, 31), json!({"needs": ["compile", "unknown"]})),
            with(job("1", "e2e", "success", 12, 30), json!({"needs": ["compile"]})),
            with(job("1", "package", "success", 33, 40), json!({"needs": ["unit", "e2e"]}))]}));
    // package 7 min, unit (it finished after e2e) 20, compile 10: 37 min, though lint finished right before nothing that matters.
    let p = point(&w, "critical_path");
    assert_eq!((&p["value"], &p["n"], &p["status"]), (&json!(2220.0), &json!(1), &json!("insufficient")));
    assert_eq!(p["quantiles"], json!({"p50": 2220.0, "p95": 2220.0}));
}

#[test]
fn a_path_goes_back_in_time_where_needs_are_unknown() {
    let w = world(json!({
        "pipeline_runs": [run("1", A, "success", 0, 60), run("2", A, "success", 0, 60), run("3", A, "failure", 0, 60)],
        "jobs": [
            job("1", "a", "success", 0, 10),
            job("1", "b", "success", 0, 10), // ends with a; the greater name stands
            job("1", "c", "success", 10, 25),
            job("1", "d", "success", 24, 40), // c ends after its start, b at 10 before
            job("1", "d2", "success", 26, 39)]}));
    // d 16 min, then b 10: 26 min. Run 2 has no jobs, run 3 failed.
    let p = point(&w, "critical_path");
    assert_eq!((&p["value"], &p["n"]), (&json!(1560.0), &json!(1)));
    assert_eq!((&p["excluded"], &p["coverage"]), (&json!({"no_jobs": 1}), &json!(0.5)));
}

#[test]
fn the_last_attempt_of_a_job_is_on_the_path() {
    let mut runs = Vec::new();
    let mut jobs = Vec::new();
    for n in 1..=6 {
        let id = n.to_string();
        runs.push(run(&id, A, "success", 0, 60));
        // The first attempt took 50 minutes, the second n; one that ended before it began does not count.
        jobs.push(job(&id, "test", "failure", 0, 50));
        jobs.push(with(job(&id, "test", "success", 52, 52 + n), json!({"attempt": 2})));
        jobs.push(with(job(&id, "test", "success", 59, 58), json!({"attempt": 3})));
    }
    // 1 to 6 minutes: the median 3.5, p95 at rank 0.95 · 5 = 4.75: 5.75; six values have the whole as their interval.
    let p = point(&world(json!({"pipeline_runs": runs, "jobs": jobs})), "critical_path");
    assert_eq!((&p["value"], &p["quantiles"]["p95"], &p["status"]), (&json!(210.0), &json!(345.0), &json!("ok")));
    assert_eq!(p["ci"], json!({"lo": 60.0, "hi": 360.0, "method": "order_statistic"}));
}

#[test]
fn runs_count_under_repository_pipeline_and_services() {
    let w = world(json!({
        "services": [{"service": "cart", "team": "shop", "repo": "git.example.org/acme/cart"}],
        "pipeline_runs": [run("1", A, "cancellation", 0, 10), with(run("2", A, "cancellation", 0, 1), json!({"repo": null}))]}));
    let q = Question { by: ["team", "service", "repo", "pipeline"].map(str::to_owned).into(), ..ask("wasted_time") };
    let series = answer(&w, &q);
    let labels = |n: usize| series[n]["labels"].clone();
    assert_eq!(labels(0), json!({"pipeline": "build", "repo": "", "service": "", "team": ""}));
    assert_eq!(labels(1), json!({"pipeline": "build", "repo": "git.example.org/acme/cart", "service": "cart", "team": "shop"}));
    assert_eq!((&series[0]["points"][0]["value"], &series[1]["points"][0]["value"]), (&json!(60.0), &json!(600.0)));
}
