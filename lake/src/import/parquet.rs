//! Parquet, its columns taken by name.

use super::{ImportError, Rows};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};
use std::fs::File;

pub(super) fn read(rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: rows.path.to_owned(), source };
    let file = File::open(rows.path).map_err(unreadable)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| rows.format(error))?;
    for field in builder.schema().fields() {
        rows.column(field.name())?;
    }
    let mut number = 1;
    for batch in builder.build().map_err(|error| rows.format(error))? {
        let batch = batch.map_err(|error| rows.format(error))?;
        let schema = batch.schema();
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let name = field.name();
            columns.push((name, values(array).map_err(|reason| rows.format(format!("column `{name}`: {reason}")))?));
        }
        for i in 0..batch.num_rows() {
            let cells = columns.iter().map(|(name, values)| ((*name).clone(), values[i].clone()));
            rows.push(number, &Value::Object(cells.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>()))?;
            number += 1;
        }
    }
    Ok(())
}

/// The values of a column as JSON: times as microseconds, whatever their unit in the file.
fn values(array: &ArrayRef) -> Result<Vec<Value>, String> {
    let to = |kind: &DataType| cast(array, kind).map_err(|error| error.to_string());
    let whole = |array: &ArrayRef| array.as_primitive::<Int64Type>().iter().map(|n| n.map_or(Value::Null, Value::from)).collect();
    Ok(match array.data_type() {
        DataType::Null => vec![Value::Null; array.len()],
        DataType::Boolean => array.as_boolean().iter().map(|flag| flag.map_or(Value::Null, Value::from)).collect(),
        kind if kind.is_integer() => whole(&to(&DataType::Int64)?),
        kind if kind.is_floating() => {
            let numbers = to(&DataType::Float64)?;
            numbers.as_primitive::<Float64Type>().iter().map(|n| n.map_or(Value::Null, Value::from)).collect()
        }
        DataType::Timestamp(_, zone) => {
            let times = to(&DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            times.as_primitive::<TimestampMicrosecondType>().iter().map(|t| t.map_or(Value::Null, Value::from)).collect()
        }
        DataType::Date32 | DataType::Date64 => {
            let times = to(&DataType::Timestamp(TimeUnit::Microsecond, None))?;
            times.as_primitive::<TimestampMicrosecondType>().iter().map(|t| t.map_or(Value::Null, Value::from)).collect()
        }
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) | DataType::ListView(field) => {
            let lists = to(&DataType::List(field.clone()))?;
            let lists = lists.as_list::<i32>();
            let item = |i| if lists.is_null(i) { Ok(Value::Null) } else { values(&lists.value(i)).map(Value::Array) };
            (0..lists.len()).map(item).collect::<Result<_, _>>()?
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => {
            let texts = to(&DataType::Utf8)?;
            texts.as_string::<i32>().iter().map(|text| text.map_or(Value::Null, Value::from)).collect()
        }
        kind => return Err(format!("its type {kind} has no counterpart")),
    })
}
