//! Promotion, states, onboarding, blocked time and the score, worked out by hand. All days are of May 2024, all zones UTC.

#![allow(clippy::unwrap_used, reason = "tests end where something is missing")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use flowgauge_oracle::{Bucket, Question, World, answer};
use serde_json::{Value, json};

fn world(tables: Value) -> World {
    let rows = |rows: &Value| rows.as_array().unwrap().iter().map(|r| r.as_object().unwrap().clone()).collect();
    World::new(tables.as_object().unwrap().iter().map(|(table, r)| (table.clone(), rows(r))).collect())
}

/// A day of May 2024 and an hour of it.
fn may(day: u32, hour: u32) -> String {
    format!("2024-05-{day:02}T{hour:02}:00:00Z")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// 1 to 11 May in one bucket, asked on 11 June.
fn ask(metric: &str) -> Question {
    Question {
        metric: metric.into(),
        from: time(&may(1, 0)),
        to: time(&may(11, 0)),
        as_of: time("2024-06-11T00:00:00Z"),
        bucket: Bucket::None,
        tz: Tz::UTC,
        by: Vec::new(),
        filters: BTreeMap::new(),
    }
}

/// The same as seen on a day of May.
fn seen(metric: &str, day: u32) -> Question {
    Question { as_of: time(&may(day, 0)), ..ask(metric) }
}

fn by(dimension: &str, q: Question) -> Question {
    Question { by: vec![dimension.into()], ..q }
}

fn only(dimension: &str, value: &str, q: Question) -> Question {
    Question { filters: [(dimension.to_owned(), vec![value.to_owned()])].into(), ..q }
}

fn point(world: &World, q: &Question) -> Value {
    answer(world, q)[0]["points"][0].clone()
}

/// The point of the series that has this label.
fn point_of(world: &World, label: &str, q: &Question) -> Value {
    let all = answer(world, q);
    let found = all.as_array().unwrap().iter().find(|s| s["labels"].as_object().unwrap().values().any(|v| v == label));
    found.unwrap()["points"][0].clone()
}

/// Value and n of 1, 2 and 3 May.
fn three_days(world: &World, metric: &str) -> Vec<(Value, Value)> {
    let q = Question { bucket: Bucket::Day, to: time(&may(4, 0)), ..ask(metric) };
    let points = answer(world, &q)[0]["points"].as_array().unwrap().clone();
    points.iter().map(|p| (p["value"].clone(), p["n"].clone())).collect()
}

fn near(got: &Value, want: f64) {
    assert!((got.as_f64().unwrap() - want).abs() < 1e-6, "{got} is not {want}");
}

fn is_null(p: &Value, status: &str) {
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["quantiles"]), (&Value::Null, &json!(0), &json!(status), &json!({})));
}

/// `row` and these columns.
fn with(mut row: Value, more: Value) -> Value {
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// A success of cart; the digest, where this is one, else the commit.
fn deployed(environment: &str, what: &str, day: u32, hour: u32) -> Value {
    let column = if what.starts_with("sha256:") { "digest" } else { "sha" };
    json!({"deployment_id": format!("{environment} {what} {day} {hour}"), "service": "cart", "environment": environment, "repo": "r",
        column: what, "outcome": "success", "finished_at": may(day, hour)})
}

fn of(service: &str, row: Value) -> Value {
    let id = format!("{service} {}", row["deployment_id"]);
    with(row, json!({"service": service, "deployment_id": id}))
}

fn cart() -> Value {
    json!({"service": "cart", "team": "shop", "repo": "r", "ladder": ["dev", "qa", "preprod", "prod"]})
}

// promotion_lead_time

#[test]
fn a_promotion_comes_from_the_highest_environment_below() {
    let w = world(json!({"services": [cart()], "deployments": [
        deployed("dev", "sha256:x", 1, 0), deployed("qa", "sha256:x", 1, 6), deployed("qa", "sha256:x", 2, 0),
        deployed("prod", "sha256:x", 2, 6), deployed("dev", "sha256:y", 3, 0), deployed("canary", "sha256:y", 3, 1)]}));
    // dev to qa in 6 h = 21600 s, qa to prod in 24 h = 86400 s: to qa again changes nothing, canary is not on the ladder.
    // p50 = 54000 s, p90 = 21600 + 0.9 · 64800 = 79920 s.
    let p = point(&w, &ask("promotion_lead_time"));
    assert_eq!((&p["n"], &p["value"], &p["status"]), (&json!(2), &json!(54000.0), &json!("insufficient")));
    near(&p["quantiles"]["p90"], 79920.0);
    assert_eq!((&p["ci"], &p["excluded"], &p["coverage"]), (&Value::Null, &json!({}), &json!(1.0)));
    assert_eq!((&p["numerator"], &p["denominator"]), (&Value::Null, &Value::Null));
    // The label is the upper one; the lowest has a series too, of all tiers.
    let split = by("environment", ask("promotion_lead_time"));
    assert_eq!(answer(&w, &split).as_array().unwrap().len(), 4);
    assert_eq!(point_of(&w, "prod", &split)["value"], 86400.0);
    is_null(&point_of(&w, "dev", &split), "empty");
    // A filter does not change where it comes from.
    assert_eq!(point(&w, &only("environment", "prod", ask("promotion_lead_time")))["value"], 86400.0);
    assert_eq!(point(&w, &only("tier", "testing", ask("promotion_lead_time")))["value"], 21600.0);
    is_null(&point(&w, &only("environment", "unknown", ask("promotion_lead_time"))), "not_configured");
}

#[test]
fn a_promotion_from_nowhere_is_left_out() {
    let failed = with(deployed("dev", "sha256:z", 4, 0), json!({"outcome": "failure", "took_effect": true}));
    let w = world(json!({"services": [cart()], "deployments": [
        deployed("prod", "sha256:x", 2, 0), deployed("prod", "sha256:y", 3, 0), deployed("dev", "sha256:y", 4, 0),
        failed, deployed("prod", "sha256:z", 5, 0)]}));
    // x was never below, z never with success; y came to dev after it had come to prod.
    let p = point(&w, &ask("promotion_lead_time"));
    is_null(&p, "empty");
    assert_eq!((&p["excluded"], &p["coverage"]), (&json!({"no_lower_environment": 2, "out_of_order": 1}), &Value::Null));
    // On 4 May 0:00 the deployment of y to dev exists, a moment earlier it does not; z is not there yet.
    let early = |as_of: &str| point(&w, &Question { as_of: time(as_of), ..ask("promotion_lead_time") })["excluded"].clone();
    assert_eq!(early(&may(4, 0)), json!({"no_lower_environment": 1, "out_of_order": 1}));
    assert_eq!(early(&may(3, 23)), json!({"no_lower_environment": 2}));
}

#[test]
fn without_a_ladder_tiers_are_the_rungs() {
    let w = world(json!({"deployments": [
        deployed("qa-b", "aa", 1, 0), deployed("qa-a", "aa", 1, 4), deployed("prod", "aa", 1, 10), deployed("lab", "aa", 1, 1)]}));
    // The two of testing have one rank, so neither comes from the other; prod comes from the earlier one: 10 h. lab has no rank.
    let p = point(&w, &ask("promotion_lead_time"));
    assert_eq!((&p["n"], &p["value"], &p["excluded"]), (&json!(1), &json!(36000.0), &json!({"no_lower_environment": 2})));
}

#[test]
fn a_name_that_is_no_rung_has_that_of_the_last_of_its_tier() {
    let service = json!({"service": "cart", "ladder": ["qa-1", "qa-2", "prod"]});
    let w = world(json!({"services": [service], "deployments": [
        deployed("qa-1", "aa", 1, 0), deployed("qa-9", "aa", 1, 2), deployed("prod-eu", "aa", 1, 7), deployed("dev", "aa", 1, 6)]}));
    // qa-9 stands with qa-2, above qa-1 (2 h) and below prod-eu, which stands with prod (5 h); dev is nowhere. Median 3.5 h = 12600 s.
    let p = point(&w, &ask("promotion_lead_time"));
    assert_eq!((&p["n"], &p["value"], &p["excluded"]), (&json!(2), &json!(12600.0), &json!({})));
}

// promotion_rate

#[test]
fn a_promotion_has_thirty_days() {
    let late = with(deployed("qa", "sha256:y", 1, 0), json!({"finished_at": "2024-06-01T00:00:01Z"}));
    let w = world(json!({"services": [cart()], "deployments": [
        deployed("dev", "sha256:x", 1, 0), deployed("qa", "sha256:x", 31, 0), deployed("dev", "sha256:y", 2, 0), late]}));
    // x comes 30 days after 1 May, the last moment that counts; y a second too late, and nothing overtook it: 1 / 2.
    let p = point(&w, &ask("promotion_rate"));
    assert_eq!((&p["value"], &p["n"], &p["status"]), (&json!(0.5), &json!(2), &json!("insufficient")));
    assert_eq!((&p["numerator"], &p["denominator"], &p["ci"]["method"]), (&json!(1.0), &json!(2.0), &json!("wilson")));
    // On 31 May 0:00 y is open yet: 1 / 1. A day before, both are.
    assert_eq!(point(&w, &seen("promotion_rate", 31))["value"], 1.0);
    is_null(&point(&w, &seen("promotion_rate", 30)), "empty");
}

#[test]
fn what_is_overtaken_or_out_of_order_does_not_count() {
    let w = world(json!({"services": [cart()], "deployments": [
        deployed("dev", "sha256:x", 1, 0), deployed("dev", "sha256:y", 2, 0), deployed("prod", "sha256:y", 4, 0),
        deployed("prod", "sha256:z", 3, 0), deployed("dev", "sha256:z", 5, 0), deployed("dev", "sha256:q", 9, 0)]}));
    // Nothing is in qa and preprod, so dev feeds prod. y is promoted and overtakes x; z came to prod before dev; q is open on the 20th.
    let p = point(&w, &seen("promotion_rate", 20));
    assert_eq!((&p["value"], &p["n"], &p["excluded"], &p["coverage"]), (&json!(1.0), &json!(1), &json!({"out_of_order": 1}), &json!(1.0)));
    // A month later (8 June) q has lapsed: 1 / 2.
    assert_eq!(point(&w, &ask("promotion_rate"))["value"], 0.5);
    is_null(&point_of(&w, "dev", &by("environment", ask("promotion_rate"))), "empty");
}

#[test]
fn what_feeds_is_the_highest_below_with_a_success() {
    let failed = with(deployed("preprod", "sha256:x", 1, 6), json!({"outcome": "failure"}));
    let w = world(json!({"services": [cart()], "deployments": [
        deployed("dev", "sha256:x", 1, 0), deployed("prod", "sha256:x", 1, 9), failed]}));
    // Nothing ever succeeded in preprod: dev feeds prod, where x has come within the day, and preprod, where it has not: lapsed.
    let split = by("environment", ask("promotion_rate"));
    assert_eq!(point_of(&w, "prod", &split)["value"], 1.0);
    assert_eq!(point_of(&w, "preprod", &split)["value"], 0.0);
}

// environment_lag

fn commit(sha: &str, parents: &[&str]) -> Value {
    json!({"repo": "r", "sha": sha, "parents": parents, "authored_at": may(1, 0)})
}

#[test]
fn the_lag_is_what_is_below_and_not_above() {
    let w = world(json!({"services": [cart()],
        "commits": [commit("a0", &[]), commit("a1", &["a0"]), commit("b1", &["a0"]), commit("a2", &["a1", "b1"])],
        "deployments": [deployed("dev", "a2", 1, 6), deployed("prod", "a0", 2, 6), deployed("prod", "a2", 3, 6)]}));
    // On 2 May 0:00 there is no prod. On the 3rd a1 and b1 wait, the merge does not count. On the 4th both run a2.
    let days = [(Value::Null, json!(0)), (json!(2.0), json!(1)), (json!(0.0), json!(1))];
    assert_eq!(three_days(&w, "environment_lag"), days);
    // Without buckets it is about `as_of`, wherever the window ends.
    let p = point(&w, &ask("environment_lag"));
    assert_eq!((&p["value"], &p["status"], &p["coverage"], &p["ci"]), (&json!(0.0), &json!("ok"), &json!(1.0), &Value::Null));
    assert_eq!(point(&w, &seen("environment_lag", 3))["value"], 2.0);
    is_null(&point(&w, &seen("environment_lag", 1)), "empty"); // starts at as_of
}

#[test]
fn the_lag_knows_paths_and_says_what_it_lacks() {
    let files = |commit: Value, files: Value| with(commit, json!({"files": files}));
    let two =
        |service: &str, lower: &str, upper: &str| [of(service, deployed("dev", lower, 1, 0)), of(service, deployed("prod", upper, 2, 0))];
    let mut nameless = two("nameless", "a1", "a0");
    nameless[1].as_object_mut().unwrap().remove("sha");
    let mut rows: Vec<Value> =
        [two("cart", "a2", "a0"), two("pay", "a3", "a0"), two("lost", "a2", "ff"), two("same", "ee", "ee"), nameless].concat();
    rows.push(with(of("list", deployed("dev", "dd", 1, 0)), json!({"commit_shas": ["a0", "a1"]})));
    rows.push(of("list", deployed("prod", "a0", 1, 0)));
    let service = |name: &str, globs: Value| json!({"service": name, "repo": "r", "path_globs": globs});
    let w = world(json!({
        "services": [service("cart", json!(["cart/**"])), service("pay", json!(["pay/"]))],
        "commits": [files(commit("a0", &[]), json!([])), files(commit("a1", &["a0"]), json!(["cart/x"])),
            files(commit("a2", &["a1"]), json!(["pay/x"])), commit("a3", &["a2"])],
        "deployments": rows}));
    // cart: a1 of a1 and a2. pay: the files of a3 are not known. lost: ff is no commit. same: nothing, even so. nameless: no commit at all.
    // list: dd stands for a0 and a1, so a1 waits. 1 + 0 + 1 over three of six pairs.
    let p = point(&w, &ask("environment_lag"));
    assert_eq!((&p["value"], &p["n"]), (&json!(2.0), &json!(3)));
    assert_eq!(p["excluded"], json!({"no_files": 1, "no_graph": 1, "no_source_link": 1}));
    near(&p["coverage"], 0.5);
}

// version_skew

#[test]
fn skew_counts_services() {
    let w = world(json!({"services": [cart()], "deployments": [
        deployed("dev", "a3", 1, 0), deployed("qa", "a2", 1, 0), deployed("prod", "a1", 1, 0), deployed("prod", "a2", 2, 6),
        of("pay", deployed("dev", "b1", 1, 0)), of("pay", deployed("prod", "b1", 1, 0)), of("new", deployed("dev", "c1", 1, 0))]}));
    // cart: dev and qa differ, qa and prod do not since the 2nd. pay: dev and prod are alike. new has no pair. One of two services.
    let p = point(&w, &ask("version_skew"));
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["numerator"]), (&json!(1.0), &json!(2), &json!("ok"), &Value::Null));
    let split = by("environment", ask("version_skew"));
    let qa = point_of(&w, "qa", &split);
    assert_eq!((&qa["value"], &qa["n"]), (&json!(1.0), &json!(1)));
    let prod = point_of(&w, "prod", &split);
    assert_eq!((&prod["value"], &prod["n"]), (&json!(0.0), &json!(2))); // 0 is 0
    is_null(&point_of(&w, "dev", &split), "empty");
    // Of prod alone, before the 2nd: cart differs.
    assert_eq!(point(&w, &only("environment", "prod", seen("version_skew", 2)))["value"], 1.0);
}

#[test]
fn skew_looks_at_what_took_effect_last() {
    let failed = |effect: bool, day: u32| with(deployed("prod", "a9", day, 0), json!({"outcome": "failure", "took_effect": effect}));
    let w = world(json!({"deployments": [
        deployed("qa-a", "a1", 1, 0), deployed("qa-b", "a2", 1, 6), deployed("prod", "a2", 1, 12), failed(false, 2),
        deployed("qa-a", "a2", 2, 6), failed(true, 3)]}));
    // 2 May 0:00: qa-b was deployed to last, prod has the same; the failure of that instant took no effect. 3 May 0:00: qa-a was last, with
    // a2, but the second failure changed what runs in prod at that very instant. From then on they differ.
    assert_eq!(three_days(&w, "version_skew"), [(json!(0.0), json!(1)), (json!(1.0), json!(1)), (json!(1.0), json!(1))]);
}

// config_lag

fn config(repo: &str, sha: &str, committed: Value, authored: Value) -> Value {
    json!({"repo": repo, "sha": sha, "parents": [], "committed_at": committed, "authored_at": authored})
}

fn configured(environment: &str, repo: Value, sha: &str, day: u32, hour: u32) -> Value {
    with(deployed(environment, "aa", day, hour), json!({"config_repo": repo, "config_sha": sha}))
}

#[test]
fn config_lag_is_from_the_commit_to_the_first_success() {
    let w = world(json!({
        "commits": [config("conf", "c1", json!(may(1, 0)), json!(may(5, 0))), config("conf", "c2", Value::Null, json!(may(3, 0)))],
        "deployments": [configured("dev", json!("conf"), "c1", 1, 2), configured("prod", json!("conf"), "c1", 1, 6),
            configured("prod", json!("conf"), "c1", 2, 0), configured("prod", Value::Null, "c2", 3, 4)]}));
    // 2 h and 6 h since the commit of c1 (not its author's time), once for each environment; 4 h since c2, whose repository is the only one.
    // p50 = 4 h = 14400 s; p90: h = 1.8, 4 + 0.8 · 2 = 5.6 h = 20160 s.
    let p = point(&w, &ask("config_lag"));
    assert_eq!((&p["n"], &p["value"], &p["excluded"], &p["coverage"]), (&json!(3), &json!(14400.0), &json!({}), &json!(1.0)));
    near(&p["quantiles"]["p90"], 20160.0);
    assert_eq!(point(&w, &only("tier", "development", ask("config_lag")))["value"], 7200.0);
}

#[test]
fn config_lag_without_a_commit_is_missing() {
    let failed = with(configured("prod", json!("conf"), "c6", 6, 0), json!({"outcome": "failure"}));
    let w = world(json!({
        "commits": [config("conf", "c2", json!(may(2, 0)), Value::Null), config("old", "c2", json!(may(2, 0)), Value::Null),
            config("conf", "c3", json!(may(3, 0)), Value::Null), config("conf", "c4", json!(may(4, 1)), Value::Null),
            config("conf", "c6", json!(may(5, 0)), Value::Null)],
        "deployments": [configured("prod", json!("conf"), "c1", 1, 0), configured("prod", Value::Null, "c2", 2, 1),
            configured("prod", json!("conf"), "c3", 3, 0), configured("prod", json!("conf"), "c4", 4, 0),
            configured("prod", json!("conf"), &"0".repeat(40), 5, 0), failed]}));
    // c1 has no row and c2 two of them; c3 is 0 s, which is kept; c4 was committed an hour later; zeros are none; c6 never succeeded.
    let p = point(&w, &ask("config_lag"));
    assert_eq!((&p["n"], &p["value"], &p["excluded"]), (&json!(1), &json!(0.0), &json!({"no_commit": 2, "clock_skew": 1})));
    near(&p["coverage"], 0.25);
}

// onboarding_time

#[test]
fn onboarding_is_from_the_first_commit_to_the_first_production() {
    let failed = with(deployed("prod", "aa", 2, 0), json!({"outcome": "failure"}));
    let w = world(json!({
        "services": [cart(), {"service": "pay", "repo": "p"}],
        "commits": [with(commit("a0", &[]), json!({"authored_at": may(1, 6)})), with(commit("a1", &[]), json!({"authored_at": may(1, 0)})),
            {"repo": "other", "sha": "e0", "authored_at": "2024-04-01T00:00:00Z"}],
        "deployments": [deployed("dev", "aa", 1, 12), failed, deployed("prod", "aa", 3, 0), deployed("prod", "ab", 4, 0),
            with(of("pay", deployed("dev", "b0", 2, 0)), json!({"created_at": may(1, 12)})), of("pay", deployed("prod", "b0", 4, 12))]}));
    // cart: 1 May 0:00 to 3 May 0:00 = 48 h. pay has no commit: from its first event, 1 May 12:00, to 4 May 12:00 = 72 h.
    // p50 = 60 h = 216000 s; p75 = 48 + 0.75 · 24 = 66 h = 237600 s; p90 = 69.6 h = 250560 s.
    let p = point(&w, &ask("onboarding_time"));
    assert_eq!((&p["n"], &p["value"], &p["status"]), (&json!(2), &json!(216000.0), &json!("insufficient")));
    near(&p["quantiles"]["p75"], 237600.0);
    near(&p["quantiles"]["p90"], 250560.0);
    // To dev: 12 h and 12 h (1 May 12:00 to 2 May 0:00).
    assert_eq!(point(&w, &only("environment", "dev", ask("onboarding_time")))["value"], 43200.0);
    assert_eq!(point(&w, &only("tier", "development", ask("onboarding_time")))["value"], 43200.0);
    // One whose first was before the window has none in it: pay alone is left.
    let later = Question { from: time(&may(3, 1)), ..ask("onboarding_time") };
    assert_eq!((&point(&w, &later)["n"], &point(&w, &later)["value"]), (&json!(1), &json!(259200.0)));
}

#[test]
fn onboarding_by_environment_and_path() {
    let w = world(json!({
        "services": [{"service": "cart", "repo": "r", "path_globs": ["cart/**"]}, {"service": "pay", "repo": "r"}],
        "commits": [with(commit("a0", &[]), json!({"authored_at": may(1, 0), "files": ["pay/x"]})),
            with(commit("a1", &[]), json!({"authored_at": may(1, 1)})),
            with(commit("a2", &[]), json!({"authored_at": Value::Null, "committed_at": may(2, 0), "files": ["cart/x"]}))],
        "deployments": [deployed("prod-eu", "aa", 3, 0), deployed("prod-us", "aa", 3, 6), deployed("qa", "aa", 3, 1)]}));
    // The first that touches cart is a2: 24 h to prod-eu, 30 h to prod-us; as one service 24 h. qa is not production.
    assert_eq!(point(&w, &ask("onboarding_time"))["value"], 86400.0);
    let split = by("environment", ask("onboarding_time"));
    assert_eq!(answer(&w, &split).as_array().unwrap().len(), 2);
    assert_eq!(point_of(&w, "prod-us", &split)["value"], 108000.0);
    // Deployed before any of its commits was written: pay on 30 April.
    let early = world(json!({"services": [{"service": "pay", "repo": "r"}], "commits": [commit("a0", &[])],
        "deployments": [with(of("pay", deployed("prod", "aa", 1, 0)), json!({"finished_at": "2024-04-30T00:00:00Z"}))]}));
    let p = point(&early, &Question { from: time("2024-04-01T00:00:00Z"), ..ask("onboarding_time") });
    is_null(&p, "empty");
    assert_eq!((&p["excluded"], &p["coverage"]), (&json!({"clock_skew": 1}), &json!(0.0)));
}

// blocked_time

/// A look at an application that is synced to r1; where an operation is named, it failed.
fn look(app: &str, at: &str, revision: &str, status: &str, failed: Option<&str>) -> Value {
    let row = json!({"app": app, "observed_at": at, "compared_revisions": [revision], "synced_revisions": ["r1"], "sync_status": status});
    match failed {
        Some(operation) => with(row, json!({"op_phase": "Failed", "op_revisions": [operation], "op_started_at": at})),
        None => row,
    }
}

#[test]
fn blocked_seconds_are_summed() {
    let w = world(json!({"gitops_observations": [
        look("x", &may(1, 0), "r1", "Synced", None), look("x", &may(2, 0), "r2", "OutOfSync", Some("r2")),
        look("x", &may(2, 6), "r1", "Synced", None), look("y", &may(2, 3), "r2", "OutOfSync", Some("r2")),
        look("y", &may(2, 5), "r2", "OutOfSync", Some("r0"))]}));
    // x: 6 h; y: 2 h, then the operation that failed was for another revision: pending. 28800 s.
    let p = point(&w, &ask("blocked_time"));
    assert_eq!((&p["value"], &p["n"], &p["status"], &p["coverage"]), (&json!(28800.0), &json!(2), &json!("ok"), &json!(1.0)));
    assert_eq!((&p["numerator"], &p["denominator"], &p["ci"]), (&Value::Null, &Value::Null, &Value::Null));
    let days = [(json!(0.0), json!(1)), (json!(28800.0), json!(2)), (json!(0.0), json!(2))];
    assert_eq!(three_days(&w, "blocked_time"), days);
    assert_eq!(point_of(&w, "y", &by("app", ask("blocked_time")))["value"], 7200.0);
}

#[test]
fn blocked_time_is_cut_and_needs_a_look() {
    let w = world(json!({"gitops_observations": [
        look("x", "2024-04-30T22:00:00Z", "r2", "OutOfSync", Some("r2")), look("x", &may(1, 2), "r1", "Synced", None),
        look("x", &may(10, 23), "r2", "OutOfSync", Some("r2")), look("y", &may(2, 0), "r2", "Unknown", Some("r2"))]}));
    // 30 April 22:00 to 1 May 2:00: two hours of it; and the last hour of 10 May. y was never observed.
    let p = point(&w, &ask("blocked_time"));
    assert_eq!((&p["value"], &p["n"]), (&json!(10800.0), &json!(1)));
    let y = point_of(&w, "y", &by("app", ask("blocked_time")));
    is_null(&y, "empty");
    assert_eq!(y["coverage"], Value::Null);
    is_null(&point(&world(json!({})), &ask("blocked_time")), "not_configured");
}

// template_adoption

fn run(repo: &str, id: &str, branch: &str, day: u32, template: Value) -> Value {
    json!({"pipeline": "build", "run_id": id, "attempt": 1, "repo": repo, "branch": branch, "is_default_branch": branch == "main",
        "started_at": may(day, 0), "template_ref": template})
}

fn catalogue() -> Value {
    let service = |name: &str, repo: &str| json!({"service": name, "repo": repo});
    json!([
        service("cart", "g/o/mono"),
        service("search", "g/o/mono"),
        service("mono", "g/o/mono"),
        service("pay", "g/o/pay"),
        service("idle", "g/o/idle")
    ])
}

#[test]
fn adoption_looks_at_the_last_run_of_the_default_branch() {
    let w = world(json!({"services": catalogue(), "pipeline_runs": [
        run("g/o/mono", "1", "main", 1, Value::Null), run("g/o/mono", "2", "main", 2, json!("t@1")),
        run("g/o/mono", "3", "topic", 3, Value::Null), run("g/o/pay", "4", "topic", 3, json!("t@1"))]}));
    // The three of mono follow it since the 2nd, pay only on a branch, idle has no run: 3 / 4.
    let p = point(&w, &ask("template_adoption"));
    assert_eq!((&p["value"], &p["n"], &p["status"]), (&json!(0.75), &json!(4), &json!("insufficient")));
    assert_eq!((&p["numerator"], &p["denominator"], &p["ci"]["method"]), (&json!(3.0), &json!(4.0), &json!("wilson")));
    // What starts at the moment exists: at the end of 1 May it is the run of the 2nd.
    let days = [(json!(1.0), json!(3)), (json!(0.75), json!(4)), (json!(0.75), json!(4))];
    assert_eq!(three_days(&w, "template_adoption"), days);
    assert_eq!(point_of(&w, "g/o/pay", &by("repo", ask("template_adoption")))["value"], 0.0);
}

#[test]
fn adoption_by_pipeline_and_attempt() {
    let again = with(run("g/o/pay", "1", "main", 1, Value::Null), json!({"attempt": 2, "started_at": may(3, 0)}));
    let other = with(run("g/o/pay", "2", "main", 2, json!("t@1")), json!({"pipeline": "scan"}));
    let w = world(json!({"services": [{"service": "pay", "repo": "g/o/pay"}],
        "pipeline_runs": [run("g/o/pay", "1", "main", 1, json!("t@1")), again, other]}));
    // The second attempt of run 1, on the 3rd, is the last and has none. Before the 3rd the last is the scan's, by pipeline each its own.
    assert_eq!(point(&w, &ask("template_adoption"))["value"], 0.0);
    assert_eq!(point(&w, &Question { as_of: time(&may(2, 23)), ..ask("template_adoption") })["value"], 1.0);
    let split = by("pipeline", ask("template_adoption"));
    assert_eq!((&point_of(&w, "build", &split)["value"], &point_of(&w, "scan", &split)["value"]), (&json!(0.0), &json!(1.0)));
}

// scan_findings

fn scan(id: &str, kind: &str, what: Value, day: u32, critical: Value, high: Value) -> Value {
    with(json!({"scan_id": id, "kind": kind, "finished_at": may(day, 12), "critical": critical, "high": high, "medium": 7}), what)
}

#[test]
fn findings_are_of_the_last_scan_of_each_kind() {
    let x = json!({"digest": "sha256:x"});
    let w = world(json!({"deployments": [deployed("prod", "sha256:x", 1, 0)], "scans": [
        scan("1", "sast", x.clone(), 1, json!(1), json!(2)), scan("2", "sca", x.clone(), 2, json!(2), Value::Null),
        scan("3", "sast", x, 3, json!(0), json!(1))]}));
    // End of 1 May: 1 + 2. 2 May: and 2 of sca. 3 May: sast has 1 left.
    assert_eq!(three_days(&w, "scan_findings"), [(json!(3.0), json!(1)), (json!(5.0), json!(1)), (json!(3.0), json!(1))]);
    let p = point(&w, &ask("scan_findings"));
    assert_eq!((&p["value"], &p["status"], &p["coverage"], &p["excluded"]), (&json!(3.0), &json!("ok"), &json!(1.0), &json!({})));
}

#[test]
fn findings_belong_to_what_runs() {
    let both = |environment: &str, digest: &str, day: u32| with(deployed(environment, digest, day, 0), json!({"sha": "aa"}));
    let unfinished = json!({"scan_id": "6", "kind": "dast", "sha": "bb", "critical": 9});
    let w = world(json!({
        "deployments": [both("prod-eu", "sha256:x", 1), both("prod-us", "sha256:x", 1), deployed("prod-ap", "bb", 2, 0),
            deployed("dev", "cc", 1, 0), of("pay", deployed("prod", "dd", 1, 0))],
        "pipeline_runs": [{"pipeline": "p", "run_id": "7", "attempt": 1, "sha": "bb", "created_at": may(1, 0)}],
        "scans": [scan("1", "sast", json!({"digest": "sha256:x"}), 1, json!(1), json!(0)),
            scan("2", "sca", json!({"digest": "sha256:other", "sha": "aa"}), 1, json!(50), json!(0)),
            scan("3", "secret", json!({"sha": "aa"}), 1, json!(0), json!(10)),
            scan("4", "sast", json!({"run_id": "7"}), 1, json!(100), json!(0)),
            scan("5", "sast", json!({"run_id": "7", "source": "scanner"}), 2, json!(7000), json!(0)),
            scan("8", "sast", json!({"sha": "cc"}), 1, json!(0), json!(500)), unfinished]}));
    // cart runs x in two places, counted once: 1 by the digest, 10 by the commit (the scan names no digest), not 50 (another digest); and
    // bb: 100 by the run, not 7000 (no run of that source), not 9 (it never ended). dev does not count. pay has no scan.
    let p = point(&w, &ask("scan_findings"));
    assert_eq!((&p["value"], &p["n"], &p["excluded"], &p["coverage"]), (&json!(111.0), &json!(1), &json!({"no_scan": 1}), &json!(0.5)));
    let split = by("environment", ask("scan_findings"));
    assert_eq!(answer(&w, &split).as_array().unwrap().len(), 4); // eu, us, ap and pay's prod
    assert_eq!((&point_of(&w, "prod-us", &split)["value"], &point_of(&w, "prod-ap", &split)["value"]), (&json!(11.0), &json!(100.0)));
    is_null(&point_of(&w, "prod", &split), "empty");
    assert_eq!(point(&w, &only("environment", "dev", ask("scan_findings")))["value"], 500.0);
    assert_eq!(point(&w, &only("tier", "all", ask("scan_findings")))["value"], 611.0);
}

// dora_score

/// V1, V2, V3, V1: each of the commits a1 and a2 came 12 hours after it was written.
fn rolled_back() -> World {
    let authored = |sha: &str, parents: &[&str], day: u32| with(commit(sha, parents), json!({"authored_at": may(day, 12)}));
    world(json!({
        "commits": [commit("a0", &[]), authored("a1", &["a0"], 1), authored("a2", &["a1"], 2)],
        "deployments": [deployed("prod", "a0", 1, 0), deployed("prod", "a1", 2, 0), deployed("prod", "a2", 3, 0), deployed("prod", "a0", 3, 6)]}))
}

#[test]
fn the_score_is_the_mean_of_five() {
    // lead_time 12 h: 8. deployment_frequency 4 in 10 days, more than one a week: 6. recovery_time 30 h: 6. change_fail_rate 1 / 3: 6.6667.
    // rework_rate 1 / 4: 7.5. Together 34.1667, a fifth of it 6.8333. The least n is that of recovery_time.
    let p = point(&rolled_back(), &ask("dora_score"));
    near(&p["value"], (8.0 + 6.0 + 6.0 + (10.0 - 10.0 / 3.0) + 7.5) / 5.0);
    assert_eq!((&p["n"], &p["status"], &p["coverage"]), (&json!(1), &json!("insufficient"), &Value::Null));
    assert_eq!((&p["excluded"], &p["quantiles"], &p["ci"], &p["numerator"]), (&json!({}), &json!({}), &Value::Null, &Value::Null));
}

#[test]
fn the_score_needs_all_five() {
    let w = rolled_back();
    // Before the rollback nothing had failed: no recovery_time. Three deployments in two and a bit days are too few for the others.
    let early = point(&w, &Question { as_of: time(&may(3, 3)), ..ask("dora_score") });
    assert_eq!((&early["value"], &early["n"], &early["status"]), (&Value::Null, &json!(0), &json!("insufficient")));
    // On 9 May there is nothing but 0 deployments a day.
    let quiet = Question { from: time(&may(9, 0)), ..ask("dora_score") };
    is_null(&point(&w, &quiet), "empty");
    is_null(&point(&world(json!({})), &ask("dora_score")), "not_configured");
    let split = by("service", ask("dora_score"));
    near(&point_of(&w, "cart", &split)["value"], 34.0 / 5.0 + 1.0 / 30.0);
}
