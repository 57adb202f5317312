//! Results of tests, worked out by hand. All days are of May 2024, all times UTC.

#![allow(clippy::unwrap_used, reason = "tests end where something is missing")]

mod by_hand;

use by_hand::{ask, utc, world};
use flowgauge_oracle::{Question, World, answer};
use serde_json::{Value, json};

/// An hour of a day of May.
fn may(day: u32, hour: u32) -> String {
    format!("2024-05-{day:02}T{hour:02}:00:00Z")
}

fn point(world: &World, metric: &str) -> Value {
    answer(world, &ask(metric))[0]["points"][0].clone()
}

fn share(world: &World, metric: &str) -> (Value, Value) {
    let p = point(world, metric);
    (p["numerator"].clone(), p["n"].clone())
}

fn of(x: u32, n: u32) -> (Value, Value) {
    if n == 0 { (Value::Null, json!(0)) } else { (json!(f64::from(x)), json!(n)) }
}

fn with(mut row: Value, columns: Value) -> Value {
    row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
    row
}

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A result of suite `unit` on a commit, at an hour of the 2nd.
fn unit(test: &str, sha: &str, hour: u32, result: &str) -> Value {
    json!({"test_id": test, "suite": "unit", "sha": sha, "attempt": 1, "phase": "pipeline", "result": result, "started_at": may(2, hour)})
}

/// A result of suite `smoke` after a deployment of `cart`, at an hour of a day.
fn smoke(test: &str, day: u32, hour: u32, result: &str) -> Value {
    json!({"test_id": test, "suite": "smoke", "attempt": 1, "phase": "post_deploy", "service": "cart", "environment": "prod",
        "result": result, "started_at": may(day, hour)})
}

fn deployed(id: &str, version: &str, day: u32, hour: u32) -> Value {
    json!({"deployment_id": id, "service": "cart", "environment": "prod", "digest": version, "outcome": "success",
        "started_at": may(day, hour - 1), "finished_at": may(day, hour)})
}

#[test]
fn a_test_that_goes_both_ways_on_a_commit_is_flaky() {
    let w = world(json!({"test_results": [
        unit("t1", A, 1, "success"), unit("t1", A, 2, "failure"), // flaky
        unit("t2", A, 1, "failure"), unit("t2", B, 2, "success"), // two commits: two units
        unit("t3", A, 1, "failure"), unit("t3", A, 2, "timeout"), unit("t3", A, 3, "skip"), // only bad
        with(unit("t4", A, 1, "success"), json!({"suite": "e2e"})), unit("t4", A, 2, "failure"), // two suites
        unit("t5", A, 1, "skip"), // no result at all
        with(unit("t6", A, 1, "failure"), json!({"sha": null})), with(unit("t6", A, 2, "success"), json!({"sha": "0".repeat(40)})),
        with(unit("t2", A, 3, "success"), json!({"phase": "post_deploy"}))]}));
    // t1; t2 twice; t3; t4 twice: 1 of 6. Two results without a commit: 6 / 8.
    let p = point(&w, "flaky_test_rate");
    assert_eq!((&p["numerator"], &p["n"], &p["coverage"]), (&json!(1.0), &json!(6), &json!(0.75)));
    assert_eq!((&p["excluded"], &p["ci"]["method"]), (&json!({"no_sha": 2}), &json!("wilson")));
}

#[test]
fn flaky_looks_at_the_name_of_the_job() {
    let by = |test: &str, job: &str, hour: u32, result: &str| with(unit(test, A, hour, result), json!({"run_id": "7", "job_id": job}));
    let job = |id: &str, attempt: u32, name: Value| json!({"run_id": "7", "job_id": id, "attempt": attempt, "name": name, "started_at": may(2, 1)});
    let tables = json!({
        "jobs": [job("1", 1, json!("linux")), job("2", 1, Value::Null), job("2", 2, json!("linux")), job("3", 1, json!("windows"))],
        "test_results": [
            by("t1", "1", 1, "success"), by("t1", "2", 2, "failure"), // both linux: job 2 says so in its second attempt
            by("t2", "1", 1, "success"), by("t2", "3", 2, "failure"), // another job
            by("t3", "9", 1, "success"), unit("t3", A, 2, "error")]}); // neither has a name, which is one
    assert_eq!(share(&world(tables.clone()), "flaky_test_rate"), of(2, 3));
    // What is after as_of is not known: at 01:30 all three passed.
    let early = Question { as_of: "2024-05-02T01:30:00Z".parse().unwrap(), ..ask("flaky_test_rate") };
    let p = answer(&world(tables), &early)[0]["points"][0].clone();
    assert_eq!((&p["numerator"], &p["n"], &p["partial"]), (&json!(0.0), &json!(3), &json!(true)));
}

#[test]
fn a_unit_counts_where_and_when_its_runs_are() {
    let run = |id: &str, attempt: u32, repo: &str, hour: u32| json!({"pipeline": "build", "run_id": id, "attempt": attempt, "repo": repo, "started_at": may(3, hour), "result": "success"});
    let of_run = |id: &str, result: &str| with(unit("t1", A, 1, result), json!({"run_id": id, "started_at": null}));
    let w = world(json!({
        "services": [{"service": "cart", "repo": "r1", "team": "shop"}, {"service": "search", "repo": "r1", "team": "find"}],
        "pipeline_runs": [run("1", 1, "r1", 5), run("1", 2, "r1", 4), run("2", 1, "r2", 9)],
        "test_results": [of_run("1", "success"), of_run("2", "failure"), of_run("unknown", "failure")]}));
    let series = |by: &str| {
        let q = Question { by: vec![by.into()], from: utc(5, 3), to: utc(5, 4), ..ask("flaky_test_rate") };
        let all = answer(&w, &q);
        all.as_array().unwrap().iter().map(|s| (s["labels"][by].clone(), s["points"][0]["n"].clone())).collect::<Vec<_>>()
    };
    // One unit of both runs (and of one nobody knows), in the series of each; it is of the 3rd, 04:00, when run 1 began.
    let one = |label: &str| (json!(label), json!(1));
    assert_eq!(series("repo"), [one(""), one("r1"), one("r2")]);
    assert_eq!(series("pipeline"), [one(""), one("build")]);
    // A repository with runs is also a service of its name (DESIGN section 3), unless it has services already.
    assert_eq!(series("service"), [one(""), one("cart"), one("r2"), one("search")]);
    let hour = |h: &str| Question { from: format!("2024-05-03T{h}:00:00Z").parse().unwrap(), to: utc(5, 4), ..ask("flaky_test_rate") };
    assert_eq!(answer(&w, &hour("04"))[0]["points"][0]["n"], 1);
    assert_eq!(answer(&w, &hour("05"))[0]["points"][0]["n"], 0);
}

#[test]
fn the_last_result_of_a_test_decides() {
    let w = world(json!({"test_results": [
        unit("t1", A, 1, "failure"), unit("t1", A, 2, "success"), // good at last
        unit("t2", A, 1, "success"), with(unit("t2", A, 1, "error"), json!({"attempt": 2})), // at one instant the later attempt: bad
        unit("t3", A, 1, "success"), unit("t3", A, 2, "skip"), // a skip is no result: good
        smoke("t4", 2, 3, "timeout"), // bad
        with(smoke("t4", 2, 4, "success"), json!({"environment": "qa"})), // another environment: good
        unit("t5", A, 1, "cancellation")]}));
    // 3 of 5.
    let p = point(&w, "test_pass_rate");
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["excluded"]), (&json!(0.6), &json!(5), &json!("ok"), &json!({})));
}

#[test]
fn a_unit_passes_in_the_window_of_its_last_result() {
    let w = world(json!({"test_results": [
        unit("t1", A, 1, "failure"), with(unit("t1", A, 1, "success"), json!({"started_at": may(20, 0)})), // last on the 20th
        with(unit("t2", A, 1, "success"), json!({"started_at": null})), unit("t2", A, 1, "failure"), // without a time it is least
        with(unit("t3", A, 1, "success"), json!({"started_at": null}))]})); // no time at all
    assert_eq!(share(&w, "test_pass_rate"), of(0, 1)); // t2
    let early = Question { as_of: utc(5, 19), ..ask("test_pass_rate") };
    assert_eq!(answer(&w, &early)[0]["points"][0]["n"], 2); // t1 has failed so far
}

#[test]
fn a_failure_is_false_if_the_test_passes_within_a_day() {
    let failed =
        |results: Value| share(&world(json!({"deployments": [deployed("d1", "v1", 2, 2)], "test_results": results})), "false_result_rate");
    let bad = || smoke("t", 2, 3, "failure");
    assert_eq!(failed(json!([bad(), smoke("t", 3, 3, "success")])), of(1, 1)); // 24 hours
    assert_eq!(failed(json!([bad(), with(smoke("t", 3, 3, "success"), json!({"started_at": "2024-05-03T03:00:00.000001Z"}))])), of(0, 1));
    assert_eq!(failed(json!([bad(), smoke("t", 2, 2, "success")])), of(0, 1)); // before
    assert_eq!(failed(json!([bad(), smoke("other", 2, 4, "success")])), of(0, 1));
    assert_eq!(failed(json!([bad(), with(smoke("t", 2, 3, "success"), json!({"attempt": 2}))])), of(1, 1)); // tried again at once
    assert_eq!(failed(json!([smoke("t", 2, 3, "error"), smoke("t", 2, 4, "timeout"), smoke("t", 2, 5, "success")])), of(2, 2));
    assert_eq!(failed(json!([with(bad(), json!({"phase": "pipeline"})), smoke("t", 2, 4, "success")])), of(0, 0));
}

#[test]
fn a_failure_stands_if_something_else_was_deployed_in_between() {
    let of_digest = |more: Value| {
        let mut rows = vec![deployed("d1", "v1", 2, 2)];
        rows.extend(more.as_array().unwrap().clone());
        let results = json!([smoke("t", 2, 3, "failure"), with(smoke("t", 2, 9, "success"), json!({"deployment_id": "d1"}))]);
        share(&world(json!({"deployments": rows, "test_results": results})), "false_result_rate")
    };
    assert_eq!(of_digest(json!([])), of(1, 1));
    assert_eq!(of_digest(json!([deployed("d2", "v2", 2, 5)])), of(0, 1));
    // ... but not without effect, elsewhere or after the pass.
    assert_eq!(of_digest(json!([with(deployed("d2", "v2", 2, 5), json!({"outcome": "failure"}))])), of(1, 1));
    assert_eq!(of_digest(json!([with(deployed("d2", "v2", 2, 5), json!({"environment": "prod-us"}))])), of(1, 1));
    assert_eq!(of_digest(json!([deployed("d2", "v2", 2, 10)])), of(1, 1));
    // Bound to what runs at its time: the pass is of d2, which has another digest.
    let w = world(
        json!({"deployments": [deployed("d1", "v1", 2, 2), with(deployed("d2", "v2", 2, 5), json!({"outcome": "failure", "took_effect": false}))],
        "test_results": [smoke("t", 2, 3, "failure"), smoke("t", 2, 9, "success")]}),
    );
    assert_eq!(share(&w, "false_result_rate"), of(0, 1));
}

#[test]
fn a_failure_before_the_service_is_healthy_is_false() {
    let seen = |app: &str, healthy: &str| json!({"app": app, "service": "cart", "environment": "prod", "observed_at": may(2, 23), "sync_status": "Unknown", "healthy_at": healthy});
    let failed = |observations: Value, result: Value, more: Value| {
        let mut rows = vec![deployed("d1", "v1", 2, 2)];
        rows.extend(more.as_array().unwrap().clone());
        let tables = json!({"deployments": rows, "gitops_observations": observations, "test_results": [result]});
        share(&world(tables), "false_result_rate")
    };
    let bad = || smoke("t", 2, 3, "failure");
    let none = || json!([]);
    assert_eq!(failed(json!([seen("a", &may(2, 4))]), bad(), none()), of(1, 1));
    assert_eq!(failed(json!([seen("a", &may(2, 3))]), bad(), none()), of(0, 1)); // not before
    // d1 started at 01:00. Healthy at 00:00 was an earlier one; at 01:00 it counts, and it is the first.
    assert_eq!(failed(json!([seen("a", &may(2, 0)), seen("b", &may(2, 4))]), bad(), none()), of(1, 1));
    assert_eq!(failed(json!([seen("a", &may(2, 1)), seen("b", &may(2, 4))]), bad(), none()), of(0, 1));
    // What it names is looked at alone: b is healthy at 04:00.
    let of_app = with(bad(), json!({"app": "b", "service": null, "environment": null}));
    assert_eq!(failed(json!([seen("a", &may(2, 1)), seen("b", &may(2, 4))]), of_app, none()), of(1, 1));
    // By the time it was healthy the next one had finished.
    assert_eq!(failed(json!([seen("a", &may(2, 6))]), bad(), json!([deployed("d2", "v2", 2, 6)])), of(0, 1));
    assert_eq!(failed(json!([seen("a", &may(2, 5))]), bad(), json!([deployed("d2", "v2", 2, 6)])), of(1, 1));
    // d2 runs from 02:30 on: the test at 03:00 is of d2, and what was healthy before d2 began says nothing.
    let running = with(deployed("d2", "v2", 2, 6), json!({"started_at": "2024-05-02T02:30:00Z"}));
    assert_eq!(failed(json!([seen("a", &may(2, 2)), seen("b", &may(2, 7))]), bad(), json!([running])), of(1, 1));
}
