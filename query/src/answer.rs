//! The answer to a question, as every surface shows it (public contract, section 7).

use crate::question::Question;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub metric: &'static str,
    pub unit: &'static str,
    pub preset: String,
    /// Hash of the definitions that were used.
    pub definition: String,
    pub window: Window,
    pub series: Vec<SeriesAnswer>,
    pub computed_at: String,
    /// The latest receipt among the rows behind it.
    pub data_as_of: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Window {
    pub from: String,
    pub to: String,
    pub as_of: String,
    pub bucket: &'static str,
    pub tz: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct SeriesAnswer {
    pub labels: BTreeMap<&'static str, String>,
    pub points: Vec<Point>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub start: String,
    pub end: String,
    pub partial: bool,
    /// `None`: no data. Never 0 for that.
    pub value: Option<f64>,
    pub n: i64,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
    pub quantiles: BTreeMap<String, f64>,
    pub ci: Option<Interval>,
    pub status: Status,
    pub excluded: BTreeMap<String, i64>,
    pub coverage: Option<f64>,
    pub detail: Map<String, Value>,
    /// The values behind a duration, ascending; only where they were asked for, and never shown.
    #[serde(skip)]
    pub sample: Vec<Measured>,
    /// The address at which this value is explained; none where there is nothing to explain it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<String>,
}

/// One of the values behind a duration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub value: f64,
    /// What it came with, where values come together: the commits of one deployment.
    pub cluster: Option<i64>,
    /// Of what may still be open at the moment of the question.
    pub is_over: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Interval {
    pub lo: Option<f64>,
    pub hi: Option<f64>,
    pub method: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// There is a source and nothing to count.
    Empty,
    /// Too few values to be sure, or too many still open for a median.
    Insufficient,
    /// Nothing of the kind has ever come in under these labels.
    NotConfigured,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Empty => "empty",
            Status::Insufficient => "insufficient",
            Status::NotConfigured => "not_configured",
        }
    }
}

impl Window {
    pub fn of(question: &Question) -> Self {
        Window {
            from: question.from.to_string(),
            to: question.to.to_string(),
            as_of: question.as_of.to_string(),
            bucket: question.bucket.as_str(),
            tz: question.tz.name().to_owned(),
        }
    }
}

impl Answer {
    /// The points as a flat list of objects: labels and point in one.
    pub fn rows(&self) -> Vec<Value> {
        let row = |series: &SeriesAnswer, point: &Point| {
            let mut row = Map::new();
            row.insert("metric".into(), self.metric.into());
            for (name, value) in &series.labels {
                row.insert((*name).into(), value.as_str().into());
            }
            if let Ok(Value::Object(point)) = serde_json::to_value(point) {
                row.extend(point);
            }
            Value::Object(row)
        };
        self.series.iter().flat_map(|series| series.points.iter().map(move |point| row(series, point))).collect()
    }
}
