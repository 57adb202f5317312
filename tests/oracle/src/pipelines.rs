//! Pipelines (section 1.9, rules 50 and 51).

use std::collections::BTreeMap;

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
    created_at: Option<Time>,
    queued_at: Option<Time>,
    duration_seconds: Option<f64>,
    run: (String, String, String),
    pub is_final: bool,
}

/// Rule 1: an attempt exists from its earliest time and is in progress if it finished later.
pub fn attempts(rows: &[Row], as_of: Time) -> Vec<Attempt> {
    let mut all: Vec<Attempt> = rows.iter().filter(|r| exists(r, as_of)).map(|r| read(r, as_of)).collect();
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
    let earliest = ["created_at", "queued_at", "started_at", "finished_at"].iter().filter_map(|c| time(row, c)).min();
    earliest.is_none_or(|t| t <= as_of)
}

fn read(row: &Row, as_of: Time) -> Attempt {
    let finished_at = time(row, "finished_at");
    let later = finished_at.is_some_and(|t| t > as_of);
    let pipeline = text(row, "pipeline").unwrap_or_default();
    Attempt {
        repo: text(row, "repo").unwrap_or_default(),
        attempt: row.get("attempt").and_then(|v| v.as_i64()).unwrap_or(1),
        result: if later { "in_progress".into() } else { text(row, "result").unwrap_or_default() },
        started_at: time(row, "started_at"),
        finished_at: if later { None } else { finished_at },
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
