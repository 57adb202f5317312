//! Whether values of one group tend to be greater than those of another: the rank test of Mann and Whitney (1947), by the normal
//! approximation with the corrections for ties and continuity (semantics, 6.5).

use super::two_sided;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// The lesser of the two counts of pairs in which one group's value is the greater; equal ones are half a pair.
    pub u: f64,
    pub variance: f64,
    pub z: f64,
    pub p: f64,
}

/// `None` where a group has no value. Both in any order.
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    let (n, m) = (a.len() as f64, b.len() as f64);
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let mut all: Vec<(f64, bool)> = a.iter().map(|&value| (value, true)).chain(b.iter().map(|&value| (value, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut ranks_of_a, mut ties, mut before) = (0.0, 0.0, 0.0);
    for equal in all.chunk_by(|x, y| x.0 == y.0) {
        let size = equal.len() as f64;
        let rank = before + (size + 1.0) / 2.0;
        ranks_of_a += rank * equal.iter().filter(|(_, is_a)| *is_a).count() as f64;
        ties += size.powi(3) - size;
        before += size;
    }
    let greater = ranks_of_a - n * (n + 1.0) / 2.0;
    let u = greater.min(n * m - greater);
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let distance = ((greater - n * m / 2.0).abs() - 0.5).max(0.0);
    // All values equal: nothing tells the groups apart.
    let z = if variance > 0.0 { distance / variance.sqrt() } else { 0.0 };
    Some(MannWhitney { u, variance, z, p: two_sided(z) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::close;

    #[test]
    fn published_vector() {
        let (a, b) = ([3.0, 4.0, 2.0, 6.0, 2.0, 5.0], [9.0, 7.0, 5.0, 10.0, 6.0, 8.0]);
        for (a, b) in [(a, b), (b, a)] {
            let found = mann_whitney(&a, &b).expect("values");
            close(found.u, 2.0);
            close(found.variance, 38.590_909);
            close(found.z, 2.495_107);
            close(found.p, 0.012_592);
        }
    }

    #[test]
    fn what_is_alike_does_not_differ() {
        let same = mann_whitney(&[7.0, 7.0, 7.0], &[7.0, 7.0]).expect("values");
        assert_eq!((same.u, same.variance, same.p), (3.0, 0.0, 1.0));
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }
}
