//! Deployments and their statuses.

use super::super::payload::{Account, DeploymentEvent};
use super::Rows;
use crate::provider::Rules;
use crate::providers::shared::{filled, need, sha};
use flowgauge_lake::model::{Deployment as DeploymentRow, Evidence, Observation, Outcome};

pub fn deployment(event: DeploymentEvent, rules: &Rules) -> Rows {
    let deployment = need(event.deployment, "deployment")?;
    let repository = need(event.repository, "repository")?;
    let status = event.deployment_status;
    let link =
        status.as_ref().and_then(|status| status.log_url.clone().and_then(filled).or_else(|| status.target_url.clone().and_then(filled)));
    let run = event.workflow_run.as_ref();
    let run_id = run.and_then(|run| run.id.clone()).or_else(|| run_of(link.as_deref()?));
    let (outcome, said_at) = match &status {
        None => (Some(Outcome::Queued), deployment.created_at),
        Some(status) => (deployment_state(status.state.as_deref()), status.created_at),
    };
    let row = DeploymentRow {
        deployment_id: need(deployment.id, "deployment.id")?,
        service: need(repository.name.clone().and_then(filled), "repository.name")?,
        environment: need(deployment.environment.and_then(filled), "deployment.environment")?,
        branch: deployment.r#ref.and_then(filled).filter(|name| Some(name) != deployment.sha.as_ref()),
        sha: deployment.sha.as_deref().and_then(sha),
        repo: Some(repository.repo()?),
        created_at: deployment.created_at,
        started_at: said_at.filter(|_| outcome == Some(Outcome::InProgress)),
        finished_at: said_at.filter(|_| outcome.is_some_and(Outcome::is_ended)),
        outcome,
        evidence: Some(Evidence::Deployment),
        run_id,
        initiated_by: deployment.creator.as_ref().and_then(|creator| creator.name(rules)),
        automated: deployment.creator.as_ref().map(Account::is_bot),
        url: link.or_else(|| run.and_then(|run| run.html_url.clone())),
        ..DeploymentRow::default()
    };
    // Each status is dated by itself: the deployment's own `updated_at` moves again when the next one supersedes it.
    Ok(vec![Observation::new(row).updated_at(said_at)])
}

/// `inactive` says that a later deployment took its place: nothing about how this one ended.
fn deployment_state(state: Option<&str>) -> Option<Outcome> {
    Some(match state? {
        "success" => Outcome::Success,
        "failure" => Outcome::Failure,
        "error" => Outcome::Error,
        "in_progress" => Outcome::InProgress,
        "queued" | "pending" | "waiting" => Outcome::Queued,
        _ => return None,
    })
}

/// The run in `https://github.com/acme/shop/actions/runs/17/job/23`.
fn run_of(link: &str) -> Option<String> {
    let (_, rest) = link.split_once("/actions/runs/")?;
    let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
    filled(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_deployment() {
        for (state, expected) in [
            ("success", Some(Outcome::Success)),
            ("failure", Some(Outcome::Failure)),
            ("error", Some(Outcome::Error)),
            ("in_progress", Some(Outcome::InProgress)),
            ("queued", Some(Outcome::Queued)),
            ("pending", Some(Outcome::Queued)),
            ("waiting", Some(Outcome::Queued)),
            ("inactive", None),
        ] {
            assert_eq!(deployment_state(Some(state)), expected, "{state}");
        }
    }

    #[test]
    fn a_link_tells_the_run() {
        assert_eq!(run_of("https://github.com/acme/shop/actions/runs/17/job/23").as_deref(), Some("17"));
        assert_eq!(run_of("https://ci.acme.io/runs/17"), None);
    }
}
