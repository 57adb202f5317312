//! Work: what machines did in runs and their jobs, and the chain of jobs that each run had to wait for.

use super::homes::{Home, Homes, Keys};
use super::{Builder, ScopeRow, Subject};
use crate::facts::runs::{Run, RunAttempt, RunGroup, critical_path};
use flowgauge_lake::model::{Outcome, Time};
use std::collections::HashMap;

/// What was done again when it was done again: a job of a pipeline, or the pipeline as a whole, on one commit.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Again<'a> {
    repo: Option<&'a str>,
    pipeline: &'a str,
    /// The job's name, if it has one.
    job: Option<Option<&'a str>>,
    sha: &'a str,
}

/// Something that ran to its end.
struct Unit<'a> {
    keys: Keys,
    again: Option<Again<'a>>,
    result: Outcome,
    finished_at: Time,
    seconds: f64,
    about: Subject,
}

fn home<'a>(run: &'a Run, attempt: &'a RunAttempt) -> Home<'a> {
    Home { repo: attempt.repo.as_deref(), pipeline: Some(&run.pipeline), service: None }
}

fn about(group: &RunGroup, run: &Run, attempt: &RunAttempt) -> Subject {
    Subject::run(group.source.as_str(), &run.pipeline, &group.run_id, attempt.attempt)
}

impl<'a> Builder<'a> {
    /// Every job that ended, and where no job says when it ran, every attempt of the run; each with the success on the same commit
    /// that came after it (semantics, 7.63).
    pub(super) fn work(&mut self) {
        let facts = self.facts;
        let (mut homes, mut guests) = (Homes::of_base(), Homes::of_guests());
        let mut successes: HashMap<Again<'a>, Vec<Time>> = HashMap::new();
        let mut units: Vec<Unit<'a>> = Vec::new();
        for (group, run) in facts.by_run.iter().flat_map(|group| group.runs.iter().map(move |run| (group, run))) {
            let again = |repo: &'a Option<String>, job| {
                run.sha.as_deref().map(|sha| Again { repo: repo.as_deref(), pipeline: &run.pipeline, job, sha })
            };
            let jobs = group.jobs_of(run);
            let has_jobs = jobs.iter().any(|job| job.started_at.is_some() && job.finished_at.is_some_and(|at| self.exists(at)));
            for attempt in run.attempts_at(self.question.as_of) {
                let keys = homes.keys(self, home(run, attempt));
                let ended = attempt.finished_at.filter(|&at| self.exists(at)).zip(attempt.result.filter(|result| result.is_ended()));
                let Some((finished_at, result)) = ended else { continue };
                let again = again(&attempt.repo, None);
                if result == Outcome::Success {
                    again.into_iter().for_each(|again| successes.entry(again).or_default().push(finished_at));
                }
                if let Some(seconds) = attempt.seconds.filter(|seconds| !has_jobs && *seconds >= 0.0) {
                    units.push(Unit { keys, again, result, finished_at, seconds, about: about(group, run, attempt) });
                }
            }
            let keys = guests.keys(self, Home { repo: run.repo.as_deref(), pipeline: Some(&run.pipeline), service: None });
            for job in jobs {
                let ended = job.finished_at.filter(|&at| self.exists(at)).zip(job.result.filter(|result| result.is_ended()));
                let Some((finished_at, result)) = ended else { continue };
                let again = again(&run.repo, Some(job.name.as_deref()));
                if result == Outcome::Success {
                    again.into_iter().for_each(|again| successes.entry(again).or_default().push(finished_at));
                }
                if let Some((from, to)) = job.span(self.question.as_of) {
                    let seconds = to.seconds_since(from);
                    units.push(Unit { keys: keys.clone(), again, result, finished_at, seconds, about: Subject::job(group, job) });
                }
            }
        }
        successes.values_mut().for_each(|times| times.sort_unstable());
        for unit in units {
            let Some(bucket) = self.bucket(unit.finished_at) else { continue };
            let later = |again: Again<'_>| {
                let times = successes.get(&again)?;
                times.get(times.partition_point(|&at| at <= unit.finished_at)).copied()
            };
            let remedied_at = unit.again.and_then(later);
            for key in unit.keys.iter() {
                let row = ScopeRow {
                    what: "work",
                    bucket: Some(bucket),
                    at: Some(unit.finished_at),
                    remedied_at,
                    outcome: Some(unit.result.as_str()),
                    seconds: Some(unit.seconds),
                    ..ScopeRow::default()
                };
                self.push(key, row, || vec![unit.about.clone()]);
            }
        }
    }

    /// Successful runs with the jobs on their critical path.
    pub(super) fn critical_paths(&mut self) {
        let facts = self.facts;
        let as_of = self.question.as_of;
        let mut homes = Homes::of_base();
        for (group, run) in facts.by_run.iter().flat_map(|group| group.runs.iter().map(move |run| (group, run))) {
            let mut last: Option<(&RunAttempt, Keys)> = None;
            for attempt in run.attempts_at(as_of) {
                last = Some((attempt, homes.keys(self, home(run, attempt))));
            }
            let Some((attempt, keys)) = last.filter(|(attempt, _)| attempt.result == Some(Outcome::Success)) else { continue };
            let Some(bucket) = attempt.finished_at.filter(|&at| self.exists(at)).and_then(|at| self.bucket(at)) else { continue };
            let path = critical_path(group.jobs_of(run), as_of);
            let id = self.next_number();
            let base = ScopeRow { bucket: Some(bucket), id: Some(id), at: attempt.finished_at, ..ScopeRow::default() };
            for key in keys.iter() {
                if path.is_empty() {
                    let row = ScopeRow { what: "excluded", reason: Some("no_jobs"), ..base.clone() };
                    self.push(key, row, || vec![about(group, run, attempt)]);
                    continue;
                }
                let seconds = path.iter().map(|step| step.seconds).sum();
                let row = ScopeRow { what: "path", seconds: Some(seconds), ..base.clone() };
                self.push(key, row, || vec![about(group, run, attempt)]);
                for step in &path {
                    let row = ScopeRow {
                        what: "step",
                        name: Some(step.job.label().into()),
                        seconds: Some(step.exclusive_seconds),
                        ..base.clone()
                    };
                    self.push(key, row, || vec![Subject::job(group, step.job)]);
                }
            }
        }
    }
}
