//! Commits of the configuration: how long each took to reach an environment (semantics 7.44).

use super::{Builder, ScopeRow, Subject};
use crate::facts::deployments::config_commit;
use std::collections::HashSet;

impl<'a> Builder<'a> {
    pub(super) fn config(&mut self) {
        let facts = self.facts;
        for (service, of) in self.services() {
            self.connect(service, of);
            let mut arrived = HashSet::new();
            // In order of finish: the first success stands.
            for deployment in of.deployments.iter().filter(|deployment| deployment.is_success()) {
                let (row, Some(at)) = (&deployment.row, deployment.finished_at().filter(|&at| self.exists(at))) else { continue };
                let Some(sha) = &row.config_sha else { continue };
                if !arrived.insert((&row.environment, &row.config_repo, sha)) {
                    continue;
                }
                let Some(bucket) = self.bucket(at).filter(|_| self.counts(&row.environment, deployment.tier)) else { continue };
                let key = self.key(&self.deployment_labels(service, &row.environment));
                let since = deployment.configured_at;
                let reason = since.is_none().then_some("no_commit");
                let row = ScopeRow { what: "config", bucket: Some(bucket), at: Some(at), since, reason, ..ScopeRow::default() };
                self.push(&key, row, || {
                    let commit =
                        config_commit(&deployment.row, &facts.repos).map(|(repo, node)| Subject::commit(&repo.name, repo.sha(node)));
                    commit.into_iter().chain([Subject::deployment(deployment)]).collect()
                });
            }
        }
    }
}
