//! The id of a point: the question, which point of its answer, and what was answered then, so that years later somebody can see both
//! that value and today's. It needs no memory of the server's.

use crate::answer::Point;
use crate::buckets::Bucketing;
use crate::definitions::presets;
use crate::error::QueryError;
use crate::metric::metric;
use crate::question::{Dimension, Extent, Question, Tiers, is_writable};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Weekday;
use flowgauge_lake::model::{Tier, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One point of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PointId {
    pub question: Question,
    /// The values of the question's dimensions, in its order.
    pub labels: Vec<String>,
    /// Where the point's bucket starts.
    pub start: Time,
    /// The definitions' hash.
    pub definition: String,
    /// The latest receipt among the rows that were there.
    pub data_as_of: Option<Time>,
    pub value: Option<f64>,
}

/// How it is written: short names, moments in microseconds, the value by its bits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    m: String,
    w: [i64; 3],
    b: String,
    z: String,
    #[serde(default, skip_serializing_if = "is_false")]
    sunday: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preset: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    only: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    l: Vec<String>,
    s: i64,
    d: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl PointId {
    /// The id of a point that was just worked out.
    pub fn of(question: &Question, labels: Vec<String>, point: &Point, start: Time, definition: &str, data_as_of: Option<Time>) -> Self {
        PointId { question: question.clone(), labels, start, definition: definition.to_owned(), data_as_of, value: point.value }
    }

    /// Letters, digits, `-` and `_`.
    pub fn to_text(&self) -> String {
        let question = &self.question;
        let names = |dimension: &Dimension| dimension.as_str().to_owned();
        let written = Written {
            m: question.metric.to_owned(),
            w: [question.from, question.to, question.as_of].map(Time::micros),
            b: question.bucket.as_str().to_owned(),
            z: question.tz.name().to_owned(),
            sunday: question.first_day == Weekday::Sun,
            preset: question.preset.map(str::to_owned),
            by: question.by.iter().map(names).collect(),
            only: question.filters.iter().map(|(dimension, values)| (names(dimension), values.clone())).collect(),
            tier: match question.tiers {
                Tiers::Default => None,
                Tiers::All => Some("all".to_owned()),
                Tiers::One(tier) => Some(tier.as_str().to_owned()),
            },
            l: self.labels.clone(),
            s: self.start.micros(),
            d: self.definition.clone(),
            v: self.data_as_of.map(Time::micros),
            x: self.value.map(|value| format!("{:016x}", value.to_bits())),
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&written).unwrap_or_default())
    }

    /// Where the API explains it.
    pub fn address(&self) -> String {
        ["/api/v1/explain/", &self.to_text()].concat()
    }

    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::read(text).ok_or_else(|| QueryError::BadParameter {
            name: "id".into(),
            value: text.chars().take(40).collect(),
            expected: "what stands as `explain` beside a value".into(),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let written: Written = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let metric = metric(&written.m).ok()?;
        let dimension = |name: &String| Dimension::parse(name).filter(|dimension| metric.family.dimensions().contains(dimension));
        let [from, to, as_of] = written.w.map(Time::from_micros);
        let question = Question {
            metric: metric.id,
            from,
            to,
            as_of,
            bucket: Bucketing::parse(&written.b)?,
            tz: written.z.parse().ok()?,
            first_day: if written.sunday { Weekday::Sun } else { Weekday::Mon },
            preset: match &written.preset {
                Some(name) => Some(presets::find(name)?),
                None => None,
            },
            by: written.by.iter().map(dimension).collect::<Option<_>>()?,
            filters: written.only.into_iter().map(|(name, values)| Some((dimension(&name)?, values))).collect::<Option<_>>()?,
            tiers: match written.tier.as_deref() {
                None => Tiers::Default,
                Some("all") => Tiers::All,
                Some(name) => Tiers::One(Tier::parse(name)?),
            },
            extent: Extent::Full,
        };
        let value = match written.x {
            Some(bits) => Some(f64::from_bits(u64::from_str_radix(&bits, 16).ok()?)),
            None => None,
        };
        let moments = written.w.iter().chain([&written.s]).chain(&written.v);
        let is_plain = moments.copied().map(Time::from_micros).all(is_writable);
        (is_plain && question.from < question.to && question.by.len() == written.l.len()).then_some(PointId {
            question,
            labels: written.l,
            start: Time::from_micros(written.s),
            definition: written.d,
            data_as_of: written.v.map(Time::from_micros),
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Display;

    fn id() -> PointId {
        let now = Time::parse("2026-07-01T12:00:00Z").expect("a time");
        let pairs = [
            ("by", "service,team"),
            ("environment", "prod \"eu\""),
            ("bucket", "week"),
            ("tz", "Asia/Tokyo"),
            ("preset", "datadog"),
            ("ci", "1"),
        ];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let question = Question::parse("lead_time", &pairs, now, Display::default()).expect("a question");
        PointId {
            question,
            labels: vec!["checkout".into(), String::new()],
            start: now.plus_seconds(-86_400),
            definition: "sha256:abc".into(),
            data_as_of: Some(now),
            value: Some(0.1 + 0.2),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for id in [id(), PointId { value: None, data_as_of: None, ..id() }] {
            let text = id.to_text();
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            assert_eq!(PointId::parse(&text).expect("an id"), id);
        }
    }

    #[test]
    fn moments_that_nobody_can_write_are_no_id() {
        for far in [Time::MIN, Time::MAX] {
            for id in [
                PointId { start: far, ..id() },
                PointId { data_as_of: Some(far), ..id() },
                PointId { question: Question { as_of: far, ..id().question }, ..id() },
            ] {
                assert!(PointId::parse(&id.to_text()).is_err());
            }
        }
    }

    #[test]
    fn what_is_no_id_says_so() {
        for text in ["", "x", "e30", "%%%"] {
            assert!(PointId::parse(text).is_err_and(|error| error.to_string().contains("explain")), "{text}");
        }
    }
}
