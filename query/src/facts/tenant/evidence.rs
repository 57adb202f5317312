//! Derives anew what stands beside deployments: runs with their jobs, results of tests, scans, approvals.

use super::{Dirty, Tenant};
use crate::facts::approvals::{Approvals, Approved};
use crate::facts::failures::Register;
use crate::facts::runs::RunGroup;
use crate::facts::scans::Scans;
use crate::facts::test_results::{Checks, Tested};
use crate::facts::{entity, pipelines};
use flowgauge_lake::model::{Approval, PipelineRun, Scan, Source, Table, TestResult};
use std::sync::Arc;

impl Tenant {
    pub(super) fn refresh_runs(&mut self, dirty: &Dirty) {
        for key in &dirty.runs {
            if let Some(stored) = self.entities.get(Table::PipelineRun, key) {
                let run = entity::<PipelineRun>(stored.cells());
                let repo = run.repo.clone();
                let fact = pipelines::pipeline_fact(run, stored.source(), &self.entities);
                // A later row may be the first to name the repository, or name another.
                let stood = self.run_repos.insert(key.clone(), repo.clone()).filter(|stood| *stood != repo);
                if let Some(runs) = stood.and_then(|stood| self.facts.runs.get_mut(&stood)) {
                    Arc::make_mut(runs).remove(key);
                }
                Arc::make_mut(self.facts.runs.entry(repo).or_default()).insert(key.clone(), fact);
            }
        }
        if dirty.by_run.is_empty() {
            return;
        }
        let groups: Vec<RunGroup> = dirty.by_run.iter().map(|(run_id, source)| self.run_group(run_id, source)).collect();
        let by_run = Arc::make_mut(&mut self.facts.by_run);
        groups.into_iter().for_each(|group| by_run.insert(group));
    }

    fn run_group(&self, run_id: &str, source: &Source) -> RunGroup {
        let keys = self.run_keys.get(&(run_id.to_owned(), source.clone())).into_iter().flatten();
        let attempts = keys.filter_map(|key| {
            let run = entity::<PipelineRun>(self.entities.get(Table::PipelineRun, key)?.cells());
            let fact = self.facts.runs.get(&run.repo)?.get(key)?.clone();
            Some((run, fact))
        });
        RunGroup::build(source, run_id, attempts, &self.entities)
    }

    pub(super) fn refresh_tests(&mut self, dirty: &Dirty) {
        if dirty.tests.is_empty() {
            return;
        }
        let mut tests = self.facts.tests.clone();
        for group in &dirty.tests {
            let keys = self.test_keys.get(group).into_iter().flatten();
            let results = keys.filter_map(|key| self.entities.get(Table::TestResult, key));
            let results = results.map(|stored| self.tested(stored.source(), entity(stored.cells()))).collect();
            Arc::make_mut(&mut tests).insert(group.clone(), results);
        }
        self.facts.tests = tests;
    }

    pub(super) fn refresh_checks(&mut self, register: &Register<'_>) {
        let keys = self.check_keys.iter().filter_map(|key| self.entities.get(Table::TestResult, key));
        let tests = keys.map(|stored| self.tested(stored.source(), entity(stored.cells())));
        let of_app = |app: &str| {
            let told = |get: fn(&crate::facts::AppFacts) -> &Option<String>| {
                let apps = self.facts.apps.range((app.to_owned(), Source::new(""))..).take_while(|((name, _), _)| name == app);
                apps.into_iter().find_map(|(_, facts)| get(facts).clone())
            };
            (told(|facts| &facts.service), told(|facts| &facts.environment))
        };
        let checks = Checks::bind(tests, register, &of_app, &self.facts.by_run);
        self.facts.checks = Arc::new(checks);
    }

    /// Its service by the name that the configuration has for it; what it said when it failed is read from the table.
    fn tested(&self, source: &Source, mut result: TestResult) -> Tested {
        result.service = result.service.map(|service| self.config.service_of(&service, None));
        result.message = None;
        Tested { source: source.clone(), result }
    }

    pub(super) fn refresh_scans(&mut self, dirty: &Dirty) {
        let touched = |(run_id, source): &(String, Source)| self.scanned_runs.contains(&(run_id.clone(), source.clone()));
        if !dirty.scans && !dirty.by_run.iter().any(touched) {
            return;
        }
        let scans = self.entities.table(Table::Scan).map(|(_, stored)| (stored.source().clone(), entity::<Scan>(stored.cells())));
        self.facts.scans = Arc::new(Scans::build(scans, &self.facts.by_run));
    }

    pub(super) fn refresh_approvals(&mut self, register: &Register<'_>) {
        let approvals = self.entities.table(Table::Approval).map(|(_, stored)| {
            let mut approval = entity::<Approval>(stored.cells());
            approval.service = approval.service.map(|service| self.config.service_of(&service, None));
            Approved { source: stored.source().clone(), approval }
        });
        let approvals = Approvals::bind(approvals, register);
        self.facts.approvals = Arc::new(approvals);
    }
}
