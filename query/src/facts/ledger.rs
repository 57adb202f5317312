//! The ledger: every candidate for a deployment once, with one class and the reason for it. Candidates are the deployments, the rows
//! that tell of one of them again, and the operations of a GitOps controller that are no deployment (semantics 0.1, 1.8, 7.22).

use super::changes::fan_out;
use super::deployments::{Classified, Duplicate, GIVEN, ROLLED_FORWARD, SAID, environment_key};
use super::rows::excluded_reason;
use super::{AppFacts, Facts};
use crate::definitions::Definitions;
use flowgauge_lake::model::facts::LedgerEntry;
use flowgauge_lake::model::{Cell, DeploymentClass, DeploymentKind, Evidence, GitopsObservation, Outcome, Source, Tier, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What the ledger says of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub class: Option<DeploymentClass>,
    pub reason: String,
    /// Where one version came to several environments: the deployment that finished first.
    pub group: Option<usize>,
    /// Deployments that may be the same, but do not link.
    pub suspects: Vec<usize>,
}

/// The entries of one service's deployments, in their order.
pub fn entries(all: &[Classified], definitions: &Definitions) -> Vec<Entry> {
    let mut entries: Vec<Entry> = all
        .iter()
        .map(|deployment| {
            let (class, reason) = class(deployment);
            Entry { class, reason, group: None, suspects: Vec::new() }
        })
        .collect();
    let tiers: BTreeSet<Tier> = all.iter().map(|deployment| deployment.tier).collect();
    for tier in tiers {
        let rows = (0..all.len()).filter(|&i| all[i].tier == tier && all[i].is_counted(definitions));
        for group in fan_out(all, rows, definitions).iter().filter(|group| group.0.len() > 1) {
            let first = group.0[0];
            for &i in &group.0 {
                entries[i].group = Some(first);
            }
            for &i in &group.0[1..] {
                let row = &all[first].row;
                entries[i].class = Some(DeploymentClass::FanOutMember);
                entries[i].reason = format!("the version of {} in {}, in one more environment", row.deployment_id, row.environment);
            }
        }
    }
    for (a, b) in suspected(all, definitions.dedupe_window) {
        entries[a].suspects.push(b);
        entries[b].suspects.push(a);
    }
    entries
}

fn class(deployment: &Classified) -> (Option<DeploymentClass>, String) {
    let Some(kind) = deployment.kind else { return (None, "not finished".to_owned()) };
    if !deployment.took_effect {
        let outcome = deployment.row.outcome.map_or("", Outcome::as_str);
        let reason = match deployment.row.took_effect {
            Some(_) => format!("ended with {outcome} before it changed what runs"),
            None => format!("ended with {outcome}, and nothing says that it changed what runs"),
        };
        return (Some(DeploymentClass::FailedBeforeEffect), reason);
    }
    let reason = deployment.kind_reason;
    let is_told = [SAID, GIVEN].contains(&reason);
    let (class, reason) = match kind {
        DeploymentKind::Release if !is_told && deployment.previous.is_none() => {
            (DeploymentClass::Bootstrap, "the first that changed what runs in its environment")
        }
        DeploymentKind::Release if reason == ROLLED_FORWARD => (DeploymentClass::RollForward, reason),
        DeploymentKind::Release => (DeploymentClass::Release, reason),
        DeploymentKind::Rollback => (DeploymentClass::Rollback, reason),
        DeploymentKind::Hotfix => (DeploymentClass::Hotfix, reason),
        DeploymentKind::Revert => (DeploymentClass::Revert, reason),
        DeploymentKind::ConfigOnly => (DeploymentClass::ConfigOnly, reason),
        DeploymentKind::NoOp => (DeploymentClass::NoOp, reason),
    };
    (Some(class), reason.to_owned())
}

/// Pairs of deployments of one environment that finished within the window and were told by different evidence: as they are not one,
/// they have no commit or artifact in common. A witness that both have shows that they are two.
fn suspected(all: &[Classified], window: i64) -> Vec<(usize, usize)> {
    let witnesses = |deployment: &Classified| -> BTreeSet<Evidence> {
        deployment.row.evidence.into_iter().chain(deployment.duplicates.iter().filter_map(|other| other.evidence)).collect()
    };
    let mut pairs = Vec::new();
    for (i, later) in all.iter().enumerate().filter(|(_, deployment)| deployment.row.evidence.is_some()) {
        let Some(finished) = later.finished_at() else { continue };
        let near = (0..i).rev().take_while(|&j| all[j].finished_at().is_some_and(|at| at.plus_seconds(window) >= finished));
        for j in near.filter(|&j| all[j].row.evidence.is_some()) {
            let is_there = environment_key(&all[j].row.environment) == environment_key(&later.row.environment);
            if is_there && witnesses(&all[j]).is_disjoint(&witnesses(later)) {
                pairs.push((j, i));
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

/// An operation of a GitOps controller, as the last look at it showed it.
#[derive(Debug)]
struct Operation<'a> {
    seen: &'a GitopsObservation,
    started_at: Time,
    is_self_heal: bool,
    is_partial: bool,
}

fn operations(observations: &[GitopsObservation]) -> Vec<Operation<'_>> {
    let mut found: BTreeMap<Time, Operation<'_>> = BTreeMap::new();
    for seen in observations {
        let Some(started_at) = seen.op_started_at else { continue };
        let operation = found.entry(started_at).or_insert(Operation { seen, started_at, is_self_heal: false, is_partial: false });
        if seen.op_finished_at.is_some() || operation.seen.op_finished_at.is_none() {
            operation.seen = seen;
        }
        operation.is_self_heal |= seen.op_self_heal == Some(true);
        operation.is_partial |= seen.op_partial == Some(true);
    }
    found.into_values().collect()
}

/// What an operation without a deployment was. `makes_deployments`: its source tells the deployments of its other operations.
fn operation_class(operation: &Operation<'_>, makes_deployments: bool) -> Option<(DeploymentClass, &'static str)> {
    let none = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    if operation.is_self_heal {
        return Some((DeploymentClass::SelfHeal, "the controller put back what was there"));
    }
    if operation.is_partial {
        return Some(if none(&operation.seen.hooks) {
            (DeploymentClass::PartialSync, "only chosen resources were synced")
        } else {
            (DeploymentClass::HookOnlySync, "only chosen resources were synced, and hooks ran")
        });
    }
    // What shows images may have been a dry run, and what runs is no candidate yet: neither says more than that.
    let is_over = operation.seen.op_finished_at.is_some();
    (makes_deployments && is_over && none(&operation.seen.images))
        .then_some((DeploymentClass::AppOfAppsParent, "runs nothing of its own: its deployments are those of the applications it manages"))
}

/// The whole ledger as rows: deployments by service, each followed by what tells of it again; then operations by application.
pub fn rows(facts: &Facts) -> Vec<Vec<Cell>> {
    let mut rows: Vec<LedgerEntry> = Vec::new();
    for (service, of) in &facts.services {
        let all = &of.deployments;
        for (deployment, entry) in all.iter().zip(entries(all, &facts.definitions)) {
            rows.push(deployment_row(facts, service, all, deployment, entry));
            rows.extend(deployment.duplicates.iter().map(|other| duplicate_row(facts, service, deployment, other)));
        }
    }
    let deployments: BTreeSet<(&Source, &str)> = facts.services.values().flat_map(|of| of.deployments.iter()).flat_map(ids).collect();
    let has_deployment = |app: &AppFacts, started_at: Time| {
        let prefix = format!("{}@{started_at}@", app.app);
        let next = deployments.range((&app.source, prefix.as_str())..).next();
        next.is_some_and(|(source, id)| **source == app.source && id.starts_with(&prefix))
    };
    let makes_deployments: BTreeSet<&Source> = facts
        .apps
        .values()
        .filter(|app| app.observations.iter().filter_map(|seen| seen.op_started_at).any(|at| has_deployment(app, at)))
        .map(|app| &app.source)
        .collect();
    for app in facts.apps.values() {
        for operation in operations(&app.observations) {
            if !has_deployment(app, operation.started_at)
                && let Some((class, reason)) = operation_class(&operation, makes_deployments.contains(&app.source))
            {
                rows.push(operation_row(facts, app, &operation, class, reason));
            }
        }
    }
    rows.into_iter().map(LedgerEntry::into_cells).collect()
}

/// Under which ids a deployment is told.
fn ids(deployment: &Classified) -> impl Iterator<Item = (&Source, &str)> {
    let own = (&deployment.source, deployment.row.deployment_id.as_str());
    std::iter::once(own).chain(deployment.duplicates.iter().map(|other| (&other.source, other.deployment_id.as_str())))
}

fn deployment_row(facts: &Facts, service: &str, all: &[Classified], deployment: &Classified, entry: Entry) -> LedgerEntry {
    let row = &deployment.row;
    let id = |i: usize| all[i].row.deployment_id.clone();
    let is_member = entry.class == Some(DeploymentClass::FanOutMember);
    let excluded_reason = excluded_reason(deployment, &facts.definitions).or(is_member.then_some(DeploymentClass::FanOutMember.as_str()));
    LedgerEntry {
        deployment_id: row.deployment_id.clone(),
        source: deployment.source.as_str().to_owned(),
        service: Some(service.to_owned()),
        team: facts.catalogue.team(service).map(str::to_owned),
        environment: Some(row.environment.clone()),
        tier: Some(deployment.tier),
        at: deployment.finished_at().or(row.started_at).or(row.created_at),
        version: row.version.clone().or_else(|| row.sha.clone()).or_else(|| row.digest.clone()),
        kind: deployment.kind,
        outcome: row.outcome,
        evidence: row.evidence,
        class: entry.class,
        reason: Some(entry.reason),
        counted: excluded_reason.is_none(),
        excluded_reason: excluded_reason.map(str::to_owned),
        duplicate_of: None,
        suspected_duplicate_of: (!entry.suspects.is_empty()).then(|| entry.suspects.into_iter().map(id).collect()),
        deployment_group: entry.group.map(id),
    }
}

fn duplicate_row(facts: &Facts, service: &str, deployment: &Classified, other: &Duplicate) -> LedgerEntry {
    let class = DeploymentClass::DuplicateEvidence;
    LedgerEntry {
        deployment_id: other.deployment_id.clone(),
        source: other.source.as_str().to_owned(),
        service: Some(service.to_owned()),
        team: facts.catalogue.team(service).map(str::to_owned),
        environment: Some(other.environment.clone()),
        tier: Some(other.tier),
        at: other.finished_at.or(other.first_at),
        version: other.version.clone(),
        kind: None,
        outcome: other.outcome,
        evidence: other.evidence,
        class: Some(class),
        reason: Some("another row tells of the same deployment better".to_owned()),
        counted: false,
        excluded_reason: Some(class.as_str().to_owned()),
        duplicate_of: Some(deployment.row.deployment_id.clone()),
        suspected_duplicate_of: None,
        deployment_group: None,
    }
}

fn operation_row(facts: &Facts, app: &AppFacts, operation: &Operation<'_>, class: DeploymentClass, reason: &str) -> LedgerEntry {
    LedgerEntry {
        deployment_id: format!("{}@{}", app.app, operation.started_at),
        source: app.source.as_str().to_owned(),
        service: app.service.clone(),
        team: app.service.as_deref().and_then(|service| facts.catalogue.team(service)).map(str::to_owned),
        environment: app.environment.clone(),
        tier: app.tier,
        at: operation.seen.op_finished_at.or(Some(operation.started_at)),
        version: None,
        kind: None,
        outcome: None,
        evidence: Some(Evidence::GitopsSync),
        class: Some(class),
        reason: Some(reason.to_owned()),
        counted: false,
        excluded_reason: Some(class.as_str().to_owned()),
        duplicate_of: None,
        suspected_duplicate_of: None,
        deployment_group: None,
    }
}

#[cfg(test)]
mod tests;
