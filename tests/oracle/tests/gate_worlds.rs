//! The random worlds have what gates, tests and jobs are asked about.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tests report what they counted, and end where something is missing")]

use flowgauge_oracle::{Question, Row, World, answer};
use serde_json::Value;

#[test]
fn every_sort_of_row_occurs() {
    let worlds: Vec<World> = (0..40).map(World::random).collect();
    let has = |table: &str, sort: &dyn Fn(&Row) -> bool| {
        let rows = worlds.iter().filter_map(|w| w.tables().get(table)).flatten();
        let n = rows.filter(|row| sort(row)).count();
        assert!(n > 5, "{n} rows of {table}");
    };
    let is = |column: &'static str, value: &'static str| move |row: &Row| row.get(column) == Some(&Value::from(value));
    let says = |row: &Row, columns: &[&str]| columns.iter().all(|c| row.contains_key(*c));
    for phase in ["pipeline", "post_deploy"] {
        has("test_results", &is("phase", phase));
    }
    has("test_results", &|r| !says(r, &["sha"]) && says(r, &["run_id"]));
    has("test_results", &|r| !says(r, &["started_at"]));
    has("test_results", &|r| !says(r, &["suite"]));
    has("test_results", &|r| says(r, &["job_id"]));
    has("test_results", &|r| is("result", "skip")(r));
    has("test_results", &|r| is("phase", "post_deploy")(r) && says(r, &["deployment_id"]));
    has("test_results", &|r| is("phase", "post_deploy")(r) && says(r, &["service", "environment"]) && !says(r, &["deployment_id"]));
    has("test_results", &|r| is("phase", "post_deploy")(r) && says(r, &["app"]) && !says(r, &["deployment_id"]));
    has("gitops_observations", &|r| says(r, &["healthy_at"]));
    for kind in ["change", "environment", "release"] {
        has("approvals", &is("kind", kind));
        has("approvals", &|r| is("kind", kind)(r) && says(r, &["deployment_id"]));
    }
    has("approvals", &|r| !says(r, &["deployment_id"]) && says(r, &["version"]));
    has("approvals", &is("decision", "rejected"));
    has("jobs", &|r| r.get("needs").is_some_and(|n| n == &Value::Array(Vec::new())));
    has("jobs", &|r| r.get("needs").and_then(Value::as_array).is_some_and(|n| n.len() == 2));
    has("jobs", &|r| says(r, &["finished_at"]) && !says(r, &["needs"]));
    has("jobs", &|r| !says(r, &["name"]));
    has("jobs", &is("result", "cancellation"));
    has("pipeline_runs", &|r| !says(r, &["sha"]));
    for link in ["sha", "digest", "run_id", "change_id"] {
        has("scans", &|r| says(r, &[link]));
    }
}

/// Each table that a metric reads tells something in some worlds.
#[test]
fn gates_tests_and_jobs_tell() {
    for (metric, tables) in [
        ("gate_coverage", vec!["scans", "test_results", "approvals"]),
        ("ungated_deployments", vec!["scans", "test_results", "approvals"]),
        ("change_scan_coverage", vec!["scans", "pipeline_runs"]),
        ("flaky_test_rate", vec!["test_results", "jobs"]),
        ("test_pass_rate", vec!["test_results"]),
        ("false_result_rate", vec!["test_results", "gitops_observations", "deployments"]),
        ("wasted_time", vec!["jobs", "pipeline_runs"]),
        ("critical_path", vec!["jobs"]),
    ] {
        let mut told = vec![0; tables.len()];
        for seed in 0..8 {
            let world = World::random(seed);
            let questions: Vec<Question> = Question::random(seed, &world).into_iter().filter(|q| q.metric == metric).collect();
            let answers = |world: &World| questions.iter().map(|q| answer(world, q)).collect::<Vec<_>>();
            for (n, table) in tables.iter().enumerate() {
                let mut without = world.tables().clone();
                without.remove(*table);
                told[n] += i32::from(answers(&world) != answers(&World::new(without)));
            }
        }
        println!("{metric}: {tables:?} tell in {told:?} of 8 worlds");
        assert!(told.iter().all(|n| *n > 0), "{metric}: {tables:?} {told:?}");
    }
}
