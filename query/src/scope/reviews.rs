//! Merged changes: how long they waited for people, and how large they were.

use super::{Builder, ScopeRow, Subject};
use crate::facts::Facts;
use crate::question::Dimension;
use std::collections::BTreeSet;

impl<'a> Builder<'a> {
    pub(super) fn reviews(&mut self) {
        let facts: &'a Facts = self.facts;
        for repo in facts.repos.values().filter(|repo| !repo.changes().is_empty()) {
            let mut keys = BTreeSet::new();
            for service in self.services_of_repo(Some(&repo.name)) {
                let team = service.and_then(|service| facts.catalogue.team(service));
                let labels = [(Dimension::Repo, Some(repo.name.as_str())), (Dimension::Service, service), (Dimension::Team, team)];
                if self.passes(&labels) {
                    self.configured(&labels);
                    keys.insert(self.key(&labels));
                }
            }
            for change in repo.changes() {
                let Some(merged_at) = change.merged_at.filter(|&at| self.exists(at)) else { continue };
                let Some(bucket) = self.bucket(merged_at) else { continue };
                let subjects = || vec![Subject::change(&repo.name, &change.change_id)];
                for key in &keys {
                    let merged = ScopeRow {
                        what: "change",
                        bucket: Some(bucket),
                        id: change.size,
                        at: Some(merged_at),
                        since: change.ready_at,
                        ..ScopeRow::default()
                    };
                    self.push(key, merged, subjects);
                    let stages = [
                        ("pickup", change.ready_at, change.first_review_at),
                        ("review", change.first_review_at, change.approved_at),
                        ("merge_wait", change.approved_at, Some(merged_at)),
                    ];
                    for (stage, since, until) in stages {
                        let row =
                            ScopeRow { what: "stage", bucket: Some(bucket), reason: Some(stage), since, until, ..ScopeRow::default() };
                        self.push(key, row, subjects);
                    }
                }
            }
        }
    }
}
