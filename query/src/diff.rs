//! What makes two answers to the same questions differ: every metric on both sides, and the rows that are in one and not in the other,
//! or are there otherwise. A side is a picture and a window; whether the pictures differ by their definitions or by what had come in
//! is the caller's business.

use crate::answer::{Point, Status};
use crate::definitions::Definitions;
use crate::error::QueryError;
use crate::explain::objects;
use crate::facts::Facts;
use crate::metric::{ALL, Metric};
use crate::question::{Display, Extent, Question};
use crate::run::{buckets_of, run, scope_of};
use crate::scope::Subject;
use flowgauge_lake::model::Time;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked on one side.
#[derive(Clone, Debug)]
pub struct Side {
    pub facts: Facts,
    pub display: Display,
    pub from: Time,
    pub to: Time,
    pub as_of: Time,
}

/// Both sides, metric by metric.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    pub old: Asked,
    pub new: Asked,
    /// The switches that differ.
    pub switches: BTreeMap<String, Pair<Value>>,
    pub metrics: Vec<MetricDiff>,
}

/// By which definitions, over which window.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub preset: String,
    pub definition: String,
    pub from: String,
    pub to: String,
    pub as_of: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair<T> {
    pub old: T,
    pub new: T,
}

#[derive(Clone, Debug, Serialize)]
pub struct MetricDiff {
    pub metric: &'static str,
    pub unit: &'static str,
    #[serde(flatten)]
    pub answers: Pair<Option<Answered>>,
    pub is_changed: bool,
    /// Rows that moved, of which `rows` has the first.
    pub moved: usize,
    pub rows: Vec<Moved>,
}

/// What a metric said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answered {
    pub value: Option<f64>,
    pub n: i64,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
    pub status: Status,
    pub excluded: BTreeMap<String, i64>,
}

/// A row of `scope` that is not on both sides alike.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    /// `came`, `left` or `changed`.
    pub how: &'static str,
    /// What stands behind it.
    pub about: Vec<Of>,
    /// The rows about that, without their place in the answer.
    #[serde(flatten)]
    pub rows: Pair<Vec<Map<String, Value>>>,
}

/// An entity by its table and key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Of {
    pub table: &'static str,
    pub source: Option<String>,
    pub key: Vec<String>,
}

impl From<Subject> for Of {
    fn from(subject: Subject) -> Self {
        let source = subject.source.map(|source| source.as_str().to_owned());
        Of { table: subject.table.name(), source, key: subject.key }
    }
}

/// Every metric on both sides; of what moved, `limit` rows each.
pub async fn diff(old: &Side, new: &Side, limit: usize) -> Result<Diff, QueryError> {
    let mut metrics = Vec::with_capacity(ALL.len());
    for metric in ALL {
        let answers = Pair { old: old.answer(metric).await?, new: new.answer(metric).await? };
        let mut rows = moved(old.rows(metric).await?, new.rows(metric).await?);
        let moved = rows.len();
        rows.truncate(limit);
        metrics.push(MetricDiff { metric: metric.id, unit: metric.unit, is_changed: answers.old != answers.new, answers, moved, rows });
    }
    let switches = switches(&old.facts.definitions, &new.facts.definitions);
    Ok(Diff { old: old.asked(), new: new.asked(), switches, metrics })
}

type Rows = BTreeMap<Vec<Subject>, Vec<Map<String, Value>>>;

impl Side {
    fn question(&self, metric: &Metric) -> Question {
        let (from, to, as_of) = (self.from, self.to, self.as_of);
        Question { from, to, as_of, extent: Extent::Values, ..Question::new(metric.id, as_of, self.display) }
    }

    async fn answer(&self, metric: &Metric) -> Result<Option<Answered>, QueryError> {
        let answer = run(&self.question(metric), &self.facts, self.as_of).await?;
        let answered = |point: Point| Answered {
            value: point.value,
            n: point.n,
            numerator: point.numerator,
            denominator: point.denominator,
            status: point.status,
            excluded: point.excluded,
        };
        Ok(answer.series.into_iter().flat_map(|series| series.points).map(answered).next())
    }

    /// The rows of a metric's scope by what they are about.
    async fn rows(&self, metric: &Metric) -> Result<Rows, QueryError> {
        let question = self.question(metric);
        let buckets = buckets_of(&question, &self.facts.definitions)?;
        let scope = scope_of(metric, &question, &buckets, &self.facts, true).await?;
        let mut rows = Rows::new();
        for (mut row, about) in objects(&scope.batch)?.into_iter().zip(scope.subjects).filter(|(_, about)| !about.is_empty()) {
            // Where it stands among the others says nothing about it.
            ["series", "bucket", "id"].iter().for_each(|name| drop(row.remove(*name)));
            rows.entry(about).or_default().push(row);
        }
        rows.values_mut().for_each(|rows| rows.sort_by_key(|row| Value::Object(row.clone()).to_string()));
        Ok(rows)
    }

    fn asked(&self) -> Asked {
        let definitions = &self.facts.definitions;
        let [from, to, as_of] = [self.from, self.to, self.as_of].map(|at| at.to_string());
        Asked { preset: definitions.preset.clone(), definition: definitions.hash(), from, to, as_of }
    }
}

fn moved(mut old: Rows, mut new: Rows) -> Vec<Moved> {
    let all: BTreeSet<Vec<Subject>> = old.keys().chain(new.keys()).cloned().collect();
    let pair = |about: Vec<Subject>| {
        let rows = Pair { old: old.remove(&about).unwrap_or_default(), new: new.remove(&about).unwrap_or_default() };
        let how = match (rows.old.is_empty(), rows.new.is_empty()) {
            (true, _) => "came",
            (_, true) => "left",
            _ => "changed",
        };
        (rows.old != rows.new).then(|| Moved { how, about: about.into_iter().map(Of::from).collect(), rows })
    };
    all.into_iter().filter_map(pair).collect()
}

fn switches(old: &Definitions, new: &Definitions) -> BTreeMap<String, Pair<Value>> {
    let table = |definitions| match serde_json::to_value(definitions) {
        Ok(Value::Object(table)) => table,
        _ => Map::new(),
    };
    let (old, mut new) = (table(old), table(new));
    let pairs = old.into_iter().map(|(name, old)| {
        let new = new.remove(&name).unwrap_or_default();
        (name, Pair { old, new })
    });
    pairs.filter(|(_, pair)| pair.old != pair.new).collect()
}
