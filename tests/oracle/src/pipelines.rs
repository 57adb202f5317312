//! Pipelines (section 1.9, rules 50 and 51).

use std::collections::{BTreeMap, BTreeSet};

use crate::row::{Row, number, source, text, time};
use crate::time::{Time, seconds};

pub struct Attempt {
    pub repo: String,
    pub pipeline: String,
    pub attempt: i64,
    /// `in_progress` also where it finished after `as_of` (rule 1).
    pub result: String,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    /// Rule 57 and its reading: it, or a job of it, was tried again.
    pub is_retried: bool,
    pub is_default_branch: bool,
    branch: Option<String>,
    created_at: Option<Time>,
    queued_at: Option<Time>,
    duration_seconds: Option<f64>,
    /// Source, pipeline and run_id.
    pub run: (String, String, String),
    pub is_final: bool,
}

/// Rule 1: an attempt exists from its earliest time and is in progress if it finished later.
pub fn attempts(rows: &[Row], jobs: &[Row], as_of: Time) -> Vec<Attempt> {
    let mut all: Vec<Attempt> = rows.iter().filter(|r| exists(r, as_of)).map(|r| read(r, as_of)).collect();
    // A run that does not say when it began, began with the first of its jobs.
    let mut first_start: BTreeMap<(String, String, i64), Time> = BTreeMap::new();
    for job in jobs {
        let Some(start) = time(job, "started_at") else { continue };
        let first = first_start.entry((source(job), text(job, "run_id").unwrap_or_default(), number_of(job))).or_insert(start);
        *first = (*first).min(start);
    }
    for a in all.iter_mut().filter(|a| a.started_at.is_none()) {
        a.started_at = first_start.get(&(a.run.0.clone(), a.run.2.clone(), a.attempt)).copied();
    }
    let again: BTreeSet<(String, String)> = jobs
        .iter()
        .filter(|job| number_of(job) > 1 && moments(job).min().is_some_and(|t| t <= as_of))
        .map(|job| (source(job), text(job, "run_id").unwrap_or_default()))
        .collect();
    for a in &mut all {
        a.is_retried |= again.contains(&(a.run.0.clone(), a.run.2.clone()));
    }
    // Rule 50: the final attempt is the greatest of its run.
    let mut last: BTreeMap<(String, String, String), i64> = BTreeMap::new();
    for a in &all {
        let greatest = last.entry(a.run.clone()).or_insert(a.attempt);
        *greatest = (*greatest).max(a.attempt);
    }
    for a in &mut all {
        a.is_final = last[&a.run] == a.attempt;
    }
    all
}

pub fn exists(row: &Row, as_of: Time) -> bool {
    moments(row).min().is_none_or(|t| t <= as_of)
}

pub fn moments(row: &Row) -> impl Iterator<Item = Time> + '_ {
    ["created_at", "queued_at", "started_at", "finished_at"].into_iter().filter_map(|c| time(row, c))
}

pub fn number_of(row: &Row) -> i64 {
    row.get("attempt").and_then(|v| v.as_i64()).unwrap_or(1)
}

fn read(row: &Row, as_of: Time) -> Attempt {
    let finished_at = time(row, "finished_at");
    let later = finished_at.is_some_and(|t| t > as_of);
    let pipeline = text(row, "pipeline").unwrap_or_default();
    Attempt {
        repo: text(row, "repo").unwrap_or_default(),
        attempt: number_of(row),
        result: if later { "in_progress".into() } else { text(row, "result").unwrap_or_default() },
        started_at: time(row, "started_at"),
        finished_at: if later { None } else { finished_at },
        is_retried: number_of(row) > 1,
        is_default_branch: row.get("is_default_branch").and_then(|v| v.as_bool()) == Some(true),
        branch: text(row, "branch"),
        created_at: time(row, "created_at"),
        queued_at: time(row, "queued_at"),
        duration_seconds: number(row, "duration_seconds"),
        run: (source(row), pipeline.clone(), text(row, "run_id").unwrap_or_default()),
        pipeline,
        is_final: false,
    }
}

impl Attempt {
    /// Rule 50: as given, else finished - started; the reason where there is none.
    pub fn duration(&self) -> Result<f64, &'static str> {
        if let Some(given) = self.duration_seconds {
            return Ok(given);
        }
        match (self.started_at, self.finished_at) {
            (Some(start), Some(end)) if end >= start => Ok(seconds(start, end)),
            (Some(_), Some(_)) => Err("clock_skew"),
            _ => Err("no_start"),
        }
    }

    /// Rule 51: started - queued; `created_at` stands in only at attempt 1.
    pub fn queue(&self, started_at: Time) -> Result<f64, &'static str> {
        let created = if self.attempt == 1 { self.created_at } else { None };
        match self.queued_at.or(created) {
            None => Err("no_queue_time"),
            Some(queued) if queued > started_at => Err("clock_skew"),
            Some(queued) => Ok(seconds(queued, started_at)),
        }
    }
}

/// A time in which a default branch was red (rule 52): where, from when, until when.
pub struct Red {
    pub repo: String,
    pub pipeline: String,
    pub from: Time,
    pub until: Option<Time>,
}

/// Rule 52: final attempts of each branch by (started_at else finished_at, run_id). Whatever neither failed nor succeeded is transparent.
pub fn reds(all: &[Attempt]) -> Vec<Red> {
    let mut branches: BTreeMap<(&str, &str, Option<&str>), Vec<&Attempt>> = BTreeMap::new();
    for a in all.iter().filter(|a| a.is_final && a.is_default_branch) {
        branches.entry((&a.repo, &a.pipeline, a.branch.as_deref())).or_default().push(a);
    }
    let mut reds = Vec::new();
    for ((repo, pipeline, _), mut runs) in branches {
        runs.sort_by_key(|a| (a.started_at.or(a.finished_at), a.run.2.clone()));
        let mut opened = None;
        for run in runs {
            let Some(at) = run.finished_at else { continue };
            match run.result.as_str() {
                "failure" | "error" | "timeout" => opened = opened.or(Some(at)),
                "success" => {
                    let red = |from| Red { repo: repo.to_owned(), pipeline: pipeline.to_owned(), from, until: Some(at) };
                    reds.extend(opened.take().map(red));
                }
                _ => {}
            }
        }
        reds.extend(opened.map(|from| Red { repo: repo.to_owned(), pipeline: pipeline.to_owned(), from, until: None }));
    }
    reds
}
