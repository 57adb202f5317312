//! `garwood(events, days)`: the exact 95 % interval of a Poisson rate (Garwood 1936; semantics, 6.3).

use statrs::distribution::{ChiSquared, ContinuousCDF};

fn quantile(degrees: f64, probability: f64) -> Option<f64> {
    Some(ChiSquared::new(degrees).ok()?.inverse_cdf(probability))
}

pub fn garwood(events: f64, days: f64) -> Option<(f64, f64)> {
    if days <= 0.0 {
        return None;
    }
    let lo = if events <= 0.0 { 0.0 } else { quantile(2.0 * events, 0.025)? / 2.0 };
    let hi = quantile(2.0 * events + 2.0, 0.975)? / 2.0;
    Some((lo / days, hi / days))
}

#[cfg(test)]
mod tests {
    use crate::functions::close;

    #[test]
    fn published_vectors() {
        for (events, lo, hi) in [
            (0.0, 0.0, 3.688_879),
            (1.0, 0.025_318, 5.571_643),
            (4.0, 1.089_865, 10.241_589),
            (12.0, 6.200_575, 20.961_585),
            (30.0, 20.240_874, 42.826_865),
        ] {
            let found = super::garwood(events, 1.0).expect("a day");
            close(found.0, lo);
            close(found.1, hi);
        }
        assert_eq!(super::garwood(1.0, 0.0), None);
    }
}
