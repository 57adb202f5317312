//! Batches of rows on their way to a file: partition column, order, repetitions, schema.

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use std::sync::Arc;

use crate::model::Time;

/// `schema` and the partition column after it.
pub(super) fn with_partition_field(schema: &Schema, name: &str) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(name, DataType::Utf8, false)));
    Arc::new(Schema::new(fields))
}

/// Adds the day (UTC) of a time column as column `day`.
pub(crate) fn with_day(batch: &RecordBatch, of: &str) -> Result<RecordBatch, ArrowError> {
    let times = batch.column_by_name(of).ok_or_else(|| ArrowError::SchemaError(format!("column `{of}` is missing")))?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let days: StringArray = times.iter().map(|micros| Some(Time::from_micros(micros.unwrap_or_default()).day())).collect();
    with_column(batch, "day", Arc::new(days))
}

fn with_column(batch: &RecordBatch, name: &str, array: ArrayRef) -> Result<RecordBatch, ArrowError> {
    let mut columns = batch.columns().to_vec();
    columns.push(array);
    RecordBatch::try_new(with_partition_field(&batch.schema(), name), columns)
}

/// Adds a text column that is the same in all rows.
pub(crate) fn with_constant(batch: &RecordBatch, name: &str, value: &str) -> Result<RecordBatch, ArrowError> {
    with_column(batch, name, Arc::new(StringArray::from(vec![value; batch.num_rows()])))
}

/// The batch with exactly the columns of `schema`: what it lacks is null, what it has beyond them is left out.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if &batch.schema() == schema {
        return Ok(batch.clone());
    }
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(array) if array.data_type() == field.data_type() => Ok(array.clone()),
            Some(array) => cast(array, field.data_type()),
        })
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

/// How the rows of a table lie in a file, and when two of them are one.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Sorted by these first.
    pub first: Vec<&'static str>,
    /// Then by all others but the ties; those take part in what makes a row itself. Without, `first` alone does.
    pub others: bool,
    /// Who received it and when: the smallest stays when a row is repeated.
    pub ties: Vec<&'static str>,
}

/// The rows in order, so that a file never depends on the order of arrival. With `unique` a repeated row stands once.
pub(super) fn sorted(batch: &RecordBatch, order: &Order, unique: bool) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let positions = |names: &[&str]| names.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>();
    let (mut body, ties) = (positions(&order.first)?, positions(&order.ties)?);
    if order.others {
        let others: Vec<_> = (0..batch.num_columns()).filter(|i| !body.contains(i) && !ties.contains(i)).collect();
        body.extend(others);
    }
    let rows = |columns: &[usize]| {
        let fields = columns.iter().map(|&i| SortField::new(batch.column(i).data_type().clone())).collect();
        let arrays: Vec<_> = columns.iter().map(|&i| batch.column(i).clone()).collect();
        RowConverter::new(fields)?.convert_columns(&arrays)
    };
    let (body, ties) = (rows(&body)?, rows(&ties)?);
    let count = u32::try_from(batch.num_rows()).map_err(|_| ArrowError::ComputeError("too many rows for one file".into()))?;
    let mut indices: Vec<u32> = (0..count).collect();
    let tie = |i: u32| (i as usize) < ties.num_rows();
    indices.sort_unstable_by(|&a, &b| {
        let by_body = body.row(a as usize).cmp(&body.row(b as usize));
        by_body.then_with(|| if tie(a) && tie(b) { ties.row(a as usize).cmp(&ties.row(b as usize)) } else { a.cmp(&b) })
    });
    if unique {
        indices.dedup_by(|later, earlier| body.row(*later as usize) == body.row(*earlier as usize));
    }
    take_record_batch(batch, &UInt32Array::from(indices))
}
