//! `quantile(x, p)`: exact, with linear interpolation between neighbours (type 7; semantics, section 0). The engine's own
//! `percentile_cont` interpolates in millionths, which shows.

use super::order_statistics::Values;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_float64_array;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Quantile {
    signature: Signature,
}

impl Quantile {
    pub fn new() -> Self {
        Quantile { signature: Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Quantile {
    fn name(&self) -> &str {
        "quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Ranked::default()))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let values = Field::new_list("values", Field::new_list_field(DataType::Float64, true), true);
        Ok(vec![Arc::new(values), Arc::new(Field::new("share", DataType::Float64, true))])
    }
}

#[derive(Debug, Default)]
struct Ranked {
    values: Values,
    share: Option<f64>,
}

impl Accumulator for Ranked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.share = as_float64_array(&values[1])?.iter().flatten().next().or(self.share);
        self.values.update_batch(&values[..1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.share = as_float64_array(&states[1])?.iter().flatten().next().or(self.share);
        self.values.merge_batch(&states[..1])
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = self.values.state()?;
        state.push(ScalarValue::Float64(self.share));
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values = &mut self.values.0;
        values.sort_by(f64::total_cmp);
        Ok(ScalarValue::Float64(self.share.and_then(|share| quantile(values, share))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.size()
    }
}

/// `sorted` in ascending order.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use crate::functions::close;

    #[test]
    fn between_neighbours() {
        // (4 - 1) · 0.9 = 2.7: 0.7 of the way from the third to the fourth.
        close(super::quantile(&[1.0, 2.0, 4.0, 14.0], 0.9).expect("values"), 11.0);
        close(super::quantile(&[7.0], 0.5).expect("a value"), 7.0);
        assert_eq!(super::quantile(&[], 0.5), None);
    }
}
