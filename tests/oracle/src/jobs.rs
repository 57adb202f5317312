//! Jobs: the time that was spent in vain, and the jobs that a run had to wait for (section 1.9, rule 63).

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, Folded};
use crate::items::{Item, What, ci_homes};
use crate::pipelines::{self, Attempt};
use crate::question::Question;
use crate::row::{Row, list, sha, source, text, time};
use crate::time::{Time, seconds};

pub const METRICS: [&str; 2] = ["wasted_time", "critical_path"];

/// A run: source, run_id, pipeline.
type Key = (String, String, String);

/// What its attempts say of a run together.
pub struct Run {
    pub pipeline: String,
    pub repo: String,
    pub sha: Option<String>,
    /// The least start of its attempts.
    pub start: Option<Time>,
    /// An attempt of it exists at `as_of` (rule 1).
    pub exists: bool,
}

pub struct Runs(BTreeMap<Key, Run>);

impl Runs {
    pub fn new(folded: &Folded, as_of: Time) -> Runs {
        let rows = folded.rows("pipeline_runs");
        let mut runs: BTreeMap<Key, Run> = BTreeMap::new();
        let mut sorted: Vec<&Row> = rows.iter().collect();
        sorted.sort_by_key(|row| pipelines::number_of(row));
        for row in sorted {
            let pipeline = text(row, "pipeline").unwrap_or_default();
            let key = (source(row), text(row, "run_id").unwrap_or_default(), pipeline.clone());
            let run = runs.entry(key).or_insert(Run { pipeline, repo: String::new(), sha: None, start: None, exists: false });
            if run.repo.is_empty() {
                run.repo = text(row, "repo").unwrap_or_default();
            }
            run.sha = run.sha.take().or_else(|| sha(row, "sha"));
            run.exists |= pipelines::exists(row, as_of);
        }
        for attempt in pipelines::attempts(rows, folded.rows("jobs"), Time::MAX_UTC) {
            if let (Some(run), Some(start)) = (runs.get_mut(&key(&attempt)), attempt.started_at) {
                run.start = Some(run.start.map_or(start, |t| t.min(start)));
            }
        }
        Runs(runs)
    }

    /// The run that an id means; of several pipelines the first by name.
    pub fn named(&self, source: &str, id: &str) -> Option<&Run> {
        let from = (source.to_owned(), id.to_owned(), String::new());
        self.0.range(from..).next().filter(|(key, _)| key.0 == source && key.1 == id).map(|(_, run)| run)
    }

    fn get(&self, key: &Key) -> Option<&Run> {
        self.0.get(key)
    }
}

fn key(attempt: &Attempt) -> Key {
    let (source, pipeline, id) = attempt.run.clone();
    (source, id, pipeline)
}

pub fn items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let jobs = jobs(folded, &facts.runs, q.as_of);
    if q.metric == "wasted_time" { wasted(folded, facts, &jobs) } else { critical_paths(folded, facts, &jobs) }
}

/// An attempt of a job of a run that exists.
struct Job {
    run: Key,
    id: String,
    attempt: i64,
    name: Option<String>,
    /// None is unknown; the empty list says that it waits for none.
    needs: Option<Vec<String>>,
    result: String,
    started_at: Option<Time>,
    finished_at: Option<Time>,
}

/// Rule 1: what is later than `as_of` has not happened yet.
fn jobs(folded: &Folded, runs: &Runs, as_of: Time) -> Vec<Job> {
    let job = |row: &Row| {
        let (source, id) = (source(row), text(row, "run_id").unwrap_or_default());
        let run = runs.named(&source, &id).filter(|run| run.exists)?;
        let past = |column| time(row, column).filter(|t| *t <= as_of);
        Some(Job {
            run: (source, id, run.pipeline.clone()),
            id: text(row, "job_id").unwrap_or_default(),
            attempt: pipelines::number_of(row),
            name: text(row, "name"),
            needs: list(row, "needs"),
            result: text(row, "result").unwrap_or_default(),
            started_at: past("started_at"),
            finished_at: past("finished_at"),
        })
    };
    let mut all: Vec<Job> = folded.rows("jobs").iter().filter_map(job).collect();
    // An attempt that does not say its name has that of the first attempt of its job that does.
    all.sort_by_key(|job| job.attempt);
    let mut names: BTreeMap<(Key, String), String> = BTreeMap::new();
    for job in &all {
        if let Some(name) = &job.name {
            names.entry((job.run.clone(), job.id.clone())).or_insert_with(|| name.clone());
        }
    }
    for job in all.iter_mut().filter(|job| job.name.is_none()) {
        job.name = names.get(&(job.run.clone(), job.id.clone())).cloned();
    }
    all
}

pub fn is_bad(result: &str) -> bool {
    ["failure", "error", "timeout"].contains(&result)
}

/// Something that ended: an attempt of a job, or of a run whose jobs are not known.
struct Work<'a> {
    run: Key,
    /// Of a job its name, of a run none: what is compared is like with like.
    name: Option<Option<&'a str>>,
    result: &'a str,
    finished_at: Time,
    /// None where it is not a unit of the metric: it only shows that something was green.
    seconds: Option<f64>,
}

fn wasted(folded: &Folded, facts: &Facts, jobs: &[Job]) -> Vec<Item> {
    let runs = &facts.runs;
    let timed: BTreeSet<&Key> = jobs.iter().filter(|j| j.started_at.is_some() && j.finished_at.is_some()).map(|j| &j.run).collect();
    let mut all: Vec<Work> = Vec::new();
    for j in jobs {
        let Some(finished_at) = j.finished_at else { continue };
        let seconds = j.started_at.filter(|t| *t <= finished_at).map(|t| seconds(t, finished_at));
        all.push(Work { run: j.run.clone(), name: Some(j.name.as_deref()), result: &j.result, finished_at, seconds });
    }
    for a in &facts.attempts {
        let Some(finished_at) = a.finished_at else { continue };
        let seconds = a.duration().ok().filter(|_| !timed.contains(&key(a)));
        all.push(Work { run: key(a), name: None, result: &a.result, finished_at, seconds });
    }
    let mut items = Vec::new();
    for (cluster, work) in all.iter().enumerate() {
        let (Some(seconds), Some(run)) = (work.seconds, runs.get(&work.run)) else { continue };
        let vain = match work.result {
            "success" => false,
            "cancellation" => true,
            bad if is_bad(bad) => all.iter().any(|later| is_green_later(work, later, runs)),
            _ => continue, // it did not end, or was skipped
        };
        let what = What::Value { seconds: if vain { seconds } else { 0.0 }, cluster };
        items.push(Item { homes: ci_homes(folded, &run.repo, &run.pipeline), at: work.finished_at, what });
    }
    items
}

/// The same job, or pipeline, succeeded on the same commit afterwards.
fn is_green_later(failed: &Work, later: &Work, runs: &Runs) -> bool {
    let (Some(a), Some(b)) = (runs.get(&failed.run), runs.get(&later.run)) else { return false };
    later.result == "success"
        && later.finished_at > failed.finished_at
        && later.name == failed.name
        && (&a.repo, &a.pipeline) == (&b.repo, &b.pipeline)
        && a.sha.is_some()
        && a.sha == b.sha
}

fn critical_paths(folded: &Folded, facts: &Facts, jobs: &[Job]) -> Vec<Item> {
    let mut items = Vec::new();
    for (cluster, a) in facts.attempts.iter().enumerate() {
        let (true, "success", Some(at)) = (a.is_final, a.result.as_str(), a.finished_at) else { continue };
        let run = key(a);
        let mine: Vec<&Job> = jobs.iter().filter(|j| j.run == run).collect();
        let path = critical_path(&steps(&mine));
        let what = path.map_or(What::Excluded("no_jobs"), |seconds| What::Value { seconds, cluster });
        items.push(Item { homes: ci_homes(folded, &a.repo, &a.pipeline), at, what });
    }
    items
}

/// A job as the last of its attempts tells it.
struct Step<'a> {
    name: Option<&'a str>,
    id: &'a str,
    needs: Option<&'a Vec<String>>,
    start: Time,
    end: Time,
}

impl Step<'_> {
    /// The last to finish; ties by the greater name.
    fn order(&self) -> (Time, Option<&str>, &str) {
        (self.end, self.name, self.id)
    }
}

/// Per name the row with the greatest (attempt, finish); a job without a name is known by its id.
fn steps<'a>(jobs: &[&'a Job]) -> Vec<Step<'a>> {
    let mut last: BTreeMap<(Option<&str>, &str), (&Job, Time, Time)> = BTreeMap::new();
    for &job in jobs {
        let (Some(start), Some(end)) = (job.started_at, job.finished_at) else { continue };
        let known = (job.name.as_deref(), if job.name.is_some() { "" } else { job.id.as_str() });
        // Of two that end at once the later start, then the greater id.
        let is_last = last.get(&known).is_none_or(|(other, other_start, other_end)| {
            (job.attempt, end, start, &job.id) > (other.attempt, *other_end, *other_start, &other.id)
        });
        if start <= end && is_last {
            last.insert(known, (job, start, end));
        }
    }
    let step =
        |(job, start, end): (&'a Job, Time, Time)| Step { name: job.name.as_deref(), id: &job.id, needs: job.needs.as_ref(), start, end };
    last.into_values().map(step).collect()
}

/// From the job that finishes last back to the one that it waited for, and so on. None without a job.
fn critical_path(steps: &[Step]) -> Option<f64> {
    let mut left: Vec<&Step> = steps.iter().collect(); // a job is visited once
    let mut next = last_of(&left, |_| true);
    next?;
    let mut sum = 0.0;
    while let Some(n) = next {
        let step = left.remove(n);
        sum += seconds(step.start, step.end);
        next = match step.needs {
            Some(needs) => last_of(&left, |s| s.name.is_some_and(|name| needs.iter().any(|n| n == name))),
            None => last_of(&left, |s| s.end <= step.start),
        };
    }
    Some(sum)
}

fn last_of(steps: &[&Step], fits: impl Fn(&Step) -> bool) -> Option<usize> {
    (0..steps.len()).filter(|&n| fits(steps[n])).max_by(|&a, &b| steps[a].order().cmp(&steps[b].order()))
}
