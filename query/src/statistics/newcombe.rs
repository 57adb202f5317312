//! The interval of a difference of two shares: the square-and-add of two Wilson intervals, without correction for continuity
//! (Newcombe 1998, method 10; semantics, 6.5).

use crate::functions::wilson;

/// Of `after − before`, each a part and its whole; `None` without a whole.
pub fn newcombe(before: (f64, f64), after: (f64, f64)) -> Option<(f64, f64)> {
    let (b, a) = (before.0 / before.1, after.0 / after.1);
    let ((b_lo, b_hi), (a_lo, a_hi)) = (wilson(before.0, before.1)?, wilson(after.0, after.1)?);
    let difference = a - b;
    Some((difference - (a - a_lo).hypot(b_hi - b), difference + (a_hi - a).hypot(b - b_lo)))
}

#[cfg(test)]
mod tests {
    use super::newcombe;

    #[test]
    fn published_examples() {
        // Newcombe 1998, table II: 56/70 − 48/80, 9/10 − 3/10, 10/10 − 0/20.
        for (after, before, lo, hi) in [
            ((56.0, 70.0), (48.0, 80.0), 0.0524, 0.3339),
            ((9.0, 10.0), (3.0, 10.0), 0.1705, 0.8090),
            ((10.0, 10.0), (0.0, 20.0), 0.6791, 1.0),
        ] {
            let found = newcombe(before, after).expect("wholes");
            assert!((found.0 - lo).abs() < 5e-5 && (found.1 - hi).abs() < 5e-5, "{after:?} − {before:?}: {found:?}");
        }
        assert_eq!(newcombe((0.0, 0.0), (1.0, 2.0)), None);
    }
}
