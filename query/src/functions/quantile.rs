//! `quantile(x, p)`: exact, with linear interpolation between neighbours (type 7; semantics, section 0). The engine's own
//! `percentile_cont` interpolates in millionths, which shows. `quantile(x, p, rule)`: by a rule of the definitions, where
//! `lower_percent_rank` takes the greatest value with at most the share p of the others below it (semantics, 2.2).

use super::order_statistics::Values;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::cast::{as_boolean_array, as_float64_array, as_string_array};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, TypeSignature, Volatility};
use std::sync::Arc;

const RULE: &str = crate::definitions::Quantile::LowerPercentRank.as_str();

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Quantile {
    signature: Signature,
}

impl Quantile {
    pub fn new() -> Self {
        let (values, share, rule) = (DataType::Float64, DataType::Float64, DataType::Utf8);
        let forms = vec![TypeSignature::Exact(vec![values.clone(), share.clone()]), TypeSignature::Exact(vec![values, share, rule])];
        Quantile { signature: Signature::one_of(forms, Volatility::Immutable) }
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
        let (share, lower) = (Field::new("share", DataType::Float64, true), Field::new("lower", DataType::Boolean, true));
        Ok(vec![Arc::new(values), Arc::new(share), Arc::new(lower)])
    }
}

#[derive(Debug, Default)]
struct Ranked {
    values: Values,
    share: Option<f64>,
    lower: bool,
}

impl Accumulator for Ranked {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.share = as_float64_array(&values[1])?.iter().flatten().next().or(self.share);
        if let Some(rules) = values.get(2) {
            self.lower |= as_string_array(rules)?.iter().flatten().next() == Some(RULE);
        }
        self.values.update_batch(&values[..1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.share = as_float64_array(&states[1])?.iter().flatten().next().or(self.share);
        self.lower |= as_boolean_array(&states[2])?.iter().flatten().any(|lower| lower);
        self.values.merge_batch(&states[..1])
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = self.values.state()?;
        state.push(ScalarValue::Float64(self.share));
        state.push(ScalarValue::Boolean(Some(self.lower)));
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let values = &mut self.values.0;
        values.sort_by(f64::total_cmp);
        let of = if self.lower { lower_percent_rank } else { quantile };
        Ok(ScalarValue::Float64(self.share.and_then(|share| of(values, share))))
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

/// The greatest value whose rank, the share of the others that are smaller, is at most `share`. `sorted` in ascending order.
fn lower_percent_rank(sorted: &[f64], share: f64) -> Option<f64> {
    let others = sorted.len().checked_sub(1)?.max(1) as f64;
    let rank = |value: f64| sorted.partition_point(|other| *other < value) as f64 / others;
    sorted.iter().rev().copied().find(|value| rank(*value) <= share)
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

    #[test]
    fn the_lower_one_and_ties_jump() {
        for (values, median) in [
            (&[1.0, 2.0, 3.0, 4.0][..], Some(2.0)),
            (&[10.0, 20.0, 35.0], Some(20.0)),
            // 9 has one of three others below it.
            (&[1.0, 9.0, 9.0, 9.0], Some(9.0)),
            (&[1.0, 1.0, 1.0, 9.0], Some(1.0)),
            (&[7.0], Some(7.0)),
            (&[], None),
        ] {
            assert_eq!(super::lower_percent_rank(values, 0.5), median, "{values:?}");
        }
    }
}
