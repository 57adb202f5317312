//! The interval of a difference of medians of values that come in clusters, as the commits of one deployment do: the clusters of
//! either group are drawn with replacement, 2000 times (Efron; semantics, 6.2). Seeded by the values: the same rows give the same
//! interval on any machine.

use crate::functions::cluster_bootstrap::{Drawing, REPLICATES, SplitMix, middle};

/// Of `after − before`; values, each with its cluster. `None` where a group has fewer than two clusters.
pub fn difference_of_medians(before: &[(f64, i64)], after: &[(f64, i64)]) -> Option<(f64, f64)> {
    let (before, after) = (Drawing::of(&mut before.to_vec())?, Drawing::of(&mut after.to_vec())?);
    // One stream for both: seeds of their own would draw the same of two groups that are equal.
    let mut random = SplitMix(before.seed.rotate_left(1) ^ after.seed);
    let mut drawn = || -before.median(&mut random) + after.median(&mut random);
    Some(middle((0..REPLICATES).map(|_| drawn()).collect()))
}

#[cfg(test)]
mod tests {
    use super::difference_of_medians;

    /// A value each in so many clusters, from `first` on.
    fn singles(first: i32, count: i32) -> Vec<(f64, i64)> {
        (first..first + count).map(|i| (f64::from(i), i64::from(i))).collect()
    }

    #[test]
    fn three_clusters_as_counted_by_hand() {
        // Of {1}, {5}, {9} the median of a draw is 1 with 7/27, 5 with 13/27, 9 with 7/27. Of two draws the difference is −8 with
        // 49/729 (6.7 %), likewise 8: 2.5 % and 97.5 % lie there.
        let group = [(1.0, 1), (5.0, 2), (9.0, 3)];
        assert_eq!(difference_of_medians(&group, &group), Some((-8.0, 8.0)));
        let later = group.map(|(value, cluster)| (value + 100.0, cluster));
        assert_eq!(difference_of_medians(&group, &later), Some((92.0, 108.0)));
    }

    #[test]
    fn clusters_widen_the_interval() {
        // Ten values each of twelve clusters against the same values, each on its own.
        let clustered = |first| singles(first, 12).into_iter().flat_map(|pair| [pair; 10]).collect::<Vec<_>>();
        let apart = |first| clustered(first).into_iter().zip(0..).map(|((value, _), number)| (value, number)).collect::<Vec<_>>();
        let wide = difference_of_medians(&clustered(0), &clustered(3)).expect("clusters");
        let narrow = difference_of_medians(&apart(0), &apart(3)).expect("clusters");
        assert!(wide.0 < 0.0 && narrow.0 > 0.0, "{wide:?} {narrow:?}");
    }

    #[test]
    fn a_single_cluster_says_nothing() {
        assert_eq!(difference_of_medians(&[(1.0, 1), (2.0, 1)], &singles(0, 5)), None);
    }
}
