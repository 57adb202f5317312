//! Workflow runs and their jobs.

use super::super::payload::{JobEvent, RunEvent};
use super::Rows;
use crate::providers::shared::{filled, need, sha};
use flowgauge_lake::model::{Job as JobRow, Observation, Outcome, PipelineRun, RunKind};

pub fn workflow_run(event: RunEvent) -> Rows {
    let run = need(event.workflow_run, "workflow_run")?;
    let repository = need(event.repository.or(run.repository), "repository")?;
    let result = outcome(run.status.as_deref(), run.conclusion.as_deref());
    // A fork's branch may be called `main` too; a head repository that is gone was a fork's.
    let is_own = run.head_repository.as_ref().is_some_and(|head| head.is(&repository));
    let is_default_branch = match (&run.head_branch, &repository.default_branch) {
        _ if !is_own => Some(false),
        (Some(branch), Some(default)) => Some(branch == default),
        _ => None,
    };
    let pipeline = run.name.and_then(filled).or_else(|| workflow_file(run.path.as_deref()?));
    let change_id = match run.pull_requests.as_deref() {
        Some([pull]) if pull.base.as_ref().is_some_and(|base| base.is_of(&repository)) => pull.number.clone(),
        _ => None,
    };
    let is_over = result.is_some_and(Outcome::is_ended);
    let row = PipelineRun {
        pipeline: need(pipeline, "workflow_run.name")?,
        run_id: need(run.id, "workflow_run.id")?,
        attempt: run.run_attempt.unwrap_or(1),
        repo: Some(repository.repo()?),
        branch: run.head_branch.and_then(filled),
        is_default_branch,
        sha: run.head_sha.as_deref().and_then(sha),
        trigger: run.event.map(trigger),
        change_id,
        created_at: run.created_at,
        // When the attempt was asked for, whatever the name says: it is the moment of creation, and when a runner took its first job
        // nobody says of the run.
        queued_at: run.run_started_at,
        finished_at: run.updated_at.filter(|_| is_over),
        duration_seconds: run.run_started_at.zip(run.updated_at).filter(|_| is_over).map(|(from, to)| to.seconds_since(from)),
        result,
        template_ref: run.referenced_workflows.and_then(|used| used.into_iter().find_map(|workflow| workflow.path)),
        url: run.html_url,
        ..PipelineRun::default()
    };
    Ok(vec![Observation::new(row).updated_at(run.updated_at)])
}

pub fn workflow_job(event: JobEvent) -> Rows {
    let job = need(event.workflow_job, "workflow_job")?;
    let result = outcome(job.status.as_deref(), job.conclusion.as_deref());
    let runner = job.runner_name.and_then(filled);
    // `started_at` is filled for jobs that never ran, too: those that wait, are skipped or are cancelled before a runner took them.
    let ran = match result {
        Some(Outcome::Queued | Outcome::Skip) => false,
        Some(Outcome::Cancellation) => runner.is_some(),
        _ => true,
    };
    let is_over = result.is_some_and(Outcome::is_ended);
    let is_waiting = job.status.as_deref() == Some("waiting");
    let environment = event.deployment.and_then(|deployment| deployment.environment).and_then(filled);
    Ok(vec![Observation::new(JobRow {
        run_id: need(job.run_id, "workflow_job.run_id")?,
        job_id: need(job.id, "workflow_job.id")?,
        attempt: job.run_attempt.unwrap_or(1),
        name: job.name,
        runner,
        runner_class: job.labels.and_then(|labels| filled(labels.join(","))),
        created_at: job.created_at,
        queued_at: job.created_at.filter(|_| !is_waiting),
        started_at: job.started_at.filter(|_| ran),
        finished_at: job.completed_at.filter(|_| is_over),
        result,
        kind: environment.is_some().then_some(RunKind::Deployment),
        environment,
        ..JobRow::default()
    })])
}

/// How a run or job ended (`conclusion`), or how far it is (`status`). What GitHub may add later is unknown.
fn outcome(status: Option<&str>, conclusion: Option<&str>) -> Option<Outcome> {
    Some(match (status?, conclusion) {
        ("completed", Some("success")) => Outcome::Success,
        ("completed", Some("failure")) => Outcome::Failure,
        ("completed", Some("startup_failure")) => Outcome::Error,
        ("completed", Some("timed_out")) => Outcome::Timeout,
        // Stale is what GitHub gave up waiting for: how it would have ended nobody knows.
        ("completed", Some("cancelled" | "stale")) => Outcome::Cancellation,
        ("completed", Some("skipped" | "neutral")) => Outcome::Skip,
        // "Completed" only in name: a person has to let it run.
        ("completed", Some("action_required")) => Outcome::Queued,
        ("in_progress", _) => Outcome::InProgress,
        ("queued" | "requested" | "waiting" | "pending", _) => Outcome::Queued,
        _ => return None,
    })
}

/// GitHub's name of what started a run, in the words that all providers share; any other name stays.
fn trigger(event: String) -> String {
    match event.as_str() {
        "pull_request" | "pull_request_target" => "merge_request".to_owned(),
        "workflow_dispatch" => "manual".to_owned(),
        "repository_dispatch" => "api".to_owned(),
        _ => event,
    }
}

/// `ci` of `.github/workflows/ci.yml@main`.
fn workflow_file(path: &str) -> Option<String> {
    let path = path.split('@').next().unwrap_or(path);
    let file = path.rsplit('/').next().unwrap_or(path);
    filled(file.trim_end_matches(".yml").trim_end_matches(".yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_run() {
        for (status, conclusion, expected) in [
            ("completed", Some("success"), Some(Outcome::Success)),
            ("completed", Some("failure"), Some(Outcome::Failure)),
            ("completed", Some("startup_failure"), Some(Outcome::Error)),
            ("completed", Some("timed_out"), Some(Outcome::Timeout)),
            ("completed", Some("cancelled"), Some(Outcome::Cancellation)),
            ("completed", Some("stale"), Some(Outcome::Cancellation)),
            ("completed", Some("skipped"), Some(Outcome::Skip)),
            ("completed", Some("neutral"), Some(Outcome::Skip)),
            ("completed", Some("action_required"), Some(Outcome::Queued)),
            ("completed", Some("something_new"), None),
            ("completed", None, None),
            ("in_progress", None, Some(Outcome::InProgress)),
            ("waiting", None, Some(Outcome::Queued)),
            ("requested", None, Some(Outcome::Queued)),
            ("pending", None, Some(Outcome::Queued)),
            ("queued", None, Some(Outcome::Queued)),
            ("something_new", None, None),
        ] {
            assert_eq!(outcome(Some(status), conclusion), expected, "{status} {conclusion:?}");
        }
    }

    #[test]
    fn a_workflow_without_a_name_has_that_of_its_file() {
        assert_eq!(workflow_file(".github/workflows/release.yml@main").as_deref(), Some("release"));
        assert_eq!(workflow_file(""), None);
    }
}
