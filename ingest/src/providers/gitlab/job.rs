//! Job Hook: one job. A retried job is a new job with an id of its own; `retries_count` tells which try it is.

use super::status;
use crate::provider::NormaliseError;
use crate::providers::shared;
use flowgauge_lake::model::{Job, Observation, Outcome, RunKind, Time};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    #[serde(default, deserialize_with = "shared::id")]
    build_id: Option<String>,
    #[serde(default, deserialize_with = "shared::id")]
    pipeline_id: Option<String>,
    build_name: Option<String>,
    build_stage: Option<String>,
    build_status: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    build_created_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    build_started_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    build_finished_at: Option<Time>,
    build_queued_duration: Option<f64>,
    build_allow_failure: Option<bool>,
    build_failure_reason: Option<String>,
    retries_count: Option<i64>,
    runner: Option<Runner>,
    environment: Option<Environment>,
    commit: Option<PipelineOfJob>,
}

/// The hook's `commit` is the pipeline: its `id` is the pipeline's. Older versions have no `pipeline_id` beside it.
#[derive(Deserialize)]
struct PipelineOfJob {
    #[serde(default, deserialize_with = "shared::id")]
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Runner {
    description: Option<String>,
    runner_type: Option<String>,
    tags: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Environment {
    name: Option<String>,
    action: Option<String>,
}

impl Environment {
    /// The environment that a job deploys to. A job may also stop one, prepare it or only look at it.
    pub fn deployed_to(&self) -> Option<&str> {
        let deploys = self.action.as_deref().is_none_or(|action| action == "start");
        self.name.as_deref().filter(|name| deploys && !name.is_empty())
    }
}

/// A job as either hook tells it.
pub(super) struct Told {
    pub run_id: String,
    pub job_id: String,
    pub attempt: i64,
    pub name: Option<String>,
    pub stage: Option<String>,
    pub status: Option<String>,
    pub failure_reason: Option<String>,
    pub created_at: Option<Time>,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub queued_seconds: Option<f64>,
    pub allow_failure: Option<bool>,
    pub runner: Option<Runner>,
    pub environment: Option<Environment>,
}

impl Told {
    pub fn row(self) -> Job {
        let environment = self.environment.as_ref().and_then(Environment::deployed_to);
        let result = self.status.as_deref().and_then(|status| status::job_outcome(status, self.failure_reason.as_deref()));
        let is_ended = result.is_some_and(Outcome::is_ended);
        Job {
            run_id: self.run_id,
            job_id: self.job_id,
            attempt: self.attempt,
            name: self.name,
            stage: self.stage,
            runner_class: self.runner.as_ref().and_then(Runner::class),
            runner: self.runner.and_then(|runner| runner.description),
            created_at: self.created_at,
            queued_at: queued_at(self.created_at, self.started_at, self.queued_seconds),
            started_at: self.started_at,
            finished_at: if is_ended { self.finished_at } else { None },
            result,
            kind: Some(if environment.is_some() { RunKind::Deployment } else { RunKind::Ci }),
            allow_failure: self.allow_failure,
            environment: environment.map(str::to_owned),
            ..Default::default()
        }
    }
}

impl Runner {
    /// What a job may ask of a runner: its tags, else whether it is shared.
    fn class(&self) -> Option<String> {
        let mut tags = self.tags.clone().unwrap_or_default();
        tags.sort();
        shared::filled(tags.join(",")).or_else(|| self.runner_type.clone())
    }
}

/// GitLab counts the wait from the job's place in the queue to its start; a job cannot wait before there is one.
fn queued_at(created_at: Option<Time>, started_at: Option<Time>, queued_seconds: Option<f64>) -> Option<Time> {
    let (started_at, seconds) = (started_at?, queued_seconds.filter(|seconds| *seconds >= 0.0)?);
    let queued_at = Time::from_micros(started_at.micros().saturating_sub((seconds * 1e6) as i64));
    Some(created_at.map_or(queued_at, |created_at| queued_at.max(created_at)))
}

pub(super) fn normalise(body: &[u8]) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let run_id = hook.pipeline_id.or_else(|| hook.commit.and_then(|pipeline| pipeline.id));
    let job = Told {
        run_id: shared::need(run_id, "pipeline_id")?,
        job_id: shared::need(hook.build_id, "build_id")?,
        attempt: hook.retries_count.filter(|count| *count >= 0).unwrap_or(0).saturating_add(1),
        name: hook.build_name,
        stage: hook.build_stage,
        status: hook.build_status,
        failure_reason: hook.build_failure_reason,
        created_at: hook.build_created_at,
        started_at: hook.build_started_at,
        finished_at: hook.build_finished_at,
        queued_seconds: hook.build_queued_duration,
        allow_failure: hook.build_allow_failure,
        runner: hook.runner,
        environment: hook.environment,
    };
    Ok(vec![Observation::new(job.row())])
}
