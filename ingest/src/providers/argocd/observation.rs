//! The state of the application as the notification shows it: one row of `gitops_observations`.
//!
//! `reconciled_at` stays null: no notification comes while nothing happens, so its silence says nothing. Only a poll may set it.

use super::identity::Identity;
use super::payload::{InitiatedBy, Notification, OperationState, Resource, Status};
use super::source;
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::{GitopsObservation, SyncStatus, Time};

pub(super) fn row(notification: &Notification, identity: &Identity, rules: &Rules) -> Result<GitopsObservation, NormaliseError> {
    let app = &notification.app;
    let status = &app.status;
    let operation = status.operation_state.as_ref();
    let initiated_by = operation.map(|operation| &operation.operation.initiated_by);
    let is_healthy = status.health.status.as_deref() == Some("Healthy");
    Ok(GitopsObservation {
        app: identity.app.clone(),
        observed_at: shared::need(notification.timestamp.or_else(|| latest_moment(status)), "timestamp")?,
        service: Some(identity.service.clone()),
        environment: Some(identity.environment.clone()),
        sync_status: status.sync.status.as_deref().and_then(SyncStatus::parse),
        compared_revisions: status.sync.revisions(),
        synced_revisions: synced_revisions(status),
        source_hash: source::hash(app.spec.source_values()),
        health: status.health.status.clone(),
        op_phase: operation.and_then(|operation| operation.phase.clone()),
        op_started_at: operation.and_then(|operation| operation.started_at),
        op_finished_at: operation.and_then(OperationState::finished_at),
        op_revisions: operation.and_then(OperationState::revisions),
        op_automated: initiated_by.and_then(InitiatedBy::is_automated),
        op_initiated_by: initiated_by.and_then(|by| by.person(&rules.people)),
        op_self_heal: operation.map(OperationState::is_self_heal),
        op_partial: operation.map(OperationState::is_partial),
        out_of_sync: status.resources.as_deref().map(|resources| out_of_sync(resources).count() as i64),
        prune_only: status.resources.as_deref().map(prune_only),
        images: status.summary.as_ref().and_then(|summary| summary.images.clone()),
        hooks: operation.and_then(hooks),
        healthy_at: status.health.last_transition_time.filter(|_| is_healthy),
        ..Default::default()
    })
}

/// When it was seen, if the notification itself does not say: no earlier than anything that it shows.
fn latest_moment(status: &Status) -> Option<Time> {
    let operation = status.operation_state.as_ref();
    let deployed = status.history.iter().flatten().filter_map(|entry| entry.deployed_at);
    [
        status.reconciled_at,
        status.health.last_transition_time,
        operation.and_then(|operation| operation.started_at),
        operation.and_then(OperationState::finished_at),
    ]
    .into_iter()
    .flatten()
    .chain(deployed)
    .max()
}

/// Of the last full sync that succeeded: the one shown, else the newest in the history (which keeps no others).
fn synced_revisions(status: &Status) -> Option<Vec<String>> {
    let shown = status.operation_state.as_ref();
    let shown = shown.filter(|operation| operation.is_success() && !operation.is_partial() && !operation.is_dry_run());
    shown.and_then(OperationState::revisions).or_else(|| status.history.as_ref()?.last()?.revisions())
}

fn out_of_sync(resources: &[Resource]) -> impl Iterator<Item = &Resource> {
    resources.iter().filter(|resource| resource.is_out_of_sync())
}

fn prune_only(resources: &[Resource]) -> bool {
    out_of_sync(resources).next().is_some() && out_of_sync(resources).all(|resource| resource.requires_pruning == Some(true))
}

/// `name:phase` of what ran as a hook of the operation.
fn hooks(operation: &OperationState) -> Option<Vec<String>> {
    let resources = operation.sync_result.as_ref()?.resources.as_ref()?;
    let hooks = resources.iter().filter(|resource| resource.hook_type.as_ref().is_some_and(|kind| !kind.is_empty()));
    let hooks: Vec<String> =
        hooks.filter_map(|hook| Some(format!("{}:{}", hook.name.as_deref()?, hook.hook_phase.as_deref().unwrap_or_default()))).collect();
    (!hooks.is_empty()).then_some(hooks)
}
