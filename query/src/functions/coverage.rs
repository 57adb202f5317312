//! `coverage(counted, missing)`: how much of what should have counted did; null where there was nothing (semantics, 7.54).

use super::ratio::ratio;

pub fn coverage(counted: f64, missing: f64) -> Option<f64> {
    ratio(counted, counted + missing)
}
