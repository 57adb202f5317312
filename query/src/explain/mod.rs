//! Why a value is what it is: the rows that its statement was given, the statement, and of each row the entities and raw events
//! behind it. The value shown is worked out from exactly these rows, so who runs the statement over them gets the same.

mod id;

pub use id::PointId;

use crate::answer::{Point, Window};
use crate::buckets::Bucket;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::facts::Facts;
use crate::metric::{Metric, metric};
use crate::question::Question;
use crate::run;
pub use crate::scope::Subject;
use crate::scope::{Scope, bucket_batch};
pub use crate::statement::Relations;
use crate::statement::execute;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::json::ArrayWriter;
use flowgauge_lake::model::{EventId, Tenant, Time};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A point with everything behind it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub id: String,
    pub metric: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub definition: Definition,
    /// The statement that gave the value, over the relations `scope` and `buckets`.
    pub sql: &'static str,
    pub window: Window,
    pub labels: BTreeMap<&'static str, String>,
    /// As it is now.
    pub point: Point,
    pub then: Then,
    /// Definitions and value are those of then.
    pub is_same: bool,
    pub computed_at: String,
    pub data_as_of: Option<String>,
    /// The one row of `buckets`.
    pub buckets: Vec<Map<String, Value>>,
    /// Rows of `scope`, from `offset` on.
    pub rows: Vec<ExplainedRow>,
    pub row_count: usize,
    pub next_offset: Option<usize>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Definition {
    pub preset: String,
    pub hash: String,
    /// In words (Markdown).
    pub text: &'static str,
}

/// What was answered when the id was made.
#[derive(Clone, Debug, Serialize)]
pub struct Then {
    pub value: Option<f64>,
    pub definition: String,
    pub data_as_of: Option<String>,
}

/// A row of `scope` and what it is about.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedRow {
    /// What the statement reads; columns without a value are left out.
    pub row: Map<String, Value>,
    /// Why it is not in the value, where that was known before the statement.
    pub left_out: Option<String>,
    pub about: Vec<About>,
}

/// An entity, and the raw events that told of it.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    pub table: &'static str,
    pub source: Option<String>,
    pub key: Vec<String>,
    pub raw_events: Vec<String>,
}

/// Which of the rows are shown.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub offset: usize,
    pub limit: usize,
}

/// The rows of one point, and the point that they give.
pub struct Recomputed {
    pub metric: &'static Metric,
    pub relations: Relations,
    pub subjects: Vec<Vec<Subject>>,
    pub labels: BTreeMap<&'static str, String>,
    pub point: Point,
}

/// Builds the scope of the id's question, keeps what belongs to its point, and runs the statement over that alone.
pub async fn recompute(id: &PointId, facts: &Facts) -> Result<Recomputed, QueryError> {
    let question = &id.question;
    let metric = metric(question.metric)?;
    let buckets = run::buckets_of(question, &facts.definitions)?;
    let gone = || QueryError::BadParameter {
        name: "id".into(),
        value: question.metric.into(),
        expected: "a point that the question still has: nothing stands under its labels any more".into(),
    };
    let place = buckets.iter().position(|bucket| bucket.start == id.start).ok_or_else(gone)?;
    let scope = run::scope_of(metric, question, &buckets, facts, true).await?;
    let number = scope.series.iter().position(|series| series.labels.iter().map(|(_, value)| value).eq(&id.labels)).ok_or_else(gone)?;
    let (relations, subjects) = only(&scope, number, place, &buckets, question, facts)?;
    let rows = execute(metric, relations.clone()).await?;
    let mut answered = run::collect(metric, &scope.series, &buckets, &rows, facts.definitions.min_n, true);
    let series = answered.swap_remove(number);
    let mut point = series.points.into_iter().next().ok_or_else(gone)?;
    point.explain = Some(id.address());
    Ok(Recomputed { metric, relations, subjects, labels: series.labels, point })
}

/// The rows of one series that stand in one bucket or in none, and that bucket.
fn only(
    scope: &Scope,
    number: usize,
    place: usize,
    buckets: &[Bucket],
    question: &Question,
    facts: &Facts,
) -> Result<(Relations, Vec<Vec<Subject>>), QueryError> {
    let column = |name| scope.batch.column_by_name(name).expect("scope has its columns").as_primitive::<Int64Type>();
    let (series, bucket) = (column("series"), column("bucket"));
    let keep: Vec<bool> = (0..scope.batch.num_rows())
        .map(|row| series.value(row) == number as i64 && (bucket.is_null(row) || bucket.value(row) == place as i64))
        .collect();
    let subjects = scope.subjects.iter().zip(&keep).filter(|(_, keep)| **keep).map(|(subjects, _)| subjects.clone()).collect();
    let rows = filter_record_batch(&scope.batch, &BooleanArray::from(keep))?;
    let buckets = bucket_batch(buckets, question, true, &facts.definitions)?.slice(place, 1);
    Ok((Relations { scope: rows, buckets }, subjects))
}

impl Engine {
    /// A point with everything behind it, as the picture is now.
    pub async fn explain(&self, tenant: &Tenant, id: &PointId, page: Page, now: Time) -> Result<Explanation, QueryError> {
        let facts = self.facts_under(tenant, id.question.preset).await?;
        let Recomputed { metric, relations, subjects, labels, point } = recompute(id, &facts).await?;
        let hash = facts.definitions.hash();
        let is_same = point.value.map(f64::to_bits) == id.value.map(f64::to_bits) && hash == id.definition;
        let end = page.offset.saturating_add(page.limit).min(subjects.len());
        let start = page.offset.min(end);
        let rows = objects(&relations.scope.slice(start, end - start))?;
        let rows = rows.into_iter().zip(&subjects[start..end]).map(|(row, subjects)| ExplainedRow {
            left_out: left_out(&row, &point),
            about: subjects.iter().map(|subject| self.about(tenant, subject)).collect(),
            row,
        });
        Ok(Explanation {
            id: id.to_text(),
            metric: metric.id,
            title: metric.title,
            unit: metric.unit,
            definition: Definition { preset: facts.definitions.preset.clone(), hash, text: metric.doc },
            sql: metric.sql,
            window: Window::of(&id.question),
            labels,
            then: Then { value: id.value, definition: id.definition.clone(), data_as_of: id.data_as_of.map(|at| at.to_string()) },
            is_same,
            computed_at: now.to_string(),
            data_as_of: facts.data_as_of.map(|at| at.to_string()),
            buckets: objects(&relations.buckets)?,
            rows: rows.collect(),
            row_count: subjects.len(),
            next_offset: (end < subjects.len()).then_some(end),
            point,
        })
    }

    fn about(&self, tenant: &Tenant, subject: &Subject) -> About {
        About {
            table: subject.table.name(),
            source: subject.source.as_ref().map(|source| source.as_str().to_owned()),
            key: subject.key.clone(),
            raw_events: self.raw_events(tenant, subject).iter().map(EventId::to_string).collect(),
        }
    }
}

/// The reason that a row carries, or an outcome that the formula leaves out.
fn left_out(row: &Map<String, Value>, point: &Point) -> Option<String> {
    let told = |name: &str| row.get(name).and_then(Value::as_str).filter(|reason| point.excluded.contains_key(*reason));
    told("reason").or_else(|| told("outcome")).map(str::to_owned)
}

/// Rows as objects; what is null is not said.
pub(crate) fn objects(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, QueryError> {
    let mut bytes = Vec::new();
    let mut writer = ArrayWriter::new(&mut bytes);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    Ok(serde_json::from_slice(&bytes).map_err(|error| arrow::error::ArrowError::JsonError(error.to_string()))?)
}
