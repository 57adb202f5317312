//! Results of tests, before and after deployments: which are flaky, which pass, and which failed without cause (rules 53 and 59).

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::deployments::{Deployment, resolve};
use crate::drift;
use crate::facts::{Facts, Folded};
use crate::items::{Home, Item, What, ci_homes, service_home, with};
use crate::jobs::{Run, Runs, is_bad};
use crate::pipelines;
use crate::question::Question;
use crate::row::{Row, number, sha, source, text, time};
use crate::time::Time;

pub const METRICS: [&str; 3] = ["flaky_test_rate", "test_pass_rate", "false_result_rate"];

pub struct TestResult {
    pub suite: Option<String>,
    pub test_id: String,
    pub sha: Option<String>,
    pub attempt: i64,
    service: Option<String>,
    environment: Option<String>,
    app: Option<String>,
    run_id: Option<String>,
    job_id: Option<String>,
    source: String,
    pub is_post_deploy: bool,
    /// Success, or failure, error or timeout; what is neither is no result.
    pub good: Option<bool>,
    /// Its start, else that of its run.
    at: Option<Time>,
    pub finished_at: Option<Time>,
    /// The place of the deployment that it checks.
    pub bound: Option<usize>,
    homes: Vec<Home>,
}

/// The results that exist at `as_of`, whatever they say.
pub fn read(folded: &Folded, runs: &Runs, all: &[Deployment], as_of: Time) -> Vec<TestResult> {
    let result = |row: &Row| {
        let mut result = read_row(row, runs);
        if result.at.is_some_and(|t| t > as_of) {
            return None;
        }
        if result.is_post_deploy {
            result.bound = bind(&result, text(row, "deployment_id"), folded, all, as_of);
        }
        let run = result.run_id.as_ref().and_then(|id| runs.named(&result.source, id)).filter(|run| run.exists);
        result.homes = homes(&result, run, folded, all);
        Some(result)
    };
    folded.rows("test_results").iter().filter_map(result).collect()
}

fn read_row(row: &Row, runs: &Runs) -> TestResult {
    let (source, run_id, started_at) = (source(row), text(row, "run_id"), time(row, "started_at"));
    let of_run = run_id.as_ref().and_then(|id| runs.named(&source, id)).and_then(|run| run.start);
    let duration = TimeDelta::microseconds((number(row, "duration_seconds").unwrap_or_default() * 1e6).round() as i64);
    let good = match text(row, "result").unwrap_or_default().as_str() {
        "success" => Some(true),
        bad if is_bad(bad) => Some(false),
        _ => None,
    };
    TestResult {
        suite: text(row, "suite"),
        test_id: text(row, "test_id").unwrap_or_default(),
        sha: sha(row, "sha"),
        attempt: pipelines::number_of(row),
        service: text(row, "service"),
        environment: text(row, "environment"),
        app: text(row, "app"),
        run_id,
        job_id: text(row, "job_id"),
        source,
        is_post_deploy: text(row, "phase").as_deref() == Some("post_deploy"),
        good,
        at: started_at.or(of_run),
        finished_at: started_at.map(|t| t + duration),
        bound: None,
        homes: Vec::new(),
    }
}

/// Rule 59: the deployment that is named, else the one of its place that was running, else the last that had finished.
fn bind(result: &TestResult, named: Option<String>, folded: &Folded, all: &[Deployment], as_of: Time) -> Option<usize> {
    if let Some(id) = named {
        return resolve(all, &result.source, &id);
    }
    let at = result.at?;
    let seen = |column| result.app.as_ref().and_then(|app| seen_at(folded, app, column, as_of));
    let service = result.service.clone().or_else(|| seen("service"))?;
    let environment = result.environment.clone().or_else(|| seen("environment"))?;
    let there = (0..all.len()).filter(|&i| all[i].service == service && all[i].environment == environment);
    let (mut running, mut last) = (None, None);
    for i in there {
        let d = &all[i];
        if let Some(start) = d.started_at.filter(|t| *t <= at && at < d.finished_at) {
            running = running.max(Some((start, i))); // the latest started
        }
        if d.finished_at <= at {
            last = Some(i); // they are in the order of their finish
        }
    }
    running.map(|(_, i)| i).or(last)
}

/// What the observations of an application say of its service or environment, the last that say it.
fn seen_at(folded: &Folded, app: &str, column: &str, as_of: Time) -> Option<String> {
    let rows = folded.rows("gitops_observations").iter().filter(|r| drift::exists(r, as_of) && text(r, "app").as_deref() == Some(app));
    let says = rows.filter_map(|r| Some((time(r, "observed_at"), text(r, column)?)));
    says.max().map(|(_, value)| value)
}

/// Repository and pipeline are those of its run, else the repository of its service; the services are its own, its deployment's, or those
/// of the repository.
fn homes(result: &TestResult, run: Option<&Run>, folded: &Folded, all: &[Deployment]) -> Vec<Home> {
    let service = result.service.clone().or_else(|| result.bound.map(|i| all[i].service.clone()));
    let of_service = service.as_ref().and_then(|s| folded.graph.services.get(s)).and_then(|s| s.repo.clone());
    let (repo, pipeline) = run.map_or((of_service.unwrap_or_default(), ""), |run| (run.repo.clone(), run.pipeline.as_str()));
    match service {
        Some(service) => vec![with(with(service_home(folded, &service), "repo", &repo), "pipeline", pipeline)],
        None => ci_homes(folded, &repo, pipeline),
    }
}

/// Rule 6: any row, whatever its result or phase.
pub fn base(facts: &Facts) -> Vec<(Home, Option<Time>)> {
    facts.tests.iter().flat_map(|r| r.homes.clone()).map(|home| (home, None)).collect()
}

pub fn items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let results: Vec<&TestResult> = facts.tests.iter().filter(|r| r.good.is_some()).collect();
    match q.metric.as_str() {
        "flaky_test_rate" => flaky(folded, &results, q.as_of),
        "test_pass_rate" => passes(&results),
        _ => false_failures(folded, facts, &results, q.as_of),
    }
}

/// Rule 53.
fn flaky(folded: &Folded, results: &[&TestResult], as_of: Time) -> Vec<Item> {
    let names = job_names(folded, as_of);
    let mut items = Vec::new();
    let mut units: BTreeMap<(&Option<String>, &str, &str), Vec<&TestResult>> = BTreeMap::new();
    for r in results.iter().filter(|r| !r.is_post_deploy) {
        match (&r.sha, r.at) {
            (Some(sha), _) => units.entry((&r.suite, &r.test_id, sha)).or_default().push(r),
            (None, Some(at)) => items.push(Item { homes: r.homes.clone(), at, what: What::Excluded("no_sha") }),
            (None, None) => {}
        }
    }
    for unit in units.into_values() {
        let Some(at) = unit.iter().filter_map(|r| r.at).min() else { continue };
        let mut seen: BTreeMap<Option<&String>, BTreeSet<Option<bool>>> = BTreeMap::new();
        for r in &unit {
            let key = (r.source.clone(), r.run_id.clone().unwrap_or_default(), r.job_id.clone().unwrap_or_default());
            seen.entry(names.get(&key)).or_default().insert(r.good);
        }
        let is_flaky = seen.values().any(|both| both.len() == 2);
        items.push(Item { homes: unit.iter().flat_map(|r| r.homes.clone()).collect(), at, what: What::Outcome(is_flaky) });
    }
    items
}

/// The name of each job by source, run_id and job_id: the first that an attempt of it says.
fn job_names(folded: &Folded, as_of: Time) -> BTreeMap<(String, String, String), String> {
    let mut rows: Vec<&Row> = folded.rows("jobs").iter().filter(|r| pipelines::exists(r, as_of)).collect();
    rows.sort_by_key(|r| pipelines::number_of(r));
    let mut names = BTreeMap::new();
    for row in rows {
        let id = |column| text(row, column).unwrap_or_default();
        if let Some(name) = text(row, "name") {
            names.entry((source(row), id("run_id"), id("job_id"))).or_insert(name);
        }
    }
    names
}

/// Rule 59: the last result of each test on a commit in an environment.
fn passes(results: &[&TestResult]) -> Vec<Item> {
    let mut last: BTreeMap<_, &TestResult> = BTreeMap::new();
    let order = |r: &TestResult| (r.at, r.attempt, r.run_id.clone(), r.job_id.clone(), r.source.clone());
    for &r in results {
        let known = last.entry((&r.suite, &r.test_id, &r.sha, &r.environment)).or_insert(r);
        if order(r) > order(known) {
            *known = r;
        }
    }
    let item = |r: &TestResult| Some(Item { homes: r.homes.clone(), at: r.at?, what: What::Outcome(r.good == Some(true)) });
    last.into_values().filter_map(item).collect()
}

/// Rule 59: each bad result after a deployment, and whether it was false.
fn false_failures(folded: &Folded, facts: &Facts, results: &[&TestResult], as_of: Time) -> Vec<Item> {
    let mut items = Vec::new();
    for r in results.iter().filter(|r| r.is_post_deploy && r.good == Some(false)) {
        let Some(at) = r.at else { continue };
        let passed_later = results.iter().any(|later| clears(r, later, facts));
        let is_false = passed_later || healthy_at(r, folded, facts, as_of).is_some_and(|healthy| at < healthy);
        items.push(Item { homes: r.homes.clone(), at, what: What::Outcome(is_false) });
    }
    items
}

impl TestResult {
    fn deployment<'a>(&self, facts: &'a Facts) -> Option<&'a Deployment> {
        self.bound.map(|i| &facts.deployments[i])
    }

    /// What was tested: the digest, else the commit.
    fn version(&self, facts: &Facts) -> Option<String> {
        let d = self.deployment(facts);
        let digest = d.and_then(|d| d.digest.clone());
        digest.or_else(|| self.sha.clone()).or_else(|| d.and_then(|d| d.sha.clone()))
    }

    fn service_there(&self, facts: &Facts) -> Option<String> {
        self.service.clone().or_else(|| self.deployment(facts).map(|d| d.service.clone()))
    }

    fn environment_there(&self, facts: &Facts) -> Option<String> {
        self.environment.clone().or_else(|| self.deployment(facts).map(|d| d.environment.clone()))
    }
}

/// The same test passes later on the same version and environment, within 24 hours, with no deployment in between.
fn clears(bad: &TestResult, later: &TestResult, facts: &Facts) -> bool {
    let (Some(from), Some(to)) = (bad.at, later.at) else { return false };
    let version = bad.version(facts);
    let environment = bad.environment_there(facts);
    let service = bad.service_there(facts);
    let between = |d: &Deployment| {
        let there = service.as_ref() == Some(&d.service) && environment.as_ref() == Some(&d.environment);
        there && d.took_effect && from < d.finished_at && d.finished_at <= to
    };
    later.good == Some(true)
        && (&later.suite, &later.test_id) == (&bad.suite, &bad.test_id)
        && (to > from || (to == from && later.attempt > bad.attempt))
        && to - from <= TimeDelta::hours(24)
        && version.is_some()
        && later.version(facts) == version
        && later.environment_there(facts) == environment
        && !facts.deployments.iter().any(between)
}

/// When what its deployment brought had become healthy, if that was before the next deployment there.
fn healthy_at(r: &TestResult, folded: &Folded, facts: &Facts, as_of: Time) -> Option<Time> {
    let bound = r.bound?;
    let d = &facts.deployments[bound];
    let (service, environment) = (r.service_there(facts), r.environment_there(facts));
    let is_its = |row: &Row| match &r.app {
        Some(app) => text(row, "app").as_ref() == Some(app),
        None => text(row, "service") == service && text(row, "environment") == environment,
    };
    let rows = folded.rows("gitops_observations").iter().filter(|row| drift::exists(row, as_of) && is_its(row));
    let start = d.started_at.unwrap_or(d.finished_at);
    let healthy = rows.filter_map(|row| time(row, "healthy_at")).filter(|t| start <= *t && *t <= as_of).min()?;
    let there = |next: &&Deployment| next.service == d.service && next.environment == d.environment && next.took_effect;
    let next = facts.deployments[bound + 1..].iter().find(there);
    next.is_none_or(|next| healthy < next.finished_at).then_some(healthy)
}
