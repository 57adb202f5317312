//! What each metric counts: items with an instant and with the labels they count under.

use std::collections::BTreeMap;

use crate::deployments::{Deployment, Group, fan_out, tier};
use crate::drift;
use crate::facts::{Facts, Folded};
use crate::failures;
use crate::gates;
use crate::jobs;
use crate::lead_time::{charge, finish};
use crate::pipelines;
use crate::promotion;
use crate::question::Question;
use crate::row::{Row, list, text, time};
use crate::stats::Subject;
use crate::test_results;
use crate::time::{Time, seconds};

/// The value of each dimension. A dimension that is absent fits no label and no filter: such a thing counts only in totals.
pub type Home = BTreeMap<&'static str, String>;

pub struct Item {
    /// It counts once in every series that fits one of these.
    pub homes: Vec<Home>,
    pub at: Time,
    pub what: What,
}

pub enum What {
    Event,
    /// One of the denominator; true is one of the numerator.
    Outcome(bool),
    Value {
        seconds: f64,
        cluster: usize,
    },
    Subject(Subject),
    /// A part of a sum.
    Amount(f64),
    /// Two neighbouring environments of a service run different versions, or not.
    Skew {
        service: String,
        skewed: bool,
    },
    /// An incident that belongs to a deployment (rule 54).
    Attributed,
    Excluded(&'static str),
    /// Observed from the item's instant to this, and in the state that is asked for (live drift, blocked) or not.
    Observed {
        to: Time,
        live: bool,
        app: String,
    },
}

#[derive(Clone, Copy)]
pub enum Shape {
    PerDay,
    Ratio,
    Quantiles(&'static [(&'static str, f64)]),
    Survival,
    TimeShare,
    PerAppDay,
    /// Seconds in a state.
    TimeSum,
    /// The sum of the amounts.
    Sum,
    /// How many services are skewed.
    Services,
    /// How many of the outcomes are true.
    CountOf,
    /// The sum of the values.
    Total,
}

pub fn shape(metric: &str) -> Shape {
    match metric {
        "deployment_frequency" => Shape::PerDay,
        "lead_time" | "review_time" | "change_size" | "onboarding_time" => Shape::Quantiles(&[("p50", 0.5), ("p75", 0.75), ("p90", 0.9)]),
        "promotion_lead_time" | "config_lag" => Shape::Quantiles(&[("p50", 0.5), ("p90", 0.9)]),
        "pipeline_duration" | "pipeline_queue_time" => Shape::Quantiles(&[("p50", 0.5), ("p95", 0.95)]),
        "change_fail_rate" | "rework_rate" | "deployment_success_rate" | "pipeline_success_rate" | "retry_rate" => Shape::Ratio,
        "promotion_rate" | "template_adoption" => Shape::Ratio,
        "recovery_time" | "mttr" | "drift_duration" | "pipeline_mttr" => Shape::Survival,
        "gate_coverage" | "change_scan_coverage" | "flaky_test_rate" | "test_pass_rate" | "false_result_rate" => Shape::Ratio,
        "ungated_deployments" => Shape::CountOf,
        "wasted_time" => Shape::Total,
        "critical_path" => Shape::Quantiles(&[("p50", 0.5), ("p95", 0.95)]),
        "drift_ratio" => Shape::TimeShare,
        "drift_episodes" => Shape::PerAppDay,
        "blocked_time" => Shape::TimeSum,
        "environment_lag" | "scan_findings" => Shape::Sum,
        "version_skew" => Shape::Services,
        _ => panic!("the oracle does not know the metric {metric}"),
    }
}

/// Counts the production tier, unless a filter takes its place.
pub fn is_production_metric(metric: &str) -> bool {
    !is_drift_metric(metric)
        && !is_pipeline_metric(metric)
        && !is_review_metric(metric)
        && !is_promotion_metric(metric)
        && !is_repo_metric(metric)
        && metric != "mttr"
}

pub fn is_drift_metric(metric: &str) -> bool {
    metric.starts_with("drift") || metric == "blocked_time"
}

/// Counts environments of every tier.
pub fn is_promotion_metric(metric: &str) -> bool {
    ["promotion_lead_time", "promotion_rate", "environment_lag", "version_skew", "config_lag"].contains(&metric)
}

/// Those of tests, jobs and changes whose every row has a repository and a service, be it "".
pub fn is_repo_metric(metric: &str) -> bool {
    test_results::METRICS.contains(&metric) || jobs::METRICS.contains(&metric) || metric == "change_scan_coverage"
}

pub fn is_review_metric(metric: &str) -> bool {
    metric == "review_time" || metric == "change_size"
}

pub fn is_pipeline_metric(metric: &str) -> bool {
    metric.starts_with("pipeline") || metric == "retry_rate" || metric == "template_adoption"
}

/// The production tier, unless a filter of environments or tiers takes its place (DESIGN section 7).
pub fn in_scope(home: &Home, q: &Question) -> bool {
    if q.filters.contains_key("environment") || q.filters.contains_key("tier") {
        ["environment", "tier"].iter().all(|d| q.filters.get(*d).is_none_or(|values| allows(home, d, values)))
    } else {
        home["tier"] == "production"
    }
}

/// Whether the filters let it through.
pub fn passes(home: &Home, q: &Question) -> bool {
    q.filters.iter().all(|(dimension, values)| allows(home, dimension, values))
}

fn allows(home: &Home, dimension: &str, values: &[String]) -> bool {
    let every_tier = dimension == "tier" && values.iter().any(|v| v == "all");
    every_tier || home.get(dimension).is_some_and(|v| values.contains(v))
}

pub fn service_home(folded: &Folded, service: &str) -> Home {
    [("service", service.to_owned()), ("team", folded.graph.team(service))].into()
}

pub fn with(mut home: Home, dimension: &'static str, value: &str) -> Home {
    home.insert(dimension, value.to_owned());
    home
}

/// Rule 36: an incident counts in the series of each of its services, one without only in totals.
fn incident_homes(folded: &Folded, services: &[String]) -> Vec<Home> {
    if services.is_empty() { vec![Home::new()] } else { services.iter().map(|s| service_home(folded, s)).collect() }
}

fn app_home(folded: &Folded, place: &drift::Place) -> Home {
    with(deployment_home(folded, &place.service, &place.environment), "app", &place.app)
}

pub fn deployment_home(folded: &Folded, service: &str, environment: &str) -> Home {
    in_environment(service_home(folded, service), environment)
}

/// The tier is no dimension of `by`, but of the filters.
fn in_environment(home: Home, environment: &str) -> Home {
    with(with(home, "environment", environment), "tier", tier(environment))
}

/// DESIGN section 7: team and service of a run through the catalogue's repo; it counts for each service of it.
fn run_homes(folded: &Folded, repo: &str, pipeline: &str) -> Vec<Home> {
    repo_homes(folded, repo).into_iter().map(|home| with(home, "pipeline", pipeline)).collect()
}

pub fn repo_homes(folded: &Folded, repo: &str) -> Vec<Home> {
    let run = |home| with(home, "repo", repo);
    let services = folded.graph.services.iter().filter(|(_, s)| s.repo.as_deref() == Some(repo));
    let homes: Vec<Home> = services.map(|(name, _)| run(service_home(folded, name))).collect();
    if homes.is_empty() { vec![run(Home::new())] } else { homes }
}

/// As `run_homes`; where the repository has no service, its name and its team are "".
pub fn ci_homes(folded: &Folded, repo: &str, pipeline: &str) -> Vec<Home> {
    let mut homes = run_homes(folded, repo, pipeline);
    for home in &mut homes {
        home.entry("service").or_default();
        home.entry("team").or_default();
    }
    homes
}

/// The rows of the metric's base table that exist at `as_of`: under which labels, and the earliest time (rules 1, 3 and 6).
pub fn base(folded: &Folded, facts: &Facts, q: &Question) -> Vec<(Home, Option<Time>)> {
    let get = |row: &Row, column| text(row, column).unwrap_or_default();
    if q.metric == "mttr" {
        let rows = folded.rows("incidents").iter().filter(|r| failures::exists(r, q.as_of));
        rows.flat_map(|r| incident_homes(folded, &list(r, "services").unwrap_or_default())).map(|h| (h, None)).collect()
    } else if is_drift_metric(&q.metric) {
        let rows = folded.rows("gitops_observations").iter().filter(|r| drift::exists(r, q.as_of));
        rows.map(|r| (app_home(folded, &drift::place(r)), None)).collect()
    } else if is_review_metric(&q.metric) {
        folded.rows("changes").iter().flat_map(|r| repo_homes(folded, &get(r, "repo"))).map(|h| (h, None)).collect()
    } else if test_results::METRICS.contains(&q.metric.as_str()) {
        test_results::base(facts)
    } else if jobs::METRICS.contains(&q.metric.as_str()) {
        let rows = folded.rows("pipeline_runs").iter().filter(|r| pipelines::exists(r, q.as_of));
        rows.flat_map(|r| ci_homes(folded, &get(r, "repo"), &get(r, "pipeline"))).map(|h| (h, None)).collect()
    } else if q.metric == "change_scan_coverage" {
        gates::change_base(folded)
    } else if is_pipeline_metric(&q.metric) {
        let rows = folded.rows("pipeline_runs").iter().filter(|r| pipelines::exists(r, q.as_of));
        rows.flat_map(|r| run_homes(folded, &get(r, "repo"), &get(r, "pipeline"))).map(|h| (h, None)).collect()
    } else {
        let rows = deployment_rows(folded, q.as_of);
        rows.map(|r| (deployment_home(folded, &get(r, "service"), &get(r, "environment")), earliest(r))).collect()
    }
}

/// The `deployments` rows that exist: one without a finish does.
pub fn deployment_rows(folded: &Folded, as_of: Time) -> impl Iterator<Item = &Row> {
    folded.rows("deployments").iter().filter(move |r| time(r, "finished_at").is_none_or(|t| t <= as_of))
}

pub fn earliest(row: &Row) -> Option<Time> {
    ["created_at", "started_at", "finished_at"].iter().filter_map(|c| time(row, c)).min()
}

/// The places of the rows that count: of the production tier or of what is filtered for, and of the other filters.
pub fn counted(folded: &Folded, all: &[Deployment], q: &Question) -> Vec<usize> {
    let home = |d: &Deployment| deployment_home(folded, &d.service, &d.environment);
    (0..all.len()).filter(|&i| in_scope(&home(&all[i]), q) && passes(&home(&all[i]), q)).collect()
}

pub fn items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    match q.metric.as_str() {
        "mttr" => mttr(folded, facts, q),
        m if is_drift_metric(m) => drift_items(folded, facts, q),
        "pipeline_mttr" => red_items(folded, facts, q),
        m if is_pipeline_metric(m) => pipeline_items(folded, facts, q),
        m if is_review_metric(m) => review_items(folded, q),
        "promotion_lead_time" | "promotion_rate" | "config_lag" | "onboarding_time" => promotion::items(folded, facts, q),
        m if test_results::METRICS.contains(&m) => test_results::items(folded, facts, q),
        m if jobs::METRICS.contains(&m) => jobs::items(folded, facts, q),
        "change_scan_coverage" => gates::change_items(folded, q),
        _ => deployment_items(folded, facts, q),
    }
}

fn deployment_items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let all = &facts.deployments;
    let home = |d: &Deployment| deployment_home(folded, &d.service, &d.environment);
    // First the metric's filter, then merging (rule 21).
    let scope = counted(folded, all, q);
    let split = q.by.iter().any(|d| d == "environment");
    let groups = |keep: &dyn Fn(&Deployment) -> bool| {
        let rows: Vec<usize> = scope.iter().copied().filter(|&i| keep(&all[i])).collect();
        fan_out(all, &rows, split || q.filters.contains_key("environment"))
    };
    let item = |d: &Deployment, at: Time, what: What| Item { homes: vec![home(d)], at, what };
    let row_items = |keep: &dyn Fn(&Deployment) -> Option<What>| {
        scope.iter().filter_map(|&i| Some(item(&all[i], all[i].finished_at, keep(&all[i])?))).collect::<Vec<Item>>()
    };
    // Rule 7: the rows that would count but for their kind.
    let left_out = |counts: &dyn Fn(&Deployment) -> bool, reasons: [&'static str; 2]| {
        row_items(&|d| reasons.into_iter().find(|r| *r == d.kind && counts(d)).map(What::Excluded))
    };
    // D (section 0.1) and Q (section 1.3, rule 29).
    let in_d = |d: &Deployment| d.is_success() && d.kind != "no_op" && d.kind != "config_only";
    let in_q = |d: &Deployment| d.took_effect && d.kind != "no_op" && d.kind != "rollback";
    let logical = |g: &Group, what: What| item(&all[g[0]], finish(all, g), what);

    let mut items = Vec::new();
    match q.metric.as_str() {
        "deployment_frequency" => {
            items.extend(groups(&in_d).iter().map(|g| logical(g, What::Event)));
            items.extend(left_out(&Deployment::is_success, ["no_op", "config_only"]));
        }
        "rework_rate" => {
            // Rules 21 and 41: any row unplanned by kind, or the fix of an incident.
            let unplanned = |&i: &usize| ["rollback", "hotfix", "revert"].contains(&all[i].kind.as_str()) || facts.is_fix[i];
            items.extend(groups(&in_d).iter().map(|g| logical(g, What::Outcome(g.iter().any(unplanned)))));
            items.extend(left_out(&Deployment::is_success, ["no_op", "config_only"]));
        }
        "lead_time" => {
            for (cluster, charged) in charge(all, &groups(&in_d), split, &folded.graph).into_iter().enumerate() {
                let values = charged.lead_seconds.into_iter().map(|seconds| What::Value { seconds, cluster });
                let excluded = charged.excluded.into_iter().map(What::Excluded);
                items.extend(values.chain(excluded).map(|what| item(&all[charged.group[0]], charged.at, what)));
            }
        }
        "change_fail_rate" => {
            let failed = |&i: &usize| facts.failures[i].failed;
            items.extend(groups(&in_q).iter().map(|g| logical(g, What::Outcome(g.iter().any(failed)))));
            items.extend(left_out(&|d| d.took_effect, ["no_op", "rollback"]));
            items.extend(incident_items(folded, facts));
        }
        "recovery_time" => {
            for g in groups(&in_q) {
                items.extend(recovery(facts, &g, q.as_of).map(|what| logical(&g, what)));
            }
            items.extend(incident_items(folded, facts));
        }
        "gate_coverage" | "ungated_deployments" => {
            items.extend(gates::items(folded, facts, q, &groups(&in_d)).into_iter().map(|(g, what)| logical(&g, what)));
        }
        // Rule 40: every kind, not merged.
        "deployment_success_rate" => items.extend(row_items(&|d| match d.outcome.as_str() {
            "success" => Some(What::Outcome(true)),
            "failure" | "error" | "timeout" => Some(What::Outcome(false)),
            "cancellation" => Some(What::Excluded("cancellation")),
            "skip" => Some(What::Excluded("skip")),
            _ => None,
        })),
        other => panic!("the oracle does not know the metric {other}"),
    }
    items
}

/// Rule 37: one subject for a logical deployment that failed.
fn recovery(facts: &Facts, group: &Group, as_of: Time) -> Option<What> {
    let all = &facts.deployments;
    let failed: Vec<usize> = group.iter().copied().filter(|&i| facts.failures[i].failed).collect();
    let start = failed.iter().map(|&i| all[i].finished_at).min()?;
    let resolved: Vec<Option<Time>> =
        failed.iter().flat_map(|&i| &facts.failures[i].incidents).map(|&n| facts.incidents[n].resolved_at).collect();
    let end = if resolved.is_empty() {
        failed.iter().flat_map(|&i| &facts.failures[i].remedies).min().copied()
    } else if resolved.contains(&None) {
        None // open if any is open
    } else {
        resolved.into_iter().flatten().max()
    };
    Some(match end {
        Some(end) if end < start => What::Excluded("resolved_before_deploy"),
        Some(end) => What::Subject(Subject { time: seconds(start, end), ended: true }),
        None => What::Subject(Subject { time: seconds(start, as_of), ended: false }),
    })
}

/// Rules 7, 36 and 54: the production incidents, attributed or not. In a series of one environment an attributed one counts where its
/// deployment is, an unattributed one only where it says.
fn incident_items(folded: &Folded, facts: &Facts) -> Vec<Item> {
    let item = |i: &failures::Incident| {
        let deployment = i.deployment.map(|d| &facts.deployments[d]);
        let environment = deployment.map(|d| d.environment.clone()).or_else(|| i.environment.clone());
        let homes = incident_homes(folded, &i.services).into_iter();
        let homes = homes.map(|home| if let Some(e) = &environment { in_environment(home, e) } else { home }).collect();
        let what = if deployment.is_some() { What::Attributed } else { What::Excluded("unattributed") };
        Item { homes, at: i.start, what }
    };
    facts.incidents.iter().map(item).collect()
}

/// Rule 39 and section 1.5; the cohort is by the start.
fn mttr(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let item = |i: &failures::Incident| {
        let what = match i.resolved_at {
            Some(end) if end < i.start => What::Excluded("clock_skew"),
            Some(end) => What::Subject(Subject { time: seconds(i.start, end), ended: true }),
            None => What::Subject(Subject { time: seconds(i.start, q.as_of), ended: false }),
        };
        Item { homes: incident_homes(folded, &i.services), at: i.start, what }
    };
    facts.incidents.iter().map(item).collect()
}

/// Rules 5 and 49.
fn drift_items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let mut items = Vec::new();
    for s in &facts.drift.stretches {
        let live = if q.metric == "blocked_time" { s.blocked } else { s.live };
        let what = What::Observed { to: s.to, live, app: s.place.app.clone() };
        items.push(Item { homes: vec![app_home(folded, &s.place)], at: s.from, what });
    }
    for e in &facts.drift.episodes {
        let what = match q.metric.as_str() {
            "drift_episodes" => What::Event,
            "drift_duration" if e.hidden => What::Excluded("hidden"),
            "drift_duration" => What::Subject(Subject { time: e.drift_seconds, ended: e.ended }),
            _ => continue,
        };
        items.push(Item { homes: vec![app_home(folded, &e.place)], at: e.start, what });
    }
    items
}

fn pipeline_items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let mut items = Vec::new();
    for (cluster, a) in facts.attempts.iter().enumerate() {
        // Rule 50: the final attempt, by its finish; rule 51: every attempt, by its start.
        let at = if q.metric == "pipeline_queue_time" { a.started_at } else { a.finished_at.filter(|_| a.is_final) };
        let Some(at) = at else { continue };
        let measured = |m: Result<f64, &'static str>| m.map_or_else(What::Excluded, |seconds| What::Value { seconds, cluster });
        let what = match (q.metric.as_str(), a.result.as_str()) {
            ("pipeline_queue_time", _) => measured(a.queue(at)),
            ("pipeline_duration", "success") => measured(a.duration()),
            ("retry_rate", _) => What::Outcome(a.is_retried),
            ("pipeline_success_rate", "success") => What::Outcome(true),
            ("pipeline_success_rate", "failure" | "error" | "timeout") => What::Outcome(false),
            ("pipeline_success_rate", "cancellation") => What::Excluded("cancellation"),
            ("pipeline_success_rate", "skip") => What::Excluded("skip"),
            _ => continue,
        };
        items.push(Item { homes: run_homes(folded, &a.repo, &a.pipeline), at, what });
    }
    items
}

/// Rule 52: by the opening; a success that finished before it is `overlap`.
fn red_items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let item = |red: pipelines::Red| {
        let what = match red.until {
            Some(until) if until < red.from => What::Excluded("overlap"),
            Some(until) => What::Subject(Subject { time: seconds(red.from, until), ended: true }),
            None => What::Subject(Subject { time: seconds(red.from, q.as_of), ended: false }),
        };
        Item { homes: run_homes(folded, &red.repo, &red.pipeline), at: red.from, what }
    };
    pipelines::reds(&facts.attempts).into_iter().map(item).collect()
}

/// Rule 58: changes merged in the window; readiness is `ready_at`, else `opened_at`.
fn review_items(folded: &Folded, q: &Question) -> Vec<Item> {
    let mut items = Vec::new();
    for (cluster, row) in folded.rows("changes").iter().enumerate() {
        let Some(merged) = time(row, "merged_at").filter(|t| *t <= q.as_of) else { continue };
        let what = if q.metric == "change_size" {
            let lines = |column| row.get(column).and_then(|v| v.as_i64());
            match (lines("additions"), lines("deletions")) {
                (Some(added), Some(deleted)) => What::Value { seconds: (added + deleted) as f64, cluster },
                _ => What::Excluded("no_size"),
            }
        } else {
            match time(row, "ready_at").or(time(row, "opened_at")) {
                None => What::Excluded("no_start"),
                Some(ready) if ready > merged => What::Excluded("clock_skew"),
                Some(ready) => What::Value { seconds: seconds(ready, merged), cluster },
            }
        };
        items.push(Item { homes: repo_homes(folded, &text(row, "repo").unwrap_or_default()), at: merged, what });
    }
    items
}
