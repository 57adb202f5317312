//! Pipeline Hook: the run and its jobs.
//!
//! - The hook has no start. The run started with the first of its jobs; where none shows a start, `queued_duration` after it was
//!   created.
//! - `duration` is time at work, without waiting: it is not finish minus start.
//! - The jobs shown are the latest try of each, and each try is a job of its own id. One that was created after the run had begun is
//!   a retry, taken for the second try: only the Job Hook tells a third from it.
//! - A retried run keeps its id and stays one attempt.

use super::job::{Environment, Runner, Told};
use super::payload::{Project, short_ref};
use super::status;
use crate::provider::NormaliseError;
use crate::providers::shared;
use flowgauge_lake::model::{Observation, Outcome, PipelineRun, RunKind, Time};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    object_attributes: Option<Attributes>,
    merge_request: Option<MergeRequest>,
    source_pipeline: Option<SourcePipeline>,
    project: Option<Project>,
    builds: Option<Vec<Build>>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "shared::id")]
    id: Option<String>,
    name: Option<String>,
    r#ref: Option<String>,
    tag: Option<bool>,
    sha: Option<String>,
    source: Option<String>,
    status: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    finished_at: Option<Time>,
    duration: Option<f64>,
    queued_duration: Option<f64>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct MergeRequest {
    #[serde(default, deserialize_with = "shared::id")]
    iid: Option<String>,
    source_branch: Option<String>,
}

#[derive(Deserialize)]
struct SourcePipeline {
    #[serde(default, deserialize_with = "shared::id")]
    pipeline_id: Option<String>,
}

#[derive(Deserialize)]
struct Build {
    #[serde(default, deserialize_with = "shared::id")]
    id: Option<String>,
    name: Option<String>,
    stage: Option<String>,
    status: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    started_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    finished_at: Option<Time>,
    queued_duration: Option<f64>,
    failure_reason: Option<String>,
    allow_failure: Option<bool>,
    runner: Option<Runner>,
    environment: Option<Environment>,
}

pub(super) fn normalise(body: &[u8]) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let run = shared::need(hook.object_attributes, "object_attributes")?;
    let project = hook.project.unwrap_or_default();
    let run_id = shared::need(run.id, "object_attributes.id")?;
    let pipeline = run.name.and_then(shared::filled).or_else(|| project.path());
    let builds = hook.builds.unwrap_or_default();

    let result = run.status.as_deref().and_then(status::outcome);
    let is_ended = result.is_some_and(Outcome::is_ended);
    let after_queue = run.created_at.zip(run.queued_duration.filter(|seconds| *seconds >= 0.0));
    let after_queue = after_queue.map(|(created_at, seconds)| created_at.plus_seconds(seconds as i64));
    let first_start = builds.iter().filter_map(|build| build.started_at).min();
    let is_of_change = hook.merge_request.is_some() || run.source.as_deref().is_some_and(|source| source.ends_with("request_event"));
    let branch = match hook.merge_request.as_ref().and_then(|request| request.source_branch.clone()) {
        Some(source) => Some(source),
        None => run.r#ref.as_deref().map(|name| short_ref(name).to_owned()),
    };
    // A merge request's branch may have the default branch's name, in a fork.
    let is_default =
        project.default_branch.as_ref().map(|default| !is_of_change && run.tag != Some(true) && branch.as_ref() == Some(default));
    let mut environments: Vec<&str> =
        builds.iter().filter_map(|build| build.environment.as_ref().and_then(Environment::deployed_to)).collect();
    environments.sort_unstable();
    environments.dedup();

    let row = PipelineRun {
        pipeline: shared::need(pipeline, "project.path_with_namespace")?,
        run_id: run_id.clone(),
        attempt: 1,
        repo: project.repo(),
        change_id: hook.merge_request.and_then(|request| request.iid).or_else(|| change_of(run.r#ref.as_deref()?)),
        branch,
        is_default_branch: is_default,
        sha: run.sha.as_deref().and_then(shared::sha),
        trigger: run.source.map(trigger),
        created_at: run.created_at,
        started_at: first_start.or(after_queue),
        finished_at: if is_ended { run.finished_at } else { None },
        duration_seconds: if is_ended { run.duration } else { None },
        result,
        kind: (!builds.is_empty()).then_some(if environments.is_empty() { RunKind::Ci } else { RunKind::Deployment }),
        environment: if let [only] = environments[..] { Some(only.to_owned()) } else { None },
        parent_run_id: hook.source_pipeline.and_then(|parent| parent.pipeline_id),
        url: run.url.or_else(|| project.web_url.as_ref().map(|address| format!("{address}/-/pipelines/{run_id}"))),
        ..Default::default()
    };
    let jobs = builds.into_iter().filter_map(|build| {
        let attempt = if build.is_retry(after_queue) { 2 } else { 1 };
        build.told(&run_id, attempt)
    });
    let jobs = jobs.map(|job| Observation::new(job.row()));
    Ok(std::iter::once(Observation::new(row)).chain(jobs).collect())
}

/// GitLab's word for what started the run, in ours where we have one.
fn trigger(source: String) -> String {
    match source.as_str() {
        "merge_request_event" | "external_pull_request_event" => "merge_request".to_owned(),
        "web" => "manual".to_owned(),
        _ => source,
    }
}

/// `refs/merge-requests/7/merge` (also `head` and `train`) is of change 7.
fn change_of(full_ref: &str) -> Option<String> {
    let number = full_ref.strip_prefix("refs/merge-requests/")?.split('/').next()?;
    (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then(|| number.to_owned())
}

impl Build {
    /// All first tries are there before any of them runs. A second of grace: `queued_duration` is cut to whole seconds.
    fn is_retry(&self, run_started_at: Option<Time>) -> bool {
        self.created_at.zip(run_started_at).is_some_and(|(created_at, started_at)| created_at > started_at.plus_seconds(1))
    }

    fn told(self, run_id: &str, attempt: i64) -> Option<Told> {
        Some(Told {
            run_id: run_id.to_owned(),
            job_id: self.id?,
            attempt,
            name: self.name,
            stage: self.stage,
            status: self.status,
            failure_reason: self.failure_reason,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            queued_seconds: self.queued_duration,
            allow_failure: self.allow_failure,
            runner: self.runner,
            environment: self.environment,
        })
    }
}
