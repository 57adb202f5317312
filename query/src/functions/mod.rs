//! Functions that metrics share, one file each: what would else be the same formula in several `.sql` files.

mod coverage;
mod garwood;
mod interval;
mod kaplan_meier;
mod order_statistics;
mod quantile;
mod ratio;
mod seconds_between;
mod wilson;

use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use std::sync::Arc;

/// Makes the functions known to a session.
pub fn register(registry: &mut dyn FunctionRegistry) -> datafusion::error::Result<()> {
    let scalars: [ScalarUDF; 5] = [
        ScalarUDF::from(coverage::Coverage::new()),
        ScalarUDF::from(garwood::Garwood::new()),
        ScalarUDF::from(ratio::Ratio::new()),
        ScalarUDF::from(seconds_between::SecondsBetween::new()),
        ScalarUDF::from(wilson::Wilson::new()),
    ];
    for function in scalars {
        registry.register_udf(Arc::new(function))?;
    }
    registry.register_udaf(Arc::new(AggregateUDF::from(kaplan_meier::KaplanMeier::new())))?;
    registry.register_udaf(Arc::new(AggregateUDF::from(quantile::Quantile::new())))?;
    registry.register_udaf(Arc::new(AggregateUDF::from(order_statistics::OrderStatistics::new())))?;
    Ok(())
}

#[cfg(test)]
pub(crate) fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "found {found}, expected {expected}");
}
