//! Runs a metric: builds `scope` and `buckets`, executes the one statement over them, puts its rows into the answer.

use crate::answer::{Answer, Interval, Measured, Point, SeriesAnswer, Status, Window};
use crate::buckets::{Bucket, buckets};
use crate::definitions::Definitions;
use crate::error::QueryError;
use crate::explain::PointId;
use crate::facts::Facts;
use crate::metric::{FIVE, Family, Metric, metric};
use crate::question::{Extent, INTERVAL_POINTS, MAX_BUCKETS, Question};
use crate::scope::{Scope, Series, bucket_batch, scope, score_scope};
use crate::statement::{Relations, execute};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use flowgauge_lake::model::Time;
use std::collections::BTreeMap;

/// Answers a question. `computed_at` is the caller's clock.
pub async fn run(question: &Question, facts: &Facts, computed_at: Time) -> Result<Answer, QueryError> {
    let metric = metric(question.metric)?;
    let (series, _) = series_of(metric, question, facts).await?;
    Ok(Answer {
        metric: metric.id,
        unit: metric.unit,
        preset: facts.definitions.preset.clone(),
        definition: facts.definitions.hash(),
        window: Window::of(question),
        series,
        computed_at: computed_at.to_string(),
        data_as_of: facts.data_as_of.map(|at| at.to_string()),
    })
}

async fn series_of(metric: &'static Metric, question: &Question, facts: &Facts) -> Result<(Vec<SeriesAnswer>, Scope), QueryError> {
    let buckets = buckets_of(question, &facts.definitions)?;
    let scope = scope_of(metric, question, &buckets, facts, false).await?;
    let with_intervals = match question.extent {
        Extent::Full => true,
        Extent::Usual | Extent::Sample => scope.series.len() * buckets.len() <= INTERVAL_POINTS,
        Extent::Values => false,
    };
    let relations =
        Relations { scope: scope.batch.clone(), buckets: bucket_batch(&buckets, question, with_intervals, &facts.definitions)? };
    let rows = execute(metric, relations).await?;
    let mut series = collect(metric, &scope.series, &buckets, &rows, facts.definitions.min_n, with_intervals);
    if question.extent != Extent::Values {
        let definition = facts.definitions.hash();
        for (answer, of) in series.iter_mut().zip(&scope.series) {
            let labels = of.values();
            for (point, bucket) in answer.points.iter_mut().zip(&buckets) {
                point.explain = Some(PointId::of(question, labels.clone(), point, bucket.start, &definition, facts.data_as_of).address());
            }
        }
    }
    Ok((series, scope))
}

/// The rows that a metric's statement reads: facts, or of the score the answers of the five.
pub(crate) async fn scope_of(
    metric: &Metric,
    question: &Question,
    buckets: &[Bucket],
    facts: &Facts,
    names_subjects: bool,
) -> Result<Scope, QueryError> {
    if metric.family != Family::Score {
        return scope(metric, question, buckets, facts, names_subjects);
    }
    let mut answers = Vec::with_capacity(FIVE.len());
    for part in FIVE {
        let part = crate::metric::metric(part)?;
        let question = Question { metric: part.id, extent: Extent::Values, ..question.clone() };
        let (series, scope) = Box::pin(series_of(part, &question, facts)).await?;
        answers.push(scope.series.iter().map(Series::values).zip(series.into_iter().map(|series| series.points)).collect());
    }
    score_scope(&question.by, answers)
}

/// The buckets of a question's window.
pub(crate) fn buckets_of(question: &Question, definitions: &Definitions) -> Result<Vec<Bucket>, QueryError> {
    let first_day = definitions.first_day(question.first_day);
    let cut = buckets(question.from, question.to, question.as_of, question.bucket, question.tz, first_day, MAX_BUCKETS);
    cut.ok_or_else(|| QueryError::BadParameter {
        name: "bucket".into(),
        value: question.bucket.as_str().into(),
        expected: format!("at most {MAX_BUCKETS} buckets: take a longer bucket or a shorter window"),
    })
}

/// Reads the statement's columns by their prefix: `quantile_…`, `excluded_…`, `detail_…`, `ci_…`, `sample…`; details whose names come
/// from data are two lists, `details_names` and `details_values`.
pub(crate) fn collect(
    metric: &Metric,
    series: &[Series],
    buckets: &[Bucket],
    batches: &[RecordBatch],
    min_n: i64,
    with_intervals: bool,
) -> Vec<SeriesAnswer> {
    let mut answers: Vec<SeriesAnswer> = series
        .iter()
        .map(|series| SeriesAnswer {
            labels: series.labels.iter().map(|(dimension, value)| (dimension.as_str(), value.clone())).collect(),
            points: Vec::with_capacity(buckets.len()),
        })
        .collect();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let (Some(number), Some(place)) = (integer(batch, "series", row), integer(batch, "bucket", row)) else { continue };
            let (number, bucket) = (number as usize, &buckets[place as usize]);
            let point = point(metric, batch, row, bucket, series[number].is_configured, min_n, with_intervals);
            answers[number].points.push(point);
        }
    }
    answers
}

fn point(
    metric: &Metric,
    batch: &RecordBatch,
    row: usize,
    bucket: &Bucket,
    is_configured: bool,
    min_n: i64,
    with_intervals: bool,
) -> Point {
    let mut point = Point {
        start: bucket.start.to_string(),
        end: bucket.end.to_string(),
        partial: bucket.partial,
        value: real(batch, "value", row),
        n: integer(batch, "n", row).unwrap_or(0),
        numerator: real(batch, "numerator", row),
        denominator: real(batch, "denominator", row),
        quantiles: BTreeMap::new(),
        ci: None,
        status: Status::Empty,
        excluded: BTreeMap::new(),
        coverage: real(batch, "coverage", row),
        detail: serde_json::Map::new(),
        sample: sample(batch, row),
        explain: None,
    };
    for field in batch.schema_ref().fields() {
        let name = field.name();
        if let Some(quantile) = name.strip_prefix("quantile_") {
            point.quantiles.extend(real(batch, name, row).map(|value| (quantile.to_owned(), value)));
        } else if let Some(reason) = name.strip_prefix("excluded_") {
            let count = integer(batch, name, row).unwrap_or(0);
            point.excluded.extend((count > 0).then(|| (reason.to_owned(), count)));
        } else if let Some(detail) = name.strip_prefix("detail_") {
            point.detail.extend(real(batch, name, row).map(|value| (detail.to_owned(), value.into())));
        }
    }
    let (names, values) = (texts(batch, "details_names", row), reals(batch, "details_values", row));
    point.detail.extend(names.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?.into()))));
    point.status = match flag(batch, "is_insufficient", row) {
        _ if bucket.is_empty() => Status::Empty,
        Some(true) => Status::Insufficient,
        _ => status(metric, &point, is_configured, min_n),
    };
    if with_intervals && point.status != Status::Empty && point.status != Status::NotConfigured {
        let method = text(batch, "ci_method", row).unwrap_or_default();
        let (lo, hi) = (real(batch, "ci_lo", row), real(batch, "ci_hi", row));
        // A survival curve may have no limit on either side and still be one.
        point.ci = (lo.is_some() || hi.is_some() || method == "kaplan_meier").then_some(Interval { lo, hi, method });
    }
    point
}

/// What a value is worth (semantics, 7.1, 7.3, 7.4).
fn status(metric: &Metric, point: &Point, is_configured: bool, min_n: i64) -> Status {
    match point.value {
        Some(_) if metric.min_n_applies && point.n < min_n => Status::Insufficient,
        Some(_) => Status::Ok,
        None if !is_configured => Status::NotConfigured,
        None if point.n > 0 && metric.min_n_applies => Status::Insufficient,
        None => Status::Empty,
    }
}

fn flag(batch: &RecordBatch, name: &str, row: usize) -> Option<bool> {
    let flags = batch.column_by_name(name)?.as_boolean_opt()?;
    flags.is_valid(row).then(|| flags.value(row))
}

fn integer(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch.column_by_name(name)?;
    if column.is_null(row) || *column.data_type() != DataType::Int64 {
        return None;
    }
    Some(column.as_primitive::<Int64Type>().value(row))
}

fn real(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name)?;
    if column.is_null(row) || *column.data_type() != DataType::Float64 {
        return None;
    }
    Some(column.as_primitive::<Float64Type>().value(row))
}

/// The items of a list column.
fn items(batch: &RecordBatch, name: &str, row: usize) -> Option<ArrayRef> {
    let lists = batch.column_by_name(name)?.as_list_opt::<i32>()?;
    lists.is_valid(row).then(|| lists.value(row))
}

fn texts(batch: &RecordBatch, name: &str, row: usize) -> Vec<String> {
    let texts = items(batch, name, row).and_then(|items| cast(&items, &DataType::Utf8).ok());
    let texts = texts.iter().flat_map(|items| items.as_string::<i32>().iter());
    texts.map(|text| text.unwrap_or_default().to_owned()).collect()
}

fn reals(batch: &RecordBatch, name: &str, row: usize) -> Vec<Option<f64>> {
    let reals = items(batch, name, row);
    reals.iter().filter_map(|items| items.as_primitive_opt::<Float64Type>()).flat_map(|items| items.iter()).collect()
}

/// The values behind a point; lists beside them, in the same order, tell where each belongs and whether it is over.
fn sample(batch: &RecordBatch, row: usize) -> Vec<Measured> {
    let (clusters, over) = (items(batch, "sample_cluster", row), items(batch, "sample_is_over", row));
    let clusters = clusters.as_ref().and_then(|items| items.as_primitive_opt::<Int64Type>());
    let over = over.as_ref().and_then(|items| items.as_boolean_opt());
    let cluster = |place| clusters.filter(|items| items.is_valid(place)).map(|items| items.value(place));
    let is_over = |place| over.filter(|items| items.is_valid(place)).map(|items| items.value(place));
    let values = reals(batch, "sample", row).into_iter().enumerate();
    let mut sample: Vec<Measured> =
        values.filter_map(|(place, value)| Some(Measured { value: value?, cluster: cluster(place), is_over: is_over(place) })).collect();
    sample.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.cluster.cmp(&b.cluster)).then(b.is_over.cmp(&a.is_over)));
    sample
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?;
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Some(column.as_string_view().value(row).to_owned()),
        _ => None,
    }
}
