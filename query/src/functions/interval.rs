//! What functions that give an interval have in common: a struct of `lo` and `hi`.

use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use std::sync::Arc;

pub fn fields() -> Fields {
    Fields::from(vec![Field::new("lo", DataType::Float64, true), Field::new("hi", DataType::Float64, true)])
}

pub fn array(intervals: impl Iterator<Item = Option<(f64, f64)>>) -> ArrayRef {
    let (lo, hi): (Vec<_>, Vec<_>) = intervals.map(|interval| (interval.map(|(lo, _)| lo), interval.map(|(_, hi)| hi))).unzip();
    Arc::new(StructArray::new(fields(), vec![Arc::new(Float64Array::from(lo)), Arc::new(Float64Array::from(hi))], None))
}
