//! Gates of deployments and scans of changes, worked out by hand. All days are of May 2024, all times UTC.

#![allow(clippy::unwrap_used, reason = "tests end where something is missing")]

mod by_hand;

use std::collections::BTreeMap;

use by_hand::{ask, world};
use flowgauge_oracle::{Question, World, answer};
use serde_json::{Value, json};

/// An hour of a day of May.
fn may(day: u32, hour: u32) -> String {
    format!("2024-05-{day:02}T{hour:02}:00:00Z")
}

fn point(world: &World, metric: &str) -> Value {
    answer(world, &ask(metric))[0]["points"][0].clone()
}

fn with(mut row: Value, columns: Value) -> Value {
    row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
    row
}

/// A success of `cart`, an hour long from 12:00 on; its commit and its digest are named after the day.
fn deployed(day: u32) -> Value {
    json!({"deployment_id": format!("d{day}"), "service": "cart", "environment": "prod", "sha": commit(day), "digest": format!("sha256:{day}"),
        "version": format!("1.{day}"), "repo": "r", "outcome": "success", "started_at": may(day, 12), "finished_at": may(day, 13)})
}

fn commit(day: u32) -> String {
    format!("{day:040x}")
}

/// A scan of what was deployed on a day, that ended then or earlier.
fn scan(id: &str, kind: &str, of: u32, hour: u32, gate: &str) -> Value {
    json!({"scan_id": id, "kind": kind, "digest": format!("sha256:{of}"), "finished_at": may(of, hour), "gate": gate})
}

/// A test of suite `unit` on a commit.
fn unit(test: &str, of: u32, hour: u32, result: &str) -> Value {
    json!({"test_id": test, "suite": "unit", "sha": commit(of), "attempt": 1, "phase": "pipeline", "result": result,
        "started_at": may(of, hour)})
}

/// Three deployments on the 2nd, 3rd and 4th, and what more there is.
fn three(more: Value) -> World {
    world(with(json!({"deployments": [deployed(2), deployed(3), deployed(4)]}), more))
}

/// gate_coverage as (present, required) and ungated_deployments as (value, n).
fn both(w: &World) -> [(Value, Value); 2] {
    let (coverage, ungated) = (point(w, "gate_coverage"), point(w, "ungated_deployments"));
    [(coverage["numerator"].clone(), coverage["n"].clone()), (ungated["value"].clone(), ungated["n"].clone())]
}

fn counts(of: [(f64, u32); 2]) -> [(Value, Value); 2] {
    of.map(|(x, n)| (json!(x), json!(n)))
}

#[test]
fn a_gate_is_required_once_it_was_there() {
    let w = three(json!({
        "scans": [scan("a", "sast", 2, 10, "passed"), scan("b", "sast", 3, 12, "none"), scan("c", "sast", 4, 11, "failed")],
        "test_results": [unit("t", 3, 9, "success"), unit("t", 4, 13, "success")]}));
    // The 2nd: nothing was there before, no gate. The 3rd: scan:sast, there (finished as it started).
    // The 4th: scan:sast, there but failed; test:unit, too late. 2 of 3 pairs; the one of two deployments that is open is the 4th.
    let p = point(&w, "gate_coverage");
    assert_eq!((&p["numerator"], &p["denominator"], &p["n"]), (&json!(2.0), &json!(3.0), &json!(3)));
    assert_eq!((&p["excluded"], &p["coverage"], &p["status"]), (&json!({"no_gate": 1}), &json!(1.0), &json!("insufficient")));
    assert_eq!(p["ci"]["method"], "wilson");
    let p = point(&w, "ungated_deployments");
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["excluded"]), (&json!(1.0), &json!(2), &json!("ok"), &json!({"no_gate": 1})));
    assert_eq!((&p["numerator"], &p["denominator"], &p["ci"]), (&Value::Null, &Value::Null, &Value::Null));
    // Asked while the 4th was running, it is not there.
    let early = Question { as_of: may(4, 12).parse().unwrap(), ..ask("ungated_deployments") };
    assert_eq!(answer(&w, &early)[0]["points"][0]["value"], 0.0);
}

#[test]
fn nothing_required_is_no_number() {
    let w = three(json!({}));
    for metric in ["gate_coverage", "ungated_deployments"] {
        let p = point(&w, metric);
        assert_eq!((&p["value"], &p["n"], &p["status"]), (&Value::Null, &json!(0), &json!("empty")));
        assert_eq!((&p["excluded"], &p["coverage"]), (&json!({"no_gate": 3}), &Value::Null));
        assert_eq!(point(&world(json!({})), metric)["status"], "not_configured");
    }
}

#[test]
fn a_gate_is_required_for_ninety_days_and_of_its_service() {
    // d1 finished on 3 February, 13:00: 90 days before 3 May, 13:00 (26 + 31 + 30 + 3).
    let first = with(deployed(1), json!({"started_at": "2024-02-03T12:00:00Z", "finished_at": "2024-02-03T13:00:00Z"}));
    let scanned = with(scan("a", "sca", 1, 0, "passed"), json!({"finished_at": "2024-02-03T00:00:00Z"}));
    let of = |d: Value| both(&world(json!({"deployments": [first, d], "scans": [scanned]})));
    assert_eq!(of(deployed(3)), counts([(0.0, 1), (1.0, 1)]));
    let late = with(deployed(3), json!({"finished_at": "2024-05-03T13:00:00.000001Z"}));
    assert_eq!(of(late)[0], (Value::Null, json!(0)));
    assert_eq!(of(with(deployed(3), json!({"service": "search"})))[0], (Value::Null, json!(0)));
}

#[test]
fn scans_belong_by_digest_else_by_commit_or_run() {
    let coverage = |second: Value| {
        let runs = json!([{"pipeline": "build", "run_id": "7", "attempt": 1, "sha": commit(3)}]);
        let scans =
            json!([scan("a", "sast", 2, 10, "passed"), with(json!({"scan_id": "b", "kind": "sast", "finished_at": may(3, 9)}), second)]);
        let rows = json!([deployed(2), deployed(3)]);
        both(&world(json!({"deployments": rows, "scans": scans, "pipeline_runs": runs})))[0].0.clone()
    };
    assert_eq!(coverage(json!({"sha": commit(3)})), 1.0); // the scan has no digest
    assert_eq!(coverage(json!({"run_id": "7"})), 1.0); // that of its run
    assert_eq!(coverage(json!({"run_id": "7", "sha": commit(2)})), 0.0); // its own goes before
    assert_eq!(coverage(json!({"sha": commit(3), "digest": "sha256:2"})), 0.0); // both have a digest
    assert_eq!(coverage(json!({"run_id": "7", "source": "ci"})), 0.0); // of another source
    assert_eq!(coverage(json!({"sha": commit(3), "finished_at": null})), 0.0);
}

#[test]
fn the_last_word_of_a_gate_counts() {
    let open = |more: Value| both(&three(more))[1].0.clone();
    let scans = |second: Value| {
        let mut rows = vec![scan("a", "sast", 2, 9, "passed"), scan("b", "sast", 3, 9, "failed"), scan("z", "sast", 4, 9, "passed")];
        rows.push(second);
        open(json!({"scans": rows}))
    };
    assert_eq!(scans(scan("c", "sast", 3, 10, "passed")), 0.0);
    assert_eq!(scans(scan("c", "sast", 3, 9, "passed")), 0.0); // by id
    assert_eq!(scans(scan("a0", "sast", 3, 9, "passed")), 1.0);
    assert_eq!(scans(scan("c", "sast", 3, 13, "passed")), 1.0); // too late
    // Every test of the suite by its last result; t2 has failed on the 3rd, and t1 on the 4th at last.
    let tests = json!([
        unit("t1", 2, 9, "success"),
        unit("t1", 3, 9, "failure"),
        unit("t1", 3, 10, "success"),
        unit("t2", 3, 9, "error"),
        unit("t1", 4, 9, "success"),
        with(unit("t1", 4, 9, "failure"), json!({"attempt": 2})),
        unit("t2", 4, 9, "success")
    ]);
    assert_eq!(open(json!({"test_results": tests})), 2.0);
}

#[test]
fn a_test_after_another_deployment_is_a_gate_of_the_next() {
    // What runs in prod on the 3rd went through preprod at 09:00, where a test took an hour from 10:00 on.
    let preprod = |day: u32| {
        with(
            deployed(day),
            json!({"deployment_id": format!("p{day}"), "environment": "preprod",
        "started_at": may(day, 8), "finished_at": may(day, 9)}),
        )
    };
    let test = |day: u32, seconds: f64| {
        json!({"test_id": "t", "suite": "e2e", "attempt": 1, "phase": "post_deploy", "service": "cart",
        "environment": "preprod", "result": "success", "started_at": may(day, 10), "duration_seconds": seconds})
    };
    let own = json!({"test_id": "t", "suite": "e2e", "attempt": 1, "phase": "post_deploy", "deployment_id": "d3", "result": "success",
        "started_at": may(3, 1)});
    let coverage = |tests: Value| {
        both(&world(json!({"deployments": [preprod(2), deployed(2), preprod(3), deployed(3)], "test_results": tests})))[0].clone()
    };
    let one_of = |x: f64, n: u32| (json!(x), json!(n));
    assert_eq!(coverage(json!([test(2, 3600.0), test(3, 7200.0)])), one_of(1.0, 1)); // 12:00, as d3 started
    assert_eq!(coverage(json!([test(2, 3600.0), test(3, 7200.5)])), one_of(0.0, 1));
    assert_eq!(coverage(json!([test(2, 3600.0), own])), one_of(0.0, 1)); // a test of d3 is no gate of d3
}

#[test]
fn approvals_belong_by_deployment_place_version_or_change() {
    let approval = |id: &str, kind: &str, day: u32, more: Value| {
        with(json!({"approval_id": id, "kind": kind, "decided_at": may(day, 11), "decision": "approved"}), more)
    };
    let second = |kind: &str, more: Value| {
        // The gate was there on the 2nd.
        let first = approval("a", kind, 2, json!({"deployment_id": "d2"}));
        let tables = json!({"deployments": [deployed(2), deployed(3)], "approvals": [first, approval("b", kind, 3, more)],
            "commits": [{"repo": "r", "sha": commit(2), "parents": []}, {"repo": "r", "sha": commit(3), "parents": [commit(2)]}],
            "changes": [{"repo": "r", "change_id": "7", "merge_sha": commit(3)}, {"repo": "r", "change_id": "6", "merge_sha": commit(2)},
                {"repo": "other", "change_id": "8", "merge_sha": commit(3)}]});
        both(&world(tables)).map(|(x, _)| x.as_f64().unwrap())
    };
    let (there, missing) = ([1.0, 0.0], [0.0, 1.0]);
    assert_eq!(second("environment", json!({"deployment_id": "d3"})), there);
    assert_eq!(second("environment", json!({"deployment_id": "d9", "service": "cart", "environment": "prod"})), missing);
    assert_eq!(second("environment", json!({"service": "cart", "environment": "prod"})), [1.0, 0.0]);
    assert_eq!(second("environment", json!({"service": "cart", "environment": "prod", "version": "1.2"})), missing);
    assert_eq!(second("environment", json!({"service": "cart"})), missing);
    assert_eq!(second("release", json!({"service": "cart", "version": "1.3"})), there);
    assert_eq!(second("release", json!({"service": "cart", "environment": "prod"})), missing); // no version
    assert_eq!(second("release", json!({"service": "cart", "environment": "qa", "version": "1.3"})), missing);
    assert_eq!(second("change", json!({"change_id": "7"})), there);
    assert_eq!(second("change", json!({"change_id": "6"})), missing); // d2 brought it
    assert_eq!(second("change", json!({"change_id": "8"})), missing); // of another repository
    assert_eq!(second("release", json!({"deployment_id": "d3", "decision": "rejected"})), [1.0, 1.0]);
    assert_eq!(second("release", json!({"deployment_id": "d3", "decided_at": may(3, 13)})), missing); // late
}

#[test]
fn a_logical_deployment_has_its_gates_once() {
    let us = |day: u32| {
        with(
            deployed(day),
            json!({"deployment_id": format!("u{day}"), "environment": "prod-us", "started_at": may(day, 14),
        "finished_at": may(day, 15)}),
        )
    };
    let w = world(json!({"deployments": [deployed(2), us(2), deployed(3), us(3)],
        "scans": [scan("a", "sast", 2, 9, "passed"), scan("b", "sast", 3, 13, "passed")]}));
    // Within two hours: one deployment a day, judged by its first row. On the 3rd the scan is late: 0 of 1.
    assert_eq!(both(&w), counts([(0.0, 1), (1.0, 1)]));
    // Each alone: in prod 0 of 1, in prod-us, which started at 14:00, 1 of 1. u2 has the gate d2 showed: it finished before; 1 more.
    let q = Question { by: vec!["environment".into()], ..ask("gate_coverage") };
    let series = answer(&w, &q);
    let of = |n: usize| (series[n]["points"][0]["numerator"].clone(), series[n]["points"][0]["n"].clone());
    assert_eq!((of(0), of(1)), ((json!(0.0), json!(1)), (json!(2.0), json!(2))));
    // Only prod-us counts: nothing was there before u2.
    let q = Question { filters: BTreeMap::from([("environment".into(), vec!["prod-us".into()])]), ..ask("gate_coverage") };
    let p = answer(&w, &q)[0]["points"][0].clone();
    assert_eq!((&p["n"], &p["excluded"]), (&json!(1), &json!({"no_gate": 1})));
}

fn change(id: &str, day: u32) -> Value {
    json!({"repo": "r", "change_id": id, "merged_at": may(day, 12), "merge_sha": commit(day), "commit_shas": [commit(day + 100)]})
}

#[test]
fn a_change_is_scanned_before_it_is_merged() {
    let scan = |id: &str, kind: &str, hour: u32, more: Value| with(json!({"scan_id": id, "kind": kind, "finished_at": may(2, hour)}), more);
    let covered = |scan: Value| {
        let runs = json!([{"pipeline": "build", "run_id": "7", "attempt": 1, "repo": "r", "change_id": "2"},
            {"pipeline": "build", "run_id": "8", "attempt": 1, "repo": "r", "sha": commit(102)},
            {"pipeline": "build", "run_id": "9", "attempt": 1, "repo": "other", "change_id": "2"}]);
        point(&world(json!({"changes": [change("2", 2)], "scans": [scan], "pipeline_runs": runs})), "change_scan_coverage")["value"].clone()
    };
    assert_eq!(covered(scan("a", "sast", 12, json!({"repo": "r", "change_id": "2"}))), 1.0);
    assert_eq!(covered(scan("a", "sast", 13, json!({"repo": "r", "change_id": "2"}))), 0.0); // after the merge
    assert_eq!(covered(scan("a", "dast", 12, json!({"repo": "r", "change_id": "2"}))), 0.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"change_id": "2"}))), 0.0); // of which repository?
    assert_eq!(covered(scan("a", "sca", 12, json!({"sha": commit(2)}))), 1.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"sha": commit(102), "repo": "r"}))), 1.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"sha": commit(102), "repo": "other"}))), 0.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"run_id": "7"}))), 1.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"run_id": "8"}))), 1.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"run_id": "9"}))), 0.0);
    assert_eq!(covered(scan("a", "sca", 12, json!({"run_id": "7", "source": "ci"}))), 0.0);
}

#[test]
fn merged_changes_of_the_window_are_what_counts() {
    let mut changes: Vec<Value> = (1..=5).map(|day| change(&day.to_string(), day)).collect();
    changes.push(change("20", 20)); // not in the window
    changes.push(json!({"repo": "r", "change_id": "open"}));
    let scans = json!([{"scan_id": "a", "kind": "sca", "repo": "r", "change_id": "1", "finished_at": may(1, 0)},
        {"scan_id": "b", "kind": "sast", "sha": commit(3), "finished_at": may(1, 0)},
        {"scan_id": "c", "kind": "sca", "sha": commit(3), "finished_at": may(1, 0)}]);
    let w = world(json!({"changes": changes, "scans": scans}));
    // The 1st and the 3rd of five: 0.4; Wilson for 2/5 is [0.117621, 0.769276] (section 6.1).
    let p = point(&w, "change_scan_coverage");
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["coverage"]), (&json!(0.4), &json!(5), &json!("ok"), &json!(1.0)));
    assert!((p["ci"]["lo"].as_f64().unwrap() - 0.117621).abs() < 1e-6 && (p["ci"]["hi"].as_f64().unwrap() - 0.769276).abs() < 1e-6);
    // Of a repository without a service the labels are "".
    let q = Question { by: ["repo", "service", "team"].map(str::to_owned).into(), ..ask("change_scan_coverage") };
    assert_eq!(answer(&w, &q)[0]["labels"], json!({"repo": "r", "service": "", "team": ""}));
}
