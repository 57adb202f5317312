//! Onboarding: from a service's first commit to its first deployment that succeeded (semantics 7.61).

use super::{Builder, ScopeRow, Subject};
use crate::catalogue::glob_matches;
use crate::facts::ServiceFacts;
use crate::facts::graph::{Node, Repo};
use crate::question::Dimension;
use flowgauge_lake::model::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

impl<'a> Builder<'a> {
    pub(super) fn onboarding(&mut self) {
        let is_split = self.question.by.contains(&Dimension::Environment);
        for (service, of) in self.services() {
            self.connect(service, of);
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            for deployment in of.deployments.iter().filter(|deployment| deployment.is_success()) {
                let Some(at) = deployment.finished_at().filter(|&at| self.exists(at)) else { continue };
                let environment = deployment.row.environment.as_str();
                // The first stands: of each environment where these are told apart, else of all.
                if !self.counts(environment, deployment.tier) || !seen.insert(if is_split { environment } else { "" }) {
                    continue;
                }
                let Some(bucket) = self.bucket(at) else { continue };
                let key = self.key(&self.deployment_labels(service, environment));
                let first = self.first_commit(service, of);
                let since = match first {
                    Some((_, _, at)) => Some(at),
                    None => self.first_event(of),
                };
                let row = ScopeRow { what: "onboarding", bucket: Some(bucket), at: Some(at), since, ..ScopeRow::default() };
                self.push(&key, row, || {
                    let commit = first.map(|(repo, node, _)| Subject::commit(&repo.name, repo.sha(node)));
                    commit.into_iter().chain([Subject::deployment(deployment)]).collect()
                });
            }
        }
    }

    /// The earliest commit of a service's repository, of its paths where it has any.
    fn first_commit(&self, service: &str, of: &ServiceFacts) -> Option<(&'a Arc<Repo>, Node, Time)> {
        let facts = self.facts;
        let repo = facts.repos.get(facts.catalogue.get(service)?.repo.as_deref()?)?;
        let touches = |node: &Node| {
            let Some(paths) = of.paths() else { return true };
            repo.files(*node).is_some_and(|files| files.iter().any(|file| paths.iter().any(|glob| glob_matches(glob, file))))
        };
        let begun = repo.known().filter_map(|node| Some((repo.started_at(node)?, node)));
        let first = begun.filter(|(_, node)| touches(node)).min_by_key(|(at, node)| (*at, repo.sha(*node).to_owned()))?;
        Some((repo, first.1, first.0))
    }

    /// The earliest moment of any deployment.
    fn first_event(&self, of: &ServiceFacts) -> Option<Time> {
        let exists = of.deployments.iter().filter(|deployment| deployment.finished_at().is_none_or(|at| self.exists(at)));
        exists.flat_map(|deployment| [deployment.row.created_at, deployment.row.started_at, deployment.row.finished_at]).flatten().min()
    }
}
