//! Runs as a whole: all attempts of a run together with the jobs that did its work (semantics 1.9 and 7.63). What others say of a
//! run (a test, a scan) leads here by its source and id.

use super::entity;
use crate::entities::Entities;
use flowgauge_lake::model::facts::PipelineFact;
use flowgauge_lake::model::{Job, Outcome, PipelineRun, Source, Table, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All runs by their id, then by source.
#[derive(Debug, Default, Clone)]
pub struct Runs(BTreeMap<String, Vec<Arc<RunGroup>>>);

/// What a source calls by one run id: usually one run. Several pipelines may count their runs alike; then the first by name has the jobs.
#[derive(Debug, PartialEq)]
pub struct RunGroup {
    pub source: Source,
    pub run_id: String,
    /// By the name of their pipeline. Empty where only jobs are known.
    pub runs: Vec<Run>,
    pub jobs: Vec<JobAttempt>,
}

/// A run with its attempts.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub pipeline: String,
    pub repo: Option<String>,
    pub sha: Option<String>,
    pub change_id: Option<String>,
    /// In order.
    pub attempts: Vec<RunAttempt>,
}

#[derive(Debug, PartialEq)]
pub struct RunAttempt {
    pub attempt: i64,
    pub repo: Option<String>,
    pub result: Option<Outcome>,
    /// Its earliest moment: it exists from then on.
    pub seen_at: Option<Time>,
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    pub seconds: Option<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JobAttempt {
    pub job_id: String,
    pub attempt: i64,
    /// Its own name, else that of the first attempt that has one.
    pub name: Option<String>,
    pub needs: Option<Vec<String>>,
    pub result: Option<Outcome>,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
}

impl JobAttempt {
    /// What it is called in lists: a job without a name by its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.job_id)
    }

    /// From start to end, where both are known, in order, and past by then.
    pub fn span(&self, as_of: Time) -> Option<(Time, Time)> {
        self.started_at.zip(self.finished_at).filter(|(started, finished)| started <= finished && *finished <= as_of)
    }
}

impl Runs {
    pub fn get(&self, source: &Source, run_id: &str) -> Option<&RunGroup> {
        self.0.get(run_id)?.iter().find(|group| group.source == *source).map(Arc::as_ref)
    }

    pub fn iter(&self) -> impl Iterator<Item = &RunGroup> {
        self.0.values().flatten().map(Arc::as_ref)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, group: RunGroup) {
        let groups = self.0.entry(group.run_id.clone()).or_default();
        match groups.binary_search_by(|known| known.source.cmp(&group.source)) {
            Ok(place) => groups[place] = Arc::new(group),
            Err(place) => groups.insert(place, Arc::new(group)),
        }
    }
}

impl RunGroup {
    /// `attempts`: the attempts of every run with this id, as entities and measured.
    pub(super) fn build(
        source: &Source,
        run_id: &str,
        attempts: impl Iterator<Item = (PipelineRun, PipelineFact)>,
        entities: &Entities,
    ) -> RunGroup {
        let mut runs: BTreeMap<String, Run> = BTreeMap::new();
        let mut attempts: Vec<_> = attempts.collect();
        attempts.sort_by_key(|(run, _)| run.attempt);
        for (row, fact) in attempts {
            let run = runs.entry(row.pipeline.clone()).or_insert_with(|| Run {
                pipeline: row.pipeline,
                repo: None,
                sha: None,
                change_id: None,
                attempts: Vec::new(),
            });
            run.repo = run.repo.take().or(row.repo);
            run.sha = run.sha.take().or(row.sha);
            run.change_id = run.change_id.take().or(row.change_id);
            run.attempts.push(RunAttempt {
                attempt: fact.attempt,
                repo: fact.repo,
                result: fact.result,
                seen_at: fact.seen_at,
                started_at: fact.started_at,
                finished_at: fact.finished_at,
                seconds: fact.duration_seconds,
            });
        }
        let of_run = entities.with_first(Table::Job, run_id).filter(|(_, stored)| stored.source() == source);
        let jobs = of_run.map(|(_, stored)| entity::<Job>(stored.cells())).collect();
        RunGroup { source: source.clone(), run_id: run_id.to_owned(), runs: runs.into_values().collect(), jobs: named(jobs) }
    }

    /// The run that the id means: of several pipelines the first by name that had begun by then.
    pub fn run(&self, as_of: Time) -> Option<&Run> {
        self.runs.iter().find(|run| run.attempts_at(as_of).next().is_some())
    }

    /// The least start of its attempts.
    pub fn started_at(&self) -> Option<Time> {
        self.runs.iter().flat_map(|run| &run.attempts).filter_map(|attempt| attempt.started_at).min()
    }

    /// The jobs of one of its runs.
    pub fn jobs_of(&self, run: &Run) -> &[JobAttempt] {
        let has_them = self.runs.first().is_some_and(|first| first.pipeline == run.pipeline);
        if has_them { &self.jobs } else { &[] }
    }

    /// The name of a job; null where nobody says it.
    pub fn job_name(&self, job_id: &str) -> Option<&str> {
        self.jobs.iter().filter(|job| job.job_id == job_id).find_map(|job| job.name.as_deref())
    }
}

impl Run {
    /// Those that exist at a moment.
    pub fn attempts_at(&self, as_of: Time) -> impl Iterator<Item = &RunAttempt> {
        self.attempts.iter().filter(move |attempt| attempt.seen_at.is_none_or(|at| at <= as_of))
    }
}

/// In the order of job and attempt, which is that of the keys; names as far as any attempt knows them.
fn named(jobs: Vec<Job>) -> Vec<JobAttempt> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for job in &jobs {
        if let Some(name) = &job.name {
            names.entry(job.job_id.clone()).or_insert_with(|| name.clone());
        }
    }
    let attempt = |job: Job| JobAttempt {
        name: job.name.or_else(|| names.get(&job.job_id).cloned()),
        needs: job.needs,
        result: job.result,
        started_at: job.started_at,
        finished_at: job.finished_at,
        attempt: job.attempt,
        job_id: job.job_id,
    };
    jobs.into_iter().map(attempt).collect()
}

/// A job on the critical path.
#[derive(Debug, PartialEq)]
pub struct Step<'a> {
    pub job: &'a JobAttempt,
    pub seconds: f64,
    /// The part of it in which no other job of the run ran.
    pub exclusive_seconds: f64,
}

/// The chain of jobs that a run had to wait for, first to last (semantics, 7.63): from the job that ended last back to what it needed,
/// or where that is not said, to what had ended last when it started. Empty where no job has a start and an end.
pub fn critical_path(jobs: &[JobAttempt], as_of: Time) -> Vec<Step<'_>> {
    let jobs = last_attempts(jobs, as_of);
    // At one instant the greater name, none being the least.
    let order = |i: &usize| (jobs[*i].to, &jobs[*i].job.name, &jobs[*i].job.job_id);
    let mut path: Vec<usize> = Vec::new();
    let mut next = (0..jobs.len()).max_by_key(order);
    while let Some(i) = next {
        path.push(i);
        let precedes = |j: &usize| match &jobs[i].job.needs {
            Some(needs) => jobs[*j].job.name.as_ref().is_some_and(|name| needs.contains(name)),
            None => jobs[*j].to <= jobs[i].from,
        };
        next = (0..jobs.len()).filter(|j| !path.contains(j) && precedes(j)).max_by_key(order);
    }
    let step = |&i: &usize| {
        let others = jobs.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| (other.from, other.to));
        let seconds = jobs[i].to.seconds_since(jobs[i].from);
        Step { job: jobs[i].job, seconds, exclusive_seconds: seconds - covered((jobs[i].from, jobs[i].to), others) }
    };
    path.iter().rev().map(step).collect()
}

struct Spanned<'a> {
    job: &'a JobAttempt,
    from: Time,
    to: Time,
}

/// Of each name the last attempt; jobs without a name stand each for itself.
fn last_attempts(jobs: &[JobAttempt], as_of: Time) -> Vec<Spanned<'_>> {
    let mut last: BTreeMap<(Option<&str>, &str), Spanned<'_>> = BTreeMap::new();
    for job in jobs {
        let Some((from, to)) = job.span(as_of) else { continue };
        let key = (job.name.as_deref(), if job.name.is_some() { "" } else { job.job_id.as_str() });
        let is_later =
            |known: &Spanned<'_>| (known.job.attempt, known.to, known.from, &known.job.job_id) < (job.attempt, to, from, &job.job_id);
        if last.get(&key).is_none_or(is_later) {
            last.insert(key, Spanned { job, from, to });
        }
    }
    last.into_values().collect()
}

/// How much of a span the others cover.
fn covered(span: (Time, Time), others: impl Iterator<Item = (Time, Time)>) -> f64 {
    let mut parts: Vec<(Time, Time)> = others.map(|(from, to)| (from.max(span.0), to.min(span.1))).filter(|(from, to)| from < to).collect();
    parts.sort_unstable();
    let (mut reached, mut seconds) = (span.0, 0.0);
    for (from, to) in parts {
        if to > reached {
            seconds += to.seconds_since(from.max(reached));
            reached = to;
        }
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, from: i64, to: i64, needs: Option<&[&str]>) -> JobAttempt {
        JobAttempt {
            job_id: name.to_owned(),
            attempt: 1,
            name: Some(name.to_owned()),
            needs: needs.map(|needs| needs.iter().map(|name| (*name).to_owned()).collect()),
            result: Some(Outcome::Success),
            started_at: Some(Time::from_seconds(from)),
            finished_at: Some(Time::from_seconds(to)),
        }
    }

    fn path(jobs: &[JobAttempt]) -> Vec<(&str, f64, f64)> {
        critical_path(jobs, Time::MAX).iter().map(|step| (step.job.label(), step.seconds, step.exclusive_seconds)).collect()
    }

    #[test]
    fn needs_lead_back() {
        // `scan` ended later than `build` but nobody needed it; beside it `build` ran alone from 0 to 10.
        let jobs = [job("build", 0, 60, Some(&[])), job("scan", 10, 90, Some(&[])), job("deploy", 100, 130, Some(&["build", "gone"]))];
        assert_eq!(path(&jobs), [("build", 60.0, 10.0), ("deploy", 30.0, 30.0)]);
    }

    #[test]
    fn without_needs_what_had_ended_last_leads_back() {
        let jobs = [job("build", 0, 60, None), job("lint", 0, 20, None), job("test", 60, 200, None), job("e2e", 60, 90, None)];
        assert_eq!(path(&jobs), [("build", 60.0, 40.0), ("test", 140.0, 110.0)]);
    }

    #[test]
    fn jobs_that_need_each_other_are_visited_once() {
        let jobs = [job("a", 0, 10, Some(&["b"])), job("b", 0, 20, Some(&["a"])), job("instant", 20, 20, None)];
        assert_eq!(path(&jobs), [("a", 10.0, 0.0), ("b", 20.0, 10.0), ("instant", 0.0, 0.0)]);
        assert_eq!(path(&[]), []);
    }

    #[test]
    fn the_last_attempt_of_a_name_counts() {
        let again = JobAttempt { job_id: "7".to_owned(), attempt: 2, ..job("test", 100, 110, None) };
        let unended = JobAttempt { finished_at: None, ..job("report", 110, 0, None) };
        assert_eq!(path(&[job("test", 0, 50, None), again, unended]), [("test", 10.0, 10.0)]);
    }
}
