//! The notification and the fields of an Application that are read. Kubernetes leaves out what is empty, so all are optional.

use super::source::Source;
use crate::people::People;
use crate::provider::NormaliseError;
use crate::providers::shared;
use flowgauge_lake::model::Time;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) struct Notification {
    pub app: Application,
    /// When the notification was written, if it says so.
    pub timestamp: Option<Time>,
    pub argocd_url: Option<String>,
}

/// Wrapped by our template, or bare: the fields of both.
#[derive(Deserialize)]
struct Body {
    app: Option<Application>,
    context: Option<Context>,
    #[serde(default, deserialize_with = "shared::time")]
    timestamp: Option<Time>,
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    argocd_url: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Application {
    #[serde(default)]
    pub metadata: Metadata,
    #[serde(default)]
    pub spec: Spec,
    #[serde(default)]
    pub status: Status,
}

#[derive(Default, Deserialize)]
pub(super) struct Metadata {
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
pub(super) struct Spec {
    source: Option<Value>,
    sources: Option<Vec<Value>>,
    #[serde(default)]
    pub destination: Destination,
}

#[derive(Default, Deserialize)]
pub(super) struct Destination {
    pub namespace: Option<String>,
    pub name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    pub controller_namespace: Option<String>,
    #[serde(default)]
    pub sync: Sync,
    #[serde(default)]
    pub health: Health,
    pub operation_state: Option<OperationState>,
    pub history: Option<Vec<Deployed>>,
    #[serde(default, deserialize_with = "shared::time")]
    pub reconciled_at: Option<Time>,
    pub resources: Option<Vec<Resource>>,
    pub summary: Option<Summary>,
}

#[derive(Default, Deserialize)]
pub(super) struct Sync {
    pub status: Option<String>,
    revision: Option<String>,
    revisions: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    pub status: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    pub last_transition_time: Option<Time>,
}

/// An entry of `history`: a full sync that succeeded.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deployed {
    revision: Option<String>,
    revisions: Option<Vec<String>>,
    #[serde(default, deserialize_with = "shared::time")]
    pub deployed_at: Option<Time>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    pub kind: Option<String>,
    pub status: Option<String>,
    pub requires_pruning: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct Summary {
    pub images: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperationState {
    pub phase: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    pub started_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    finished_at: Option<Time>,
    #[serde(default)]
    pub operation: Operation,
    pub sync_result: Option<SyncResult>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Operation {
    #[serde(default)]
    pub initiated_by: InitiatedBy,
    #[serde(default)]
    sync: SyncOperation,
}

#[derive(Default, Deserialize)]
pub(super) struct InitiatedBy {
    username: Option<String>,
    automated: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SyncOperation {
    revision: Option<String>,
    revisions: Option<Vec<String>>,
    source: Option<Value>,
    sources: Option<Vec<Value>>,
    resources: Option<Vec<IgnoredAny>>,
    auto_heal_attempts_count: Option<i64>,
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct SyncResult {
    revision: Option<String>,
    revisions: Option<Vec<String>>,
    source: Option<Value>,
    sources: Option<Vec<Value>>,
    pub resources: Option<Vec<SyncedResource>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SyncedResource {
    pub kind: Option<String>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub message: Option<String>,
    /// Only hooks have a type. Plain resources show a `hookPhase` too, and keep `Running` after all is done.
    pub hook_type: Option<String>,
    pub hook_phase: Option<String>,
}

impl Notification {
    pub fn read(body: &[u8]) -> Result<Self, NormaliseError> {
        let body: Body = shared::json(body)?;
        let argocd_url = body.context.and_then(|context| context.argocd_url);
        let app = body.app.unwrap_or_else(|| Application {
            metadata: body.metadata.unwrap_or_default(),
            spec: body.spec.unwrap_or_default(),
            status: body.status.unwrap_or_default(),
        });
        Ok(Notification { app, timestamp: body.timestamp, argocd_url })
    }
}

impl Spec {
    /// The parameters as they stand: one source, or several.
    pub fn source_values(&self) -> &[Value] {
        source_values(self.source.as_ref(), self.sources.as_deref())
    }
}

impl Sync {
    pub fn revisions(&self) -> Option<Vec<String>> {
        revisions(self.revision.as_deref(), self.revisions.as_deref())
    }
}

impl Deployed {
    pub fn revisions(&self) -> Option<Vec<String>> {
        revisions(self.revision.as_deref(), self.revisions.as_deref())
    }
}

impl Resource {
    pub fn is_out_of_sync(&self) -> bool {
        self.status.as_deref() == Some("OutOfSync")
    }

    pub fn is_drifted_workload(&self) -> bool {
        self.is_out_of_sync() && self.requires_pruning != Some(true) && is_workload(self.kind.as_deref())
    }
}

impl InitiatedBy {
    pub fn person(&self, people: &People) -> Option<String> {
        self.username.clone().and_then(shared::filled).map(|name| people.name(&name))
    }

    pub fn is_automated(&self) -> Option<bool> {
        match (self.automated, &self.username) {
            (Some(true), _) => Some(true),
            (_, Some(_)) => Some(false),
            (_, None) => None,
        }
    }
}

impl OperationState {
    fn is_running(&self) -> bool {
        matches!(self.phase.as_deref(), Some("Running" | "Terminating"))
    }

    /// Between two tries an operation shows the end of the first, though it runs on.
    pub fn finished_at(&self) -> Option<Time> {
        self.finished_at.filter(|_| !self.is_running())
    }

    pub fn is_success(&self) -> bool {
        self.phase.as_deref() == Some("Succeeded")
    }

    /// What it syncs to: as it was resolved, else as it was asked for (which may be a branch, or nothing yet).
    pub fn revisions(&self) -> Option<Vec<String>> {
        let resolved = self.sync_result.as_ref();
        let resolved = resolved.and_then(|result| revisions(result.revision.as_deref(), result.revisions.as_deref()));
        let asked = &self.operation.sync;
        resolved.or_else(|| revisions(asked.revision.as_deref(), asked.revisions.as_deref()))
    }

    /// Where it syncs from, in the order of its revisions; the application's own sources if it does not say.
    pub fn sources(&self, spec: &Spec) -> Vec<Source> {
        let result = self.sync_result.as_ref().map(|result| source_values(result.source.as_ref(), result.sources.as_deref()));
        let asked = source_values(self.operation.sync.source.as_ref(), self.operation.sync.sources.as_deref());
        let values = [result.unwrap_or_default(), asked, spec.source_values()].into_iter().find(|values| !values.is_empty());
        values.unwrap_or_default().iter().map(Source::of).collect()
    }

    /// Only chosen resources: it leaves no entry in the history and does not bring the application to a revision.
    pub fn is_partial(&self) -> bool {
        self.operation.sync.resources.as_ref().is_some_and(|resources| !resources.is_empty())
    }

    pub fn is_self_heal(&self) -> bool {
        self.operation.sync.auto_heal_attempts_count.is_some_and(|count| count > 0)
    }

    pub fn is_dry_run(&self) -> bool {
        self.operation.sync.dry_run == Some(true)
    }
}

/// Whether a resource of this kind makes pods that serve.
pub(super) fn is_workload(kind: Option<&str>) -> bool {
    matches!(kind, Some("Deployment" | "StatefulSet" | "DaemonSet" | "Rollout"))
}

/// With several sources `revision` is there, but empty.
fn revisions(single: Option<&str>, several: Option<&[String]>) -> Option<Vec<String>> {
    match several {
        Some(several) if !several.is_empty() => Some(several.to_vec()),
        _ => single.filter(|revision| !revision.is_empty()).map(|revision| vec![revision.to_owned()]),
    }
}

/// With several sources `source` may be there with nothing but an empty `repoURL`.
fn source_values<'a>(single: Option<&'a Value>, several: Option<&'a [Value]>) -> &'a [Value] {
    match several {
        Some(several) if !several.is_empty() => several,
        _ => single.filter(|source| !Source::of(source).is_blank()).map(std::slice::from_ref).unwrap_or_default(),
    }
}
