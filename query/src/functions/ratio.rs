//! `ratio(part, whole)`: a share, null where there is no whole. Never 0 for "no data" (semantics, section 0).

pub fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
