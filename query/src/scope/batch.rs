//! `scope` and `buckets` as Arrow.

use super::ScopeRow;
use crate::buckets::{Bucket, Bucketing};
use crate::definitions::{Definitions, Empty};
use crate::error::QueryError;
use crate::facts::stages::STAGES;
use crate::question::{Extent, Question};
use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use flowgauge_lake::model::Time;
use std::sync::Arc;

pub(super) fn batch(rows: &[ScopeRow]) -> Result<RecordBatch, QueryError> {
    let texts = |get: fn(&ScopeRow) -> Option<&'static str>| Arc::new(rows.iter().map(get).collect::<StringArray>()) as ArrayRef;
    let integers = |get: fn(&ScopeRow) -> Option<i64>| Arc::new(rows.iter().map(get).collect::<Int64Array>()) as ArrayRef;
    let flags = |get: fn(&ScopeRow) -> Option<bool>| Arc::new(rows.iter().map(get).collect::<BooleanArray>()) as ArrayRef;
    let times = |get: fn(&ScopeRow) -> Option<Time>| {
        let times: TimestampMicrosecondArray = rows.iter().map(|row| get(row).map(Time::micros)).collect();
        Arc::new(times.with_timezone("UTC")) as ArrayRef
    };
    let seconds: Float64Array = rows.iter().map(|row| row.seconds).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("what", texts(|row| Some(row.what))),
        ("series", integers(|row| Some(row.series))),
        ("bucket", integers(|row| row.bucket)),
        ("id", integers(|row| row.id)),
        ("at", times(|row| row.at)),
        ("since", times(|row| row.since)),
        ("until", times(|row| row.until)),
        ("remedied_at", times(|row| row.remedied_at)),
        ("outcome", texts(|row| row.outcome)),
        ("reason", texts(|row| row.reason)),
        ("name", Arc::new(rows.iter().map(|row| row.name.as_deref()).collect::<StringArray>())),
        ("count", integers(|row| row.count)),
        ("seconds", Arc::new(seconds)),
        ("is_incident", flags(|row| row.is_incident)),
        ("is_hidden", flags(|row| row.is_hidden)),
        ("is_passed", flags(|row| row.is_passed)),
        ("opened_at", times(|row| row.opened_at)),
        ("merged_at", times(|row| row.merged_at)),
        ("day", integers(|row| row.day)),
        ("week", integers(|row| row.week)),
    ];
    columns.extend(STAGES.iter().enumerate().map(|(i, stage)| (*stage, stage_seconds(rows, i))));
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)) as SchemaRef, columns.into_iter().map(|(_, array)| array).collect())?)
}

fn stage_seconds(rows: &[ScopeRow], stage: usize) -> ArrayRef {
    Arc::new(rows.iter().map(|row| row.stages.as_ref()?[stage]).collect::<Float64Array>())
}

/// `buckets`: number, natural bounds, what is counted of them, their length in days, the moment of the question, the moment that a
/// state is told of, whether intervals and samples are wanted (some cost), and the switches of the definitions that formulas read: the same in
/// each.
pub fn bucket_batch(
    buckets: &[Bucket],
    question: &Question,
    with_intervals: bool,
    definitions: &Definitions,
) -> Result<RecordBatch, QueryError> {
    let times = |get: &dyn Fn(&Bucket) -> Time| {
        let times: TimestampMicrosecondArray = buckets.iter().map(|bucket| Some(get(bucket).micros())).collect();
        Arc::new(times.with_timezone("UTC")) as ArrayRef
    };
    let numbers: Int64Array = (0..buckets.len() as i64).map(Some).collect();
    let switch = |value: &str| Arc::new(StringArray::from(vec![value; buckets.len()])) as ArrayRef;
    let flags =
        |get: &dyn Fn(&Bucket) -> bool| Arc::new(buckets.iter().map(|bucket| Some(get(bucket))).collect::<BooleanArray>()) as ArrayRef;
    let is_zero = match definitions.empty {
        Empty::Null => false,
        Empty::Zero => true,
        Empty::ZeroMonths => question.bucket == Bucketing::Month,
    };
    let days: Float64Array = buckets.iter().map(|bucket| Some(bucket.days())).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("bucket", Arc::new(numbers)),
        ("start", times(&|bucket| bucket.start)),
        ("end", times(&|bucket| bucket.end)),
        ("from_at", times(&|bucket| bucket.from)),
        ("to_at", times(&|bucket| bucket.to)),
        ("as_of", times(&|_| question.as_of)),
        ("state_at", times(&|bucket| question.state_at(bucket))),
        ("days", Arc::new(days)),
        ("with_intervals", flags(&|_| with_intervals)),
        ("with_sample", flags(&|_| question.extent == Extent::Sample)),
        ("df_stat", switch(definitions.df_stat.as_str())),
        ("lt_legs", switch(definitions.lt_legs.as_str())),
        ("lt_round", switch(definitions.lt_round.as_str())),
        ("lt_drop_nonpositive", flags(&|_| definitions.lt_drop_nonpositive)),
        ("cfr_num", switch(definitions.cfr_num.as_str())),
        ("recovers_incidents", flags(&|_| definitions.recovers_incidents())),
        ("recovery_start", switch(definitions.recovery_start.as_str())),
        ("recovery_round", switch(definitions.recovery_round.as_str())),
        ("quantile_rule", switch(definitions.quantile.as_str())),
        ("censoring", switch(definitions.censoring.as_str())),
        ("nothing_is_zero", flags(&|bucket| is_zero && !bucket.is_empty())),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), false)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)) as SchemaRef, columns.into_iter().map(|(_, array)| array).collect())?)
}
