//! Small worlds worked out by hand, the arithmetic beside them. All days are of May 2024, all zones UTC unless said otherwise.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

mod by_hand;

use by_hand::{ask, utc, world};
use chrono_tz::Tz;
use flowgauge_oracle::{Bucket, Question, World, answer};
use serde_json::{Value, json};

/// A day of May 2024 and an hour of it.
fn may(day: u32, hour: u32) -> String {
    format!("2024-05-{day:02}T{hour:02}:00:00Z")
}

fn point(world: &World, q: &Question) -> Value {
    answer(world, q)[0]["points"][0].clone()
}

fn near(got: &Value, want: f64) {
    assert!((got.as_f64().unwrap() - want).abs() < 1e-6, "{got} is not {want}");
}

/// A successful deployment of `cart` to production, named by its version.
fn deployed(id: &str, version: &str, day: u32, hour: u32) -> Value {
    json!({"deployment_id": id, "service": "cart", "environment": "prod", "version": version, "outcome": "success", "finished_at": may(day, hour)})
}

#[test]
fn deployment_frequency_counts_d() {
    let w = world(json!({"deployments": [
        deployed("a", "1", 1, 0), deployed("b", "2", 2, 0), deployed("c", "2", 3, 0), deployed("d", "3", 4, 0), deployed("e", "4", 11, 0)]}));
    // a, b, d; c is the version that ran; e finished at the end of the half-open window. 3 / 10 days.
    let p = point(&w, &ask("deployment_frequency"));
    near(&p["value"], 0.3);
    assert_eq!((&p["n"], &p["denominator"], &p["status"]), (&json!(3), &json!(10.0), &json!("ok")));
    assert_eq!(p["excluded"], json!({"no_op": 1}));
    // Garwood for 3: [0.618672, 8.767273] / 10
    near(&p["ci"]["lo"], 0.0618672);
    near(&p["ci"]["hi"], 0.8767273);
}

#[test]
fn a_day_of_23_hours_is_shorter() {
    // Berlin, 31 March 2024: 23 hours. One deployment is 24/23 a day; the next day has none and is 0, since rows exist before.
    let w = world(json!({"deployments": [{"deployment_id": "a", "service": "cart", "environment": "prod", "version": "1",
        "outcome": "success", "created_at": "2024-03-30T00:00:00Z", "finished_at": "2024-03-31T10:00:00Z"}]}));
    let q = Question { from: utc(3, 31), to: utc(4, 2), bucket: Bucket::Day, tz: Tz::Europe__Berlin, ..ask("deployment_frequency") };
    let points = answer(&w, &q)[0]["points"].clone();
    // The first bucket is cut by `from` (one hour after the local midnight): 22 hours are left.
    near(&points[0]["value"], 24.0 / 22.0);
    assert_eq!((&points[0]["start"], &points[0]["partial"]), (&json!("2024-03-30T23:00:00Z"), &json!(true)));
    assert_eq!(
        (&points[1]["start"], &points[1]["value"], &points[1]["status"]),
        (&json!("2024-03-31T22:00:00Z"), &json!(0.0), &json!("ok"))
    );
    let whole = Question { from: utc(3, 30) + chrono::TimeDelta::hours(23), ..q };
    near(&answer(&w, &whole)[0]["points"][0]["value"], 24.0 / 23.0);
}

#[test]
fn nothing_is_not_zero() {
    let w = world(json!({"deployments": [deployed("a", "1", 20, 0)]}));
    let p = point(&w, &ask("deployment_frequency")); // connected only from the 20th
    assert_eq!((&p["value"], &p["status"]), (&Value::Null, &json!("empty")));
    assert_eq!(point(&world(json!({})), &ask("deployment_frequency"))["status"], "not_configured");
    assert_eq!(point(&w, &ask("change_fail_rate"))["value"], Value::Null);
}

#[test]
fn fan_out_is_one_deployment() {
    let there = |id: &str, environment: &str, hour: u32| {
        let mut d = deployed(id, "1", 2, hour);
        d["environment"] = json!(environment);
        d
    };
    let w = world(json!({"deployments": [there("a", "prod-eu", 8), there("b", "prod-us", 10), there("c", "prod-ap", 11)]}));
    // b joins a after exactly 2 hours; c is 3 hours after a and stands alone. 2 / 10 days.
    near(&point(&w, &ask("deployment_frequency"))["value"], 0.2);
    let split = Question { by: vec!["environment".into()], ..ask("deployment_frequency") };
    assert_eq!(answer(&w, &split).as_array().unwrap().len(), 3);
}

fn commit(sha: &str, parents: &[&str], day: u32, hour: u32) -> Value {
    json!({"repo": "r", "sha": sha, "parents": parents, "authored_at": may(day, hour)})
}

fn of_sha(id: &str, sha: &str, day: u32, hour: u32) -> Value {
    let mut d = deployed(id, id, day, hour);
    (d["sha"], d["repo"]) = (json!(sha), json!("r"));
    d
}

#[test]
fn lead_time_charges_each_commit_once() {
    let w = world(json!({
        "commits": [commit("a0", &[], 1, 0), commit("a1", &["a0"], 2, 15), commit("a2", &["a1"], 2, 16), commit("a3", &["a2"], 3, 0)],
        "deployments": [of_sha("d0", "a0", 1, 9), of_sha("d1", "a2", 2, 19), of_sha("d2", "a0", 3, 0), of_sha("d3", "a3", 3, 10)]}));
    // d0 is the baseline. d1 brings a1 (15:00 to 19:00: 4 h) and a2 (3 h). d2 goes back. d3 brings a3 only: 10 h.
    // Sorted 3, 4, 10 h: p50 = 4 h = 14400 s; p75: h = 1.5, 7 h = 25200 s; p90: h = 1.8, 4 + 0.8 · 6 = 8.8 h = 31680 s.
    // Two deployments, one with two commits: drawn, the first twice has the median 3.5 h = 12600 s, the last twice 10 h.
    let p = point(&w, &ask("lead_time"));
    let drawn = json!({"lo": {"between": [12600.0, 12600.0]}, "hi": {"between": [36000.0, 36000.0]}, "method": "cluster_bootstrap"});
    assert_eq!((&p["n"], &p["value"], &p["status"], &p["ci"]), (&json!(3), &json!(14400.0), &json!("insufficient"), &drawn));
    near(&p["quantiles"]["p75"], 25200.0);
    near(&p["quantiles"]["p90"], 31680.0);
    assert_eq!((&p["excluded"], &p["coverage"]), (&json!({"no_baseline": 1}), &json!(1.0)));
}

#[test]
fn lead_time_expands_squashes_and_says_what_it_lacks() {
    let w = world(json!({
        "commits": [commit("a0", &[], 1, 0), commit("b1", &["a0"], 1, 10), commit("b2", &["b1"], 9, 0), commit("a1", &["a0"], 2, 9)],
        "changes": [{"repo": "r", "change_id": "1", "merge_sha": "a1", "commit_shas": ["b1", "b2", "b3"]}],
        "deployments": [of_sha("d0", "a0", 1, 9), of_sha("d1", "a1", 2, 10), of_sha("d2", "ff", 4, 0), deployed("d3", "3", 5, 0)]}));
    // d1: a1 stands for b1 (24 h), b2 (authored after: clock_skew) and b3 (no row: no_commit_time). d2: no such commit. d3: no sha.
    // Coverage: 1 of 1 + 2 commits + 2 deployments.
    let p = point(&w, &ask("lead_time"));
    assert_eq!((&p["n"], &p["value"]), (&json!(1), &json!(86400.0)));
    assert_eq!(p["excluded"], json!({"clock_skew": 1, "no_baseline": 1, "no_commit_time": 1, "no_graph": 1, "no_source_link": 1}));
    near(&p["coverage"], 0.2);
}

#[test]
fn a_rollback_marks_the_first_after_its_target() {
    let w = world(json!({"deployments": [
        deployed("a", "1", 1, 0), deployed("b", "2", 2, 0), deployed("c", "3", 3, 0), deployed("d", "1", 3, 6)]}));
    // V1, V2, V3, V1: V2 failed; Q is a, b, c. 1 / 3. No incident source: coverage 0.
    let p = point(&w, &ask("change_fail_rate"));
    near(&p["value"], 1.0 / 3.0);
    assert_eq!((&p["numerator"], &p["denominator"], &p["coverage"]), (&json!(1.0), &json!(3.0), &json!(0.0)));
    assert_eq!(p["excluded"], json!({"rollback": 1}));
    // Recovered by the rollback: 2 May 0:00 to 3 May 6:00 = 30 h = 108000 s. S = 0 at once: no limits.
    let p = point(&w, &ask("recovery_time"));
    assert_eq!((&p["n"], &p["value"]), (&json!(1), &json!(108000.0)));
    assert_eq!(p["ci"], json!({"lo": null, "hi": null, "method": "kaplan_meier"}));
    // Of the four deployments the rollback is unplanned: 1 / 4.
    near(&point(&w, &ask("rework_rate"))["value"], 0.25);
    // Before the rollback is known (as_of 3 May 3:00) nothing failed.
    let early = Question { as_of: utc(5, 3) + chrono::TimeDelta::hours(3), ..ask("change_fail_rate") };
    assert_eq!(point(&w, &early)["value"], 0.0);
}

#[test]
fn incidents_belong_to_the_last_deployment_within_a_day() {
    let incident = |id: &str, day: u32, hour: u32, resolved: Value| json!({"incident_id": id, "services": ["cart"], "started_at": may(day, hour), "resolved_at": resolved});
    let w = world(json!({
        "deployments": [deployed("a", "1", 1, 0), deployed("b", "2", 2, 0), deployed("c", "3", 5, 0)],
        "incidents": [incident("i", 2, 5, json!(may(2, 9))), incident("j", 3, 0, json!(may(3, 2))), incident("k", 6, 1, Value::Null)]}));
    // i: 5 h after b. j: exactly 24 h after b, still its. k: 25 h after c, nobody's. CFR = 1 / 3, coverage 2 / 3.
    let p = point(&w, &ask("change_fail_rate"));
    near(&p["value"], 1.0 / 3.0);
    near(&p["coverage"], 2.0 / 3.0);
    assert_eq!(p["excluded"], json!({"unattributed": 1}));
    // b recovered with the later of its incidents: 2 May 0:00 to 3 May 2:00 = 26 h.
    assert_eq!(point(&w, &ask("recovery_time"))["value"], 93600.0);
    // mttr: 4 h, 2 h, and k open. S after 2 h: 2/3; after 4 h: 1/3 <= 1/2, so 4 h = 14400 s.
    let p = point(&w, &ask("mttr"));
    assert_eq!((&p["n"], &p["value"], &p["status"]), (&json!(3), &json!(14400.0), &json!("insufficient")));
}

#[test]
fn deployment_success_rate_counts_every_row() {
    let mut rows = vec![deployed("a", "1", 1, 0), deployed("b", "1", 2, 0)];
    for (id, outcome) in [("c", "failure"), ("d", "timeout"), ("e", "cancellation"), ("f", "skip")] {
        let mut row = deployed(id, "2", 3, 0);
        row["outcome"] = json!(outcome);
        rows.push(row);
    }
    // 2 of 2 + 2: the no_op b counts, cancelled and skipped ones do not.
    let p = point(&world(json!({"deployments": rows})), &ask("deployment_success_rate"));
    assert_eq!((&p["value"], &p["n"], &p["excluded"]), (&json!(0.5), &json!(4), &json!({"cancellation": 1, "skip": 1})));
}

/// An observation of application x; revision, status and the finish of a Succeeded operation for the revision.
fn look(day: u32, hour: u32, revision: &str, status: &str) -> Value {
    json!({"app": "x", "observed_at": may(day, hour), "compared_revisions": [revision], "synced_revisions": ["r1"], "sync_status": status})
}

#[test]
fn drift_counts_only_what_is_live() {
    let mut healed = look(3, 12, "r1", "Synced");
    (healed["op_self_heal"], healed["op_started_at"], healed["op_partial"]) = (json!(true), json!(may(3, 11)), json!(true));
    let w = world(json!({"gitops_observations": [
        look(1, 0, "r1", "Synced"), look(2, 0, "r1", "OutOfSync"), look(2, 6, "r1", "Unknown"), look(2, 8, "r1", "OutOfSync"),
        look(2, 12, "r1", "Synced"), look(3, 0, "r2", "OutOfSync"), look(3, 10, "r1", "Synced"), healed]}));
    // Live: 2 May 0-6 and 8-12 = 10 h. Observed: 1 May to 11 May but for 2 h = 238 h.
    let p = point(&w, &ask("drift_ratio"));
    near(&p["value"], 10.0 / 238.0);
    assert_eq!((&p["n"], &p["numerator"], &p["denominator"]), (&json!(1), &json!(36000.0), &json!(856800.0)));
    // Two episodes: the one of 2 May (r2 on the 3rd is pending), and the one that self-heal hid.
    let p = point(&w, &ask("drift_episodes"));
    near(&p["value"], 2.0 / (238.0 / 24.0));
    assert_eq!(p["n"], 2);
    // The unknown time within adds nothing: 10 h.
    let p = point(&w, &ask("drift_duration"));
    assert_eq!((&p["n"], &p["value"], &p["excluded"]), (&json!(1), &json!(36000.0), &json!({"hidden": 1})));
}

#[test]
fn a_second_sync_that_does_not_hold_is_live() {
    let after = |hour: u32, finished: &str| {
        let mut row = look(2, hour, "r1", "OutOfSync");
        (row["op_phase"], row["op_started_at"], row["op_finished_at"]) = (json!("Succeeded"), json!(finished), json!(finished));
        row
    };
    let w = world(json!({"gitops_observations": [
        after(1, "2024-05-02T00:57:00Z"), after(2, "2024-05-02T01:59:00Z"), look(2, 3, "r1", "Synced")]}));
    // 1:00 is 180 s after the first sync: converging. 2:00 is after a second: non_converging, live for an hour. Observed from 1:00 to
    // 11 May 0:00 = 9 · 24 - 1 = 215 h.
    near(&point(&w, &ask("drift_ratio"))["value"], 1.0 / 215.0);
    assert_eq!(point(&w, &ask("drift_duration"))["value"], 3600.0);
}

#[test]
fn a_reconcile_holds_for_nine_minutes() {
    let mut first = look(2, 0, "r1", "OutOfSync");
    first["reconciled_at"] = json!("2024-05-02T00:03:00Z");
    let w = world(json!({"gitops_observations": [first, look(2, 6, "r2", "OutOfSync")]}));
    // Live until 0:12 (reconciled at 0:03 + 540 s), then unobserved until 6:00; then pending. 720 s, and it ended.
    assert_eq!(point(&w, &ask("drift_duration"))["value"], 720.0);
    near(&point(&w, &ask("drift_ratio"))["value"], 720.0 / (720.0 + (8.0 * 24.0 + 18.0) * 3600.0));
}

fn run(id: &str, attempt: i64, result: &str, queued: Value, duration: Value) -> Value {
    json!({"pipeline": "p", "run_id": id, "attempt": attempt, "repo": "r", "result": result, "created_at": may(2, 8), "queued_at": queued,
        "started_at": may(2, 9), "finished_at": may(2, 10), "duration_seconds": duration})
}

#[test]
fn pipelines_look_at_the_final_attempt() {
    let mut no_start = run("5", 1, "success", Value::Null, Value::Null);
    no_start.as_object_mut().unwrap().remove("started_at");
    let w = world(json!({"pipeline_runs": [
        run("1", 1, "failure", Value::Null, Value::Null), run("1", 2, "success", Value::Null, Value::Null),
        run("2", 1, "failure", json!("2024-05-02T08:50:00Z"), Value::Null), run("3", 1, "success", json!(may(2, 10)), json!(600.0)),
        run("4", 1, "cancellation", Value::Null, Value::Null), no_start]}));
    // Final attempts: success, failure, success, cancellation, success: 3 / 4.
    let p = point(&w, &ask("pipeline_success_rate"));
    assert_eq!((&p["value"], &p["n"], &p["excluded"]), (&json!(0.75), &json!(4), &json!({"cancellation": 1})));
    // Durations of the successes: 3600, 600 as given, and one without a start: p50 = 2100, p95 = 600 + 0.95 · 3000 = 3450.
    let p = point(&w, &ask("pipeline_duration"));
    assert_eq!((&p["value"], &p["excluded"]), (&json!(2100.0), &json!({"no_start": 1})));
    near(&p["quantiles"]["p95"], 3450.0);
    near(&p["coverage"], 2.0 / 3.0);
    // Queue of all attempts with a start: 1.1 and 4: 3600 from created; 1.2: none; 2: 600; 3: queued after its start. Median 3600.
    let p = point(&w, &ask("pipeline_queue_time"));
    assert_eq!((&p["value"], &p["n"], &p["excluded"]), (&json!(3600.0), &json!(3), &json!({"clock_skew": 1, "no_queue_time": 1})));
    // Known at 9:30 only: all are in progress, none is counted.
    let early = Question { as_of: utc(5, 2) + chrono::TimeDelta::minutes(570), ..ask("pipeline_success_rate") };
    assert_eq!(point(&w, &early)["value"], Value::Null);
}
