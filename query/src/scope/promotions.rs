//! Promotion: versions that arrived in an environment, and versions that might.

use super::{Builder, ScopeRow, Subject};
use crate::facts::ServiceFacts;
use crate::facts::waiting::{Waiting, waiting};
use flowgauge_lake::model::Tier;

impl<'a> Builder<'a> {
    /// Whether an environment of a service is among those that are asked for.
    pub(super) fn shows(&self, of: &ServiceFacts, environment: &str) -> bool {
        self.counts(environment, of.tier(environment).unwrap_or(Tier::Other))
    }

    pub(super) fn promotions(&mut self) {
        for (service, of) in self.services() {
            self.connect(service, of);
            for promotion in of.promotions(self.question.as_of) {
                let arrived = &of.deployments[promotion.to];
                let Some(at) = arrived.finished_at() else { continue };
                let environment = arrived.row.environment.as_str();
                let Some(bucket) = self.bucket(at).filter(|_| self.shows(of, environment)) else { continue };
                let key = self.key(&self.deployment_labels(service, environment));
                let from = promotion.from.ok();
                let row = ScopeRow {
                    what: "promotion",
                    bucket: Some(bucket),
                    at: Some(at),
                    since: from.and_then(|from| of.deployments[from].finished_at()),
                    reason: promotion.from.err(),
                    count: Some(promotion.skipped as i64),
                    ..ScopeRow::default()
                };
                let subjects = || from.into_iter().chain([promotion.to]).map(|i| Subject::deployment(&of.deployments[i])).collect();
                self.push(&key, row, subjects);
                let Some(from) = from else { continue };
                for Waiting { reason, seconds } in waiting(service, of, from, promotion.to, self.facts, self.question.as_of) {
                    let row = ScopeRow {
                        what: "waiting",
                        bucket: Some(bucket),
                        reason: Some(reason),
                        seconds: Some(seconds),
                        ..ScopeRow::default()
                    };
                    self.push(&key, row, subjects);
                }
            }
        }
    }

    pub(super) fn entries(&mut self) {
        let horizon = self.facts.definitions.promotion_horizon;
        for (service, of) in self.services() {
            self.connect(service, of);
            for entry in of.entries(self.question.as_of) {
                let finish = |index: usize| of.deployments[index].finished_at();
                let Some(at) = finish(entry.from) else { continue };
                let Some(bucket) = self.bucket(at).filter(|_| self.shows(of, entry.environment)) else { continue };
                let key = self.key(&self.deployment_labels(service, entry.environment));
                let row = ScopeRow {
                    what: "entry",
                    bucket: Some(bucket),
                    at: entry.to.and_then(finish),
                    since: Some(at),
                    until: Some(at.plus_seconds(horizon)),
                    remedied_at: entry.overtaken_by.and_then(finish),
                    ..ScopeRow::default()
                };
                let involved = [Some(entry.from), entry.to, entry.overtaken_by];
                self.push(&key, row, || involved.into_iter().flatten().map(|i| Subject::deployment(&of.deployments[i])).collect());
            }
        }
    }
}
