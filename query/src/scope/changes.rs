//! Changes: the commits that a stream of deployments brought.

use super::{Builder, ScopeRow, Subject};
use crate::definitions::LtLegs;
use crate::facts::changes::{ChangeRow, Logical};
use crate::facts::deployments::Classified;
use crate::facts::graph::RepoChange;
use crate::facts::stages::stages;
use crate::facts::{ServiceFacts, Stream};
use crate::question::Dimension;

impl<'a> Builder<'a> {
    pub(super) fn changes(&mut self) {
        let split_by_environment = self.question.by.contains(&Dimension::Environment);
        for (service, of) in self.services() {
            self.connect(service, of);
            if split_by_environment {
                for (environment, stream) in &of.environments {
                    let tier = of
                        .deployments
                        .iter()
                        .find(|deployment| deployment.row.environment == *environment)
                        .map(|deployment| deployment.tier);
                    if tier.is_some_and(|tier| self.counts(environment, tier)) {
                        let key = self.key(&self.deployment_labels(service, environment));
                        self.stream(&key, of, stream);
                    }
                }
                continue;
            }
            let key = self.key(&self.deployment_labels(service, ""));
            if self.names_environment() {
                let merged = !self.question.filters.contains_key(&Dimension::Environment);
                let stream = of.stream(
                    &|deployment| self.counts(&deployment.row.environment, deployment.tier) && self.has_finished(deployment),
                    merged,
                );
                self.stream(&key, of, &stream);
            } else if of.production.logical.iter().all(|group| self.is_whole(of, group)) {
                self.stream(&key, of, &of.production);
            } else {
                // A deployment that had reached only some of its environments by then.
                let counts = |deployment: &Classified| self.facts.definitions.counts_tier(deployment.tier) && self.has_finished(deployment);
                let stream = of.stream(&counts, true);
                self.stream(&key, of, &stream);
            }
        }
    }

    pub(super) fn has_finished(&self, deployment: &Classified) -> bool {
        deployment.finished_at().is_some_and(|at| self.exists(at))
    }

    /// Whether a logical deployment had finished everywhere or nowhere at the question's moment.
    fn is_whole(&self, of: &ServiceFacts, group: &Logical) -> bool {
        let finished = group.0.iter().filter(|&&i| self.has_finished(&of.deployments[i])).count();
        finished == 0 || finished == group.0.len()
    }

    /// The change of a row, where lead time is the sum of its legs.
    fn legs(&self, change: &ChangeRow) -> Option<&'a RepoChange> {
        let facts = self.facts;
        let repo = facts.repos.get(change.repo.as_ref()?)?;
        repo.change_of(repo.find(change.sha.as_ref()?)?).filter(|_| facts.definitions.lt_legs != LtLegs::Telescoping)
    }

    fn stream(&mut self, key: &[String], of: &ServiceFacts, stream: &Stream) {
        let base = self.next_id;
        self.next_id += stream.logical.len() as i64;
        for change in &stream.changes {
            // Rows of a logical deployment that finished after `as_of` do not exist.
            let there = stream.logical[change.logical].0.iter().map(|&i| &of.deployments[i]).filter(|row| self.has_finished(row));
            let last = there.max_by_key(|row| row.finished_at());
            let Some(at) = last.and_then(Classified::finished_at) else { continue };
            let Some(bucket) = self.bucket(at) else { continue };
            let legs = self.legs(change);
            let row = ScopeRow {
                what: "commit",
                bucket: Some(bucket),
                id: Some(base + change.logical as i64),
                at: Some(at),
                since: change.started_at,
                reason: change.excluded,
                opened_at: legs.and_then(|change| change.opened_at),
                merged_at: legs.and_then(|change| change.merged_at),
                stages: change.started_at.zip(last).and_then(|(started, last)| stages(started, change.landing, last)).map(Box::new),
                ..ScopeRow::default()
            };
            self.push(key, row, || {
                let commit = change.repo.as_deref().zip(change.sha.as_deref()).map(|(repo, sha)| Subject::commit(repo, sha));
                let group = stream.logical[change.logical].0.iter().map(|&i| Subject::deployment(&of.deployments[i]));
                commit.into_iter().chain(group).collect()
            });
        }
    }
}
