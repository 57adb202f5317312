//! Time: the two years of the shop, its working hours, and the forms in which providers write an instant.

use chrono::{DateTime, Datelike, Timelike, Utc};

/// Seconds since 1970, UTC.
pub type Sec = i64;

pub const MINUTE: Sec = 60;
pub const HOUR: Sec = 60 * MINUTE;
pub const DAY: Sec = 24 * HOUR;
pub const WEEK: Sec = 7 * DAY;

/// How long the shop is watched.
pub const WEEKS: i64 = 104;

/// Monday 2024-07-01, 00:00 UTC: the first day when nothing is shifted.
const FIRST_DAY: Sec = 1_719_792_000;

/// The weeks between Christmas and New Year, counted from the first day.
const QUIET_WEEKS: [i64; 2] = [25, 77];

const OPENS: Sec = 8 * HOUR;
const CLOSES: Sec = 18 * HOUR;

/// The two years, moved by whole weeks.
#[derive(Clone, Copy)]
pub struct Calendar {
    pub start: Sec,
    /// The last instant at which anything happens: the Sunday of the last week, 23:00 UTC.
    pub end: Sec,
}

impl Calendar {
    pub fn shifted(weeks: i64) -> Self {
        let start = FIRST_DAY + weeks * WEEK;
        Self { start, end: start + WEEKS * WEEK - HOUR }
    }

    /// Which week of the two years, from 0.
    pub fn week(&self, at: Sec) -> i64 {
        (at - self.start).div_euclid(WEEK)
    }

    /// How busy a day is: 1 on a working day, little on weekends and over the year's end.
    pub fn busyness(&self, at: Sec) -> f64 {
        let week = if is_workday(at) { 1.0 } else { 0.04 };
        if QUIET_WEEKS.contains(&self.week(at)) { week * 0.1 } else { week }
    }
}

fn midnight(at: Sec) -> Sec {
    at - at.rem_euclid(DAY)
}

fn is_workday(at: Sec) -> bool {
    // 1970-01-01 was a Thursday.
    (at.div_euclid(DAY) + 3).rem_euclid(7) < 5
}

/// `at` itself in working hours, else the next morning on which people work.
pub fn next_work(at: Sec) -> Sec {
    let mut day = midnight(at);
    if is_workday(day) && at < day + CLOSES {
        return at.max(day + OPENS);
    }
    day += DAY;
    while !is_workday(day) {
        day += DAY;
    }
    day + OPENS
}

/// The instant at which `seconds` of working time after `at` are over.
pub fn add_work(at: Sec, seconds: Sec) -> Sec {
    let mut at = next_work(at);
    let mut left = seconds;
    loop {
        let close = midnight(at) + CLOSES;
        if at + left <= close {
            return at + left;
        }
        left -= close - at;
        at = next_work(close);
    }
}

pub fn instant(at: Sec) -> DateTime<Utc> {
    DateTime::from_timestamp(at, 0).unwrap_or_default()
}

fn push_digits(out: &mut String, value: u32, width: u32) {
    for place in (0..width).rev() {
        out.push(char::from(b'0' + ((value / 10u32.pow(place)) % 10) as u8));
    }
}

fn push_local(out: &mut String, at: Sec, between: char) {
    let time = instant(at);
    push_digits(out, time.year().unsigned_abs(), 4);
    out.push('-');
    push_digits(out, time.month(), 2);
    out.push('-');
    push_digits(out, time.day(), 2);
    out.push(between);
    push_digits(out, time.hour(), 2);
    out.push(':');
    push_digits(out, time.minute(), 2);
    out.push(':');
    push_digits(out, time.second(), 2);
}

fn push_offset(out: &mut String, minutes: i32, colon: bool) {
    out.push(if minutes < 0 { '-' } else { '+' });
    push_digits(out, minutes.unsigned_abs() / 60, 2);
    if colon {
        out.push(':');
    }
    push_digits(out, minutes.unsigned_abs() % 60, 2);
}

/// `2026-01-02T03:04:05Z`.
pub fn iso(at: Sec) -> String {
    let mut out = String::with_capacity(20);
    push_local(&mut out, at, 'T');
    out.push('Z');
    out
}

/// `2026-01-02T03:04:05.000Z`.
pub fn iso_millis(at: Sec) -> String {
    let mut out = iso(at);
    out.truncate(19);
    out.push_str(".000Z");
    out
}

/// `2026-01-02T04:04:05+01:00`.
pub fn iso_offset(at: Sec, minutes: i32) -> String {
    let mut out = String::with_capacity(25);
    push_local(&mut out, at + Sec::from(minutes) * MINUTE, 'T');
    push_offset(&mut out, minutes, true);
    out
}

/// `2026-01-02 03:04:05 UTC`, as GitLab's pipeline hooks write it.
pub fn gitlab_utc(at: Sec) -> String {
    let mut out = String::with_capacity(23);
    push_local(&mut out, at, ' ');
    out.push_str(" UTC");
    out
}

/// `2026-01-02 05:04:05 +0200`, as GitLab's deployment hooks write it.
pub fn gitlab_offset(at: Sec, minutes: i32) -> String {
    let mut out = String::with_capacity(25);
    push_local(&mut out, at + Sec::from(minutes) * MINUTE, ' ');
    out.push(' ');
    push_offset(&mut out, minutes, false);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_a_sunday() {
        let calendar = Calendar::shifted(0);
        assert_eq!(iso(calendar.start), "2024-07-01T00:00:00Z");
        assert_eq!(iso(calendar.end), "2026-06-28T23:00:00Z");
        assert!(!is_workday(calendar.end));
    }

    #[test]
    fn work_skips_nights_and_weekends() {
        let friday_evening = FIRST_DAY + 4 * DAY + 17 * HOUR;
        assert_eq!(iso(add_work(friday_evening, 2 * HOUR)), "2024-07-08T09:00:00Z");
        assert_eq!(iso(next_work(FIRST_DAY)), "2024-07-01T08:00:00Z");
    }

    #[test]
    fn every_form_names_the_same_instant() {
        let at = FIRST_DAY + 3 * HOUR + 5;
        assert_eq!(iso_offset(at, -300), "2024-06-30T22:00:05-05:00");
        assert_eq!(iso_millis(at), "2024-07-01T03:00:05.000Z");
        assert_eq!(gitlab_utc(at), "2024-07-01 03:00:05 UTC");
        assert_eq!(gitlab_offset(at, 120), "2024-07-01 05:00:05 +0200");
    }
}
