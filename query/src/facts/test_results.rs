//! Results of tests: those of pipelines by commit and run, those of checks after a deployment bound to it (semantics, 7.53 and 7.59).

use super::Facts;
use super::deployments::Classified;
use super::failures::{Deployments, Register, Spot};
use super::runs::Runs;
use flowgauge_lake::model::{Outcome, Source, TestResult, Time};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One result of one test; its service by the name that the catalogue has for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    pub source: Source,
    pub result: TestResult,
}

impl Tested {
    pub fn is_good(&self) -> bool {
        self.result.result == Outcome::Success
    }

    pub fn is_bad(&self) -> bool {
        self.result.result.is_bad()
    }

    /// Whether the test came to a verdict.
    pub fn is_verdict(&self) -> bool {
        self.is_good() || self.is_bad()
    }

    /// When it began: by its own word, else with its run.
    pub fn at(&self, runs: &Runs) -> Option<Time> {
        let run = || runs.get(&self.source, self.result.run_id.as_deref()?)?.started_at();
        self.result.started_at.or_else(run)
    }

    /// When it was over, as far as it says itself.
    pub fn finished_at(&self) -> Option<Time> {
        let started = self.result.started_at?;
        let micros = self.result.duration_seconds.map_or(0, |seconds| (seconds * 1e6).round() as i64);
        Some(Time::from_micros(started.micros().saturating_add(micros)))
    }

    /// The name of its job; null where nobody says it.
    pub fn job_name<'a>(&self, runs: &'a Runs) -> Option<&'a str> {
        runs.get(&self.source, self.result.run_id.as_deref()?)?.job_name(self.result.job_id.as_deref()?)
    }
}

/// Results of one commit in one run come together, and are derived anew together.
pub type TestGroup = (Option<String>, Option<String>);

/// The results of pipelines.
#[derive(Clone, Debug, Default)]
pub struct Tests(BTreeMap<TestGroup, Arc<Vec<Tested>>>);

impl Tests {
    /// All of them, commit by commit.
    pub fn iter(&self) -> impl Iterator<Item = &Tested> {
        self.0.values().flat_map(|group| group.iter())
    }

    pub fn of_commit<'a>(&'a self, sha: &str) -> impl Iterator<Item = &'a Tested> + use<'a> {
        let sha = Some(sha.to_owned());
        let groups = self.0.range((sha.clone(), None)..).take_while(move |((commit, _), _)| *commit == sha);
        groups.flat_map(|(_, group)| group.iter())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, group: TestGroup, results: Vec<Tested>) {
        self.0.insert(group, Arc::new(results));
    }
}

/// A check after a deployment.
#[derive(Debug)]
pub struct Check {
    pub test: Tested,
    pub at: Option<Time>,
    /// The deployments that it may be about, the likeliest first: which of them it is depends on what had finished by the moment of
    /// a question.
    pub candidates: Vec<Spot>,
}

impl Check {
    /// The deployment that it is about.
    pub fn bound<'f>(&self, facts: &'f Facts, as_of: Time) -> Option<(&Spot, &'f Classified)> {
        let there = self.candidates.iter().filter_map(|spot| Some((spot, facts.deployment(spot)?)));
        there.into_iter().find(|(_, deployment)| deployment.finished_at().is_some_and(|at| at <= as_of))
    }
}

/// The checks, and by what versions they may be found.
#[derive(Debug, Default)]
pub struct Checks {
    pub all: Vec<Check>,
    by_digest: HashMap<String, Vec<usize>>,
    by_sha: HashMap<String, Vec<usize>>,
    by_deployment: HashMap<Spot, Vec<usize>>,
}

impl Checks {
    /// `tests`: of phase post_deploy. `of_app`: service and environment of an application.
    pub(super) fn bind(
        tests: impl Iterator<Item = Tested>,
        register: &Register<'_>,
        of_app: &dyn Fn(&str) -> (Option<String>, Option<String>),
        runs: &Runs,
    ) -> Checks {
        let places = Places::new(register.deployments);
        let mut checks = Checks::default();
        for (index, test) in tests.enumerate() {
            let at = test.at(runs);
            let candidates = match (&test.result.deployment_id, at) {
                (Some(id), _) => register.find(id, &test.source).cloned().into_iter().collect(),
                (None, Some(at)) => {
                    let (mut service, mut environment) = (test.result.service.clone(), test.result.environment.clone());
                    if let Some(app) = test.result.app.as_deref().filter(|_| service.is_none() || environment.is_none()) {
                        let (of_service, of_environment) = of_app(app);
                        (service, environment) = (service.or(of_service), environment.or(of_environment));
                    }
                    service
                        .zip(environment)
                        .map(|(service, environment)| places.running_or_last(&service, &environment, at))
                        .unwrap_or_default()
                }
                (None, None) => Vec::new(),
            };
            let rows = || candidates.iter().map(|spot| register.at(spot));
            let digests: BTreeSet<&String> = rows().filter_map(|row| row.row.digest.as_ref()).collect();
            let shas: BTreeSet<&String> = test.result.sha.iter().chain(rows().filter_map(|row| row.source_sha.as_ref())).collect();
            digests.into_iter().for_each(|digest| checks.by_digest.entry(digest.clone()).or_default().push(index));
            shas.into_iter().for_each(|sha| checks.by_sha.entry(sha.clone()).or_default().push(index));
            candidates.iter().for_each(|spot| checks.by_deployment.entry(spot.clone()).or_default().push(index));
            checks.all.push(Check { test, at, candidates });
        }
        checks
    }

    /// Those that may be about a version.
    pub fn of_version(&self, digest: Option<&str>, sha: Option<&str>) -> impl Iterator<Item = &Check> {
        let by_digest = digest.and_then(|digest| self.by_digest.get(digest));
        let by_sha = sha.and_then(|sha| self.by_sha.get(sha));
        let found: BTreeSet<usize> = by_digest.into_iter().chain(by_sha).flatten().copied().collect();
        found.into_iter().map(|index| &self.all[index])
    }

    /// Those that may be about a deployment.
    pub fn of_deployment(&self, spot: &Spot) -> impl Iterator<Item = &Check> {
        self.by_deployment.get(spot).into_iter().flatten().map(|&index| &self.all[index])
    }
}

/// The deployments that finished in each environment of each service.
struct Places<'a>(HashMap<(&'a str, &'a str), Place<'a>>);

struct Place<'a> {
    all: &'a [Classified],
    /// In the order of their finish.
    rows: Vec<usize>,
    /// The least start of each row and those behind it.
    least_start: Vec<Time>,
}

impl<'a> Places<'a> {
    fn new(deployments: &'a Deployments) -> Self {
        let mut places: HashMap<(&str, &str), Place<'_>> = HashMap::new();
        for (service, all) in deployments {
            for (index, deployment) in all.iter().enumerate().filter(|(_, deployment)| deployment.finished_at().is_some()) {
                let place = (service.as_str(), deployment.row.environment.as_str());
                places.entry(place).or_insert_with(|| Place { all, rows: Vec::new(), least_start: Vec::new() }).rows.push(index);
            }
        }
        for place in places.values_mut() {
            let mut least = Time::MAX;
            let starts = place.rows.iter().rev().map(|&i| {
                least = least.min(place.all[i].row.started_at.unwrap_or(Time::MAX));
                least
            });
            place.least_start = starts.collect();
            place.least_start.reverse();
        }
        Places(places)
    }

    /// What was running at a moment, the last to start first; then what had finished last.
    fn running_or_last(&self, service: &str, environment: &str, at: Time) -> Vec<Spot> {
        let Some(place) = self.0.get(&(service, environment)) else { return Vec::new() };
        let finished = place.rows.partition_point(|&i| place.all[i].finished_at() <= Some(at));
        let later = (finished..place.rows.len()).take_while(|&k| place.least_start[k] <= at).map(|k| place.rows[k]);
        let mut running: Vec<usize> = later.filter(|&i| place.all[i].row.started_at.is_some_and(|started| started <= at)).collect();
        running.sort_by_key(|&i| Reverse((place.all[i].row.started_at, i)));
        let last = finished.checked_sub(1).map(|k| place.rows[k]);
        running.into_iter().chain(last).map(|index| Spot { service: service.to_owned(), index }).collect()
    }
}
