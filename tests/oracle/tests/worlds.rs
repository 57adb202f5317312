//! Random worlds: the same for the same seed, rich, and answered alike in any order of rows.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use flowgauge_oracle::{METRICS, Question, Row, World, answer};
use serde_json::Value;

#[test]
fn a_seed_gives_one_world() {
    assert_eq!(World::random(7).tables(), World::random(7).tables());
    assert_ne!(World::random(7).tables(), World::random(8).tables());
    let world = World::random(7);
    assert_eq!(format!("{:?}", Question::random(1, &world)), format!("{:?}", Question::random(1, &world)));
}

#[test]
fn a_world_survives_its_files() {
    let world = World::random(3);
    let dir = std::env::temp_dir().join(format!("flowgauge-oracle-{}", std::process::id()));
    world.write(&dir).unwrap();
    let again = World::read(&dir).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(world.tables(), again.tables());
}

/// Rule 55: the order and the repetition of the rows say nothing.
#[test]
fn order_and_repetition_do_not_matter() {
    for seed in [0, 1, 2, 3, 15, 16] {
        let world = World::random(seed);
        let turned: BTreeMap<_, _> = world
            .tables()
            .iter()
            .map(|(table, rows)| (table.clone(), rows.iter().rev().chain(rows.iter().take(9)).cloned().collect()))
            .collect();
        let turned = World::new(turned);
        for q in Question::random(seed, &world) {
            assert_eq!(answer(&world, &q), answer(&turned, &q), "seed {seed}: {q:?}");
        }
    }
}

/// Every metric has values somewhere, and every reason of exclusion occurs: the worlds are rich enough to be worth a comparison.
#[test]
fn the_worlds_are_rich() {
    let mut values: BTreeMap<String, u64> = BTreeMap::new();
    let mut reasons: BTreeMap<(String, String), u64> = BTreeMap::new();
    for seed in 0..30 {
        let world = World::random(seed);
        let rows: usize = world.tables().values().map(Vec::len).sum();
        assert!(rows < 1000, "seed {seed} has {rows} rows");
        for q in Question::random(seed, &world) {
            for point in points(&answer(&world, &q)) {
                *values.entry(q.metric.clone()).or_default() += u64::from(!point["value"].is_null());
                for (reason, n) in point["excluded"].as_object().unwrap() {
                    *reasons.entry((q.metric.clone(), reason.clone())).or_default() += n.as_u64().unwrap();
                }
                sane(&point);
            }
        }
    }
    println!("{values:#?} {reasons:#?}");
    assert_eq!(values.len(), METRICS.len());
    assert!(values.values().all(|n| *n > 50), "{values:?}");
    let seen: BTreeSet<&str> = reasons.keys().map(|k| k.1.as_str()).collect();
    for reason in [
        "no_op",
        "config_only",
        "no_baseline",
        "no_graph",
        "no_source_link",
        "merge_commit",
        "no_commit_time",
        "no_files",
        "clock_skew",
        "rollback",
        "unattributed",
        "resolved_before_deploy",
        "cancellation",
        "skip",
        "no_start",
        "no_queue_time",
        "hidden",
        "no_lower_environment",
        "out_of_order",
        "no_commit",
        "no_scan",
        "no_gate",
        "no_sha",
        "no_jobs",
    ] {
        assert!(seen.contains(reason), "no world has {reason}");
    }
}

/// About a third of the worlds have verdicts, of every sort, and they tell.
#[test]
fn some_worlds_have_verdicts() {
    let (mut worlds, mut changed, mut rows) = (0, 0, Vec::new());
    for seed in 0..120 {
        let world = World::random(seed);
        let Some(verdicts) = world.tables().get("verdicts") else { continue };
        worlds += 1;
        rows.extend(verdicts.clone());
        let mut without = world.tables().clone();
        without.remove("verdicts");
        let without = World::new(without);
        let tells = |q: &Question| answer(&world, q) != answer(&without, q);
        changed += i32::from(Question::random(seed, &world).iter().any(tells));
    }
    println!("{worlds} of 120 worlds have {} verdicts, which change {changed}", rows.len());
    assert!((20..60).contains(&worlds) && changed * 2 > worlds);
    let says = |sort: &dyn Fn(&Row) -> bool| assert!(rows.iter().filter(|r| sort(r)).count() > 3);
    says(&|r| r.get("failed") == Some(&Value::Bool(true)));
    says(&|r| r.contains_key("deployment_id") && r.get("failed") == Some(&Value::Bool(false)));
    says(&|r| r.contains_key("incident_id") && r.get("failed") == Some(&Value::Bool(false)));
    says(&|r| r.contains_key("kind"));
    says(&|r| r.contains_key("caused_by_deployment"));
    says(&|r| !["failed", "kind", "caused_by_deployment"].iter().any(|c| r.contains_key(*c)));
    says(&|r| r.contains_key("source"));
    says(&|r| r.values().any(|v| v.as_str().is_some_and(|s| s.ends_with("-unknown"))));
}

fn points(series: &Value) -> Vec<Value> {
    series.as_array().unwrap().iter().flat_map(|s| s["points"].as_array().unwrap().clone()).collect()
}

fn sane(point: &Value) {
    let n = point["n"].as_u64().unwrap();
    let status = point["status"].as_str().unwrap();
    assert!(["ok", "empty", "insufficient", "not_configured"].contains(&status));
    assert!(status != "ok" || point["value"].is_f64(), "{point}");
    assert!(status != "empty" || point["value"].is_null(), "{point}");
    if let (Some(lo), Some(value), Some(hi)) = (point["ci"]["lo"].as_f64(), point["value"].as_f64(), point["ci"]["hi"].as_f64()) {
        assert!(lo <= value + 1e-9 && value <= hi + 1e-9, "{point}");
    }
    assert!(n > 0 || point["quantiles"].as_object().unwrap().is_empty(), "{point}");
    assert!(point["coverage"].as_f64().is_none_or(|c| (0.0..=1.0).contains(&c)), "{point}");
}
