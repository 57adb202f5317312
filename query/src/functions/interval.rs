//! What functions that give an interval have in common: a struct of `lo` and `hi`.

use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::cast::as_float64_array;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};
use std::sync::Arc;

pub fn fields() -> Fields {
    Fields::from(vec![Field::new("lo", DataType::Float64, true), Field::new("hi", DataType::Float64, true)])
}

pub fn array(intervals: impl Iterator<Item = Option<(f64, f64)>>) -> ArrayRef {
    let (lo, hi): (Vec<_>, Vec<_>) = intervals.map(|interval| (interval.map(|(lo, _)| lo), interval.map(|(_, hi)| hi))).unzip();
    Arc::new(StructArray::new(fields(), vec![Arc::new(Float64Array::from(lo)), Arc::new(Float64Array::from(hi))], None))
}

/// Applies a function of two numbers row by row; null where either is.
pub fn two_numbers<T>(
    args: ScalarFunctionArgs,
    name: &str,
    function: impl Fn(f64, f64) -> Option<T>,
    collect: impl Fn(&mut dyn Iterator<Item = Option<T>>) -> ArrayRef,
) -> Result<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(&args.args)?;
    let [a, b] = take_function_args(name, arrays)?;
    let (a, b) = (as_float64_array(&a)?, as_float64_array(&b)?);
    let mut values = a.iter().zip(b).map(|(a, b)| function(a?, b?));
    Ok(ColumnarValue::Array(collect(&mut values)))
}
