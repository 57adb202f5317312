//! Statistics that compare two windows, one file each: pure functions of numbers, every interval at 95 %. What one window says of
//! itself is in `functions`, where formulas reach it.

mod benjamini_hochberg;
mod bootstrap;
mod fisher;
mod hodges_lehmann;
mod log_rank;
mod mann_whitney;
mod newcombe;
mod poisson_ratio;
mod standardise;

pub use benjamini_hochberg::benjamini_hochberg;
pub use bootstrap::difference_of_medians;
pub use fisher::fisher;
pub use hodges_lehmann::{Shift, hodges_lehmann};
pub use log_rank::{LogRank, log_rank};
pub use mann_whitney::{MannWhitney, mann_whitney};
pub use newcombe::newcombe;
pub use poisson_ratio::{PoissonRatio, poisson_ratio};
pub use standardise::{Stratum, standardised_mean, standardised_median};

use statrs::function::erf::erfc;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// How likely a standard normal value is at least this far from 0, on either side.
fn two_sided(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2)
}
