//! Rules of the fine print that no metric shows alone: kinds, folding, evidence, buckets, references.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use flowgauge_oracle::{Bucket, Question, World, answer};
use serde_json::{Value, json};

fn world(tables: Value) -> World {
    let rows = |rows: &Value| rows.as_array().unwrap().iter().map(|r| r.as_object().unwrap().clone()).collect();
    World::new(tables.as_object().unwrap().iter().map(|(table, r)| (table.clone(), rows(r))).collect())
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ask(metric: &str) -> Question {
    Question {
        metric: metric.into(),
        from: time("2024-05-01T00:00:00Z"),
        to: time("2024-06-01T00:00:00Z"),
        as_of: time("2024-07-01T00:00:00Z"),
        bucket: Bucket::None,
        tz: Tz::UTC,
        by: Vec::new(),
        filters: BTreeMap::new(),
    }
}

fn point(world: &World, metric: &str) -> Value {
    answer(world, &ask(metric))[0]["points"][0].clone()
}

/// A success of commit `sha` on a day of May 2024.
fn deployed(id: &str, sha: &str, day: u32) -> Value {
    json!({"deployment_id": id, "service": "cart", "environment": "prod", "repo": "r", "sha": sha, "outcome": "success",
        "finished_at": format!("2024-05-{day:02}T12:00:00Z")})
}

fn commit(sha: &str, parents: &[&str], message: &str) -> Value {
    json!({"repo": "r", "sha": sha, "parents": parents, "message": message, "authored_at": "2024-04-30T00:00:00Z"})
}

/// The shares that a metric's point is made of.
fn share(world: &World, metric: &str) -> (Value, Value) {
    let p = point(world, metric);
    (p["numerator"].clone(), p["denominator"].clone())
}

#[test]
fn a_hotfix_is_one_once_and_marks_the_one_before() {
    let w = world(json!({
        "commits": [commit("a0", &[], ""), commit("a1", &["a0"], ""), commit("b1", &["a0"], "fix"), commit("a2", &["a1", "b1"], "Merge")],
        "changes": [{"repo": "r", "change_id": "1", "source_branch": "hotfix/x", "merge_sha": "a2", "commit_shas": ["b1"]}],
        "deployments": [deployed("d0", "a0", 1), deployed("d1", "a1", 2), deployed("d2", "b1", 3), deployed("d3", "a2", 4)]}));
    // d2 brings b1 of the hotfix; d3 only its merge commit. So one of four is unplanned, and one (d1) failed, recovered after a day.
    assert_eq!(share(&w, "rework_rate"), (json!(1.0), json!(4.0)));
    assert_eq!(share(&w, "change_fail_rate"), (json!(1.0), json!(4.0)));
    assert_eq!(point(&w, "recovery_time")["value"], 86400.0);
}

#[test]
fn a_revert_marks_the_one_that_brought_the_commit() {
    let sha = |c: char| c.to_string().repeat(40);
    let (a0, a1, a2, a3) = (sha('a'), sha('b'), sha('c'), sha('d'));
    let w = world(json!({
        "commits": [commit(&a0, &[], ""), commit(&a1, &[&a0], ""), commit(&a2, &[&a1], ""),
            commit(&a3, &[&a2], &format!("Undo\n\nThis reverts commit {a1}."))],
        "deployments": [deployed("d0", &a0, 1), deployed("d1", &a1, 2), deployed("d2", &a2, 3), deployed("d3", &a3, 4)]}));
    // d3 takes back what d1 brought two days before.
    assert_eq!(share(&w, "rework_rate"), (json!(1.0), json!(4.0)));
    assert_eq!(share(&w, "change_fail_rate"), (json!(1.0), json!(4.0)));
    assert_eq!(point(&w, "recovery_time")["value"], 172800.0);
}

#[test]
fn a_failure_with_effect_is_a_change_and_its_retry_a_release() {
    let mut failed = deployed("d1", "a1", 2);
    (failed["outcome"], failed["took_effect"]) = (json!("failure"), json!(true));
    let mut without = deployed("d2", "a2", 3);
    without["outcome"] = json!("failure");
    let w = world(json!({"deployments": [deployed("d0", "a0", 1), failed, deployed("d3", "a1", 4), without]}));
    // Q: d0, d1 (failed), d3 (the retry, no no_op); d2 took no effect. D: d0, d3.
    assert_eq!(share(&w, "change_fail_rate"), (json!(1.0), json!(3.0)));
    assert_eq!(point(&w, "deployment_frequency")["n"], 2);
    assert_eq!(point(&w, "recovery_time")["value"], 172800.0); // d1 on the 2nd, d3 on the 4th
}

#[test]
fn rolling_forward_again_is_a_release() {
    let w =
        world(json!({"deployments": [deployed("d0", "a0", 1), deployed("d1", "a1", 2), deployed("d2", "a0", 3), deployed("d3", "a1", 4)]}));
    assert_eq!(share(&w, "rework_rate"), (json!(1.0), json!(4.0))); // d2 only
}

#[test]
fn another_configuration_is_no_deployment_but_can_fail() {
    let mut first = deployed("d0", "a0", 1);
    let mut second = deployed("d1", "a0", 2);
    (first["config_sha"], second["config_sha"]) = (json!("c1"), json!("c2"));
    let w = world(json!({"deployments": [first, second],
        "incidents": [{"incident_id": "i", "services": ["cart"], "started_at": "2024-05-02T13:00:00Z"}]}));
    assert_eq!(point(&w, "deployment_frequency")["excluded"], json!({"config_only": 1}));
    assert_eq!(share(&w, "change_fail_rate"), (json!(1.0), json!(2.0))); // rule 29
}

#[test]
fn evidence_of_one_deployment_is_one() {
    let mut job = deployed("job", "a0", 1);
    (job["evidence"], job["environment"], job["finished_at"]) = (json!("job"), json!("production"), json!("2024-05-01T12:15:00Z"));
    let mut object = deployed("object", "a0", 1);
    object["evidence"] = json!("deployment");
    let w = world(json!({"deployments": [job.clone(), object.clone()]}));
    assert_eq!(point(&w, "deployment_success_rate")["n"], 1);
    job["finished_at"] = json!("2024-05-01T12:15:00.000001Z");
    assert_eq!(point(&world(json!({"deployments": [job, object]})), "deployment_success_rate")["n"], 2);
}

#[test]
fn the_first_report_of_a_finish_stands() {
    let (mut done, mut superseded) = (deployed("d", "a0", 2), deployed("d", "a0", 20));
    (done["updated_at"], superseded["updated_at"]) = (json!("2024-05-02T12:00:00Z"), json!("2024-05-20T12:00:00Z"));
    let w = world(json!({"deployments": [superseded, done]}));
    let q = Question { bucket: Bucket::Week, ..ask("deployment_frequency") };
    // Week of 29 April, cut by `from`: 1 deployment in 5 days.
    assert_eq!(answer(&w, &q)[0]["points"][0]["value"], 0.2);
}

#[test]
fn what_is_cleared_is_null() {
    let row = |more: Value| {
        let mut row = json!({"incident_id": "i", "services": ["cart"], "started_at": "2024-05-02T00:00:00Z"});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let resolved = row(json!({"updated_at": "2024-05-02T02:00:00Z", "resolved_at": "2024-05-02T02:00:00Z"}));
    let reopened = row(json!({"updated_at": "2024-05-02T03:00:00Z", "cleared": ["resolved_at"]}));
    let again = row(json!({"updated_at": "2024-05-02T09:00:00Z", "resolved_at": "2024-05-02T08:00:00Z"}));
    assert_eq!(point(&world(json!({"incidents": [resolved, reopened]})), "mttr")["value"], Value::Null);
    assert_eq!(point(&world(json!({"incidents": [resolved, again, reopened]})), "mttr")["value"], 28800.0);
}

#[test]
fn a_reference_means_the_same_source_or_the_only_one() {
    let mut mirrored = deployed("d", "a1", 2);
    mirrored["source"] = json!("mirror");
    let incident =
        |source: &str| json!({"incident_id": "i", "source": source, "caused_by_deployment": "d", "started_at": "2024-05-30T00:00:00Z"});
    let failed =
        |source: &str, rows: Value| share(&world(json!({"deployments": rows, "incidents": [incident(source)]})), "change_fail_rate").0;
    assert_eq!(failed("mirror", json!([deployed("d", "a0", 1), mirrored])), 1.0);
    assert_eq!(failed("pager", json!([deployed("d", "a0", 1), mirrored])), 0.0); // two of that name
    assert_eq!(failed("pager", json!([deployed("d", "a0", 1)])), 1.0);
}

/// Rule 2: a midnight that is skipped or repeated is its first instant.
#[test]
fn midnights_of_clock_changes() {
    let starts = |tz: Tz, from: &str, to: &str| -> Vec<Value> {
        let q = Question { from: time(from), to: time(to), tz, bucket: Bucket::Day, ..ask("lead_time") };
        answer(&world(json!({})), &q)[0]["points"].as_array().unwrap().iter().map(|p| p["start"].clone()).collect()
    };
    // Cairo, 28 April 2023: 0:00 is skipped, the day begins at 1:00 (UTC+3), which is 22:00Z.
    assert_eq!(starts(Tz::Africa__Cairo, "2023-04-27T22:00:00Z", "2023-04-28T21:00:00Z"), ["2023-04-27T22:00:00Z"]);
    // Sao Paulo, 4 November 2018: 0:00 is skipped: 3:00Z.
    assert_eq!(starts(Tz::America__Sao_Paulo, "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"), ["2018-11-04T03:00:00Z"]);
    // Havana, 3 November 2024: 1:00 goes back to 0:00; the first 0:00 is of UTC-4.
    assert_eq!(starts(Tz::America__Havana, "2024-11-03T05:30:00Z", "2024-11-04T05:00:00Z"), ["2024-11-03T04:00:00Z"]);
    // Lord Howe, 6 October 2024: half an hour is skipped at 2:00; the day is 23.5 hours.
    assert_eq!(
        starts(Tz::Australia__Lord_Howe, "2024-10-05T13:30:00Z", "2024-10-06T13:00:01Z"),
        ["2024-10-05T13:30:00Z", "2024-10-06T13:00:00Z"]
    );
}
