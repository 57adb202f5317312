//! Pipelines: final attempts that ended, every attempt that started, and the times in which a default branch was red.

use super::{Builder, ScopeRow, Subject};
use crate::question::Dimension;
use flowgauge_lake::model::facts::PipelineFact;
use flowgauge_lake::model::{Outcome, Time};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Builder<'a> {
    pub(super) fn pipelines(&mut self) {
        let facts = self.facts;
        for (repo, runs) in &facts.runs {
            let services = self.services_of_repo(repo.as_deref());
            let attempts: Vec<_> = runs.values().filter(|run| run.seen_at.is_none_or(|at| self.exists(at))).collect();
            let mut keys_of_pipeline: BTreeMap<&str, BTreeSet<Vec<String>>> = BTreeMap::new();
            let mut last: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
            for run in &attempts {
                let attempt = last.entry((&run.pipeline, &run.run_id, &run.source)).or_insert(run.attempt);
                *attempt = (*attempt).max(run.attempt);
            }
            for run in &attempts {
                let mut keys = BTreeSet::new();
                for service in &services {
                    let labels = [
                        (Dimension::Repo, repo.as_deref()),
                        (Dimension::Pipeline, Some(run.pipeline.as_str())),
                        (Dimension::Service, *service),
                        (Dimension::Team, service.and_then(|service| facts.catalogue.team(service))),
                    ];
                    if self.passes(&labels) {
                        self.configured(&labels);
                        keys.insert(self.key(&labels));
                    }
                }
                keys_of_pipeline.entry(&run.pipeline).or_default().extend(keys.iter().cloned());
                let subjects = || vec![Subject::run(&run.source, &run.pipeline, &run.run_id, run.attempt)];
                let finished = run.finished_at.filter(|&at| self.exists(at));
                let is_final = last[&(run.pipeline.as_str(), run.run_id.as_str(), run.source.as_str())] == run.attempt;
                for key in keys {
                    if let Some((at, bucket)) = finished.filter(|_| is_final).and_then(|at| Some((at, self.bucket(at)?))) {
                        let row = ScopeRow {
                            what: "run",
                            bucket: Some(bucket),
                            at: Some(at),
                            since: run.retried_at,
                            outcome: run.result.map(Outcome::as_str),
                            seconds: run.duration_seconds,
                            ..ScopeRow::default()
                        };
                        self.push(&key, row, subjects);
                    }
                    let started = run.started_at.filter(|&at| self.exists(at));
                    if let Some((at, bucket)) = started.and_then(|at| Some((at, self.bucket(at)?))) {
                        let row = ScopeRow {
                            what: "start",
                            bucket: Some(bucket),
                            at: Some(at),
                            seconds: run.queue_seconds,
                            ..ScopeRow::default()
                        };
                        self.push(&key, row, subjects);
                    }
                }
            }
            let is_final = |run: &&&PipelineFact| last[&(run.pipeline.as_str(), run.run_id.as_str(), run.source.as_str())] == run.attempt;
            let mut branches: BTreeMap<(&str, Option<&str>), Vec<&PipelineFact>> = BTreeMap::new();
            for run in attempts.iter().filter(is_final).filter(|run| run.is_default_branch == Some(true)) {
                branches.entry((&run.pipeline, run.branch.as_deref())).or_default().push(run);
            }
            for ((pipeline, _), mut runs) in branches {
                runs.sort_by(|a, b| (a.started_at.or(a.finished_at), &a.run_id).cmp(&(b.started_at.or(b.finished_at), &b.run_id)));
                for red in self.reds(&runs) {
                    let Some(bucket) = self.bucket(red.from) else { continue };
                    for key in keys_of_pipeline.get(pipeline).into_iter().flatten() {
                        let row = ScopeRow {
                            what: "red",
                            bucket: Some(bucket),
                            at: Some(red.from),
                            since: Some(red.from),
                            until: red.until,
                            ..ScopeRow::default()
                        };
                        let run = |run: &PipelineFact| Subject::run(&run.source, &run.pipeline, &run.run_id, run.attempt);
                        self.push(key, row, || std::iter::once(run(red.opened_by)).chain(red.closed_by.map(run)).collect());
                    }
                }
            }
        }
    }

    /// From the first failing run after a green one (or of all) to the next success; whatever neither failed nor succeeded is looked
    /// through (semantics, 7.52). Runs in order.
    fn reds<'r>(&self, runs: &[&'r PipelineFact]) -> Vec<Red<'r>> {
        let mut reds: Vec<Red<'r>> = Vec::new();
        let mut open: Option<Red<'r>> = None;
        for run in runs {
            let Some(at) = run.finished_at.filter(|&at| self.exists(at)) else { continue };
            match run.result {
                Some(Outcome::Success) => reds.extend(open.take().map(|red| Red { until: Some(at), closed_by: Some(run), ..red })),
                Some(result) if result.is_bad() && open.is_none() => {
                    open = Some(Red { from: at, until: None, opened_by: run, closed_by: None });
                }
                _ => {}
            }
        }
        reds.extend(open);
        reds
    }
}

/// A time in which a pipeline's default branch was red.
struct Red<'a> {
    from: Time,
    until: Option<Time>,
    opened_by: &'a PipelineFact,
    closed_by: Option<&'a PipelineFact>,
}
