//! Drift: in which state applications were, and the episodes that began.

use super::{Builder, ScopeRow, Subject};
use crate::facts::drift::{Class, drift};
use crate::question::{Dimension, Tiers};
use flowgauge_lake::model::Time;
use std::collections::BTreeMap;

impl<'a> Builder<'a> {
    pub(super) fn drift(&mut self) {
        let facts = self.facts;
        let mut numbers: BTreeMap<&str, i64> = BTreeMap::new();
        for app in facts.apps.values() {
            let next = numbers.len() as i64;
            let id = *numbers.entry(app.app.as_str()).or_insert(next);
            let team = app.service.as_deref().and_then(|service| facts.catalogue.team(service));
            let labels = [
                (Dimension::App, Some(app.app.as_str())),
                (Dimension::Team, team),
                (Dimension::Service, app.service.as_deref()),
                (Dimension::Environment, app.environment.as_deref()),
            ];
            let of_tier = match self.question.tiers {
                Tiers::Default | Tiers::All => true,
                Tiers::One(tier) => app.tier == Some(tier),
            };
            if !of_tier || !self.passes(&labels) || !app.observations.first().is_some_and(|seen| self.exists(seen.observed_at)) {
                continue;
            }
            self.configured(&labels);
            let key = self.key(&labels);
            // What was worked out already stands unless the question is about a moment before the last look.
            let is_before = app.observations.last().is_some_and(|seen| !self.exists(seen.observed_at));
            let then = is_before.then(|| drift(&app.observations, Some(self.question.as_of)));
            let drift = then.as_ref().unwrap_or(&app.drift);
            // What was seen at that moment, or last before it.
            let look = |at: Time| {
                let next = app.observations.partition_point(|seen| seen.observed_at <= at);
                let seen = next.checked_sub(1).map(|i| app.observations[i].observed_at);
                seen.map(|seen| Subject::look(&app.source, &app.app, seen)).into_iter().collect::<Vec<_>>()
            };
            for stretch in drift.stretches.iter().filter(|stretch| stretch.class != Class::Unobserved) {
                let row = ScopeRow {
                    what: "stretch",
                    id: Some(id),
                    since: Some(stretch.from),
                    until: stretch.to,
                    reason: Some(match stretch.class {
                        Class::Blocked => "blocked",
                        class if class.is_live() => "live",
                        _ => "calm",
                    }),
                    ..ScopeRow::default()
                };
                self.push(&key, row, || look(stretch.from));
            }
            for episode in &drift.episodes {
                let Some(bucket) = self.bucket(episode.started_at) else { continue };
                let row = ScopeRow {
                    what: "episode",
                    bucket: Some(bucket),
                    id: Some(id),
                    at: Some(episode.started_at),
                    since: Some(episode.started_at),
                    until: episode.ended_at,
                    seconds: Some(episode.unobserved_seconds),
                    is_hidden: Some(episode.hidden),
                    ..ScopeRow::default()
                };
                self.push(&key, row, || look(episode.started_at));
            }
        }
    }
}
