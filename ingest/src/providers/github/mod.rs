//! GitHub, by its webhooks.
//!
//! | event | table | from |
//! | --- | --- | --- |
//! | `push` | `pushes`, `commits` | ref, before, after, forced; `commits[]`; `repository.pushed_at` |
//! | `pull_request` | `changes` | the pull request as it stands; `merge_sha` once merged |
//! | `pull_request_review` | `reviews` | review id, state, reviewer, `submitted_at` |
//! | `workflow_run` | `pipeline_runs` | one row an attempt; finish = `updated_at` once completed |
//! | `workflow_job` | `jobs` | times, runner, labels; the environment of its deployment |
//! | `deployment` | `deployments` | id, sha, ref, environment, creator: queued |
//! | `deployment_status` | `deployments` | state, at the status's own time; `inactive` says nothing |
//! | `issues` | `incidents` | issues with one of the labels of `incident_labels` |
//! | `package`, `registry_package` | `artifacts` | digest, tag, OCI labels, or the commit GitHub names |
//! | `ping`, `merge_group`, `dependabot_alert` | | known, says nothing for us |

mod normalise;
mod payload;
mod webhook;

use crate::provider::{NormaliseError, Provider, Rules};
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::{Observation, RawEvent, Time};

pub struct Github;

impl Provider for Github {
    fn kind(&self) -> &'static str {
        "github"
    }

    fn title(&self) -> &'static str {
        "GitHub"
    }

    fn kept_headers(&self) -> &'static [&'static str] {
        &[webhook::EVENT, "content-type"]
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            "dependabot_alert",
            "deployment",
            "deployment_status",
            "issues",
            "merge_group",
            "package",
            "ping",
            "pull_request",
            "pull_request_review",
            "push",
            "registry_package",
            "workflow_job",
            "workflow_run",
        ]
    }

    fn verify(&self, hook: Webhook<Unverified>, secrets: &Secrets, _now: Time) -> Result<Webhook<Verified>, Rejected> {
        webhook::verify(hook, secrets)
    }

    fn delivery_id(&self, hook: &Webhook<Verified>) -> Option<String> {
        hook.headers.get(webhook::DELIVERY).filter(|id| !id.is_empty()).map(str::to_owned)
    }

    fn event_name(&self, raw: &RawEvent) -> String {
        webhook::event_name(raw)
    }

    fn normalise(&self, raw: &RawEvent, rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
        let event = webhook::event_name(raw);
        let document = webhook::document(raw)?;
        normalise::normalise(&event, &document, rules).unwrap_or(Err(NormaliseError::UnknownEvent(event)))
    }
}
