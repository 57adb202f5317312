//! `order_statistics(x)`: the interval of a median by ranks, at least 95 %; null for fewer than six values
//! (David and Nagaraja; semantics, 6.2).

use super::interval;
use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::cast::{as_float64_array, as_list_array};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct OrderStatistics {
    signature: Signature,
}

impl OrderStatistics {
    pub fn new() -> Self {
        OrderStatistics { signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for OrderStatistics {
    fn name(&self) -> &str {
        "order_statistics"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(interval::fields()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Values::default()))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new_list("values", Field::new_list_field(DataType::Float64, true), true))])
    }
}

#[derive(Debug, Default)]
pub struct Values(pub Vec<f64>);

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.extend(as_float64_array(&values[0])?.iter().flatten());
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in as_list_array(&states[0])?.iter().flatten() {
            self.0.extend(as_float64_array(&list)?.iter().flatten());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.0.iter().map(|&value| ScalarValue::from(value)).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Float64))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.sort_by(f64::total_cmp);
        let bounds = ranks(self.0.len()).map(|(low, high)| (self.0[low - 1], self.0[high - 1]));
        ScalarValue::try_from_array(&interval::array(std::iter::once(bounds)), 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<f64>()
    }
}

/// The ranks (from 1) of the bounds: the largest r with 2·P(Bin(n, ½) ≤ r − 1) ≤ 5 %, and its mirror.
fn ranks(n: usize) -> Option<(usize, usize)> {
    // P(Bin(n, ½) = k) in logarithms, so that large n does not underflow.
    let mut log_probability = n as f64 * 0.5_f64.ln();
    let (mut below, mut rank) = (0.0, 0);
    for k in 0..n {
        below += log_probability.exp();
        if 2.0 * below > 0.05 {
            break;
        }
        rank = k + 1;
        log_probability += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (rank > 0).then_some((rank, n + 1 - rank))
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{Binomial, DiscreteCDF};

    #[test]
    fn published_ranks() {
        for (n, expected) in
            [(5, None), (6, Some((1, 6))), (10, Some((2, 9))), (20, Some((6, 15))), (50, Some((18, 33))), (100, Some((40, 61)))]
        {
            assert_eq!(super::ranks(n), expected, "n = {n}");
        }
        for (n, coverage) in [(6, 0.968_75), (10, 0.978_516), (20, 0.958_611), (50, 0.967_161), (100, 0.964_8)] {
            let (low, _) = super::ranks(n).expect("an interval");
            let below = Binomial::new(0.5, n as u64).expect("a coin").cdf(low as u64 - 1);
            assert!((1.0 - 2.0 * below - coverage).abs() < 5e-7, "n = {n}: {}", 1.0 - 2.0 * below);
        }
        assert!(super::ranks(20_000).is_some_and(|(low, high)| low + high == 20_001 && low > 9_800));
    }
}
