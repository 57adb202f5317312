//! Runs a metric: binds `scope` and `buckets`, executes the one statement, puts its rows into the answer.

use crate::answer::{Answer, Interval, Point, SeriesAnswer, Status, Window};
use crate::buckets::{Bucket, buckets};
use crate::error::QueryError;
use crate::facts::Facts;
use crate::functions;
use crate::metric::{Metric, metric};
use crate::question::{INTERVAL_POINTS, MAX_BUCKETS, Question};
use crate::scope::{Scope, bucket_batch, scope};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemTable, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::{SessionConfig, SessionContext};
use flowgauge_lake::model::Time;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// One partition: scopes are small, and the order of additions must not change from run to run.
static STATE: LazyLock<SessionState> = LazyLock::new(|| {
    let mut config = SessionConfig::new().with_target_partitions(1).with_information_schema(false).with_collect_statistics(false);
    // The statements are small and planned anew for every question: one pass of the optimiser costs less than it could save.
    config.options_mut().optimizer.max_passes = 1;
    let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    functions::register(&mut state).expect("our functions have names of their own");
    state
});

/// Answers a question. `computed_at` is the caller's clock.
pub async fn run(question: &Question, facts: &Facts, computed_at: Time) -> Result<Answer, QueryError> {
    let metric = metric(question.metric)?;
    let buckets = buckets(question.from, question.to, question.as_of, question.bucket, question.tz, question.first_day, MAX_BUCKETS)
        .ok_or_else(|| QueryError::BadParameter {
            name: "bucket".into(),
            value: question.bucket.as_str().into(),
            expected: format!("at most {MAX_BUCKETS} buckets: take a longer bucket or a shorter window"),
        })?;
    let scope = scope(metric, question, &buckets, facts)?;
    let rows = execute(metric, &scope, bucket_batch(&buckets, question.as_of)?).await?;
    let with_intervals = question.force_intervals || scope.series.len() * buckets.len() <= INTERVAL_POINTS;
    let series = collect(metric, &scope, &buckets, &rows, facts.definitions.min_n, with_intervals);
    Ok(Answer {
        metric: metric.id,
        unit: metric.unit,
        preset: facts.definitions.preset.clone(),
        definition: facts.definitions.hash(),
        window: Window {
            from: question.from.to_string(),
            to: question.to.to_string(),
            as_of: question.as_of.to_string(),
            bucket: question.bucket.as_str(),
            tz: question.tz.name().to_owned(),
        },
        series,
        computed_at: computed_at.to_string(),
        data_as_of: facts.data_as_of.map(|at| at.to_string()),
    })
}

async fn execute(metric: &Metric, scope: &Scope, buckets: RecordBatch) -> Result<Vec<RecordBatch>, QueryError> {
    // A catalogue of its own for each question: questions run side by side and must not see each other's relations.
    let (catalogs, catalog) = (MemoryCatalogProviderList::new(), MemoryCatalogProvider::new());
    catalog.register_schema("public", Arc::new(MemorySchemaProvider::new()))?;
    catalogs.register_catalog("datafusion".to_owned(), Arc::new(catalog));
    let state = SessionStateBuilder::new_from_existing(STATE.clone()).with_catalog_list(Arc::new(catalogs)).build();
    let context = SessionContext::new_with_state(state);
    let table = |batch: RecordBatch| MemTable::try_new(batch.schema(), vec![vec![batch]]).map(Arc::new);
    context.register_table("scope", table(scope.batch.clone())?)?;
    context.register_table("buckets", table(buckets)?)?;
    Ok(context.sql(metric.sql).await?.collect().await?)
}

/// Reads the statement's columns by their prefix: `quantile_…`, `excluded_…`, `detail_…`, `ci_…`.
fn collect(
    metric: &Metric,
    scope: &Scope,
    buckets: &[Bucket],
    batches: &[RecordBatch],
    min_n: i64,
    with_intervals: bool,
) -> Vec<SeriesAnswer> {
    let mut series: Vec<SeriesAnswer> = scope
        .series
        .iter()
        .map(|series| SeriesAnswer {
            labels: series.labels.iter().map(|(dimension, value)| (dimension.as_str(), value.clone())).collect(),
            points: Vec::with_capacity(buckets.len()),
        })
        .collect();
    for batch in batches {
        let (numbers, places) = (integers(batch, "series"), integers(batch, "bucket"));
        for row in 0..batch.num_rows() {
            let (Some(number), Some(place)) = (numbers.get(row).copied().flatten(), places.get(row).copied().flatten()) else { continue };
            let (number, bucket) = (number as usize, &buckets[place as usize]);
            let point = point(metric, batch, row, bucket, scope.series[number].is_configured, min_n, with_intervals);
            series[number].points.push(point);
        }
    }
    series
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
        n: integers(batch, "n").get(row).copied().flatten().unwrap_or(0),
        numerator: real(batch, "numerator", row),
        denominator: real(batch, "denominator", row),
        quantiles: BTreeMap::new(),
        ci: None,
        status: Status::Empty,
        excluded: BTreeMap::new(),
        coverage: real(batch, "coverage", row),
        detail: serde_json::Map::new(),
    };
    for field in batch.schema_ref().fields() {
        let name = field.name();
        if let Some(quantile) = name.strip_prefix("quantile_") {
            point.quantiles.extend(real(batch, name, row).map(|value| (quantile.to_owned(), value)));
        } else if let Some(reason) = name.strip_prefix("excluded_") {
            let count = integers(batch, name).get(row).copied().flatten().unwrap_or(0);
            point.excluded.extend((count > 0).then(|| (reason.to_owned(), count)));
        } else if let Some(detail) = name.strip_prefix("detail_") {
            point.detail.extend(real(batch, name, row).map(|value| (detail.to_owned(), value.into())));
        }
    }
    point.status = if bucket.is_empty() { Status::Empty } else { status(metric, &point, is_configured, min_n) };
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

fn integers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let Some(column) = batch.column_by_name(name) else { return Vec::new() };
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().collect(),
        _ => Vec::new(),
    }
}

fn real(batch: &RecordBatch, name: &str, row: usize) -> Option<f64> {
    let column = batch.column_by_name(name)?;
    if column.is_null(row) || *column.data_type() != DataType::Float64 {
        return None;
    }
    Some(column.as_primitive::<Float64Type>().value(row))
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(name)?;
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Some(column.as_string_view().value(row).to_owned()),
        _ => None,
    }
}
