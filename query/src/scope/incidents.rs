//! Incidents: those of a window, and whether they could be charged to a deployment.

use super::{Builder, ScopeRow, Subject};
use crate::definitions::{Attribution, CfrNum};
use crate::facts::deployments::Classified;
use crate::facts::failures::Link;
use crate::question::Dimension;
use std::collections::BTreeSet;

impl<'a> Builder<'a> {
    /// Incidents that start in the window, by whether they could be charged to a deployment: what coverage is told by. Where incidents
    /// are counted whatever caused them, each is `counted`.
    pub(super) fn attributed_incidents(&mut self) {
        let definitions = self.facts.definitions.clone();
        let counts_all = definitions.cfr_num == CfrNum::Incidents;
        if definitions.attribution == Attribution::None && !counts_all {
            return;
        }
        for link in self.facts.links.iter().filter(|link| link.repeats_from.is_none_or(|from| !self.exists(from))).collect::<Vec<_>>() {
            let Some(bucket) = self.exists(link.started_at).then(|| self.bucket(link.started_at)).flatten() else { continue };
            let reason = match self.charged(link) {
                _ if counts_all => "counted",
                Some(_) => "attributed",
                None => "unattributed",
            };
            for key in self.incident_series(link) {
                let row = ScopeRow { what: "incident", bucket: Some(bucket), reason: Some(reason), ..ScopeRow::default() };
                self.push(&key, row, || vec![Subject::of_link(link)]);
            }
        }
    }

    /// The deployment that an incident is charged to, if it had happened by the question's moment.
    pub(super) fn charged(&self, link: &Link) -> Option<&'a Classified> {
        let spot = link.charge(self.question.as_of).0?;
        Some(&self.facts.services.get(&spot.service)?.deployments[spot.index]).filter(|deployment| self.has_finished(deployment))
    }

    /// The series that an incident counts in: those of its services, each once; without a service only totals
    /// (semantics, 7.36). In a series of one environment only incidents that name it.
    pub(super) fn incident_series(&self, link: &Link) -> BTreeSet<Vec<String>> {
        // One that is charged to a deployment counts where that is.
        let charged = self.charged(link);
        let environment = charged.map(|deployment| deployment.row.environment.as_str()).or(link.incident.environment.as_deref());
        let by_environment =
            self.question.by.contains(&Dimension::Environment) || self.question.filters.contains_key(&Dimension::Environment);
        let by_service = self.question.by.iter().any(|dimension| matches!(dimension, Dimension::Service | Dimension::Team));
        let services: Vec<Option<&str>> = match link.services.as_slice() {
            [] if by_service => Vec::new(),
            [] => vec![None],
            services => services.iter().map(|service| Some(service.as_str())).collect(),
        };
        let labels = services.into_iter().map(|service| {
            let team = service.and_then(|service| self.facts.catalogue.team(service));
            [(Dimension::Team, team), (Dimension::Service, service), (Dimension::Environment, environment)]
        });
        labels
            .filter(|labels| {
                let without_environment = &labels[..2];
                self.passes(if by_environment { labels } else { without_environment })
            })
            .map(|labels| self.key(&labels))
            .collect()
    }

    pub(super) fn incidents(&mut self) {
        let facts = self.facts;
        for (_, services) in facts.incident_bases.iter().filter(|(at, _)| at.is_none_or(|at| self.exists(at))).collect::<Vec<_>>() {
            let all: Vec<Option<&str>> = services.iter().map(|service| Some(service.as_str())).collect();
            for service in if all.is_empty() { vec![None] } else { all } {
                let labels = [(Dimension::Team, service.and_then(|service| facts.catalogue.team(service))), (Dimension::Service, service)];
                let is_total = self.question.by.is_empty();
                if self.passes(&labels) && (service.is_some() || is_total) {
                    self.configured(&labels);
                }
            }
        }
        let known = |link: &&Link| self.exists(link.started_at) && link.repeats_from.is_none_or(|from| !self.exists(from));
        for link in facts.links.iter().filter(known).collect::<Vec<_>>() {
            for key in self.incident_series(link) {
                let (since, place) = self.restored(link);
                if let Some(bucket) = place.and_then(|place| self.bucket(place)) {
                    let row = ScopeRow {
                        what: "incident",
                        bucket: Some(bucket),
                        at: Some(link.started_at),
                        since: Some(since),
                        until: link.incident.resolved_at,
                        ..ScopeRow::default()
                    };
                    self.push(&key, row, || vec![Subject::of_link(link)]);
                }
            }
        }
    }
}
