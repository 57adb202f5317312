//! Deployment Hook: how a deployment stands, and who let it pass or not.
//!
//! - The full commit id is the tail of `commit_url`; the hook itself has a short one, which is no id.
//! - `run_id` is the job that deploys (`deployable_id`): the hook does not name the pipeline, `jobs` does by that job.
//! - A wait for approval is a row of `approvals` with id `{deployment}@blocked`; each answer has GitLab's id. Both name the
//!   deployment.

use super::payload::{Project, User};
use super::status;
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::{Approval, ApprovalKind, Deployment, Evidence, Observation, Outcome, Time};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    status: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    status_changed_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::id")]
    deployment_id: Option<String>,
    #[serde(default, deserialize_with = "shared::id")]
    deployable_id: Option<String>,
    deployable_url: Option<String>,
    environment: Option<String>,
    project: Option<Project>,
    user: Option<User>,
    commit_url: Option<String>,
    r#ref: Option<String>,
    approver: Option<User>,
    approval: Option<ApprovalPayload>,
}

#[derive(Deserialize)]
struct ApprovalPayload {
    #[serde(default, deserialize_with = "shared::id")]
    id: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    created_at: Option<Time>,
}

pub(super) fn normalise(body: &[u8], rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let project = hook.project.unwrap_or_default();
    let deployment_id = shared::need(hook.deployment_id, "deployment_id")?;
    let service = shared::need(project.name(), "project.path_with_namespace")?;
    let environment = shared::need(hook.environment.and_then(shared::filled), "environment")?;
    let status = hook.status.unwrap_or_default();
    let at = hook.status_changed_at;

    let approval = Approval {
        kind: ApprovalKind::Environment,
        deployment_id: Some(deployment_id.clone()),
        service: Some(service.clone()),
        environment: Some(environment.clone()),
        ..Default::default()
    };
    let approval = match status.as_str() {
        "blocked" => Some(Approval { approval_id: format!("{deployment_id}@blocked"), requested_at: at, ..approval }),
        "approved" | "rejected" => {
            let answer = hook.approval.as_ref();
            let decided_at = answer.and_then(|answer| answer.created_at).or(at);
            let id = answer.and_then(|answer| answer.id.clone());
            Some(Approval {
                approval_id: id.unwrap_or_else(|| decided_at.map_or(deployment_id.clone(), |at| format!("{deployment_id}@{at}"))),
                decided_at,
                decision: Some(status.clone()),
                actor: hook.approver.and_then(|approver| approver.pseudonym(&rules.people)),
                ..approval
            })
        }
        _ => None,
    };

    let outcome = match status.as_str() {
        // An answer does not start the deployment yet.
        "approved" | "rejected" => Some(Outcome::Queued),
        status => status::outcome(status),
    };
    let deployment = Deployment {
        deployment_id,
        service,
        environment,
        sha: hook.commit_url.as_deref().and_then(sha_of_commit),
        repo: project.repo(),
        created_at: at.filter(|_| status == "created"),
        started_at: at.filter(|_| status == "running"),
        finished_at: at.filter(|_| outcome.is_some_and(Outcome::is_ended)),
        outcome,
        branch: hook.r#ref,
        evidence: Some(Evidence::Deployment),
        run_id: hook.deployable_id,
        initiated_by: hook.user.and_then(|user| user.pseudonym(&rules.people)),
        url: hook.deployable_url,
        ..Default::default()
    };
    let approval = approval.map(|approval| Observation::new(approval).updated_at(at));
    Ok(std::iter::once(Observation::new(deployment).updated_at(at)).chain(approval).collect())
}

/// `https://gitlab.acme.io/shop/cart/-/commit/<sha>`.
fn sha_of_commit(address: &str) -> Option<String> {
    shared::sha(address.rsplit_once("/commit/")?.1).filter(|sha| matches!(sha.len(), 40 | 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_sha_counts() {
        let whole = "5be19b17a04adeffb3d1c3d8b2a1cf8c9d9e0011";
        assert_eq!(sha_of_commit(&format!("https://gitlab.acme.io/shop/cart/-/commit/{whole}")).as_deref(), Some(whole));
        for address in ["https://gitlab.acme.io/shop/cart/-/commit/5be19b17", "https://gitlab.acme.io/shop/cart", "", "/commit/main"] {
            assert_eq!(sha_of_commit(address), None, "{address}");
        }
    }
}
