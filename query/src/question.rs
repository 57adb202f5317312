//! A question: which metric, over which time, by what, filtered how. Parsed once at the edge; unknown words are errors that name
//! the nearest known one.

use crate::buckets::{Bucket, Bucketing};
use crate::definitions::presets;
use crate::error::QueryError;
use crate::metric::{Family, Metric, metric};
use chrono::{NaiveDate, Weekday};
use chrono_tz::Tz;
use flowgauge_lake::model::{Tier, Time, nearest};
use std::collections::BTreeMap;

/// What series can be split and filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    App,
    Environment,
    Pipeline,
    Repo,
    Service,
    Team,
}

impl Dimension {
    pub const fn as_str(self) -> &'static str {
        match self {
            Dimension::App => "app",
            Dimension::Environment => "environment",
            Dimension::Pipeline => "pipeline",
            Dimension::Repo => "repo",
            Dimension::Service => "service",
            Dimension::Team => "team",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Dimension::App, Dimension::Environment, Dimension::Pipeline, Dimension::Repo, Dimension::Service, Dimension::Team]
            .into_iter()
            .find(|dimension| dimension.as_str() == text)
    }
}

/// Which tiers count where no environment is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tiers {
    /// The metric's own: production for deployments, all for the others.
    Default,
    All,
    One(Tier),
}

/// What a reader sees unless they ask for something else: `[display]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Display {
    pub tz: Tz,
    pub first_day: Weekday,
}

impl Default for Display {
    fn default() -> Self {
        Display { tz: Tz::UTC, first_day: Weekday::Mon }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub metric: &'static str,
    pub from: Time,
    pub to: Time,
    pub as_of: Time,
    pub bucket: Bucketing,
    pub tz: Tz,
    pub first_day: Weekday,
    /// By which preset's definitions; `None`: by those of the configuration.
    pub preset: Option<&'static str>,
    /// In alphabetical order.
    pub by: Vec<Dimension>,
    /// Any of the values; an empty map filters nothing.
    pub filters: BTreeMap<Dimension, Vec<String>>,
    pub tiers: Tiers,
    pub extent: Extent,
}

/// How much an answer tells beside its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Extent {
    /// The way to each value's explanation, and intervals where there are few points.
    #[default]
    Usual,
    /// Intervals everywhere, whatever they cost.
    Full,
    /// Nothing: for surfaces that show values alone.
    Values,
    /// The usual, and the values behind each duration.
    Sample,
}

/// Points beyond which intervals are left out unless asked for.
pub const INTERVAL_POINTS: usize = 200;
/// Points of one series beyond which a question is refused.
pub const MAX_BUCKETS: usize = 4000;

impl Question {
    /// The default question about a metric: the last 90 days, no buckets.
    pub fn new(metric: &'static str, now: Time, display: Display) -> Self {
        Question {
            metric,
            from: now.plus_seconds(-90 * 86_400),
            to: now,
            as_of: now,
            bucket: Bucketing::None,
            tz: display.tz,
            first_day: display.first_day,
            preset: None,
            by: Vec::new(),
            filters: BTreeMap::new(),
            tiers: Tiers::Default,
            extent: Extent::default(),
        }
    }

    /// Reads the parameters of an address or a command line. Several values of one name are alternatives.
    pub fn parse(metric_id: &str, parameters: &[(String, String)], now: Time, display: Display) -> Result<Question, QueryError> {
        let metric = metric(metric_id)?;
        let mut question = Question::new(metric.id, now, display);
        let (mut to_given, mut as_of_given) = (false, false);
        for (name, value) in parameters {
            let bad = |expected: &str| QueryError::BadParameter { name: name.clone(), value: value.clone(), expected: expected.to_owned() };
            let moment = || time(value, now).ok_or_else(|| bad("RFC 3339, a date, epoch milliseconds or `now-30d`"));
            match name.as_str() {
                "from" => question.from = moment()?,
                "to" => (question.to, to_given) = (moment()?, true),
                "as_of" => (question.as_of, as_of_given) = (moment()?, true),
                "bucket" => question.bucket = Bucketing::parse(value).ok_or_else(|| bad("none, day, week or month"))?,
                "tz" => question.tz = value.parse().map_err(|_| bad("an IANA time zone, as `Europe/Berlin`"))?,
                "preset" => question.preset = Some(presets::find(value).ok_or_else(|| bad(&presets::expected(value)))?),
                "tier" if value == "all" => question.tiers = Tiers::All,
                "tier" => {
                    question.tiers =
                        Tiers::One(Tier::parse(value).ok_or_else(|| bad("all, production, staging, testing, development or other"))?)
                }
                "ci" if value == "1" => question.extent = Extent::Full,
                "ci" if value == "0" => question.extent = Extent::Usual,
                "ci" => return Err(bad("0 or 1")),
                "by" => {
                    for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                        question.by.push(dimension(metric, "by", word)?);
                    }
                }
                other => {
                    let names = ["from", "to", "as_of", "bucket", "tz", "by", "preset", "tier", "ci"];
                    let known = names.into_iter().chain(metric.family.dimensions().iter().map(|dimension| dimension.as_str()));
                    let dimension =
                        Dimension::parse(other).filter(|dimension| metric.family.dimensions().contains(dimension)).ok_or_else(|| {
                            QueryError::UnknownParameter { name: other.to_owned(), nearest: nearest(other, known).map(str::to_owned) }
                        })?;
                    question.filters.entry(dimension).or_default().push(value.clone());
                }
            }
        }
        question.by.sort();
        question.by.dedup();
        if !to_given && as_of_given {
            question.to = question.as_of;
        }
        if question.from >= question.to {
            return Err(QueryError::BadParameter {
                name: "from".into(),
                value: question.from.to_string(),
                expected: format!("a moment before `to` ({})", question.to),
            });
        }
        Ok(question)
    }

    /// The moment that a bucket tells the state of: its cut end, so that buckets make a trend; of a whole window the question's own.
    pub fn state_at(&self, bucket: &Bucket) -> Time {
        if self.bucket == Bucketing::None { self.as_of } else { bucket.to }
    }

    pub fn filter(&self, dimension: Dimension, value: Option<&str>) -> bool {
        self.filters.get(&dimension).is_none_or(|wanted| wanted.iter().any(|name| name == value.unwrap_or_default()))
    }
}

fn dimension(metric: &Metric, name: &str, word: &str) -> Result<Dimension, QueryError> {
    let known = metric.family.dimensions();
    Dimension::parse(word).filter(|dimension| known.contains(dimension)).ok_or_else(|| QueryError::BadParameter {
        name: name.to_owned(),
        value: word.to_owned(),
        expected: format!(
            "{} can be split by {}",
            metric.id,
            known.iter().map(|dimension| dimension.as_str()).collect::<Vec<_>>().join(", ")
        ),
    })
}

/// Whether a moment can be written: years have four digits.
pub fn is_writable(at: Time) -> bool {
    const YEAR_1: Time = Time::from_seconds(-62_135_596_800);
    const YEAR_10000: Time = Time::from_seconds(253_402_300_800);
    (YEAR_1..YEAR_10000).contains(&at)
}

/// RFC 3339, a date, epoch milliseconds, `now` or `now-30d`.
pub fn time(text: &str, now: Time) -> Option<Time> {
    any_time(text, now).filter(|at| is_writable(*at))
}

fn any_time(text: &str, now: Time) -> Option<Time> {
    if let Some(rest) = text.strip_prefix("now") {
        return match rest.strip_prefix('-') {
            Some(back) => crate::definitions::seconds(back).map(|seconds| now.plus_seconds(-seconds)),
            None => rest.is_empty().then_some(now),
        };
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return day.and_hms_opt(0, 0, 0).map(|at| Time::from(at.and_utc()));
    }
    if let Ok(millis) = text.parse::<i64>() {
        return millis.checked_mul(1000).map(Time::from_micros);
    }
    // A `+` of an offset arrives as a blank where the address was not encoded.
    chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|at| Time::from(at.to_utc()))
}

impl Family {
    /// What series of the family can be split and filtered by.
    pub const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Family::Deployments
            | Family::Changes
            | Family::Promotions
            | Family::Entries
            | Family::Rungs
            | Family::Config
            | Family::Onboarding
            | Family::Gates
            | Family::Findings
            | Family::Score => &[Dimension::Environment, Dimension::Service, Dimension::Team],
            Family::Incidents => &[Dimension::Service, Dimension::Team],
            Family::Drift => &[Dimension::App, Dimension::Environment, Dimension::Service, Dimension::Team],
            Family::Pipelines
            | Family::Templates
            | Family::FlakyTests
            | Family::Tests
            | Family::Checks
            | Family::Work
            | Family::CriticalPaths => &[Dimension::Pipeline, Dimension::Repo, Dimension::Service, Dimension::Team],
            Family::Reviews | Family::ScannedChanges => &[Dimension::Repo, Dimension::Service, Dimension::Team],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_many_forms() {
        let now = Time::parse("2026-07-01T12:00:00Z").expect("a time");
        for (text, rfc3339) in [
            ("now-30d", "2026-06-01T12:00:00Z"),
            ("2026-01-02", "2026-01-02T00:00:00Z"),
            ("1767312000000", "2026-01-02T00:00:00Z"),
            ("2026-01-02T01:00:00 01:00", "2026-01-02T00:00:00Z"),
        ] {
            assert_eq!(time(text, now).expect(text).to_string(), rfc3339);
        }
        for text in ["tomorrow", "99999999999999999", "-9223372036854775", "now-9999999d"] {
            assert_eq!(time(text, now), None, "{text}");
        }
    }

    #[test]
    fn slips_are_named() {
        let ask = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            Question::parse("lead_time", &pairs, Time::from_seconds(1_800_000_000), Display::default()).map_err(|error| error.to_string())
        };
        assert_eq!(ask(&[("servise", "a")]), Err("unknown parameter `servise`, did you mean `service`?".to_owned()));
        assert!(ask(&[("by", "color")]).is_err_and(|text| text.contains("`color`")));
        assert!(ask(&[("bucket", "year")]).is_err());
        assert!(ask(&[("by", "team,service"), ("team", "a"), ("team", "b")]).is_ok());
    }
}
