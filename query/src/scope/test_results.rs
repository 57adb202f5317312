//! Tests: results on one commit, the last result of each test, and checks after deployments that failed.

use super::homes::{Home, Homes, Keys};
use super::{Builder, ScopeRow, Subject};
use crate::facts::false_results::Excuses;
use crate::facts::runs::{JobAttempt, Run, RunGroup};
use crate::facts::test_results::{Check, Tested};
use flowgauge_lake::model::{Outcome, Phase, Time};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A result, when it was, and the deployment that it is about.
struct Placed<'a> {
    test: &'a Tested,
    at: Option<Time>,
    check: Option<&'a Check>,
}

impl<'a> Builder<'a> {
    /// Every result that exists, and the series that it makes.
    fn placed(&mut self, homes: &mut Homes<'a>) -> Vec<(Placed<'a>, Keys)> {
        let facts = self.facts;
        let of_pipelines = facts.tests.iter().map(|test| Placed { test, at: test.at(&facts.by_run), check: None });
        let checks = facts.checks.all.iter().map(|check| Placed { test: &check.test, at: check.at, check: Some(check) });
        let mut placed = Vec::new();
        for result in of_pipelines.chain(checks).filter(|result| result.at.is_none_or(|at| at <= self.question.as_of)) {
            let keys = homes.keys(self, self.home(&result));
            if result.test.is_verdict() {
                placed.push((result, keys));
            }
        }
        placed
    }

    /// A result is at home where its run is; without one, in the repository of its service (semantics, 7.59).
    fn home(&self, placed: &Placed<'a>) -> Home<'a> {
        let facts = self.facts;
        let bound = || Some(placed.check?.bound(facts, self.question.as_of)?.0.service.as_str());
        let service = placed.test.result.service.as_deref().or_else(bound);
        let run = || facts.by_run.get(&placed.test.source, placed.test.result.run_id.as_deref()?)?.run(self.question.as_of);
        match run() {
            Some(run) => Home { repo: run.repo.as_deref(), pipeline: Some(&run.pipeline), service },
            None => Home { repo: service.and_then(|service| facts.catalogue.get(service)?.repo.as_deref()), pipeline: None, service },
        }
    }

    /// The results of each test on each commit, and the attempts of each job on each commit (semantics, 7.53).
    pub(super) fn flaky_tests(&mut self) {
        let facts = self.facts;
        type Unit<'a> = (Option<&'a str>, &'a str, &'a str);
        let mut units: HashMap<Unit<'a>, Vec<(Placed<'a>, Keys)>> = HashMap::new();
        let mut order: Vec<Unit<'a>> = Vec::new();
        for (placed, keys) in self.placed(&mut Homes::of_base()) {
            if placed.check.is_some() {
                continue;
            }
            let result = &placed.test.result;
            let Some(sha) = result.sha.as_deref() else {
                let Some(bucket) = placed.at.and_then(|at| self.bucket(at)) else { continue };
                for key in keys.iter() {
                    let row =
                        ScopeRow { what: "excluded", bucket: Some(bucket), at: placed.at, reason: Some("no_sha"), ..ScopeRow::default() };
                    self.push(key, row, || vec![Subject::test_result(placed.test)]);
                }
                continue;
            };
            let unit = (result.suite.as_deref(), result.test_id.as_str(), sha);
            units.entry(unit).or_insert_with(|| {
                order.push(unit);
                Vec::new()
            });
            if let Some(results) = units.get_mut(&unit) {
                results.push((placed, keys));
            }
        }
        for unit in order {
            let results = &units[&unit];
            let Some(bucket) = results.iter().filter_map(|(placed, _)| placed.at).min().and_then(|at| self.bucket(at)) else { continue };
            let id = self.next_number();
            let keys: BTreeSet<&Vec<String>> = results.iter().flat_map(|(_, keys)| keys.iter()).collect();
            for (placed, _) in results {
                for key in &keys {
                    let row = ScopeRow {
                        what: "test",
                        bucket: Some(bucket),
                        id: Some(id),
                        at: placed.at,
                        name: placed.test.job_name(&facts.by_run).map(Into::into),
                        is_passed: Some(placed.test.is_good()),
                        ..ScopeRow::default()
                    };
                    self.push(key, row, || vec![Subject::test_result(placed.test)]);
                }
            }
        }
        self.flaky_jobs();
    }

    fn flaky_jobs(&mut self) {
        type Unit<'a> = (Option<&'a str>, &'a str, Option<&'a str>, &'a str);
        type Attempt<'a> = (Time, Outcome, &'a RunGroup, &'a JobAttempt);
        let facts = self.facts;
        let mut units: BTreeMap<Unit<'a>, Vec<Attempt<'a>>> = BTreeMap::new();
        for group in facts.by_run.iter() {
            let Some((run, sha)) = group.runs.first().and_then(|run: &Run| Some((run, run.sha.as_deref()?))) else { continue };
            for job in &group.jobs {
                let ended = job.finished_at.filter(|&at| self.exists(at)).zip(job.result.filter(|result| result.is_ended()));
                let Some((at, result)) = ended else { continue };
                let unit = (run.repo.as_deref(), run.pipeline.as_str(), job.name.as_deref(), sha);
                units.entry(unit).or_default().push((at, result, group, job));
            }
        }
        let mut homes = Homes::of_guests();
        for ((repo, pipeline, _, _), attempts) in units {
            let first = attempts.iter().map(|(at, ..)| *at).min();
            let Some(bucket) = first.and_then(|at| self.bucket(at)) else { continue };
            let id = self.next_number();
            let keys = homes.keys(self, Home { repo, pipeline: Some(pipeline), service: None });
            for (at, result, group, job) in attempts {
                for key in keys.iter() {
                    let row = ScopeRow {
                        what: "job",
                        bucket: Some(bucket),
                        id: Some(id),
                        at: Some(at),
                        outcome: Some(result.as_str()),
                        ..ScopeRow::default()
                    };
                    self.push(key, row, || vec![Subject::job(group, job)]);
                }
            }
        }
    }

    /// The last result of each test on each commit in each environment (semantics, 7.59).
    pub(super) fn tests(&mut self) {
        type Unit<'a> = (Option<&'a str>, &'a str, Option<&'a str>, Option<&'a str>);
        let mut last: HashMap<Unit<'a>, (Placed<'a>, Keys)> = HashMap::new();
        let mut order: Vec<Unit<'a>> = Vec::new();
        let from = self.question.from;
        // What is earlier than the window is last nowhere in it.
        for (placed, keys) in self.placed(&mut Homes::of_base()).into_iter().filter(|(placed, _)| placed.at >= Some(from)) {
            let result = &placed.test.result;
            let unit = (result.suite.as_deref(), result.test_id.as_str(), result.sha.as_deref(), result.environment.as_deref());
            match last.get_mut(&unit) {
                Some(known) if lateness(&known.0) >= lateness(&placed) => {}
                Some(known) => *known = (placed, keys),
                None => {
                    order.push(unit);
                    last.insert(unit, (placed, keys));
                }
            }
        }
        for unit in order {
            let (placed, keys) = &last[&unit];
            let Some((at, bucket)) = placed.at.and_then(|at| Some((at, self.bucket(at)?))) else { continue };
            for key in keys.iter() {
                let row = ScopeRow {
                    what: "test",
                    bucket: Some(bucket),
                    at: Some(at),
                    reason: Some(placed.test.result.phase.unwrap_or(Phase::Pipeline).as_str()),
                    is_passed: Some(placed.test.is_good()),
                    ..ScopeRow::default()
                };
                self.push(key, row, || vec![Subject::test_result(placed.test)]);
            }
        }
    }

    /// Checks that failed, with what makes a failure a false one: that the same test passed again, that the application was only healthy
    /// later (semantics, 7.59).
    pub(super) fn checks(&mut self) {
        let facts = self.facts;
        let as_of = self.question.as_of;
        let excuses = Excuses::new(facts, as_of);
        for (placed, keys) in self.placed(&mut Homes::of_base()) {
            let Some(check) = placed.check.filter(|check| check.test.is_bad()) else { continue };
            let Some((at, bucket)) = placed.at.and_then(|at| Some((at, self.bucket(at)?))) else { continue };
            let passed = excuses.passed_again(check);
            let healthy_at = excuses.healthy_at(check);
            for key in keys.iter() {
                let row = ScopeRow {
                    what: "check",
                    bucket: Some(bucket),
                    at: Some(at),
                    until: healthy_at,
                    remedied_at: passed.map(|(passed_at, _)| passed_at),
                    ..ScopeRow::default()
                };
                self.push(key, row, || {
                    let deployment = check.bound(facts, as_of).map(|(_, deployment)| Subject::deployment(deployment));
                    let passed = passed.map(|(_, test)| Subject::test_result(test));
                    std::iter::once(Subject::test_result(placed.test)).chain(passed).chain(deployment).collect()
                });
            }
        }
    }

    /// A number of its own for a row's subject.
    pub(super) fn next_number(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }
}

/// What decides which of two results is the last.
fn lateness<'a>(placed: &Placed<'a>) -> impl Ord + use<'a> {
    let test = placed.test;
    let result = &test.result;
    (placed.at, result.attempt, &result.run_id, &result.job_id, &test.source, result.phase, &result.deployment_id)
}
