//! Functions that metrics share, one file each: what would else be the same formula in several `.sql` files.

pub(crate) mod cluster_bootstrap;
mod coverage;
mod garwood;
mod has_concluded;
mod interval;
mod is_failure;
mod kaplan_meier;
mod order_statistics;
mod quantile;
mod ratio;
mod rounded;
mod seconds_between;
mod wilson;

pub(crate) use wilson::wilson;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, ScalarUDF, Volatility, create_udf};
use std::sync::Arc;

/// Makes the functions known to a session.
pub fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    let interval = DataType::Struct(interval::fields());
    let scalars = [
        of_two_numbers("coverage", DataType::Float64, |pairs| reals(pairs.map(|(a, b)| coverage::coverage(a?, b?)))),
        of_two_numbers("ratio", DataType::Float64, |pairs| reals(pairs.map(|(a, b)| ratio::ratio(a?, b?)))),
        of_two_numbers("garwood", interval.clone(), |pairs| interval::array(pairs.map(|(a, b)| garwood::garwood(a?, b?)))),
        of_two_numbers("wilson", interval, |pairs| interval::array(pairs.map(|(a, b)| wilson(a?, b?)))),
        has_concluded(),
        is_failure(),
        leg_seconds(),
        rounded(),
        seconds_between(),
    ];
    for function in scalars {
        registry.register_udf(Arc::new(function))?;
    }
    registry.register_udaf(Arc::new(AggregateUDF::from(cluster_bootstrap::ClusterBootstrap::new())))?;
    registry.register_udaf(Arc::new(AggregateUDF::from(kaplan_meier::KaplanMeier::new())))?;
    registry.register_udaf(Arc::new(AggregateUDF::from(order_statistics::OrderStatistics::new())))?;
    registry.register_udaf(Arc::new(AggregateUDF::from(quantile::Quantile::new())))?;
    Ok(())
}

fn reals(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

type Pairs<'a> = &'a mut dyn Iterator<Item = (Option<f64>, Option<f64>)>;

/// A function of two numbers, row by row.
fn of_two_numbers(name: &'static str, result: DataType, of: fn(Pairs<'_>) -> ArrayRef) -> ScalarUDF {
    let body = move |arguments: &[ColumnarValue]| {
        let [a, b] = take_function_args(name, ColumnarValue::values_to_arrays(arguments)?)?;
        let mut pairs = a.as_primitive::<Float64Type>().iter().zip(b.as_primitive::<Float64Type>());
        Ok(ColumnarValue::Array(of(&mut pairs)))
    };
    create_udf(name, vec![DataType::Float64, DataType::Float64], result, Volatility::Immutable, Arc::new(body))
}

fn has_concluded() -> ScalarUDF {
    let body = |arguments: &[ColumnarValue]| {
        let [outcomes] = take_function_args("has_concluded", ColumnarValue::values_to_arrays(arguments)?)?;
        let concluded: BooleanArray =
            outcomes.as_string::<i32>().iter().map(|outcome| Some(has_concluded::has_concluded(outcome?))).collect();
        Ok(ColumnarValue::Array(Arc::new(concluded)))
    };
    create_udf("has_concluded", vec![DataType::Utf8], DataType::Boolean, Volatility::Immutable, Arc::new(body))
}

fn seconds_between() -> ScalarUDF {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let body = |arguments: &[ColumnarValue]| {
        let [from, to] = take_function_args("seconds_between", ColumnarValue::values_to_arrays(arguments)?)?;
        let pairs = from.as_primitive::<TimestampMicrosecondType>().iter().zip(to.as_primitive::<TimestampMicrosecondType>());
        Ok(ColumnarValue::Array(reals(pairs.map(|(from, to)| Some(seconds_between::seconds_between(from?, to?))))))
    };
    create_udf("seconds_between", vec![moment.clone(), moment], DataType::Float64, Volatility::Immutable, Arc::new(body))
}

fn is_failure() -> ScalarUDF {
    let body = |arguments: &[ColumnarValue]| {
        let [reasons, rules] = take_function_args("is_failure", ColumnarValue::values_to_arrays(arguments)?)?;
        let pairs = reasons.as_string::<i32>().iter().zip(rules.as_string::<i32>());
        let failures: BooleanArray = pairs.map(|(reason, rule)| Some(is_failure::is_failure(reason?, rule?))).collect();
        Ok(ColumnarValue::Array(Arc::new(failures)))
    };
    create_udf("is_failure", vec![DataType::Utf8, DataType::Utf8], DataType::Boolean, Volatility::Immutable, Arc::new(body))
}

fn rounded() -> ScalarUDF {
    let body = |arguments: &[ColumnarValue]| {
        let [seconds, rules] = take_function_args("rounded", ColumnarValue::values_to_arrays(arguments)?)?;
        let pairs = seconds.as_primitive::<Float64Type>().iter().zip(rules.as_string::<i32>());
        Ok(ColumnarValue::Array(reals(pairs.map(|(seconds, rule)| Some(rounded::rounded(seconds?, rule?))))))
    };
    create_udf("rounded", vec![DataType::Float64, DataType::Utf8], DataType::Float64, Volatility::Immutable, Arc::new(body))
}

fn leg_seconds() -> ScalarUDF {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let body = |arguments: &[ColumnarValue]| {
        let [from, to, rules] = take_function_args("leg_seconds", ColumnarValue::values_to_arrays(arguments)?)?;
        let ends = from.as_primitive::<TimestampMicrosecondType>().iter().zip(to.as_primitive::<TimestampMicrosecondType>());
        let seconds = ends.map(|(from, to)| Some(seconds_between::seconds_between(from?, to?)));
        let legs = seconds.zip(rules.as_string::<i32>()).map(|(seconds, rule)| Some(rounded::leg_seconds(seconds, rule?)));
        Ok(ColumnarValue::Array(reals(legs)))
    };
    create_udf("leg_seconds", vec![moment.clone(), moment, DataType::Utf8], DataType::Float64, Volatility::Immutable, Arc::new(body))
}

#[cfg(test)]
pub(crate) fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
}
