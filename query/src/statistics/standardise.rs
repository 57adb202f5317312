//! Direct standardisation: what a roll-up would be if every part kept the weight that it had before. A roll-up can rise while each of
//! its parts falls, only because the parts' sizes have changed (Simpson 1951); a standardised one cannot.

/// One part: its weight, and what was measured of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum<T> {
    pub weight: f64,
    pub measured: T,
}

/// The mean of the parts' values by their weights; `None` without weight.
pub fn standardised_mean(strata: impl IntoIterator<Item = Stratum<f64>>) -> Option<f64> {
    let sums = strata.into_iter().fold((0.0, 0.0), |(sum, weight), part| (sum + part.weight * part.measured, weight + part.weight));
    (sums.1 > 0.0).then(|| sums.0 / sums.1)
}

/// The median of all values where those of each part together have the part's weight; `None` without a value.
pub fn standardised_median<'a>(strata: impl IntoIterator<Item = Stratum<&'a [f64]>>) -> Option<f64> {
    let mut values: Vec<(f64, f64)> = Vec::new();
    for part in strata.into_iter().filter(|part| part.weight > 0.0) {
        let weight = part.weight / part.measured.len() as f64;
        values.extend(part.measured.iter().map(|&value| (value, weight)));
    }
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    // Half is reached exactly between two values, as in any even number of equal weights: their middle.
    let tolerance = half * 1e-9;
    let mut passed = 0.0;
    for (place, &(value, weight)) in values.iter().enumerate() {
        passed += weight;
        if (passed - half).abs() <= tolerance {
            return Some(values.get(place + 1).map_or(value, |next| value + (next.0 - value) / 2.0));
        }
        if passed > half {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::close;

    fn part<T>(weight: f64, measured: T) -> Stratum<T> {
        Stratum { weight, measured }
    }

    #[test]
    fn means_keep_their_weights() {
        close(standardised_mean([part(90.0, 0.1), part(10.0, 0.5)]).expect("weights"), 0.14);
        assert_eq!(standardised_mean([]), None);
        assert_eq!(standardised_mean([part(0.0, 1.0)]), None);
    }

    #[test]
    fn medians_keep_their_weights() {
        // Weight 3 on 1, 2, 3 and weight 1 on ten values of 100: half of 4 is reached between 2 and 3, as if one value were 100.
        let many = [100.0; 10];
        assert_eq!(standardised_median([part(3.0, &[1.0, 2.0, 3.0][..]), part(1.0, &many[..])]), Some(2.5));
        // Weight 1 on 1, 2, 3, weight 3 on the hundreds.
        assert_eq!(standardised_median([part(1.0, &[1.0, 2.0, 3.0][..]), part(3.0, &many[..])]), Some(100.0));
        // Equal weights: the usual median.
        assert_eq!(standardised_median([part(2.0, &[1.0, 4.0][..]), part(3.0, &[2.0, 3.0, 9.0][..])]), Some(3.0));
        assert_eq!(standardised_median([part(1.0, &[][..])]), None);
    }
}
