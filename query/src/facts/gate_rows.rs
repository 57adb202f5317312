//! The tables `gate_coverage` and `test_verdicts`: what there was for each deployment, as it is known now.

use super::deployments::Classified;
use super::failures::Spot;
use super::false_results::Excuses;
use super::gates::{Gated, Gates, Shown, required};
use super::test_results::Check;
use super::{Facts, ServiceFacts};
use flowgauge_lake::model::facts::{GateFact, TestVerdict};
use flowgauge_lake::model::{Cell, Phase, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A deployment of an environment and its gates, those that it needed among them.
struct Row<'a> {
    deployment: &'a Classified,
    gated: Gated<'a>,
    needed: Vec<Arc<str>>,
}

impl Row<'_> {
    fn gates(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Shown<'_>>)> {
        let names: BTreeSet<&Arc<str>> = self.gated.gates.keys().chain(&self.needed).collect();
        names.into_iter().map(|name| (name, self.gated.gates.get(name)))
    }
}

/// What was deployed anew, environment by environment.
fn releases<'a>(facts: &'a Facts, service: &'a str, of: &'a ServiceFacts) -> Vec<Row<'a>> {
    let defined: Vec<Arc<str>> = facts.definitions.required_gates.iter().map(|name| name.as_str().into()).collect();
    let mut gates = Gates::new(facts, Time::MAX);
    let mut environments: BTreeMap<&str, Vec<(&Classified, Gated<'_>)>> = BTreeMap::new();
    for (index, deployment) in of.deployments.iter().enumerate().filter(|(_, deployment)| deployment.is_release()) {
        if let Some(gated) = gates.of(service, of, &[index]) {
            environments.entry(&deployment.row.environment).or_default().push((deployment, gated));
        }
    }
    let mut rows = Vec::new();
    for deployments in environments.into_values() {
        let needed = required(&deployments.iter().map(|(_, gated)| gated).collect::<Vec<_>>(), &defined);
        rows.extend(deployments.into_iter().zip(needed).map(|((deployment, gated), needed)| Row { deployment, gated, needed }));
    }
    rows
}

pub fn gate_rows(facts: &Facts, service: &str, of: &ServiceFacts) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for row in releases(facts, service, of) {
        for (gate, shown) in row.gates() {
            let fact = GateFact {
                deployment_id: row.deployment.row.deployment_id.clone(),
                source: row.deployment.source.as_str().to_owned(),
                service: service.to_owned(),
                team: facts.catalogue.team(service).map(str::to_owned),
                environment: row.deployment.row.environment.clone(),
                tier: row.deployment.tier,
                deployed_at: row.gated.finish,
                gate: gate.to_string(),
                required: row.needed.contains(gate),
                present: shown.is_some(),
                passed: shown.and_then(|shown| shown.is_passed),
                before_deploy: shown.is_some_and(|shown| shown.last_in_time.is_some()),
                at: shown.map(|shown| shown.last_in_time.unwrap_or(shown.first_at)),
            };
            rows.push(fact.into_cells());
        }
    }
    rows
}

pub fn test_rows(facts: &Facts, excuses: &Excuses<'_>, service: &str, of: &ServiceFacts) -> Vec<Vec<Cell>> {
    let verdict = |deployment: &Classified, suite: &str, phase: Phase| TestVerdict {
        deployment_id: deployment.row.deployment_id.clone(),
        source: deployment.source.as_str().to_owned(),
        service: service.to_owned(),
        team: facts.catalogue.team(service).map(str::to_owned),
        environment: deployment.row.environment.clone(),
        tier: deployment.tier,
        deployed_at: deployment.finished_at().unwrap_or_default(),
        suite: suite.to_owned(),
        phase,
        present: true,
        passed: None,
        before_deploy: false,
        false_result: None,
        at: None,
    };
    let mut rows = Vec::new();
    for row in releases(facts, service, of) {
        let tests = row.gates().filter_map(|(gate, shown)| Some((gate.strip_prefix("test:")?, shown)));
        rows.extend(tests.map(|(suite, shown)| TestVerdict {
            present: shown.is_some(),
            passed: shown.and_then(|shown| shown.is_passed),
            before_deploy: shown.is_some_and(|shown| shown.last_in_time.is_some()),
            at: shown.map(|shown| shown.last_in_time.unwrap_or(shown.first_at)),
            ..verdict(row.deployment, suite, Phase::Pipeline)
        }));
    }
    for (index, deployment) in of.deployments.iter().enumerate().filter(|(_, deployment)| deployment.finished_at().is_some()) {
        let spot = Spot { service: service.to_owned(), index };
        let mut suites: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
        for check in facts.checks.of_deployment(&spot).filter(|check| check.test.is_verdict() && check.candidates.first() == Some(&spot)) {
            suites.entry(check.test.result.suite.as_deref().unwrap_or_default()).or_default().push(check);
        }
        for (suite, mut checks) in suites {
            checks.sort_by_key(|check| (check.at, check.test.result.attempt));
            let last: BTreeMap<&str, &Check> = checks.iter().map(|check| (check.test.result.test_id.as_str(), *check)).collect();
            let failed: Vec<&Check> = checks.iter().copied().filter(|check| check.test.is_bad()).collect();
            rows.push(TestVerdict {
                passed: Some(last.values().all(|check| check.test.is_good())),
                false_result: (!failed.is_empty()).then(|| failed.iter().all(|check| excuses.is_false(check))),
                at: checks.last().and_then(|check| check.at),
                ..verdict(deployment, suite, Phase::PostDeploy)
            });
        }
    }
    rows.into_iter().map(TestVerdict::into_cells).collect()
}
