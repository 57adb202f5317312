//! A moment: microseconds since 1970, UTC. The one time type of the model.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    pub const MIN: Time = Time(i64::MIN);
    pub const MAX: Time = Time(i64::MAX);

    pub const fn from_micros(micros: i64) -> Self {
        Time(micros)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Time(seconds.saturating_mul(1_000_000))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to `self`; negative when `self` came first.
    pub fn seconds_since(self, earlier: Time) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }

    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Time(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Reads what providers send: RFC 3339, `2016-08-12 15:23:28 UTC`, `2021-04-28 21:50:00 +0200`, `…T19:01:52.971-0800`.
    /// A text without a zone is UTC. Year 1 (`0001-01-01T…`) means "not known" at several providers and gives `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let moment = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f %z"))
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .map(|at| at.with_timezone(&Utc))
            .or_else(|_| {
                let naive = text.trim_end_matches("UTC").trim_end();
                NaiveDateTime::parse_from_str(naive, "%Y-%m-%d %H:%M:%S%.f")
                    .or_else(|_| NaiveDateTime::parse_from_str(naive, "%Y-%m-%dT%H:%M:%S%.f"))
                    .map(|at| at.and_utc())
            })
            .ok()?;
        (moment.timestamp() > -62_000_000_000).then(|| Time(moment.timestamp_micros()))
    }

    pub fn to_datetime(self) -> DateTime<Utc> {
        Utc.timestamp_micros(self.0).single().unwrap_or(if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC })
    }

    /// `2026-06-28`, the UTC day.
    pub fn day(self) -> String {
        self.to_datetime().format("%Y-%m-%d").to_string()
    }

    /// `2026-06`, the UTC month.
    pub fn month(self) -> String {
        self.to_datetime().format("%Y-%m").to_string()
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(at: DateTime<Utc>) -> Self {
        Time(at.timestamp_micros())
    }
}

/// RFC 3339 in UTC, with as many fraction digits as the moment needs.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_providers_send() {
        for (text, rfc3339) in [
            ("2016-08-12 15:23:28 UTC", "2016-08-12T15:23:28Z"),
            ("2021-04-28 21:50:00 +0200", "2021-04-28T19:50:00Z"),
            ("2019-02-15T19:01:52.971-0800", "2019-02-16T03:01:52.971Z"),
            ("2026-01-02T03:04:05.123456+01:00", "2026-01-02T02:04:05.123456Z"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(Time::parse(text).expect(text).to_string(), rfc3339);
        }
    }

    #[test]
    fn year_one_and_rubbish_are_unknown() {
        assert_eq!(Time::parse("0001-01-01T00:00:00Z"), None);
        assert_eq!(Time::parse("yesterday"), None);
    }
}
