//! GitLab's words for how something stands, in ours.

use flowgauge_lake::model::Outcome;

/// The state of a pipeline, job or deployment. A word that is not known gives `None`.
pub(super) fn outcome(status: &str) -> Option<Outcome> {
    Some(match status {
        "success" => Outcome::Success,
        "failed" => Outcome::Failure,
        "canceled" => Outcome::Cancellation,
        "skipped" => Outcome::Skip,
        "running" | "canceling" => Outcome::InProgress,
        // Waiting for a runner, a resource, a clock, a person or an approval.
        "created" | "pending" | "preparing" | "waiting_for_resource" | "waiting_for_callback" | "scheduled" | "manual" | "blocked" => {
            Outcome::Queued
        }
        _ => return None,
    })
}

/// The state of a job. The reason counts only where it failed: GitLab gives one to jobs that did well, too.
pub(super) fn job_outcome(status: &str, failure_reason: Option<&str>) -> Option<Outcome> {
    match (outcome(status)?, failure_reason) {
        (Outcome::Failure, Some("job_execution_timeout" | "stuck_or_timeout_failure")) => Some(Outcome::Timeout),
        (
            Outcome::Failure,
            Some(
                "api_failure"
                | "archived_failure"
                | "data_integrity_failure"
                | "no_matching_runner"
                | "runner_system_failure"
                | "runner_unsupported"
                | "scheduler_failure"
                | "stale_schedule",
            ),
        ) => Some(Outcome::Error),
        (outcome, _) => Some(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_count_only_for_failures() {
        assert_eq!(job_outcome("success", Some("runner_system_failure")), Some(Outcome::Success));
        assert_eq!(job_outcome("failed", Some("runner_system_failure")), Some(Outcome::Error));
        assert_eq!(job_outcome("failed", Some("job_execution_timeout")), Some(Outcome::Timeout));
        assert_eq!(job_outcome("failed", Some("script_failure")), Some(Outcome::Failure));
        assert_eq!(job_outcome("sideways", None), None);
    }
}
