//! Pipeline runs, measured (semantics 1.9, 7.50–7.51).

use crate::entities::Entities;
use flowgauge_lake::model::facts::PipelineFact;
use flowgauge_lake::model::{Job, Outcome, PipelineRun, Source, Table, Time};
use std::collections::BTreeMap;

/// What follows from other runs or from all jobs together (critical path, red times) is filled in where the table is written.
pub fn pipeline_fact(run: PipelineRun, source: &Source, entities: &Entities) -> PipelineFact {
    let seen_at = [run.created_at, run.queued_at, run.started_at, run.finished_at].into_iter().flatten().min();
    let ready_at = run.queued_at.or(if run.attempt == 1 { run.created_at } else { None });
    let started_at = run.started_at.or_else(|| first_start(&run, source, entities));
    let queue_seconds = ready_at.zip(started_at).map(|(ready, started)| started.seconds_since(ready));
    let measured = started_at.zip(run.finished_at).map(|(started, finished)| finished.seconds_since(started));
    let retried_at = if run.attempt > 1 { seen_at } else { first_retry(&run, source, entities) };
    let active_seconds = active_seconds(&run, source, entities);
    PipelineFact {
        source: source.as_str().to_owned(),
        repo: run.repo,
        pipeline: run.pipeline,
        branch: run.branch,
        is_default_branch: run.is_default_branch,
        result: run.result,
        seen_at,
        retried_at,
        started_at,
        finished_at: run.finished_at.filter(|_| run.result.is_some_and(Outcome::is_ended)),
        queue_seconds,
        duration_seconds: run.duration_seconds.or(measured),
        active_seconds,
        template_ref: run.template_ref,
        critical_path: None,
        critical_path_seconds: None,
        red_from: None,
        red_to: None,
        run_id: run.run_id,
        attempt: run.attempt,
    }
}

/// Where a run does not say when it began, the first of its jobs does.
fn first_start(run: &PipelineRun, source: &Source, entities: &Entities) -> Option<Time> {
    jobs(run, source, entities).filter(|job| job.attempt == run.attempt).filter_map(|job| job.started_at).min()
}

/// When a job was first tried again: some sources count attempts of jobs, and none of the run.
fn first_retry(run: &PipelineRun, source: &Source, entities: &Entities) -> Option<Time> {
    let again = jobs(run, source, entities).filter(|job| job.attempt > 1);
    again.flat_map(|job| [job.created_at, job.queued_at, job.started_at, job.finished_at]).flatten().min()
}

fn jobs(run: &PipelineRun, source: &Source, entities: &Entities) -> impl Iterator<Item = Job> {
    let of_run = entities.with_first(Table::Job, &run.run_id).filter(move |(_, stored)| stored.source() == source);
    of_run.map(|(_, stored)| super::entity::<Job>(stored.cells()))
}

/// The time in which at least one job of the attempt ran.
fn active_seconds(run: &PipelineRun, source: &Source, entities: &Entities) -> Option<f64> {
    let mut spans: Vec<(Time, Time)> = jobs(run, source, entities)
        .filter_map(|job| job.started_at.zip(job.finished_at).filter(|(from, to)| to >= from))
        // Jobs of an earlier attempt ended before this one began.
        .filter(|(_, to)| run.started_at.is_none_or(|started| *to >= started))
        .collect();
    spans.sort_unstable();
    let (mut from, mut to) = *spans.first()?;
    let mut seconds = 0.0;
    for &(start, end) in &spans[1..] {
        if start > to {
            seconds += to.seconds_since(from);
            (from, to) = (start, end);
        } else {
            to = to.max(end);
        }
    }
    Some(seconds + to.seconds_since(from))
}

/// A time in which a pipeline's default branch was red.
pub struct Red<'a> {
    pub from: Time,
    pub until: Option<Time>,
    pub opened_by: &'a PipelineFact,
    pub closed_by: Option<&'a PipelineFact>,
}

/// The attempts of one repository that are the last of their run.
pub fn last_attempts<'a>(attempts: &[&'a PipelineFact]) -> Vec<&'a PipelineFact> {
    let run = |fact: &'a PipelineFact| (fact.pipeline.as_str(), fact.run_id.as_str(), fact.source.as_str());
    let mut last: BTreeMap<_, i64> = BTreeMap::new();
    for fact in attempts {
        let attempt = last.entry(run(fact)).or_insert(fact.attempt);
        *attempt = (*attempt).max(fact.attempt);
    }
    attempts.iter().copied().filter(|fact| last[&run(fact)] == fact.attempt).collect()
}

/// When the default branches of one repository were red, by pipeline and branch (semantics, 7.52). `runs`: last attempts.
pub fn reds<'a>(runs: &[&'a PipelineFact], as_of: Time) -> Vec<Red<'a>> {
    let mut branches: BTreeMap<(&str, Option<&str>), Vec<&PipelineFact>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.is_default_branch == Some(true)) {
        branches.entry((&run.pipeline, run.branch.as_deref())).or_default().push(run);
    }
    let mut reds = Vec::new();
    for runs in branches.values_mut() {
        runs.sort_by(|a, b| (a.started_at.or(a.finished_at), &a.run_id).cmp(&(b.started_at.or(b.finished_at), &b.run_id)));
        reds.extend(reds_of_branch(runs, as_of));
    }
    reds
}

/// From the first failing run after a green one (or of all) to the next success; whatever neither failed nor succeeded is looked
/// through. Runs in order.
fn reds_of_branch<'a>(runs: &[&'a PipelineFact], as_of: Time) -> Vec<Red<'a>> {
    let mut reds: Vec<Red<'_>> = Vec::new();
    let mut open: Option<Red<'_>> = None;
    for run in runs {
        let Some(at) = run.finished_at.filter(|&at| at <= as_of) else { continue };
        match run.result {
            Some(Outcome::Success) => reds.extend(open.take().map(|red| Red { until: Some(at), closed_by: Some(run), ..red })),
            Some(result) if result.is_bad() && open.is_none() => {
                open = Some(Red { from: at, until: None, opened_by: run, closed_by: None });
            }
            _ => {}
        }
    }
    reds.extend(open);
    reds
}
