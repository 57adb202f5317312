//! False failures: checks after a deployment whose failure the same version soon takes back, or which came before the application was
//! up (semantics, 7.59).

use super::test_results::{Check, Tested};
use super::{AppFacts, Facts};
use flowgauge_lake::model::{Source, Time};
use std::collections::HashMap;

/// A test that passes again later than this says nothing of the failure.
const SOON_SECONDS: i64 = 24 * 3600;

/// The same test on the same version in the same environment.
#[derive(PartialEq, Eq, Hash)]
struct Again<'a> {
    suite: Option<&'a str>,
    test_id: &'a str,
    version: &'a str,
    environment: Option<&'a str>,
}

/// What may excuse the failures of checks, as it was known at a moment.
pub struct Excuses<'a> {
    facts: &'a Facts,
    as_of: Time,
    /// In the order of time and attempt.
    passes: HashMap<Again<'a>, Vec<(Time, i64, &'a Tested)>>,
}

impl<'a> Excuses<'a> {
    pub fn new(facts: &'a Facts, as_of: Time) -> Self {
        let mut excuses = Excuses { facts, as_of, passes: HashMap::new() };
        if facts.checks.all.is_empty() {
            return excuses;
        }
        let mut passes: HashMap<Again<'_>, Vec<(Time, i64, &Tested)>> = HashMap::new();
        let of_pipelines = facts.tests.iter().map(|test| (test, test.at(&facts.by_run), None));
        let checks = facts.checks.all.iter().map(|check| (&check.test, check.at, Some(check)));
        for (test, at, check) in of_pipelines.chain(checks).filter(|(test, ..)| test.is_good()) {
            if let Some((at, again)) = at.filter(|&at| at <= as_of).zip(excuses.again(test, check)) {
                passes.entry(again).or_default().push((at, test.result.attempt, test));
            }
        }
        passes.values_mut().for_each(|passes| passes.sort_by_key(|(at, attempt, _)| (*at, *attempt)));
        excuses.passes = passes;
        excuses
    }

    /// The next time that the test passed: soon, on the same version in the same environment, and before anything else came to run there.
    pub fn passed_again(&self, check: &'a Check) -> Option<(Time, &'a Tested)> {
        let at = check.at?;
        let passes = self.passes.get(&self.again(&check.test, Some(check))?)?;
        let later = passes.partition_point(|(passed_at, attempt, _)| (*passed_at, *attempt) <= (at, check.test.result.attempt));
        let &(passed_at, _, test) = passes.get(later)?;
        (passed_at <= at.plus_seconds(SOON_SECONDS) && !self.changed_between(check, at, passed_at)).then_some((passed_at, test))
    }

    /// When what a check is about was first healthy, if that was before something else came to run there.
    pub fn healthy_at(&self, check: &Check) -> Option<Time> {
        let (spot, deployment) = check.bound(self.facts, self.as_of)?;
        let start = deployment.row.started_at.or(deployment.finished_at())?;
        let healthy = |app: &AppFacts| {
            let seen = app.observations.iter().take_while(|seen| seen.observed_at <= self.as_of);
            seen.filter_map(|seen| seen.healthy_at).filter(|at| *at >= start).min()
        };
        let at = match &check.test.result.app {
            Some(name) => {
                let apps = self.facts.apps.range((name.clone(), Source::new(""))..).take_while(|((app, _), _)| app == name);
                apps.filter_map(|(_, app)| healthy(app)).min()
            }
            None => {
                let (service, environment) = self.place(check)?;
                let is_there = |app: &&AppFacts| app.service.as_deref() == Some(service) && app.environment.as_deref() == Some(environment);
                self.facts.apps.values().map(AsRef::as_ref).filter(is_there).filter_map(healthy).min()
            }
        }?;
        let of = self.facts.services.get(&spot.service)?;
        let mut later = of.deployments[spot.index + 1..].iter();
        let next = later.find(|next| next.took_effect && next.row.environment == deployment.row.environment);
        next.and_then(|next| next.finished_at()).is_none_or(|finished| at < finished).then_some(at)
    }

    /// Whether a failed check is a false failure.
    pub fn is_false(&self, check: &'a Check) -> bool {
        let was_early = |at: Time| self.healthy_at(check).is_some_and(|healthy| at < healthy);
        self.passed_again(check).is_some() || check.at.is_some_and(was_early)
    }

    fn again(&self, test: &'a Tested, check: Option<&'a Check>) -> Option<Again<'a>> {
        let result = &test.result;
        let bound = check.and_then(|check| check.bound(self.facts, self.as_of)).map(|(_, deployment)| deployment);
        let digest = bound.and_then(|deployment| deployment.row.digest.as_deref());
        let sha = || result.sha.as_deref().or_else(|| bound?.source_sha.as_deref());
        Some(Again {
            suite: result.suite.as_deref(),
            test_id: &result.test_id,
            version: digest.or_else(sha)?,
            environment: result.environment.as_deref().or(bound.map(|deployment| deployment.row.environment.as_str())),
        })
    }

    /// Service and environment of a check, by its own word or its deployment's.
    fn place<'c>(&self, check: &'c Check) -> Option<(&'c str, &'c str)>
    where
        'a: 'c,
    {
        let bound = check.bound(self.facts, self.as_of).map(|(_, deployment)| deployment);
        let service = check.test.result.service.as_deref().or(bound.map(|deployment| deployment.service.as_str()));
        service.zip(check.test.result.environment.as_deref().or(bound.map(|deployment| deployment.row.environment.as_str())))
    }

    /// Whether something else came to run there after a moment, up to another.
    fn changed_between(&self, check: &Check, after: Time, until: Time) -> bool {
        let Some((service, environment)) = self.place(check) else { return false };
        let Some(of) = self.facts.services.get(service) else { return false };
        let from = of.deployments.partition_point(|deployment| deployment.finished_at().is_none_or(|at| at <= after));
        let mut later = of.deployments[from..].iter().take_while(|deployment| deployment.finished_at() <= Some(until));
        later.any(|deployment| deployment.took_effect && deployment.row.environment == environment)
    }
}
