//! Buckets of a window in local time: DST-safe, cut at the window and at `as_of` (semantics 0, 7.1, 7.2).

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use flowgauge_lake::model::Time;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucketing {
    None,
    Day,
    Week,
    Month,
}

impl Bucketing {
    pub const ALL: &'static [&'static str] = &["none", "day", "week", "month"];

    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "none" => Bucketing::None,
            "day" => Bucketing::Day,
            "week" => Bucketing::Week,
            "month" => Bucketing::Month,
            _ => return None,
        })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Bucketing::None => "none",
            Bucketing::Day => "day",
            Bucketing::Week => "week",
            Bucketing::Month => "month",
        }
    }
}

/// A stretch of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Natural local bounds; with no bucketing the window's.
    pub start: Time,
    pub end: Time,
    /// What is counted: the natural bounds cut at the window and at `as_of`. Empty when `to <= from`.
    pub from: Time,
    pub to: Time,
    pub partial: bool,
}

impl Bucket {
    pub fn is_empty(&self) -> bool {
        self.to <= self.from
    }

    pub fn days(&self) -> f64 {
        if self.is_empty() { 0.0 } else { self.to.seconds_since(self.from) / 86_400.0 }
    }
}

/// The first instant of a local day; where a clock change skips midnight, the first instant after it.
fn start_of_day(day: NaiveDate, tz: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_hms_opt(0, 0, 0)?;
    if let Some(at) = tz.from_local_datetime(&midnight).earliest() {
        return Some(at.with_timezone(&Utc));
    }
    // The gap is at most a few hours; its end is where local time is valid again, to the second.
    let valid = |at: NaiveDateTime| tz.from_local_datetime(&at).earliest();
    let (mut low, mut high) = (0_i64, 24 * 3600);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if valid(midnight + chrono::TimeDelta::seconds(middle)).is_some() { high = middle } else { low = middle }
    }
    valid(midnight + chrono::TimeDelta::seconds(high)).map(|at| at.with_timezone(&Utc))
}

fn truncate(day: NaiveDate, bucketing: Bucketing, first_day: Weekday) -> Option<NaiveDate> {
    match bucketing {
        Bucketing::None | Bucketing::Day => Some(day),
        Bucketing::Week => day.checked_sub_days(Days::new(u64::from(day.weekday().days_since(first_day)))),
        Bucketing::Month => day.with_day(1),
    }
}

fn next(day: NaiveDate, bucketing: Bucketing) -> Option<NaiveDate> {
    match bucketing {
        Bucketing::None | Bucketing::Day => day.checked_add_days(Days::new(1)),
        Bucketing::Week => day.checked_add_days(Days::new(7)),
        Bucketing::Month => day.checked_add_months(Months::new(1)),
    }
}

/// All buckets that touch the window, empty ones too. At most `limit`; more is `None`.
pub fn buckets(from: Time, to: Time, as_of: Time, bucketing: Bucketing, tz: Tz, first_day: Weekday, limit: usize) -> Option<Vec<Bucket>> {
    let cut = |start: Time, end: Time| {
        let (low, high) = (start.max(from), end.min(to).min(as_of));
        Bucket { start, end, from: low, to: high, partial: low > start || high < end }
    };
    if bucketing == Bucketing::None {
        return Some(vec![cut(from, to)]);
    }
    let mut buckets = Vec::new();
    let mut day = truncate(from.to_datetime().with_timezone(&tz).date_naive(), bucketing, first_day)?;
    loop {
        let following = next(day, bucketing)?;
        let (start, end) = (Time::from(start_of_day(day, tz)?), Time::from(start_of_day(following, tz)?));
        if start >= to {
            return Some(buckets);
        }
        if end > from {
            buckets.push(cut(start, end));
            if buckets.len() > limit {
                return None;
            }
        }
        day = following;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::parse(text).expect(text)
    }

    fn starts(from: &str, to: &str, bucketing: Bucketing, tz: &str) -> Vec<String> {
        let tz: Tz = tz.parse().expect("a zone");
        let all = buckets(at(from), at(to), at(to), bucketing, tz, Weekday::Mon, 1000).expect("few buckets");
        all.iter().map(|bucket| bucket.start.to_string()).collect()
    }

    #[test]
    fn a_day_may_have_23_hours() {
        let days = starts("2026-03-28T23:00:00Z", "2026-03-31T00:00:00Z", Bucketing::Day, "Europe/Berlin");
        assert_eq!(days, ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]);
    }

    #[test]
    fn a_skipped_midnight_is_its_first_instant() {
        // Santiago skips 2026-09-06 00:00–01:00.
        let days = starts("2026-09-05T12:00:00Z", "2026-09-07T12:00:00Z", Bucketing::Day, "America/Santiago");
        assert_eq!(days, ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]);
    }

    #[test]
    fn cut_buckets_are_partial_and_keep_their_natural_bounds() {
        let all = buckets(
            at("2026-01-07T00:00:00Z"),
            at("2026-01-20T00:00:00Z"),
            at("2026-01-15T00:00:00Z"),
            Bucketing::Week,
            Tz::UTC,
            Weekday::Mon,
            10,
        )
        .expect("few");
        assert_eq!(all.len(), 3);
        assert!(all[0].partial && all[0].start == at("2026-01-05T00:00:00Z") && all[0].from == at("2026-01-07T00:00:00Z"));
        assert!(all[1].partial && all[1].to == at("2026-01-15T00:00:00Z") && all[1].end == at("2026-01-19T00:00:00Z"));
        assert!(all[2].is_empty());
    }
}
