//! A sync operation as a deployment.
//!
//! Not a deployment: a sync of chosen resources only, a self-heal (it puts back what was there), a dry run, and an application of
//! applications (its children are the deployments). An application without images may still be one.
//!
//! `sha` stays null: an image's tag is no commit id, at best a part of one. Tag and digest stand in `version` and `digest`, and
//! are resolved where the commits are known. The configuration's commit is `config_sha`: of the source that value files are taken
//! from by `$ref`, else of the first git source. `config_paths` are the files and folders of it that the application is made of.

use super::identity::Identity;
use super::image::{self, Artifact};
use super::overrides;
use super::payload::{self, Application, Notification, OperationState, Resource, SyncedResource};
use super::source::{self, Source};
use crate::provider::Rules;
use crate::providers::shared;
use flowgauge_lake::model::{Deployment, Evidence, Outcome, repo_name};

pub(super) fn row(notification: &Notification, identity: &Identity, rules: &Rules) -> Option<Deployment> {
    let app = &notification.app;
    let operation = app.status.operation_state.as_ref()?;
    if operation.is_partial() || operation.is_self_heal() || operation.is_dry_run() || is_parent(app) {
        return None;
    }
    let outcome = outcome(operation.phase.as_deref()?)?;
    let started_at = operation.started_at?;
    let sources = operation.sources(&app.spec);
    let revisions = operation.revisions().unwrap_or_default();
    let is_resolved = |(at, revision): (usize, &String)| source::is_resolved(revision, sources.get(at));
    // What an operation was asked for (a branch, nothing) becomes a revision while it runs. The id is made of that one.
    if !outcome.is_ended() && (revisions.is_empty() || !revisions.iter().enumerate().all(is_resolved)) {
        return None;
    }
    let config = source::configuring(&sources);
    let initiated_by = &operation.operation.initiated_by;
    let artifact = artifact(app, operation, identity, &sources, &revisions);
    Some(Deployment {
        deployment_id: format!("{}@{started_at}@{}", identity.app, revisions.join(",")),
        service: identity.service.clone(),
        environment: identity.environment.clone(),
        digest: artifact.digest,
        version: artifact.version,
        config_repo: config.and_then(|at| repo_name(&sources[at].repo_url)),
        config_sha: config.and_then(|at| revisions.get(at)).filter(|sha| source::is_whole_sha(sha)).and_then(|sha| shared::sha(sha)),
        config_paths: config.map(|at| source::paths(&sources, at)).filter(|paths| !paths.is_empty()),
        started_at: Some(started_at),
        finished_at: operation.finished_at(),
        outcome: Some(outcome),
        evidence: Some(Evidence::GitopsSync),
        automated: initiated_by.is_automated(),
        initiated_by: initiated_by.person(&rules.people),
        took_effect: took_effect(operation, outcome),
        url: page(notification),
        ..Default::default()
    })
}

fn outcome(phase: &str) -> Option<Outcome> {
    Some(match phase {
        "Succeeded" => Outcome::Success,
        "Failed" => Outcome::Failure,
        "Error" => Outcome::Error,
        "Running" | "Terminating" => Outcome::InProgress,
        _ => return None,
    })
}

fn is_parent(app: &Application) -> bool {
    let shown = app.status.resources.iter().flatten().map(|resource| resource.kind.as_deref());
    // While the first sync runs, the children show only in its result.
    let result = app.status.operation_state.as_ref().and_then(|operation| operation.sync_result.as_ref());
    let synced = result.and_then(|result| result.resources.as_ref()).into_iter().flatten().map(|resource| resource.kind.as_deref());
    shown.chain(synced).any(|kind| matches!(kind, Some("Application" | "ApplicationSet")))
}

/// What the operation brought: the images shown, if their pods are its own; else what the application sets itself.
fn artifact(app: &Application, operation: &OperationState, identity: &Identity, sources: &[Source], revisions: &[String]) -> Artifact {
    let images = app.status.summary.as_ref().and_then(|summary| summary.images.as_deref()).unwrap_or_default();
    let is_shown = shows_its_pods(app, operation, revisions);
    if is_shown && !images.is_empty() {
        return image::artifact(images, &identity.service, revisions);
    }
    let set: Vec<String> = sources.iter().flat_map(|source| overrides::references(&source.overrides, &identity.service)).collect();
    match (&set[..], sources, revisions) {
        // A chart that shows no images is known by its own version.
        ([], [Source { chart: Some(_), .. }], [version]) if is_shown => Artifact { version: Some(version.clone()), digest: None },
        _ => image::artifact(&set, &identity.service, revisions),
    }
}

/// The images shown are those of the pods there are: of this operation only once it succeeded and Argo CD has looked since, not
/// while pods of before are still being replaced, and not if what makes the pods has drifted from the operation's revision.
fn shows_its_pods(app: &Application, operation: &OperationState, revisions: &[String]) -> bool {
    let status = &app.status;
    let has_looked = status.reconciled_at.zip(operation.finished_at()).is_none_or(|(looked_at, finished_at)| looked_at >= finished_at);
    let is_rolling_out = status.health.status.as_deref() == Some("Progressing");
    let is_out_of_sync = status.sync.status.as_deref() == Some("OutOfSync") && status.sync.revisions().as_deref() == Some(revisions);
    let resources = status.resources.as_deref();
    let has_drifted = is_out_of_sync && resources.is_none_or(|resources| resources.iter().any(Resource::is_drifted_workload));
    operation.is_success() && has_looked && !is_rolling_out && !has_drifted
}

/// Whether an operation that did not succeed changed what runs: yes if it wrote a workload, no if it wrote nothing at all.
fn took_effect(operation: &OperationState, outcome: Outcome) -> Option<bool> {
    let resources = operation.sync_result.as_ref()?.resources.as_ref()?;
    if !outcome.is_bad() || resources.is_empty() {
        return None;
    }
    if resources.iter().any(is_changed_workload) {
        return Some(true);
    }
    let is_written = |resource: &SyncedResource| resource.status.as_deref() == Some("Synced") || resource.hook_type.is_some();
    (!resources.iter().any(is_written)).then_some(false)
}

fn is_changed_workload(resource: &SyncedResource) -> bool {
    let is_changed = resource.message.as_deref().is_some_and(|text| text.ends_with(" configured") || text.ends_with(" created"));
    payload::is_workload(resource.kind.as_deref()) && is_changed && resource.status.as_deref() == Some("Synced")
}

/// The application's page in Argo CD.
fn page(notification: &Notification) -> Option<String> {
    let base = notification.argocd_url.as_deref().filter(|address| address.starts_with("http"))?.trim_end_matches('/');
    let metadata = &notification.app.metadata;
    let (namespace, name) = (metadata.namespace.as_deref()?, metadata.name.as_deref()?);
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    (is_plain(namespace) && is_plain(name)).then(|| format!("{base}/applications/{namespace}/{name}"))
}
