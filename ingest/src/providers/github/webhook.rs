//! How a delivery of GitHub proves itself, which event it is and where its JSON stands.

use crate::provider::NormaliseError;
use crate::providers::shared;
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::RawEvent;
use serde::Deserialize;
use std::borrow::Cow;

pub const EVENT: &str = "x-github-event";
pub const DELIVERY: &str = "x-github-delivery";
const SIGNATURE: &str = "x-hub-signature-256";

/// HMAC-SHA256 over the bytes as they came: over the form, too, when the hook sends one. The old SHA-1 header proves nothing.
pub fn verify(hook: Webhook<Unverified>, secrets: &Secrets) -> Result<Webhook<Verified>, Rejected> {
    if secrets.is_none() {
        return Ok(hook.verified());
    }
    let shown = hook.headers.get(SIGNATURE).ok_or(Rejected::MissingSignature)?;
    let signature = shown.strip_prefix("sha256=").and_then(shared::signature).ok_or(Rejected::BadSignature)?;
    if secrets.signed(&[&hook.body], &signature) { Ok(hook.verified()) } else { Err(Rejected::BadSignature) }
}

/// The JSON of a delivery: the body itself, or the field `payload` of a form. JSON never begins with that word.
pub fn document(raw: &RawEvent) -> Result<Cow<'_, [u8]>, NormaliseError> {
    if !raw.body.starts_with(b"payload=") {
        return Ok(Cow::Borrowed(&raw.body));
    }
    let field = url::form_urlencoded::parse(&raw.body).find(|(name, _)| name == "payload");
    let (_, payload) = shared::need(field, "payload")?;
    Ok(Cow::Owned(payload.into_owned().into_bytes()))
}

/// The event's name: the header's, or what the members of the document tell (a recorded delivery may have lost its headers).
pub fn event_name(raw: &RawEvent) -> String {
    if let Some(name) = raw.header(EVENT) {
        return shared::event_name(name);
    }
    let members = document(raw).and_then(|document| shared::json::<Members>(&document)).unwrap_or_default();
    members.event().to_owned()
}

/// A member that is there, whatever it holds.
type Present = Option<serde::de::IgnoredAny>;

#[derive(Default, Deserialize)]
struct Members {
    alert: Present,
    commits: Present,
    deployment: Present,
    deployment_status: Present,
    issue: Present,
    merge_group: Present,
    package: Present,
    pull_request: Present,
    r#ref: Present,
    registry_package: Present,
    review: Present,
    workflow_job: Present,
    workflow_run: Present,
    zen: Present,
}

impl Members {
    /// The order matters: richer events hold the members of plainer ones (a job holds its deployment, a review its pull request).
    fn event(&self) -> &'static str {
        match self {
            m if m.zen.is_some() => "ping",
            m if m.workflow_job.is_some() => "workflow_job",
            m if m.deployment_status.is_some() => "deployment_status",
            m if m.deployment.is_some() => "deployment",
            m if m.workflow_run.is_some() => "workflow_run",
            m if m.review.is_some() => "pull_request_review",
            m if m.pull_request.is_some() => "pull_request",
            m if m.issue.is_some() => "issues",
            m if m.merge_group.is_some() => "merge_group",
            m if m.registry_package.is_some() => "registry_package",
            m if m.package.is_some() => "package",
            m if m.alert.is_some() => "dependabot_alert",
            m if m.commits.is_some() && m.r#ref.is_some() => "push",
            _ => "unknown",
        }
    }
}
