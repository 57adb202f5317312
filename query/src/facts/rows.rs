//! Facts as rows of the public fact tables.

use super::changes::ChangeRow;
use super::deployments::Classified;
use super::failures::{Failure, Link};
use super::false_results::Excuses;
use super::gate_rows::{gate_rows, test_rows};
use super::ledger::entries;
use super::pipelines::{Red, last_attempts, reds};
use super::runs::critical_path;
use super::stages::stages;
use super::{AppFacts, Facts, ServiceFacts, Stream};
use crate::definitions::Definitions;
use flowgauge_lake::model::facts::{
    ChangeFact, DeploymentFact, DeploymentFailure, DriftEpisode, DriftStretch, FactTable, Failures, IncidentLink, PipelineFact,
};
use flowgauge_lake::model::{Cell, DeploymentKind, Outcome, Source, Time};
use std::collections::{BTreeMap, HashMap, HashSet};

/// All rows of a fact table, in a fixed order.
pub fn fact_rows(facts: &Facts, table: FactTable) -> Vec<Vec<Cell>> {
    let services = || facts.services.iter().map(|(name, service)| (name.as_str(), service.as_ref()));
    match table {
        FactTable::Deployments => services().flat_map(|(name, service)| deployment_rows(facts, name, service)).collect(),
        FactTable::DeploymentLedger => super::ledger::rows(facts),
        FactTable::DeploymentFailures => services().flat_map(|(name, service)| failure_rows(facts, name, service)).collect(),
        FactTable::Changes => services().flat_map(|(name, service)| change_rows(facts, name, service)).collect(),
        FactTable::IncidentLinks => {
            facts.links.iter().filter(|link| link.repeats_from.is_none()).flat_map(|link| link_rows(facts, link)).collect()
        }
        FactTable::DriftStretches => facts.apps.values().flat_map(|app| stretch_rows(facts, app)).collect(),
        FactTable::DriftEpisodes => facts.apps.values().flat_map(|app| episode_rows(facts, app)).collect(),
        FactTable::Pipelines => facts.runs.values().flat_map(|runs| pipeline_rows(facts, runs.values().collect())).collect(),
        FactTable::TestVerdicts => {
            let excuses = Excuses::new(facts, Time::MAX);
            services().flat_map(|(name, service)| test_rows(facts, &excuses, name, service)).collect()
        }
        FactTable::GateCoverage => services().flat_map(|(name, service)| gate_rows(facts, name, service)).collect(),
    }
}

fn failures_of<'a>(facts: &'a Facts, service: &str, index: usize) -> impl Iterator<Item = &'a Failure> + use<'a> {
    let list = facts.failures.get(service).map_or(&[][..], Vec::as_slice);
    let from = list.partition_point(|failure| failure.index < index);
    list[from..].iter().take_while(move |failure| failure.index == index).filter(|failure| failure.until.is_none())
}

/// When a failed deployment was well again: with incidents when the last of them was over, without when the first remedy
/// finished (semantics, 7.37).
fn recovery(deployments: &[Classified], failures: &[&Failure]) -> (Option<Time>, Option<usize>) {
    let incidents: Vec<&&Failure> = failures.iter().filter(|failure| failure.incident.is_some()).collect();
    if !incidents.is_empty() {
        let open = incidents.iter().any(|failure| failure.resolved_at.is_none());
        return (incidents.iter().filter_map(|failure| failure.resolved_at).max().filter(|_| !open), None);
    }
    let remedies = failures.iter().filter_map(|failure| failure.remediation);
    let first = remedies.min_by_key(|&i| (deployments[i].finished_at(), deployments[i].row.deployment_id.clone()));
    (first.and_then(|i| deployments[i].finished_at()), first)
}

fn deployment_rows(facts: &Facts, service: &str, of: &ServiceFacts) -> Vec<Vec<Cell>> {
    let deployments = &of.deployments;
    let fixes = facts.fixes.get(service);
    let entries = entries(deployments, &facts.definitions);
    let row = |(index, deployment): (usize, &Classified)| {
        let failures: Vec<&Failure> = failures_of(facts, service, index).collect();
        let (recovered_at, remedy) = recovery(deployments, &failures);
        let unplanned = matches!(deployment.kind, Some(DeploymentKind::Rollback | DeploymentKind::Hotfix | DeploymentKind::Revert));
        let fixes = fixes.and_then(|fixes| fixes.get(&index)).into_iter().flatten();
        let fixed_since = fixes.filter(|fix| fix.until.is_none()).map(|fix| fix.since).min();
        let rework_at = if unplanned { deployment.finished_at() } else { fixed_since.zip(deployment.finished_at()).map(|(a, b)| a.max(b)) };
        let excluded_reason = excluded_reason(deployment, &facts.definitions);
        let id = |i: usize| deployments[i].row.deployment_id.clone();
        DeploymentFact {
            deployment_id: deployment.row.deployment_id.clone(),
            source: deployment.source.as_str().to_owned(),
            service: service.to_owned(),
            team: facts.catalogue.team(service).map(str::to_owned),
            environment: deployment.row.environment.clone(),
            tier: deployment.tier,
            version: deployment.row.version.clone(),
            repo: deployment.row.repo.clone(),
            sha: deployment.row.sha.clone(),
            digest: deployment.row.digest.clone(),
            config_sha: deployment.row.config_sha.clone(),
            started_at: deployment.row.started_at,
            finished_at: deployment.finished_at(),
            outcome: deployment.row.outcome,
            kind: deployment.kind,
            kind_reason: (!deployment.kind_reason.is_empty()).then(|| deployment.kind_reason.to_owned()),
            took_effect: deployment.took_effect,
            counted: excluded_reason.is_none(),
            excluded_reason: excluded_reason.map(str::to_owned),
            previous_deployment_id: deployment.previous.map(id),
            // The first deployment brings all of history, which is no change of anybody's.
            change_count: if deployment.previous.is_none() { 0 } else { deployment.brought.len() as i64 },
            failures: Failures(
                failures
                    .iter()
                    .map(|failure| (failure.reason.to_owned(), failure.at, failure.incident.as_ref().map(|(_, id)| id.clone())))
                    .collect(),
            ),
            recovered_at,
            remediation_deployment_id: remedy.map(id),
            rework: rework_at.is_some(),
            rework_at,
            change_set_id: deployment.row.change_set_id.clone(),
            evidence: deployment.row.evidence,
            link_rule: deployment.link.rule().to_owned(),
            link_confidence: deployment.link.confidence().map(str::to_owned),
            duplicates: (!deployment.duplicates.is_empty())
                .then(|| deployment.duplicates.iter().map(|other| other.deployment_id.clone()).collect()),
            url: deployment.row.url.clone(),
            class: entries[index].class,
            class_reason: Some(entries[index].reason.clone()),
            suspected_duplicate_of: (!entries[index].suspects.is_empty())
                .then(|| entries[index].suspects.iter().copied().map(id).collect()),
        }
        .into_cells()
    };
    deployments.iter().enumerate().map(row).collect()
}

/// Why a deployment does not count in deployment frequency, the strongest reason first.
pub(super) fn excluded_reason(deployment: &Classified, definitions: &Definitions) -> Option<&'static str> {
    if deployment.finished_at().is_none() {
        Some("not_finished")
    } else if !deployment.is_success() {
        Some("not_successful")
    } else if !deployment.is_counted(definitions) {
        deployment.kind.map(DeploymentKind::as_str)
    } else if !definitions.counts_tier(deployment.tier) {
        Some("not_production")
    } else {
        None
    }
}

fn failure_rows(facts: &Facts, service: &str, of: &ServiceFacts) -> Vec<Vec<Cell>> {
    let deployments = &of.deployments;
    let row = |failure: &Failure| {
        let deployment = &deployments[failure.index];
        let remedy = failure.remediation.map(|i| &deployments[i]);
        DeploymentFailure {
            deployment_id: deployment.row.deployment_id.clone(),
            source: deployment.source.as_str().to_owned(),
            service: service.to_owned(),
            environment: deployment.row.environment.clone(),
            reason: failure.reason.to_owned(),
            at: failure.at,
            incident_id: failure.incident.as_ref().map(|(_, id)| id.clone()),
            resolved_at: failure.resolved_at,
            remediation_deployment_id: remedy.map(|remedy| remedy.row.deployment_id.clone()),
            remediated_at: remedy.and_then(Classified::finished_at),
        }
        .into_cells()
    };
    facts.failures.get(service).into_iter().flatten().filter(|failure| failure.until.is_none()).map(row).collect()
}

fn change_rows(facts: &Facts, service: &str, of: &ServiceFacts) -> Vec<Vec<Cell>> {
    let environments = of.environments.values().map(|stream| ("environment", stream));
    std::iter::once(("service", &of.production))
        .chain(environments)
        .flat_map(|(grain, stream)| stream_rows(facts, service, of, grain, stream))
        .collect()
}

fn stream_rows(facts: &Facts, service: &str, of: &ServiceFacts, grain: &str, stream: &Stream) -> Vec<Vec<Cell>> {
    let row = |change: &ChangeRow| {
        let group = &stream.logical[change.logical].0;
        let first = &of.deployments[group[0]];
        let deployed_at = group.last().and_then(|&i| of.deployments[i].finished_at()).unwrap_or_default();
        let lead = change.started_at.map(|started| deployed_at.seconds_since(started)).filter(|_| change.excluded.is_none());
        let skewed = lead.is_some_and(|seconds| seconds < 0.0);
        let last = group.last().map(|&i| &of.deployments[i]);
        let measured = change.started_at.zip(last).filter(|_| lead.is_some() && !skewed);
        let parts = measured.and_then(|(started, last)| stages(started, change.landing, last)).unwrap_or_default();
        let [
            coding_seconds,
            pickup_seconds,
            review_seconds,
            merge_wait_seconds,
            build_seconds,
            promote_wait_seconds,
            sync_wait_seconds,
            deploy_seconds,
        ] = parts;
        ChangeFact {
            grain: grain.to_owned(),
            service: service.to_owned(),
            team: facts.catalogue.team(service).map(str::to_owned),
            environment: first.row.environment.clone(),
            tier: first.tier,
            deployment_id: first.row.deployment_id.clone(),
            source: first.source.as_str().to_owned(),
            repo: change.repo.clone(),
            sha: change.sha.clone(),
            change_id: change.change_id.clone(),
            started_at: change.started_at,
            deployed_at,
            lead_seconds: lead.filter(|_| !skewed),
            excluded_reason: if skewed { Some("clock_skew".to_owned()) } else { change.excluded.map(str::to_owned) },
            link_rule: change.link_rule.to_owned(),
            coding_seconds,
            pickup_seconds,
            review_seconds,
            merge_wait_seconds,
            build_seconds,
            promote_wait_seconds,
            sync_wait_seconds,
            deploy_seconds,
        }
        .into_cells()
    };
    stream.changes.iter().map(row).collect()
}

fn link_rows(facts: &Facts, link: &Link) -> Vec<Vec<Cell>> {
    let (spot, rule) = link.charge(Time::MAX);
    let charged = spot.map(|spot| &facts.services[&spot.service].deployments[spot.index]);
    let services: Vec<Option<String>> =
        if link.services.is_empty() { vec![None] } else { link.services.iter().cloned().map(Some).collect() };
    let row = |service: Option<String>| {
        IncidentLink {
            incident_id: link.incident.incident_id.clone(),
            source: link.source.as_str().to_owned(),
            team: service.as_deref().and_then(|service| facts.catalogue.team(service)).map(str::to_owned),
            service,
            environment: link.incident.environment.clone(),
            severity: link.incident.severity.clone(),
            started_at: link.started_at,
            resolved_at: link.incident.resolved_at,
            deployment_id: charged.map(|deployment| deployment.row.deployment_id.clone()),
            deployment_source: charged.map(|deployment| deployment.source.as_str().to_owned()),
            deployment_service: spot.map(|spot| spot.service.clone()),
            rule: rule.to_owned(),
            attributed: charged.is_some(),
            lag_seconds: charged.and_then(Classified::finished_at).map(|finished| link.started_at.seconds_since(finished)),
        }
        .into_cells()
    };
    services.into_iter().map(row).collect()
}

fn stretch_rows(facts: &Facts, app: &AppFacts) -> Vec<Vec<Cell>> {
    let row = |stretch: &super::drift::Stretch| {
        DriftStretch {
            app: app.app.clone(),
            source: app.source.as_str().to_owned(),
            service: app.service.clone(),
            team: app.service.as_deref().and_then(|service| facts.catalogue.team(service)).map(str::to_owned),
            environment: app.environment.clone(),
            tier: app.tier,
            class: stretch.class.as_str().to_owned(),
            from_at: stretch.from,
            to_at: stretch.to,
        }
        .into_cells()
    };
    app.drift.stretches.iter().map(row).collect()
}

fn episode_rows(facts: &Facts, app: &AppFacts) -> Vec<Vec<Cell>> {
    let row = |episode: &super::drift::Episode| {
        DriftEpisode {
            app: app.app.clone(),
            source: app.source.as_str().to_owned(),
            service: app.service.clone(),
            team: app.service.as_deref().and_then(|service| facts.catalogue.team(service)).map(str::to_owned),
            environment: app.environment.clone(),
            tier: app.tier,
            class: episode.class.as_str().to_owned(),
            started_at: episode.started_at,
            ended_at: episode.ended_at,
            ended_by: episode.ended_by.map(str::to_owned),
            resolution_seconds: episode.resolution_seconds,
            resources_max: episode.resources_max,
            hidden: episode.hidden,
        }
        .into_cells()
    };
    app.drift.episodes.iter().map(row).collect()
}

/// The attempts of one repository, with what follows from all of them together.
fn pipeline_rows(facts: &Facts, attempts: Vec<&PipelineFact>) -> Vec<Vec<Cell>> {
    let last = last_attempts(&attempts);
    let reds = reds(&last, Time::MAX);
    let reds: HashMap<*const PipelineFact, &Red<'_>> = reds.iter().map(|red| (std::ptr::from_ref(red.opened_by), red)).collect();
    let last: HashSet<*const PipelineFact> = last.into_iter().map(std::ptr::from_ref).collect();
    let path = |fact: &PipelineFact| {
        let is_done = fact.result == Some(Outcome::Success) && last.contains(&std::ptr::from_ref(fact));
        let group = facts.by_run.get(&Source::new(&fact.source), &fact.run_id).filter(|_| is_done)?;
        let run = group.runs.iter().find(|run| run.pipeline == fact.pipeline)?;
        Some(critical_path(group.jobs_of(run), Time::MAX)).filter(|path| !path.is_empty())
    };
    let row = |fact: &PipelineFact| {
        let (red, path) = (reds.get(&std::ptr::from_ref(fact)), path(fact));
        PipelineFact {
            critical_path: path.as_ref().map(|path| path.iter().map(|step| step.job.label().to_owned()).collect()),
            critical_path_seconds: path.map(|path| path.iter().map(|step| step.seconds).sum()),
            red_from: red.map(|red| red.from),
            red_to: red.and_then(|red| red.until),
            ..fact.clone()
        }
        .into_cells()
    };
    attempts.into_iter().map(row).collect()
}

/// Rows of a fact table by the month of its partition.
pub fn by_month(table: FactTable, rows: Vec<Vec<Cell>>) -> BTreeMap<String, Vec<Vec<Cell>>> {
    let mut months: BTreeMap<String, Vec<Vec<Cell>>> = BTreeMap::new();
    for row in rows {
        months.entry(table.month_of(&row)).or_default().push(row);
    }
    months
}
