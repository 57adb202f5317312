//! GitLab: project and group webhooks.
//!
//! | GitLab's event | our table | fields used |
//! | --- | --- | --- |
//! | Push Hook | `pushes`, `commits` | `ref`, `before`, `after`, `total_commits_count`, `commits[].{id,message,timestamp,author,added,modified,removed}` |
//! | Tag Push Hook | `pushes`, `commits` | the same; the commit of an annotated tag is `checkout_sha` |
//! | Merge Request Hook | `changes`, `reviews` | `object_attributes.{iid,action,state,created_at,updated_at,merge_commit_sha,squash_commit_sha,…}`, `labels`, `changes` |
//! | Note Hook | `reviews` | `object_attributes.{id,noteable_type,system,created_at}`, `merge_request.iid` |
//! | Pipeline Hook | `pipeline_runs`, `jobs` | `object_attributes`, `merge_request.iid`, `source_pipeline.pipeline_id`, `builds[]` |
//! | Job Hook | `jobs` | `build_*`, `pipeline_id`, `retries_count`, `runner`, `environment` |
//! | Deployment Hook | `deployments`, `approvals` | `status`, `status_changed_at`, `deployment_id`, `environment`, `commit_url`, `ref`, `approval` |
//! | Issue Hook | `incidents` | `object_attributes.{iid,type,state,action,severity,…}`, `labels` |
//! | Release Hook | `commits` | `commit` (a release names no digest, so there is no artifact to tell of) |
//!
//! What a hook does not say stays null: parents and author time of a commit (its `timestamp` is the committer's), the time of
//! a push, whether it was forced (but for a branch that moved back), a change's own commits (they follow from the pushes).

mod change;
mod deployment;
mod incident;
mod job;
mod note;
mod payload;
mod pipeline;
mod push;
mod release;
mod status;
mod webhook;

use crate::provider::{NormaliseError, Provider, Rules};
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::{Observation, RawEvent, Time};

pub struct Gitlab;

impl Provider for Gitlab {
    fn kind(&self) -> &'static str {
        "gitlab"
    }

    fn title(&self) -> &'static str {
        "GitLab"
    }

    fn kept_headers(&self) -> &'static [&'static str] {
        &[webhook::EVENT_HEADER]
    }

    fn events(&self) -> &'static [&'static str] {
        webhook::EVENTS
    }

    fn verify(&self, hook: Webhook<Unverified>, secrets: &Secrets, now: Time) -> Result<Webhook<Verified>, Rejected> {
        webhook::verify(hook, secrets, now)
    }

    fn delivery_id(&self, hook: &Webhook<Verified>) -> Option<String> {
        webhook::delivery_id(hook)
    }

    fn event_name(&self, raw: &RawEvent) -> String {
        webhook::event_name(raw)
    }

    fn normalise(&self, raw: &RawEvent, rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
        let event = webhook::event_name(raw);
        match event.as_str() {
            "Push Hook" | "Tag Push Hook" => push::normalise(&raw.body, rules),
            "Merge Request Hook" => change::normalise(&raw.body, rules),
            "Note Hook" => note::normalise(&raw.body, rules),
            "Pipeline Hook" => pipeline::normalise(&raw.body),
            "Job Hook" => job::normalise(&raw.body),
            "Deployment Hook" => deployment::normalise(&raw.body, rules),
            "Issue Hook" => incident::normalise(&raw.body, rules),
            "Release Hook" => release::normalise(&raw.body, rules),
            _ => Err(NormaliseError::UnknownEvent(event)),
        }
    }
}
