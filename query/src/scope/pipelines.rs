//! Pipelines: final attempts that ended, and every attempt that started.

use super::{Builder, ScopeRow};
use crate::question::Dimension;
use flowgauge_lake::model::Outcome;
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Builder<'a> {
    pub(super) fn pipelines(&mut self) {
        let facts = self.facts;
        for (repo, runs) in &facts.runs {
            // A run counts once for each service of its repository where services are asked for.
            let by_service = [Dimension::Service, Dimension::Team]
                .iter()
                .any(|dimension| self.question.by.contains(dimension) || self.question.filters.contains_key(dimension));
            let services: Vec<Option<&str>> = match repo {
                Some(repo) if by_service => facts.catalogue.services_of_repo(repo).map(|(name, _)| Some(name)).collect(),
                _ => vec![None],
            };
            let services = if services.is_empty() { vec![None] } else { services };
            let attempts: Vec<_> = runs.values().filter(|run| run.seen_at.is_none_or(|at| self.exists(at))).collect();
            let mut last: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
            for run in &attempts {
                let attempt = last.entry((&run.pipeline, &run.run_id, &run.source)).or_insert(run.attempt);
                *attempt = (*attempt).max(run.attempt);
            }
            for run in attempts {
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
                let finished = run.finished_at.filter(|&at| self.exists(at));
                let is_final = last[&(run.pipeline.as_str(), run.run_id.as_str(), run.source.as_str())] == run.attempt;
                for key in keys {
                    if let Some((at, bucket)) = finished.filter(|_| is_final).and_then(|at| Some((at, self.bucket(at)?))) {
                        let row = ScopeRow {
                            what: "run",
                            bucket: Some(bucket),
                            at: Some(at),
                            outcome: run.result.map(Outcome::as_str),
                            seconds: run.duration_seconds,
                            ..ScopeRow::default()
                        };
                        self.push(&key, row);
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
                        self.push(&key, row);
                    }
                }
            }
        }
    }
}
