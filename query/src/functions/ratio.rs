//! `ratio(part, whole)`: a share, null where there is no whole. Never 0 for "no data" (semantics, section 0).

use super::interval;
use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    signature: Signature,
}

impl Ratio {
    pub fn new() -> Self {
        Ratio { signature: Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Ratio {
    fn name(&self) -> &str {
        "ratio"
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
            |part, whole| (whole > 0.0).then(|| part / whole),
            |values| Arc::new(values.collect::<Float64Array>()) as ArrayRef,
        )
    }
}
