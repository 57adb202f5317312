//! `seconds_between(from, to)`: exact to the microsecond, negative when `to` came first. Moments are microseconds since 1970.

pub fn seconds_between(from: i64, to: i64) -> f64 {
    to.saturating_sub(from) as f64 / 1e6
}
