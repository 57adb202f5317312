//! Deployments: which environments count, since when a series is connected, rows of one version merged.

use super::{Builder, ScopeRow, Subject};
use crate::facts::ServiceFacts;
use crate::facts::changes::{Logical, fan_out};
use crate::facts::deployments::Classified;
use crate::facts::failures::{Failure, Fix};
use crate::metric::Population;
use crate::question::{Dimension, Tiers};
use flowgauge_lake::model::{DeploymentKind, Tier, Time};
use std::collections::BTreeMap;

impl<'a> Builder<'a> {
    pub(super) fn names_environment(&self) -> bool {
        self.question.filters.contains_key(&Dimension::Environment) || self.tiers != Tiers::Default
    }

    /// Whether deployments of this environment are counted: by default the production tier, unless environments or a tier are asked for.
    pub(super) fn counts(&self, environment: &str, tier: Tier) -> bool {
        let of_tier = match self.tiers {
            Tiers::Default => self.question.filters.contains_key(&Dimension::Environment) || self.facts.definitions.counts_tier(tier),
            Tiers::All => true,
            Tiers::One(wanted) => tier == wanted,
        };
        of_tier && self.question.filter(Dimension::Environment, Some(environment))
    }

    pub(super) fn services(&self) -> Vec<(&'a str, &'a ServiceFacts)> {
        let facts = self.facts;
        let team = |service: &str| facts.catalogue.team(service);
        let wanted =
            |service: &str| self.question.filter(Dimension::Service, Some(service)) && self.question.filter(Dimension::Team, team(service));
        facts.services.iter().filter(|(name, _)| wanted(name)).map(|(name, service)| (name.as_str(), service.as_ref())).collect()
    }

    pub(super) fn deployment_labels(&self, service: &'a str, environment: &'a str) -> [(Dimension, Option<&'a str>); 3] {
        let team = self.facts.catalogue.team(service);
        [(Dimension::Team, team), (Dimension::Service, Some(service)), (Dimension::Environment, Some(environment))]
    }

    /// Notes which series there are, and since when each has had a source (semantics, 7.3 and 7.6).
    pub(super) fn connect(&mut self, service: &'a str, of: &'a ServiceFacts) {
        let told_apart = self.question.by.contains(&Dimension::Environment) || self.names_environment();
        let belongs = |environment: &str, tier: Tier| !told_apart || self.counts(environment, tier);
        let shown = of.deployments.iter().map(|deployment| {
            let row = &deployment.row;
            let first = [row.created_at, row.started_at, row.finished_at].into_iter().flatten().min();
            (row.environment.as_str(), deployment.tier, deployment.finished_at(), first)
        });
        let hidden = of.deployments.iter().flat_map(|deployment| &deployment.duplicates);
        let hidden = hidden.map(|other| (other.environment.as_str(), other.tier, other.finished_at, other.first_at));
        // A row without a time of its own still shows that there is a source.
        let mut since: BTreeMap<&str, Option<Time>> = BTreeMap::new();
        for (environment, tier, finished_at, first) in shown.chain(hidden) {
            if finished_at.is_none_or(|at| self.exists(at)) && belongs(environment, tier) {
                let since = since.entry(environment).or_default();
                *since = [*since, first].into_iter().flatten().min();
            }
        }
        for (environment, first) in since {
            let series = self.configured(&self.deployment_labels(service, environment));
            series.connected_at = [series.connected_at, first].into_iter().flatten().min();
        }
    }

    pub(super) fn deployments(&mut self, population: Population) {
        for (service, of) in self.services() {
            self.connect(service, of);
            let all = &of.deployments;
            let rows = self.counted_rows(all);
            if population == Population::Rows {
                self.single_deployments(service, all, &rows);
                continue;
            }
            let groups = self.by_series(service, all, rows);
            for ((key, _), rows) in groups {
                let definitions = self.facts.definitions.clone();
                let is_in = |i: &usize| match population {
                    Population::Counted => all[*i].is_counted(&definitions),
                    _ => all[*i].is_at_risk(&definitions),
                };
                let (rows, left_out): (Vec<usize>, Vec<usize>) = rows.into_iter().partition(is_in);
                self.left_out(&key, all, &left_out, population);
                for group in &fan_out(all, rows.into_iter(), &definitions) {
                    self.logical_deployment(&key, service, all, group, population);
                }
            }
        }
        match population {
            Population::AtRisk => {
                self.attributed_incidents();
                self.recoveries();
            }
            Population::Counted => self.weeks(),
            Population::Rows => {}
        }
    }

    /// Deployments in the environments that are counted, as far as they have finished.
    pub(super) fn counted_rows(&self, all: &[Classified]) -> Vec<usize> {
        let wanted = |deployment: &Classified| {
            deployment.finished_at().is_some_and(|at| self.exists(at)) && self.counts(&deployment.row.environment, deployment.tier)
        };
        (0..all.len()).filter(|&i| wanted(&all[i])).collect()
    }

    /// Rows among which those of one version may be one deployment, with the series that they are in: split or filtered by
    /// environment nothing is merged across environments.
    pub(super) fn by_series(
        &self,
        service: &'a str,
        all: &'a [Classified],
        rows: Vec<usize>,
    ) -> BTreeMap<(Vec<String>, &'a str), Vec<usize>> {
        let apart = self.question.filters.contains_key(&Dimension::Environment);
        let mut groups: BTreeMap<(Vec<String>, &str), Vec<usize>> = BTreeMap::new();
        for i in rows {
            let environment = all[i].row.environment.as_str();
            let key = self.key(&self.deployment_labels(service, environment));
            groups.entry((key, if apart { environment } else { "" })).or_default().push(i);
        }
        groups
    }

    fn single_deployments(&mut self, service: &'a str, all: &'a [Classified], rows: &[usize]) {
        for &i in rows {
            let (Some(at), Some(outcome)) = (all[i].finished_at(), all[i].row.outcome) else { continue };
            let Some(bucket) = self.bucket(at) else { continue };
            let key = self.key(&self.deployment_labels(service, &all[i].row.environment));
            let row =
                ScopeRow { what: "deployment", bucket: Some(bucket), at: Some(at), outcome: Some(outcome.as_str()), ..ScopeRow::default() };
            self.push(&key, row, || vec![Subject::deployment(&all[i])]);
        }
    }

    /// Rows in the window that the metric does not count, by their kind.
    fn left_out(&mut self, key: &[String], all: &[Classified], rows: &[usize], population: Population) {
        for &i in rows {
            let reason = match (population, all[i].kind) {
                (Population::Counted, Some(DeploymentKind::NoOp)) if all[i].is_success() => "no_op",
                (Population::Counted, Some(DeploymentKind::ConfigOnly)) if all[i].is_success() => "config_only",
                (Population::AtRisk, Some(DeploymentKind::NoOp)) if all[i].took_effect => "no_op",
                (Population::AtRisk, Some(DeploymentKind::Rollback)) if all[i].took_effect => "rollback",
                _ => continue,
            };
            let Some(bucket) = all[i].finished_at().and_then(|at| self.bucket(at)) else { continue };
            let row = ScopeRow { what: "excluded", bucket: Some(bucket), reason: Some(reason), ..ScopeRow::default() };
            self.push(key, row, || vec![Subject::deployment(&all[i])]);
        }
    }

    fn logical_deployment(&mut self, key: &[String], service: &str, all: &[Classified], group: &Logical, population: Population) {
        let Some(at) = group.0.last().and_then(|&i| all[i].finished_at()) else { return };
        let Some(bucket) = self.bucket(at) else { return };
        let id = self.next_id;
        self.next_id += 1;
        let fixes = self.facts.fixes.get(service);
        let rework_at = |&i: &usize| {
            let unplanned = matches!(all[i].kind, Some(DeploymentKind::Rollback | DeploymentKind::Hotfix | DeploymentKind::Revert));
            let known = |fix: &&Fix| fix.until.is_none_or(|until| until > self.question.as_of);
            let fixed_since = || fixes.and_then(|fixes| fixes.get(&i))?.iter().filter(known).map(|fix| fix.since).min();
            if unplanned { all[i].finished_at() } else { fixed_since() }
        };
        let since = group.0.iter().filter_map(rework_at).min();
        let until = Some(at.plus_seconds(self.facts.definitions.maturity));
        let (day, week) = self.day_and_week(at);
        let placed = ScopeRow { what: "deployment", bucket: Some(bucket), id: Some(id), ..ScopeRow::default() };
        let row = ScopeRow { at: Some(at), since, until, day, week, ..placed };
        self.push(key, row, || group.0.iter().map(|&i| Subject::deployment(&all[i])).collect());
        // What failed is asked only of those that are at risk.
        let failures = self.facts.failures.get(service).filter(|_| population == Population::AtRisk).map_or(&[][..], Vec::as_slice);
        for &i in &group.0 {
            let from = failures.partition_point(|failure| failure.index < i);
            let known = |failure: &&Failure| failure.until.is_none_or(|until| until > self.question.as_of);
            for failure in failures[from..].iter().take_while(|failure| failure.index == i).filter(known).collect::<Vec<_>>() {
                let row = ScopeRow {
                    what: "failure",
                    bucket: Some(bucket),
                    id: Some(id),
                    at: Some(failure.at),
                    since: all[i].finished_at(),
                    until: failure.resolved_at,
                    remedied_at: failure.remediation.and_then(|remedy| all[remedy].finished_at()),
                    reason: Some(failure.reason),
                    is_incident: Some(failure.incident.is_some()),
                    ..ScopeRow::default()
                };
                self.push(key, row, || {
                    let incident = failure.incident.iter().map(|(source, id)| Subject::incident(source, id));
                    let remedy = failure.remediation.map(|remedy| Subject::deployment(&all[remedy]));
                    std::iter::once(Subject::deployment(&all[i])).chain(incident).chain(remedy).collect()
                });
            }
        }
    }
}
