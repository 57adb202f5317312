//! Pipelines: final attempts that ended, every attempt that started, and the times in which a default branch was red.

use super::{Builder, ScopeRow, Subject};
use crate::facts::pipelines::{last_attempts, reds};
use crate::question::Dimension;
use flowgauge_lake::model::Outcome;
use flowgauge_lake::model::facts::PipelineFact;
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Builder<'a> {
    pub(super) fn pipelines(&mut self) {
        let facts = self.facts;
        for (repo, runs) in &facts.runs {
            let services = self.services_of_repo(repo.as_deref());
            let attempts: Vec<_> = runs.values().filter(|run| run.seen_at.is_none_or(|at| self.exists(at))).collect();
            let mut keys_of_pipeline: BTreeMap<&str, BTreeSet<Vec<String>>> = BTreeMap::new();
            let last = last_attempts(&attempts);
            let mut finals = last.iter().peekable();
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
                let is_final = finals.next_if(|next| std::ptr::eq(**next, *run)).is_some();
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
            for red in reds(&last, self.question.as_of) {
                let Some(bucket) = self.bucket(red.from) else { continue };
                for key in keys_of_pipeline.get(red.opened_by.pipeline.as_str()).into_iter().flatten() {
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
