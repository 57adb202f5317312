//! Before and after, against numbers worked out by hand. Windows are May (30 days from the 1st) and the 30 days after.

use super::world::{facts, micros, question, rows};
use flowgauge_lake::model::{EventId, Row, Source, Table, Tenant, Time, row_from_json};
use flowgauge_oracle::{Question as Asked, World};
use flowgauge_query::compare::{Compared, Comparison, FIGURES, Figure, Verdict, compare};
use flowgauge_query::metric::{ALL, metric};
use flowgauge_query::question::{Display, Extent, Question};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BEFORE: &str = "2026-05-01";
const AFTER: &str = "2026-05-31";

fn row(table: &str, value: &Value) -> (Table, Row) {
    let table = Table::parse(table).expect("a table");
    let observation = row_from_json(table, value).expect("a row of the public schema");
    let row = Row {
        tenant: Tenant::default(),
        source: Source::new("import"),
        ingested_at: Time::from_seconds(0),
        raw_event_id: EventId::default(),
        updated_at: observation.updated_at,
        cleared: observation.cleared,
        cells: observation.entity.into_cells(),
    };
    (table, row)
}

/// So many hours after the start of a window.
fn at(window: &str, hours: f64) -> String {
    Time::parse(&format!("{window}T00:00:00Z")).expect("a time").plus_seconds((hours * 3600.0) as i64).to_string()
}

async fn compared(rows: Vec<(Table, Row)>, filters: &[(&str, &str)]) -> Compared {
    let now = Time::parse("2026-07-15T00:00:00Z").expect("a time");
    let windows = [("before", "2026-05-01..2026-05-31"), ("after", "2026-05-31..2026-06-30")];
    let pairs: Vec<_> = windows.iter().chain(filters).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let comparison = Comparison::parse(&pairs, now, Display::default()).expect("a comparison");
    compare(&comparison, &facts(rows), now).await.expect("an answer")
}

fn figure<'a>(compared: &'a Compared, id: &str) -> &'a Figure {
    compared.data.iter().find(|figure| figure.metric == id).expect("a figure")
}

/// Value and interval of the effect.
fn effect(figure: &Figure) -> [f64; 3] {
    let effect = figure.effect.as_ref().expect("an effect");
    let ci = effect.ci.as_ref().expect("an interval");
    [effect.value, ci.lo, ci.hi].map(|number| number.expect("a number"))
}

fn close<const N: usize>(found: [f64; N], expected: [f64; N]) {
    let far = found.iter().zip(expected).any(|(found, expected)| (found - expected).abs() > 1e-6);
    assert!(!far, "{found:?} instead of {expected:?}");
}

/// `count` deployments of a service, evenly over 29 days; the first `failures` of them took effect and failed.
fn deployments(service: &str, window: &str, count: usize, failures: usize) -> Vec<(Table, Row)> {
    let deployment = |number: usize| {
        let id = format!("{service}-{window}-{number}");
        json!({"deployment_id": id, "version": id, "service": service, "environment": "prod", "took_effect": true,
            "outcome": if number < failures { "failure" } else { "success" }, "finished_at": at(window, 1.0 + 696.0 * number as f64 / count as f64)})
    };
    (0..count).map(|number| row("deployments", &deployment(number))).collect()
}

fn runs(window: &str, durations: &[u32]) -> Vec<(Table, Row)> {
    let run = |(day, seconds): (usize, &u32)| {
        json!({"pipeline": "build", "run_id": format!("{window}-{day}"), "repo": "git.example/shop/cart", "result": "success",
            "started_at": at(window, 24.0 * day as f64), "finished_at": at(window, 24.0 * day as f64 + f64::from(*seconds) / 3600.0 + 1e-5),
            "duration_seconds": seconds})
    };
    durations.iter().enumerate().map(|pair| row("pipeline_runs", &run(pair))).collect()
}

const SLOWER: [[u32; 6]; 2] = [[3, 4, 2, 6, 2, 5], [9, 7, 5, 10, 6, 8]];

#[tokio::test]
async fn builds_that_are_slower() {
    let found = compared([runs(BEFORE, &SLOWER[0]), runs(AFTER, &SLOWER[1])].concat(), &[]).await;
    let builds = figure(&found, "pipeline_duration");
    assert_eq!((builds.before.value, builds.after.value, builds.before.n, builds.after.n), (Some(3.5), Some(7.5), 6, 6));
    close(effect(builds), [4.0, 1.0, 7.0]);
    assert_eq!((builds.method, builds.clustered, builds.verdict), (Some("mann_whitney"), false, Verdict::Worse));
    // The only one with a test: nothing to adjust for.
    close([builds.p_value.expect("p"), builds.p_adjusted.expect("p")], [0.012_592, 0.012_592]);
    for other in found.data.iter().filter(|figure| figure.metric != "pipeline_duration") {
        assert_eq!((other.verdict, &other.effect.is_none(), other.p_value), (Verdict::Insufficient, &true, None), "{}", other.metric);
    }
    let text = serde_json::to_string(&found).expect("an answer is plain data");
    assert!(!text.contains("sample"), "values are not shown");
}

#[tokio::test]
async fn twice_as_many_deployments_are_not_yet_significant() {
    let rows = [deployments("cart", BEFORE, 12, 0), deployments("cart", AFTER, 24, 0), runs(BEFORE, &SLOWER[0]), runs(AFTER, &SLOWER[1])];
    let found = compared(rows.concat(), &[]).await;
    let frequency = figure(&found, "deployment_frequency");
    close([frequency.before.value.expect("a rate"), frequency.after.value.expect("a rate")], [0.4, 0.8]);
    close(effect(frequency), [2.0, 0.961_929, 4.389_040]);
    close([frequency.p_value.expect("p")], [0.065_245]);
    assert_eq!((frequency.method, frequency.verdict), (Some("poisson_exact"), Verdict::NotSignificant));
    // Four tests now: 0.012592 · 4/1, 0.065245 · 4/2, and twice 0 of 12 against 0 of 24, where p is 1.
    let adjusted = ["pipeline_duration", "deployment_frequency", "change_fail_rate", "rework_rate"];
    close(adjusted.map(|id| figure(&found, id).p_adjusted.expect("p")), [0.050_367, 0.130_490, 1.0, 1.0]);
    // What stood out alone does not among four.
    assert_eq!(figure(&found, "pipeline_duration").verdict, Verdict::NotSignificant);
    // One service is no roll-up.
    assert_eq!(frequency.mix, None);
}

#[tokio::test]
async fn a_roll_up_that_rises_while_every_service_falls() {
    // cart fails 2 of 20, then 0 of 4; pay 2 of 4, then 8 of 20: both are better, together they go from 4/24 to 8/24.
    let rows = [
        deployments("cart", BEFORE, 20, 2),
        deployments("cart", AFTER, 4, 0),
        deployments("pay", BEFORE, 4, 2),
        deployments("pay", AFTER, 20, 8),
    ];
    let found = compared(rows.concat(), &[]).await;
    let fails = figure(&found, "change_fail_rate");
    close([effect(fails)[0]], [4.0 / 24.0]);
    let mix = fails.mix.as_ref().expect("two services");
    // With the weights of before: (20 · 0 + 4 · 0.4) / 24.
    close([mix.before, mix.after], [4.0 / 24.0, 1.6 / 24.0]);
    close([mix.change.expect("a change"), mix.raw_change.expect("a change")], [-0.1, 4.0 / 24.0]);
    assert_eq!((mix.services, mix.left_out, mix.reversed), (2, 0, true));
    // Successes: 18 + 2 before, 4 + 12 after, in 30 days each.
    let mix = figure(&found, "deployment_frequency").mix.as_ref().expect("two services");
    close([mix.before, mix.after, mix.change.expect("a ratio")], [20.0 / 30.0, 16.0 / 30.0, 0.8]);
    assert!(!mix.reversed);
    // A filter to one service leaves nothing to mix.
    let one = compared(rows.concat(), &[("service", "pay")]).await;
    let fails = figure(&one, "change_fail_rate");
    assert_eq!((fails.before.value, fails.before.n, fails.mix.is_none()), (Some(0.5), 4, true));
    assert_eq!(fails.verdict, Verdict::Insufficient, "four are too few");
}

#[tokio::test]
async fn a_service_that_came_later_is_no_change_of_the_others() {
    let rows = [deployments("cart", BEFORE, 10, 0), deployments("cart", AFTER, 10, 0), deployments("pay", AFTER, 20, 0)];
    let found = compared(rows.concat(), &[]).await;
    let frequency = figure(&found, "deployment_frequency");
    let mix = frequency.mix.as_ref().expect("two services");
    assert_eq!((mix.services, mix.left_out, mix.change, frequency.verdict), (1, 1, Some(1.0), Verdict::Better));
    close([mix.raw_change.expect("a ratio")], [3.0]);
}

#[tokio::test]
async fn build_times_of_a_mix() {
    let of = |repo: &str, window: &str, seconds: &[u32]| {
        let runs = seconds.iter().enumerate().map(|(hour, seconds)| {
            json!({"pipeline": "build", "run_id": format!("{repo}-{window}-{hour}"), "repo": format!("git.example/shop/{repo}"), "result": "success",
                "started_at": at(window, hour as f64), "finished_at": at(window, hour as f64 + 0.5), "duration_seconds": seconds})
        });
        runs.map(|run| row("pipeline_runs", &run)).collect::<Vec<_>>()
    };
    let service = |name: &str| row("services", &json!({"service": name, "repo": format!("git.example/shop/{name}")}));
    // cart takes 10 to 14 s five times, then 8 s once; pay 100 s once, then 90 s five times.
    let rows = [
        vec![service("cart"), service("pay")],
        of("cart", BEFORE, &[10, 11, 12, 13, 14]),
        of("cart", AFTER, &[8]),
        of("pay", BEFORE, &[100]),
        of("pay", AFTER, &[90, 90, 90, 90, 90]),
    ];
    let found = compared(rows.concat(), &[]).await;
    let builds = figure(&found, "pipeline_duration");
    assert_eq!((builds.before.value, builds.after.value), (Some(12.5), Some(90.0)));
    let mix = builds.mix.as_ref().expect("two services");
    // With cart's weight of 5 in 6 the median after is cart's.
    assert_eq!((mix.before, mix.after, mix.change, mix.raw_change), (12.5, 8.0, Some(-4.5), Some(77.5)));
    assert!(mix.reversed);
}

/// `count` deployments of two commits each, written so many hours before; after one that gives the baseline.
fn changes(window: &str, count: usize, hours: [f64; 2], first: usize) -> Vec<(Table, Row)> {
    let repo = "git.example/shop/cart";
    let sha = |number: usize| format!("{number:040x}");
    let mut rows = Vec::new();
    for number in 0..count {
        let finished = 20.0 + 24.0 * number as f64;
        for (place, hours) in hours.iter().enumerate() {
            let own = first + 2 * number + place;
            let parents = if own == 1 { json!([]) } else { json!([sha(own - 1)]) };
            rows.push(row(
                "commits",
                &json!({"repo": repo, "sha": sha(own), "parents": parents, "authored_at": at(window, finished - hours)}),
            ));
        }
        rows.push(row(
            "deployments",
            &json!({"deployment_id": format!("{window}-{number}"), "service": "cart", "environment": "prod", "repo": repo,
                "sha": sha(first + 2 * number + 1), "outcome": "success", "finished_at": at(window, finished)}),
        ));
    }
    rows
}

#[tokio::test]
async fn commits_of_one_deployment_are_one_witness() {
    // The baseline in April; five deployments of commits of 10 and 12 h, then five of 1 and 3 h. Whatever is drawn, the medians are 11
    // and 2 h.
    let baseline = || changes("2026-04-01", 1, [1.0, 1.0], 1);
    let rows = [baseline(), changes(BEFORE, 5, [10.0, 12.0], 3), changes(AFTER, 5, [1.0, 3.0], 13)].concat();
    let found = compared(rows, &[]).await;
    let lead = figure(&found, "lead_time");
    assert_eq!((lead.before.n, lead.after.n, lead.clustered), (10, 10, true));
    close(effect(lead), [-9.0 * 3600.0; 3]);
    assert_eq!((lead.method, lead.p_value, lead.p_adjusted, lead.verdict), (Some("cluster_bootstrap"), None, None, Verdict::Better));
    assert_eq!(lead.effect.as_ref().map(|effect| effect.kind), Some("median_difference"));
    // Eight commits, but four deployments: too few, though the commits would do.
    let rows = [baseline(), changes(BEFORE, 4, [10.0, 12.0], 3), changes(AFTER, 5, [1.0, 3.0], 11)].concat();
    let found = compared(rows, &[]).await;
    let lead = figure(&found, "lead_time");
    assert_eq!((lead.before.n, lead.before.status.as_str(), lead.verdict), (8, "ok", Verdict::Insufficient));
}

#[tokio::test]
async fn recoveries_are_compared_with_those_still_open() {
    let failures = |window: &str, hours: [f64; 5]| {
        let pair = |(number, hours): (usize, &f64)| {
            let deployment = |id: String, outcome: &str, at: String| {
                row(
                    "deployments",
                    &json!({"deployment_id": id, "version": id, "service": "cart", "environment": "prod", "outcome": outcome, "took_effect": true, "finished_at": at}),
                )
            };
            let failed = 1.0 + 120.0 * number as f64;
            [
                deployment(format!("{window}-{number}-bad"), "failure", at(window, failed)),
                deployment(format!("{window}-{number}-good"), "success", at(window, failed + hours)),
            ]
        };
        hours.iter().enumerate().flat_map(pair).collect::<Vec<_>>()
    };
    let rows = [failures(BEFORE, [10.0, 11.0, 12.0, 13.0, 14.0]), failures(AFTER, [1.0, 2.0, 3.0, 4.0, 5.0])];
    let found = compared(rows.concat(), &[]).await;
    let recovery = figure(&found, "recovery_time");
    assert_eq!((recovery.before.value, recovery.after.value), (Some(12.0 * 3600.0), Some(3.0 * 3600.0)));
    // Expected of those after: 5/10 + 4/9 + 3/8 + 2/7 + 1/6 = 1.771825; variance 25/100 + 20/81 + 15/64 + 10/49 + 5/36 = 1.074259.
    let (surplus, variance) = (5.0 - 1.771_825_397, 1.074_259_102_f64);
    let half = 1.959_963_985 / variance.sqrt();
    close(effect(recovery).map(f64::ln), [surplus / variance, surplus / variance - half, surplus / variance + half]);
    // z = 3.114603; among four tests, of which three say 1.
    close([recovery.p_value.expect("p"), recovery.p_adjusted.expect("p")], [0.001_842, 0.007_368]);
    assert_eq!((recovery.method, recovery.verdict, recovery.mix.is_none()), (Some("log_rank"), Verdict::Better, true));
}

#[tokio::test]
async fn values_are_those_that_are_counted_and_stay_away_unless_asked_for() {
    let mut measured = BTreeMap::new();
    for seed in 0..4 {
        let world = World::random(seed);
        let facts = facts(rows(&world));
        for asked in Asked::random(seed, &world) {
            let usual = question(&asked);
            let now = micros(asked.as_of);
            let points = async |question: Question| {
                let answer = flowgauge_query::run(&question, &facts, now).await.expect("an answer");
                answer.series.into_iter().flat_map(|series| series.points).collect::<Vec<_>>()
            };
            let gives_values = metric(usual.metric).expect("a metric").sql.contains("as sample,");
            for point in points(Question { extent: Extent::Sample, ..usual.clone() }).await.iter().filter(|_| gives_values) {
                let values: Vec<f64> = point.sample.iter().map(|measured| measured.value).collect();
                assert_eq!(values.len() as i64, point.n, "{}", usual.metric);
                assert!(values.is_sorted());
                let Some(value) = point.value else { continue };
                *measured.entry(usual.metric).or_insert(0) += 1;
                let middle = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
                // Where some are open the median is that of a curve.
                let is_curve = point.sample.iter().any(|measured| measured.is_over.is_some());
                assert!(is_curve || (middle - value).abs() <= 1e-9 * value.abs(), "{}: {middle} against {value}", usual.metric);
            }
            assert!(points(usual).await.iter().all(|point| point.sample.is_empty()));
        }
    }
    println!("{measured:?}");
    for metric in ALL.iter().filter(|metric| metric.sql.contains("as sample,")) {
        assert!(measured.contains_key(metric.id), "{} has no value in these worlds", metric.id);
    }
}

#[tokio::test]
async fn without_data_every_figure_says_so() {
    let found = compared(Vec::new(), &[]).await;
    assert!(!found.data.is_empty() && found.data.iter().map(|figure| figure.metric).all(|id| FIGURES.contains(&id)));
    for figure in &found.data {
        assert_eq!((figure.before.value, figure.before.status.as_str(), figure.verdict), (None, "not_configured", Verdict::Insufficient));
    }
}
