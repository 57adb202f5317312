//! Templates: whether the pipelines of each service are built from a shared one, by the last run of its default branch.

use super::{Builder, ScopeRow, Subject};
use crate::question::Dimension;
use flowgauge_lake::model::Time;
use flowgauge_lake::model::facts::PipelineFact;
use std::collections::BTreeMap;

impl<'a> Builder<'a> {
    pub(super) fn templates(&mut self) {
        let facts = self.facts;
        let by_pipeline = self.question.by.contains(&Dimension::Pipeline) || self.question.filters.contains_key(&Dimension::Pipeline);
        for (repo, runs) in &facts.runs {
            let attempts: Vec<&PipelineFact> = runs.values().filter(|run| run.seen_at.is_none_or(|at| self.exists(at))).collect();
            let mut pipelines: Vec<Option<&str>> = vec![None];
            if by_pipeline {
                pipelines = attempts.iter().map(|run| Some(run.pipeline.as_str())).collect();
                pipelines.sort_unstable();
                pipelines.dedup();
            }
            let owners: Vec<Option<&str>> = match repo.as_deref() {
                Some(name) => facts.catalogue.services_of_repo(name).map(|(service, _)| Some(service)).collect(),
                None => Vec::new(),
            };
            for pipeline in pipelines {
                let of_pipeline: Vec<&PipelineFact> =
                    attempts.iter().copied().filter(|run| pipeline.is_none_or(|name| run.pipeline == name)).collect();
                if of_pipeline.is_empty() {
                    continue;
                }
                // Runs of a repository without a service show that there are runs, and count for nobody.
                for service in if owners.is_empty() { vec![None] } else { owners.clone() } {
                    let labels = [
                        (Dimension::Repo, repo.as_deref()),
                        (Dimension::Pipeline, pipeline),
                        (Dimension::Service, service),
                        (Dimension::Team, service.and_then(|service| facts.catalogue.team(service))),
                    ];
                    if !self.passes(&labels) {
                        continue;
                    }
                    self.configured(&labels);
                    let key = self.key(&labels);
                    let Some(service) = service else { continue };
                    let id = self.number(service);
                    for (bucket, at) in self.states() {
                        let there = || of_pipeline.iter().copied().filter(|run| run.seen_at.is_none_or(|seen| seen <= at));
                        if there().next().is_none() {
                            continue;
                        }
                        let last = last_of_default_branch(there());
                        let row = ScopeRow {
                            what: "service",
                            bucket: Some(bucket),
                            id: Some(id),
                            is_passed: Some(last.is_some_and(|run| run.template_ref.is_some())),
                            ..ScopeRow::default()
                        };
                        self.push(&key, row, || {
                            last.map(|run| Subject::run(&run.source, &run.pipeline, &run.run_id, run.attempt)).into_iter().collect()
                        });
                    }
                }
            }
        }
    }

    /// A number of a service's own.
    fn number(&self, service: &str) -> i64 {
        self.facts.catalogue.names().take_while(|name| *name < service).count() as i64
    }
}

/// The last run that began on the default branch; each run is what its last attempt says.
fn last_of_default_branch<'r>(attempts: impl Iterator<Item = &'r PipelineFact>) -> Option<&'r PipelineFact> {
    let mut runs: BTreeMap<(&str, &str, &str), &PipelineFact> = BTreeMap::new();
    for attempt in attempts {
        let run = runs.entry((&attempt.run_id, &attempt.pipeline, &attempt.source)).or_insert(attempt);
        if attempt.attempt > run.attempt {
            *run = attempt;
        }
    }
    let began = |run: &PipelineFact| -> Option<Time> { run.started_at.or(run.seen_at) };
    let on_default = runs.into_iter().filter(|(_, run)| run.is_default_branch == Some(true));
    on_default.max_by_key(|(key, run)| (began(run), *key)).map(|(_, run)| run)
}
