//! `coverage(counted, missing)`: how much of what should have counted did; null where there was nothing (semantics, 7.54).

use super::interval;
use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Coverage {
    signature: Signature,
}

impl Coverage {
    pub fn new() -> Self {
        Coverage { signature: Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Coverage {
    fn name(&self) -> &str {
        "coverage"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        interval::two_numbers(
            args,
            self.name(),
            |counted, missing| (counted + missing > 0.0).then(|| counted / (counted + missing)),
            |values| Arc::new(values.collect::<Float64Array>()) as ArrayRef,
        )
    }
}
