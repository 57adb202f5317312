//! `wilson(part, whole)`: the 95 % interval of a share (Wilson 1927; semantics, 6.1).

const Z: f64 = 1.959_963_984_540_054;

pub fn wilson(part: f64, whole: f64) -> Option<(f64, f64)> {
    if whole <= 0.0 {
        return None;
    }
    let share = part / whole;
    let scale = 1.0 + Z * Z / whole;
    let centre = (share + Z * Z / (2.0 * whole)) / scale;
    let half = Z * (share * (1.0 - share) / whole + Z * Z / (4.0 * whole * whole)).sqrt() / scale;
    // At the ends the bound is the end itself, without the dust of rounding.
    let lo = if part <= 0.0 { 0.0 } else { centre - half };
    let hi = if part >= whole { 1.0 } else { centre + half };
    Some((lo, hi))
}

#[cfg(test)]
mod tests {
    use crate::functions::close;

    #[test]
    fn published_vectors() {
        for (part, whole, lo, hi) in [
            (0.0, 10.0, 0.0, 0.277_533),
            (1.0, 10.0, 0.017_876, 0.404_150),
            (2.0, 5.0, 0.117_621, 0.769_276),
            (4.0, 6.0, 0.299_993, 0.903_229),
            (5.0, 50.0, 0.043_476, 0.213_602),
            (50.0, 1000.0, 0.038_130, 0.065_314),
        ] {
            let found = super::wilson(part, whole).expect("a whole");
            close(found.0, lo);
            close(found.1, hi);
        }
        assert_eq!(super::wilson(0.0, 0.0), None);
    }
}
