//! Which deployments failed, why, since when that is known, and what ended it; and which deployment each incident belongs to
//! (semantics 1.3–1.5, 7.29–7.37). Instants and evidence only: what has failed *by now* is the question's business.

use super::deployments::{Classified, Tip};
use super::test_results::Check;
use super::verdicts::{Cause, Timeline, Verdicts, stretches};
use crate::catalogue::Catalogue;
use crate::definitions::{Attribution, AttributionScope, AttributionStrict, CfrDen, CfrNum, Definitions, Duplicates, IncidentTime};
use flowgauge_lake::model::{DeploymentKind, Incident, Outcome, Source, Tier, Time};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A deployment: its service and its index there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    pub service: String,
    pub index: usize,
}

/// One reason why a deployment failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Index into the service's deployments.
    pub index: usize,
    pub reason: &'static str,
    pub at: Time,
    pub incident: Option<(Source, String)>,
    pub resolved_at: Option<Time>,
    /// What ended it, where no incident says so: an index into the same service.
    pub remediation: Option<usize>,
    /// From then on the reason is none: the incident is known to be a duplicate, or somebody said that there was no failure.
    pub until: Option<Time>,
}

/// A production incident and what it is charged to.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub source: Source,
    pub incident: Incident,
    pub started_at: Time,
    pub services: Vec<String>,
    /// By the rules.
    pub deployment: Option<Spot>,
    pub rule: &'static str,
    /// Other deployments with the commit that it names: where pairs of a deployment and an incident are counted.
    pub joined: Vec<Spot>,
    /// What people said it was caused by.
    pub said: Timeline<Cause>,
    /// From then on it is known to repeat an incident that is counted already.
    pub repeats_from: Option<Time>,
}

impl Link {
    /// The deployment that it is charged to by all that is known at a moment, and why.
    pub fn charge(&self, as_of: Time) -> (Option<&Spot>, &'static str) {
        match self.said.iter().rev().find(|(at, _)| *at <= as_of) {
            Some((_, Some(cause))) => (cause.deployment.as_ref(), cause.rule),
            _ => (self.deployment.as_ref(), self.rule),
        }
    }
}

/// All deployments of a tenant by service.
pub type Deployments = BTreeMap<String, Arc<Vec<Classified>>>;

/// What a check after the deployment or the cluster said: service, environment, when.
#[derive(Clone, Debug, PartialEq)]
pub struct Degraded {
    pub service: String,
    pub environment: String,
    pub at: Time,
}

/// Finds a deployment by the id that others use for it.
pub struct Register<'a> {
    pub(super) deployments: &'a Deployments,
    by_id: HashMap<&'a str, Vec<Spot>>,
}

impl<'a> Register<'a> {
    pub fn new(deployments: &'a Deployments) -> Self {
        let mut by_id: HashMap<&str, Vec<Spot>> = HashMap::new();
        for (service, all) in deployments {
            for (index, deployment) in all.iter().enumerate().filter(|(_, deployment)| deployment.finished_at().is_some()) {
                let ids =
                    std::iter::once(&deployment.row.deployment_id).chain(deployment.duplicates.iter().map(|other| &other.deployment_id));
                ids.for_each(|id| by_id.entry(id).or_default().push(Spot { service: service.clone(), index }));
            }
        }
        Register { deployments, by_id }
    }

    pub fn at(&self, spot: &Spot) -> &'a Classified {
        &self.deployments[&spot.service][spot.index]
    }

    /// The row of the same source, else the only row with that id, else none (semantics, 7.33).
    pub fn find(&self, id: &str, source: &Source) -> Option<&Spot> {
        let spots = self.by_id.get(id)?;
        let named = |spot: &&Spot| {
            let deployment = self.at(spot);
            let is_own = deployment.row.deployment_id == id && deployment.source == *source;
            is_own || deployment.duplicates.iter().any(|other| other.deployment_id == id && other.source == *source)
        };
        spots.iter().find(named).or_else(|| spots.first().filter(|_| spots.len() == 1))
    }

    /// The next deployment of the same service and environment that succeeded.
    pub fn next_success(&self, spot: &Spot) -> Option<usize> {
        let all = &self.deployments[&spot.service];
        let later: Vec<usize> =
            (spot.index + 1..all.len()).filter(|&j| all[j].row.environment == all[spot.index].row.environment).collect();
        next_success(all, &later)
    }

    /// Production deployments of a service that took effect, in order.
    fn effective(&self, service: &str, definitions: &Definitions) -> impl DoubleEndedIterator<Item = Spot> + use<'_, 'a> {
        let service = service.to_owned();
        let all = self.deployments.get(&service);
        let (counts_all, wants_success) = (definitions.counts_tier(Tier::Other), definitions.cfr_den == CfrDen::Success);
        all.into_iter()
            .flat_map(|all| all.iter().enumerate())
            .filter(move |(_, deployment)| counts_all || deployment.tier == Tier::Production)
            .filter(move |(_, deployment)| deployment.took_effect && (!wants_success || deployment.is_success()))
            .map(move |(index, _)| Spot { service: service.clone(), index })
    }
}

/// The production incidents, each with the deployment it belongs to.
pub fn link_incidents(
    incidents: &[(Source, Incident)],
    register: &Register<'_>,
    verdicts: &Verdicts,
    tier: &dyn Fn(&str) -> Tier,
    catalogue: &Catalogue,
    definitions: &Definitions,
) -> Vec<Link> {
    let mut by_id: HashMap<&str, Vec<(&Source, &Incident)>> = HashMap::new();
    for (source, incident) in incidents {
        by_id.entry(&incident.incident_id).or_default().push((source, incident));
    }
    let repeats_from = |source: &Source, incident: &Incident| {
        let named = by_id.get(incident.duplicate_of.as_deref()?)?;
        let original = named.iter().find(|(other, _)| *other == source).or_else(|| named.first().filter(|_| named.len() == 1))?;
        Some(moment(original.1, definitions).unwrap_or(Time::MIN))
    };
    let mut links: Vec<Link> = incidents
        .iter()
        .filter(|(_, incident)| incident.environment.as_deref().is_none_or(|name| definitions.counts_tier(tier(name))))
        .filter_map(|(source, incident)| {
            let started_at = moment(incident, definitions)?;
            let mut services = incident.services.clone().unwrap_or_default();
            services.sort();
            services.dedup();
            let (deployment, rule) = attribute(source, incident, started_at, &services, register, catalogue, definitions);
            let joined = joined(incident, deployment.as_ref(), &services, register, definitions);
            let repeats_from = repeats_from(source, incident).filter(|_| definitions.duplicates == Duplicates::Once);
            let said = verdicts.cause(source, &incident.incident_id);
            let (source, incident) = (source.clone(), incident.clone());
            Some(Link { source, incident, started_at, services, deployment, rule, joined, said, repeats_from })
        })
        .collect();
    links.sort_by(|a, b| (a.started_at, &a.incident.incident_id, &a.source).cmp(&(b.started_at, &b.incident.incident_id, &b.source)));
    links
}

/// When an incident was, by the definitions.
fn moment(incident: &Incident, definitions: &Definitions) -> Option<Time> {
    match definitions.incident_time {
        IncidentTime::Started => incident.started_at.or(incident.created_at),
        IncidentTime::Created => incident.created_at.or(incident.started_at),
        IncidentTime::Detected => incident.detected_at.or(incident.started_at).or(incident.created_at),
    }
}

fn attribute(
    source: &Source,
    incident: &Incident,
    started_at: Time,
    services: &[String],
    register: &Register<'_>,
    catalogue: &Catalogue,
    definitions: &Definitions,
) -> (Option<Spot>, &'static str) {
    let reads_cause = matches!(definitions.attribution, Attribution::ExplicitThenLast | Attribution::Explicit);
    if let Some(id) = incident.caused_by_deployment.as_ref().filter(|_| reads_cause) {
        let spot = register.find(id, source).filter(|spot| {
            let deployment = register.at(spot);
            definitions.counts_tier(deployment.tier) && deployment.took_effect
        });
        return match spot {
            Some(spot) => (Some(spot.clone()), "caused_by_deployment"),
            None => (None, "unknown caused_by_deployment"),
        };
    }
    if let Some(sha) = incident.caused_by_sha.as_ref().filter(|_| reads_cause) {
        return match caused_by_commit(sha, &among(services, register), register, definitions) {
            Some(spot) => (Some(spot), "caused_by_sha"),
            None => (None, "unknown caused_by_sha"),
        };
    }
    match definitions.attribution {
        Attribution::None => return (None, "no attribution"),
        Attribution::Explicit => return (None, "no cause named"),
        Attribution::ExplicitThenLast | Attribution::LastBefore => {}
    }
    let among = match (services.is_empty(), definitions.attribution_scope) {
        (false, AttributionScope::Team) => services_of_teams(services, register, catalogue),
        (false, _) => services.to_vec(),
        (true, AttributionScope::Service) => return (None, "no service"),
        (true, _) => among(services, register),
    };
    let earliest = definitions.attribution_max_lag.map(|lag| started_at.plus_seconds(-lag));
    let is_later = |spot: &Spot| match definitions.attribution_strict {
        AttributionStrict::Le => register.at(spot).finished_at() > Some(started_at),
        AttributionStrict::Lt => register.at(spot).finished_at() >= Some(started_at),
    };
    let mut candidates: Vec<Spot> = among
        .iter()
        .flat_map(|service| {
            let recent = register.effective(service, definitions).rev();
            let after = recent.skip_while(is_later);
            after.take_while(|spot| register.at(spot).finished_at() >= earliest).collect::<Vec<_>>()
        })
        .collect();
    if let Some(environment) = &incident.environment {
        let is_there = |spot: &Spot| register.at(spot).row.environment == *environment;
        if candidates.iter().any(is_there) {
            candidates.retain(is_there);
        }
    }
    match candidates.into_iter().max_by(|a, b| register.at(a).order().cmp(&register.at(b).order())) {
        Some(spot) => (Some(spot), "latest_deployment"),
        None => (None, "no deployment within the lag"),
    }
}

/// These services, or all where none are named.
fn among(services: &[String], register: &Register<'_>) -> Vec<String> {
    if services.is_empty() { register.deployments.keys().cloned().collect() } else { services.to_vec() }
}

/// The services of the same teams.
fn services_of_teams(services: &[String], register: &Register<'_>, catalogue: &Catalogue) -> Vec<String> {
    let teams: BTreeSet<Option<&str>> = services.iter().map(|service| catalogue.team(service)).collect();
    register.deployments.keys().filter(|service| teams.contains(&catalogue.team(service))).cloned().collect()
}

/// Where pairs are counted, the other deployments that brought the commit that an incident names, or are of it.
fn joined(
    incident: &Incident,
    charged: Option<&Spot>,
    services: &[String],
    register: &Register<'_>,
    definitions: &Definitions,
) -> Vec<Spot> {
    let (CfrNum::Joins, Some(sha), None) = (definitions.cfr_num, &incident.caused_by_sha, &incident.caused_by_deployment) else {
        return Vec::new();
    };
    let has_it = |spot: &Spot| {
        let deployment = register.at(spot);
        match &deployment.tip {
            _ if deployment.row.sha.as_ref() == Some(sha) => true,
            Tip::Commit(repo, _) | Tip::Listed(repo, _, _) => repo.find(sha).is_some_and(|node| deployment.brought.contains(&node)),
            _ => false,
        }
    };
    let services = among(services, register);
    let all = services.iter().flat_map(|service| register.effective(service, definitions).collect::<Vec<_>>());
    all.filter(|spot| Some(spot) != charged && has_it(spot)).collect()
}

/// The first production deployment of that commit, else the first whose history contains it.
fn caused_by_commit(sha: &str, services: &[String], register: &Register<'_>, definitions: &Definitions) -> Option<Spot> {
    let mut all: Vec<Spot> = services.iter().flat_map(|service| register.effective(service, definitions).collect::<Vec<_>>()).collect();
    all.sort_by(|a, b| register.at(a).order().cmp(&register.at(b).order()));
    let of_it = all.iter().find(|spot| {
        let deployment = register.at(spot);
        let named = deployment.row.sha.as_deref() == Some(sha);
        named || matches!(&deployment.tip, Tip::Commit(repo, node) if repo.sha(*node) == sha)
    });
    if let Some(spot) = of_it {
        return Some(spot.clone());
    }
    all.into_iter().find(|spot| match &register.at(spot).tip {
        Tip::Commit(repo, tip) => repo.find(sha).is_some_and(|node| {
            let mut reached = super::graph::Reached::default();
            reached.close(repo, *tip);
            reached.contains(node)
        }),
        Tip::Listed(repo, nodes, _) => repo.find(sha).is_some_and(|node| nodes.contains(&node)),
        _ => false,
    })
}

/// What the deployments of one service say of each other: rollbacks, hotfixes, reverts and failures that took effect.
pub fn own_failures(all: &[Classified]) -> Vec<Failure> {
    let mut failures = Vec::new();
    let mut environments: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, deployment) in all.iter().enumerate().filter(|(_, deployment)| deployment.finished_at().is_some()) {
        environments.entry(&deployment.row.environment).or_default().push(i);
    }
    for indices in environments.values() {
        for (place, &i) in indices.iter().enumerate() {
            let before = &indices[..place];
            let Some(at) = all[i].finished_at() else { continue };
            let failed_by =
                |reason, index| Failure { index, reason, at, incident: None, resolved_at: None, remediation: Some(i), until: None };
            match all[i].kind {
                Some(DeploymentKind::Rollback) if all[i].took_effect => {
                    failures.extend(rolled_back(all, before, i).map(|index| failed_by("rollback", index)));
                }
                Some(DeploymentKind::Hotfix) if all[i].took_effect => {
                    let preceding = before.iter().rev().find(|&&j| all[j].took_effect && is_change(&all[j]));
                    failures.extend(preceding.map(|&index| failed_by("hotfix", index)));
                }
                Some(DeploymentKind::Revert) if all[i].took_effect => {
                    let brought = before.iter().filter(|&&j| all[j].brought.iter().any(|node| all[i].reverts.contains(node)));
                    failures.extend(brought.map(|&index| failed_by("revert", index)));
                }
                _ => {}
            }
            if all[i].took_effect && all[i].row.outcome.is_some_and(Outcome::is_bad) {
                let remediation = next_success(all, &indices[place + 1..]);
                failures.push(Failure { index: i, reason: "outcome", at, incident: None, resolved_at: None, remediation, until: None });
            }
        }
    }
    failures
}

/// Neither the same again nor a way back: something that can have failed.
fn is_change(deployment: &Classified) -> bool {
    !matches!(deployment.kind, Some(DeploymentKind::NoOp | DeploymentKind::Rollback))
}

/// The first change after the rollback's target: that is what failed (semantics, 7.30).
fn rolled_back(all: &[Classified], before: &[usize], rollback: usize) -> Option<usize> {
    let effective: Vec<usize> = before.iter().copied().filter(|&j| all[j].took_effect).collect();
    let target = effective.iter().rposition(|&j| super::deployments::same_version(&all[j].row, &all[rollback].row))?;
    effective[target + 1..].iter().copied().find(|&j| is_change(&all[j]))
}

fn next_success(all: &[Classified], after: &[usize]) -> Option<usize> {
    after.iter().copied().find(|&j| all[j].is_success())
}

/// Deployments that a check or the cluster's health condemned within the window after their finish (semantics, 7.32).
pub fn verified_failures(
    register: &Register<'_>,
    checks: &[Check],
    degraded: &[Degraded],
    definitions: &Definitions,
) -> BTreeMap<String, Vec<Failure>> {
    let mut failures: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
    let mut condemn = |spot: &Spot, reason, at: Time| {
        let all = &register.deployments[&spot.service];
        let deployment = &all[spot.index];
        let Some(finished) = deployment.finished_at() else { return };
        if !deployment.took_effect || at < finished || at > finished.plus_seconds(definitions.verify_window) {
            return;
        }
        let remediation = register.next_success(spot);
        let known = failures.entry(spot.service.clone()).or_default();
        match known.iter_mut().find(|failure| failure.index == spot.index && failure.reason == reason) {
            Some(failure) => failure.at = failure.at.min(at),
            None => known.push(Failure { index: spot.index, reason, at, incident: None, resolved_at: None, remediation, until: None }),
        }
    };
    for check in checks.iter().filter(|check| check.test.is_bad()) {
        if let Some((spot, at)) = check.candidates.first().zip(check.test.result.started_at) {
            condemn(spot, "test", at);
        }
    }
    for seen in degraded {
        for spot in finished_within(register, &seen.service, &seen.environment, seen.at, definitions.verify_window) {
            condemn(&spot, "degraded", seen.at);
        }
    }
    failures
}

fn finished_within(register: &Register<'_>, service: &str, environment: &str, at: Time, window: i64) -> Vec<Spot> {
    let Some(all) = register.deployments.get(service) else { return Vec::new() };
    let there = |deployment: &Classified| {
        deployment.row.environment == environment
            && deployment.finished_at().is_some_and(|finished| finished <= at && at <= finished.plus_seconds(window))
    };
    (0..all.len()).filter(|&i| there(&all[i])).map(|index| Spot { service: service.to_owned(), index }).collect()
}

/// The failures that incidents stand for, by service.
pub fn incident_failures(links: &[Link]) -> BTreeMap<String, Vec<Failure>> {
    let mut failures: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
    for link in links {
        let by_rule = (Time::MIN, link.said.first().map(|(at, _)| *at), link.deployment.as_ref());
        let said = stretches(&link.said)
            .map(|(from, until, cause)| (from, until, cause.map_or(link.deployment.clone(), |cause| cause.deployment)));
        let said: Vec<_> = said.collect();
        let joined = link.joined.iter().map(|spot| (by_rule.0, by_rule.1, Some(spot)));
        let charged = joined.chain([by_rule]).chain(said.iter().map(|(from, until, spot)| (*from, *until, spot.as_ref())));
        for (from, until, spot) in charged {
            let Some(spot) = spot else { continue };
            let at = link.started_at.max(from);
            let until = [until, link.repeats_from].into_iter().flatten().min();
            if until.is_some_and(|until| until <= at) {
                continue;
            }
            failures.entry(spot.service.clone()).or_default().push(Failure {
                index: spot.index,
                reason: "incident",
                at,
                incident: Some((link.source.clone(), link.incident.incident_id.clone())),
                resolved_at: link.incident.resolved_at,
                remediation: None,
                until,
            });
        }
    }
    failures
}

/// An incident that names a deployment as its fix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fix {
    /// The start of the incident.
    pub since: Time,
    /// From then on it is known to repeat another incident, and says nothing any more.
    pub until: Option<Time>,
}

/// Of each service's deployments, by index, the incidents that name it as their fix.
pub type Fixes = BTreeMap<String, BTreeMap<usize, Vec<Fix>>>;

/// Deployments that incidents name as their fix: unplanned work (semantics, 7.41).
pub fn fixes(links: &[Link], register: &Register<'_>) -> Fixes {
    let mut fixes = Fixes::new();
    for link in links {
        let Some(spot) = link.incident.fixed_by_deployment.as_deref().and_then(|id| register.find(id, &link.source)) else { continue };
        let fix = Fix { since: link.started_at, until: link.repeats_from };
        fixes.entry(spot.service.clone()).or_default().entry(spot.index).or_default().push(fix);
    }
    fixes
}
