//! A question to the API (DESIGN section 7), as far as the oracle answers it.

use crate::items::{is_drift_metric, is_pipeline_metric, is_promotion_metric, is_repo_metric, is_review_metric};
use std::collections::BTreeMap;

use chrono::TimeDelta;
use chrono_tz::Tz;

use crate::generate::dice::Dice;
use crate::row::{text, time};
use crate::time::{Time, midnight};
use crate::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    None,
    Day,
    Week,
    Month,
}

#[derive(Debug, Clone)]
pub struct Question {
    pub metric: String,
    pub from: Time,
    pub to: Time,
    pub as_of: Time,
    pub bucket: Bucket,
    pub tz: Tz,
    pub by: Vec<String>,
    /// Allowed values by dimension: team, service, environment, repo, pipeline, tier (`all` allows every one).
    pub filters: BTreeMap<String, Vec<String>>,
}

pub const METRICS: [&str; 35] = [
    "deployment_frequency",
    "lead_time",
    "change_fail_rate",
    "recovery_time",
    "rework_rate",
    "mttr",
    "deployment_success_rate",
    "drift_ratio",
    "drift_episodes",
    "drift_duration",
    "pipeline_success_rate",
    "pipeline_duration",
    "pipeline_queue_time",
    "pipeline_mttr",
    "retry_rate",
    "review_time",
    "change_size",
    "promotion_lead_time",
    "promotion_rate",
    "environment_lag",
    "version_skew",
    "config_lag",
    "onboarding_time",
    "blocked_time",
    "template_adoption",
    "scan_findings",
    "dora_score",
    "gate_coverage",
    "ungated_deployments",
    "change_scan_coverage",
    "flaky_test_rate",
    "test_pass_rate",
    "false_result_rate",
    "wasted_time",
    "critical_path",
];

const ZONES: [Tz; 9] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::Africa__Cairo,
    Tz::America__Sao_Paulo,
    Tz::America__Havana,
    Tz::Asia__Tokyo,
    Tz::Asia__Kolkata,
];

impl Question {
    /// Three questions for every metric: one of the whole window, one in buckets, one of any sort.
    pub fn random(seed: u64, world: &World) -> Vec<Question> {
        let mut dice = Dice::new(seed ^ 0x5eed_0f0a_9135_7104);
        let (first, last) = span(world);
        // Few instants, so that the facts of a world are worked out but a few times.
        let length = (last - first).num_microseconds().unwrap_or_default();
        let inside = |dice: &mut Dice| first + TimeDelta::microseconds((length as f64 * (0.5 + 0.5 * dice.unit())) as i64);
        let moments = [last + TimeDelta::days(30), last + TimeDelta::hours(1), inside(&mut dice), inside(&mut dice)];
        let mut questions = Vec::new();
        for metric in METRICS {
            for round in 0..3 {
                let bucket = match round {
                    0 => Bucket::None,
                    1 => dice.of(&[Bucket::Week, Bucket::Month, Bucket::Day]),
                    _ => dice.of(&[Bucket::None, Bucket::Day, Bucket::Week, Bucket::Month]),
                };
                questions.push(one(&mut dice, world, metric, bucket, (first, last), &moments));
            }
        }
        questions
    }
}

fn one(dice: &mut Dice, world: &World, metric: &str, bucket: Bucket, (first, last): (Time, Time), moments: &[Time]) -> Question {
    let tz = dice.of(&ZONES);
    let days = (last - first).num_days().max(2);
    let local = |t: Time| midnight(t.with_timezone(&tz).date_naive(), tz);
    let mut from = first + TimeDelta::days(dice.between(-3, days / 2));
    let mut to = from + TimeDelta::days(dice.between(1, days));
    match dice.below(4) {
        0 => (from, to) = (first - TimeDelta::days(2), last + TimeDelta::days(5)), // everything
        1 => {}                                                                    // instants of no meaning
        _ => (from, to) = (local(from), local(to)),
    }
    if to <= from {
        to = from + TimeDelta::days(7);
    }
    let as_of = match dice.below(5) {
        0 => moments[2],
        1 => moments[3],
        2 => moments[1],
        _ => moments[0],
    };
    let mut q = Question { metric: metric.into(), from, to, as_of, bucket, tz, by: Vec::new(), filters: BTreeMap::new() };
    q.by = by(dice, metric);
    filters(dice, world, &mut q);
    q
}

fn by(dice: &mut Dice, metric: &str) -> Vec<String> {
    let all: &[&str] = match metric {
        "mttr" => &["team", "service"],
        m if is_drift_metric(m) => &["app", "team", "service", "environment"],
        m if is_pipeline_metric(m) => &["repo", "pipeline"],
        m if is_review_metric(m) => &["repo", "service", "team"],
        "change_scan_coverage" => &["repo", "team", "service"],
        m if is_repo_metric(m) => &["repo", "pipeline", "team", "service"],
        _ => &["team", "service", "environment"],
    };
    let chosen = all.iter().filter(|_| dice.chance(0.4));
    chosen.map(|d| (*d).to_owned()).collect()
}

fn filters(dice: &mut Dice, world: &World, q: &mut Question) {
    if !dice.chance(0.35) {
        return;
    }
    if is_repo_metric(&q.metric) && dice.chance(0.5) {
        repo_filter(dice, world, q);
        return;
    }
    let services = column(world, "services", "service");
    let teams = column(world, "services", "team");
    let environments = column(world, "deployments", "environment");
    let has_environment =
        !is_pipeline_metric(&q.metric) && !is_review_metric(&q.metric) && !is_repo_metric(&q.metric) && q.metric != "mttr";
    match dice.below(4) {
        0 if !teams.is_empty() => drop(q.filters.insert("team".into(), vec![dice.of(&teams)])),
        1 if !services.is_empty() => {
            let mut some: Vec<String> = services.iter().filter(|_| dice.chance(0.5)).cloned().collect();
            if some.is_empty() {
                some.push(services[0].clone());
            }
            q.filters.insert("service".into(), some);
        }
        2 if !services.is_empty() => drop(q.filters.insert("service".into(), vec![dice.of(&services)])),
        _ if has_tier(&q.metric) && dice.chance(0.3) => {
            let tier = dice.of(&["production", "staging", "testing", "all"]);
            q.filters.insert("tier".into(), vec![tier.into()]);
        }
        _ if has_environment && !environments.is_empty() => {
            q.filters.insert("environment".into(), vec![dice.of(&environments)]);
        }
        _ => {}
    }
}

/// Metrics of which a tier is asked for.
fn has_tier(metric: &str) -> bool {
    is_promotion_metric(metric) || ["onboarding_time", "scan_findings"].contains(&metric)
}

/// A repository, or a pipeline where the metric knows one.
fn repo_filter(dice: &mut Dice, world: &World, q: &mut Question) {
    let (table, dimension) = match q.metric.as_str() {
        "change_scan_coverage" => ("changes", "repo"),
        _ => ("pipeline_runs", dice.of(&["repo", "pipeline"])),
    };
    let values = column(world, table, dimension);
    if !values.is_empty() {
        q.filters.insert(dimension.into(), vec![dice.of(&values)]);
    }
}

fn column(world: &World, table: &str, column: &str) -> Vec<String> {
    let mut all: Vec<String> = world.tables().get(table).into_iter().flatten().filter_map(|r| text(r, column)).collect();
    all.sort();
    all.dedup();
    all
}

/// The first and the last instant at which something happens to a deployment.
fn span(world: &World) -> (Time, Time) {
    let times: Vec<Time> = world.tables().get("deployments").into_iter().flatten().filter_map(|r| time(r, "finished_at")).collect();
    match (times.iter().min(), times.iter().max()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (Time::UNIX_EPOCH, Time::UNIX_EPOCH + TimeDelta::days(30)),
    }
}
