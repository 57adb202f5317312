//! `kaplan_meier(seconds, ended)`: the median of durations of which some are still open, with its interval, and
//! beside it mean and median of those that ended
//! (Kaplan and Meier 1958; Greenwood, log-log limits; semantics, 6.4, 7.8, 7.38).

use super::quantile::quantile;
use arrow::array::{ArrayRef, Float64Array, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::ScalarValue;
use datafusion::common::cast::{as_boolean_array, as_float64_array, as_list_array};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use std::sync::Arc;

const Z: f64 = 1.959_963_984_540_054;
/// Four equal steps to one half are one half.
const TOLERANCE: f64 = 1e-9;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct KaplanMeier {
    signature: Signature,
}

impl KaplanMeier {
    pub fn new() -> Self {
        KaplanMeier { signature: Signature::exact(vec![DataType::Float64, DataType::Boolean], Volatility::Immutable) }
    }
}

fn fields() -> Fields {
    ["median", "lo", "hi", "mean_ended", "median_ended"].into_iter().map(|name| Field::new(name, DataType::Float64, true)).collect()
}

impl AggregateUDFImpl for KaplanMeier {
    fn name(&self) -> &str {
        "kaplan_meier"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Subjects::default()))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name: &str, kind| Arc::new(Field::new_list(name, Field::new_list_field(kind, true), true));
        Ok(vec![list("seconds", DataType::Float64), list("ended", DataType::Boolean)])
    }
}

#[derive(Debug, Default)]
struct Subjects(Vec<(f64, bool)>);

impl Subjects {
    fn add(&mut self, seconds: &ArrayRef, ended: &ArrayRef) -> Result<()> {
        let pairs = as_float64_array(seconds)?.iter().zip(as_boolean_array(ended)?);
        self.0.extend(pairs.filter_map(|(seconds, ended)| Some((seconds?, ended?))));
        Ok(())
    }
}

impl Accumulator for Subjects {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], &values[1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for (seconds, ended) in as_list_array(&states[0])?.iter().zip(as_list_array(&states[1])?.iter()) {
            if let (Some(seconds), Some(ended)) = (seconds, ended) {
                self.add(&seconds, &ended)?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let seconds: Vec<ScalarValue> = self.0.iter().map(|&(seconds, _)| ScalarValue::from(seconds)).collect();
        let ended: Vec<ScalarValue> = self.0.iter().map(|&(_, ended)| ScalarValue::from(ended)).collect();
        Ok(vec![
            ScalarValue::List(ScalarValue::new_list_nullable(&seconds, &DataType::Float64)),
            ScalarValue::List(ScalarValue::new_list_nullable(&ended, &DataType::Boolean)),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let curve = Curve::of(&mut self.0);
        let ended: Vec<f64> = self.0.iter().filter(|(_, ended)| *ended).map(|(seconds, _)| *seconds).collect();
        let mean = (!ended.is_empty()).then(|| ended.iter().sum::<f64>() / ended.len() as f64);
        let median = quantile(&ended, 0.5);
        let column = |value: Option<f64>| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let array =
            StructArray::new(fields(), vec![column(curve.median), column(curve.lo), column(curve.hi), column(mean), column(median)], None);
        ScalarValue::try_from_array(&array, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<(f64, bool)>()
    }
}

#[derive(Debug, Default, PartialEq)]
struct Curve {
    median: Option<f64>,
    lo: Option<f64>,
    hi: Option<f64>,
}

/// What is left after an event.
#[derive(Clone, Copy, Debug)]
struct Step {
    time: f64,
    survival: f64,
    /// Greenwood's sum Σ d ÷ (n (n − d)); the variance is S² times this.
    greenwood: f64,
}

/// The survival curve, a step for each time at which something ended. Sorts the subjects.
fn steps(subjects: &mut [(f64, bool)]) -> Vec<Step> {
    subjects.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut survival, mut greenwood) = (1.0_f64, 0.0_f64);
    let mut at_risk = subjects.len() as f64;
    let mut steps = Vec::new();
    for here in subjects.chunk_by(|a, b| a.0 == b.0) {
        // Who is censored at the very time of an event was at risk.
        let events = here.iter().filter(|(_, ended)| *ended).count() as f64;
        if events > 0.0 {
            survival *= (at_risk - events) / at_risk;
            greenwood += events / (at_risk * (at_risk - events));
            steps.push(Step { time: here[0].0, survival, greenwood });
        }
        at_risk -= here.len() as f64;
    }
    steps
}

impl Curve {
    fn of(subjects: &mut [(f64, bool)]) -> Curve {
        let mut curve = Curve::default();
        for Step { time, survival, greenwood } in steps(subjects) {
            if curve.median.is_none() && survival <= 0.5 + TOLERANCE {
                curve.median = Some(time);
            }
            // Undefined where nobody is left.
            if survival > 0.0 {
                let half = Z * greenwood.sqrt() / survival.ln().abs();
                let (lower, upper) = (survival.powf(half.exp()), survival.powf((-half).exp()));
                if curve.lo.is_none() && lower <= 0.5 {
                    curve.lo = Some(time);
                }
                if curve.hi.is_none() && upper <= 0.5 {
                    curve.hi = Some(time);
                }
            }
        }
        if curve.median.is_none() {
            // Half of them are still open: all that is known is that it takes longer than the longest so far.
            curve = Curve { median: None, lo: subjects.last().map(|subject| subject.0), hi: None };
        }
        curve
    }
}

#[cfg(test)]
mod tests {
    use super::{Curve, steps};
    use crate::functions::close;

    #[test]
    fn published_vector() {
        let mut subjects = [(1.0, true), (2.0, true), (3.0, false), (4.0, true), (6.0, false), (8.0, true), (10.0, false)];
        let curve = steps(&mut subjects);
        assert_eq!(curve.iter().map(|step| step.time).collect::<Vec<_>>(), [1.0, 2.0, 4.0, 8.0]);
        for (step, survival) in curve.iter().zip([0.857_143, 0.714_286, 0.535_714, 0.267_857]) {
            close(step.survival, survival);
        }
        // 7, 6, 4 and 2 at risk: 1/42 + 1/30 + 1/12 + 1/2.
        close(curve[3].greenwood, 1.0 / 42.0 + 1.0 / 30.0 + 1.0 / 12.0 + 1.0 / 2.0);
        assert_eq!(Curve::of(&mut subjects).median, Some(8.0));
    }

    #[test]
    fn events_come_before_censorings_at_equal_times() {
        // Three at risk at 1, of whom one ends and one is censored: S = 2/3, then one left.
        let curve = steps(&mut [(1.0, false), (2.0, true), (1.0, true)]);
        close(curve[0].survival, 2.0 / 3.0);
        close(curve[1].survival, 0.0);
    }

    #[test]
    fn without_a_median_the_longest_time_is_the_lower_bound() {
        let mut subjects = [(1.0, true), (2.0, false), (3.0, false), (4.0, false)];
        assert_eq!(Curve::of(&mut subjects), Curve { median: None, lo: Some(4.0), hi: None });
        assert_eq!(Curve::of(&mut []), Curve::default());
    }

    #[test]
    fn half_of_four_is_half() {
        let mut subjects = [(1.0, true), (2.0, true), (3.0, true), (4.0, true)];
        assert_eq!(Curve::of(&mut subjects).median, Some(2.0));
    }
}
