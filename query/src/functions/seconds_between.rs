//! `seconds_between(from, to)`: exact to the microsecond, negative when `to` came first.

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::cast::as_timestamp_microsecond_array;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct SecondsBetween {
    signature: Signature,
}

impl SecondsBetween {
    pub fn new() -> Self {
        let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        SecondsBetween { signature: Signature::exact(vec![moment.clone(), moment], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for SecondsBetween {
    fn name(&self) -> &str {
        "seconds_between"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [from, to] = take_function_args(self.name(), arrays)?;
        let (from, to) = (as_timestamp_microsecond_array(&from)?, as_timestamp_microsecond_array(&to)?);
        let seconds = from.iter().zip(to).map(|(from, to)| Some(to?.saturating_sub(from?) as f64 / 1e6));
        Ok(ColumnarValue::Array(Arc::new(seconds.collect::<Float64Array>()) as ArrayRef))
    }
}
