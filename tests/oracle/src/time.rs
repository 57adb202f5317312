//! Instants, and the buckets of a window (rules 1, 2 and 10).

use chrono::{DateTime, Datelike, Days, LocalResult, Months, NaiveDate, SecondsFormat, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use crate::question::{Bucket, Question};

pub type Time = DateTime<Utc>;

/// RFC 3339 or epoch microseconds (DESIGN section 6).
pub fn parse_time(value: &Value) -> Option<Time> {
    match value {
        Value::String(s) => DateTime::parse_from_rfc3339(s).ok().map(|t| t.with_timezone(&Utc)),
        Value::Number(n) => n.as_i64().and_then(DateTime::from_timestamp_micros),
        _ => None,
    }
}

/// RFC 3339 in UTC, always with six digits, so that the order of the texts is the order of the instants.
pub fn show_micros(t: Time) -> String {
    t.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// RFC 3339 in UTC, as short as it goes.
pub fn show(t: Time) -> String {
    t.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// `b - a` in seconds, exact to the microsecond (section 0).
pub fn seconds(a: Time, b: Time) -> f64 {
    (b - a).num_microseconds().expect("a span of less than 292,000 years") as f64 / 1e6
}

/// One bucket of the answer: natural bounds, and what of it lies inside the window and before `as_of`.
#[derive(Debug, Clone)]
pub struct Cut {
    pub start: Time,
    pub end: Time,
    pub partial: bool,
    /// The rows of the bucket are those in `[from, to)`; it is empty if `to <= from`.
    pub from: Time,
    pub to: Time,
}

impl Cut {
    pub fn has(&self, t: Time) -> bool {
        self.from <= t && t < self.to
    }

    /// Rule 1: the bucket starts at or after `as_of`.
    pub fn is_future(&self) -> bool {
        self.to <= self.from
    }
}

/// All buckets of the window, also the empty ones (section 0).
pub fn buckets(q: &Question) -> Vec<Cut> {
    if q.bucket == Bucket::None {
        return vec![cut(q, q.from, q.to)]; // rule 2: the bounds are from and to
    }
    let mut day = first_day(q.from.with_timezone(&q.tz).date_naive(), q.bucket);
    let mut all = Vec::new();
    loop {
        let next = next_day(day, q.bucket);
        let (start, end) = (midnight(day, q.tz), midnight(next, q.tz));
        if start >= q.to {
            return all;
        }
        if end > q.from {
            all.push(cut(q, start, end));
        }
        day = next;
    }
}

/// Rule 1: every bucket ends at min(its end, `to`, `as_of`), and is partial where `from`, `to` or `as_of` cuts it.
fn cut(q: &Question, start: Time, end: Time) -> Cut {
    let partial = start < q.from || end > q.to || end > q.as_of;
    Cut { start, end, partial, from: start.max(q.from), to: end.min(q.to).min(q.as_of) }
}

fn first_day(day: NaiveDate, bucket: Bucket) -> NaiveDate {
    match bucket {
        Bucket::Week => day - Days::new(u64::from(day.weekday().num_days_from_monday())), // ISO weeks
        Bucket::Month => day.with_day(1).expect("every month has a first day"),
        Bucket::Day | Bucket::None => day,
    }
}

fn next_day(day: NaiveDate, bucket: Bucket) -> NaiveDate {
    match bucket {
        Bucket::Week => day + Days::new(7),
        Bucket::Month => day + Months::new(1),
        Bucket::Day | Bucket::None => day + Days::new(1),
    }
}

/// The instant of a local midnight. Rule 2: one that is skipped or repeated is its first instant.
pub fn midnight(day: NaiveDate, tz: Tz) -> Time {
    let mut local = day.and_hms_opt(0, 0, 0).expect("midnight is a time");
    loop {
        match tz.from_local_datetime(&local) {
            LocalResult::Single(t) => return t.with_timezone(&Utc),
            LocalResult::Ambiguous(first, _) => return first.with_timezone(&Utc),
            // Skipped: the first local minute that exists is the instant of the clock change.
            LocalResult::None => local += TimeDelta::minutes(1),
        }
    }
}
