//! By how much values have shifted: the median of all differences between a value after and a value before (Hodges and Lehmann
//! 1963), with the interval of Moses: two ranks among the differences, by the normal approximation (semantics, 6.5).
//!
//! A million values on either side have 10¹² differences, so none is kept: how many are at most x is counted in one walk over both
//! sorted groups, and the difference of a rank is found by halving between the least and the greatest. The result is exact.

use super::Z;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    pub value: f64,
    /// `None` where there are too few values for 95 %.
    pub ci: Option<(f64, f64)>,
}

/// `None` where a group has no value. Both in ascending order.
pub fn hodges_lehmann(before: &[f64], after: &[f64]) -> Option<Shift> {
    let differences = Differences::of(before, after)?;
    let (n, m) = (before.len() as f64, after.len() as f64);
    let pairs = before.len() as u64 * after.len() as u64;
    let (low, high) = (differences.ranked(pairs.div_ceil(2)), differences.ranked(pairs / 2 + 1));
    // Rounded down, so that the interval is rather too wide; ties are not taken off for the same reason.
    let rank = (n * m / 2.0 - Z * (n * m * (n + m + 1.0) / 12.0).sqrt()).floor();
    let ci = (rank >= 1.0).then(|| (differences.ranked(rank as u64), differences.ranked(pairs + 1 - rank as u64)));
    Some(Shift { value: low + (high - low) / 2.0, ci })
}

/// All differences of two sorted groups.
struct Differences<'a> {
    before: &'a [f64],
    after: &'a [f64],
    least: f64,
    greatest: f64,
}

impl<'a> Differences<'a> {
    fn of(before: &'a [f64], after: &'a [f64]) -> Option<Self> {
        let least = after.first()? - before.last()?;
        let greatest = after.last()? - before.first()?;
        Some(Differences { before, after, least, greatest })
    }

    fn at_most(&self, limit: f64) -> u64 {
        // The greater the value before, the more values after are within the limit.
        let (mut count, mut within) = (0, 0);
        for before in self.before {
            within += self.after[within..].iter().take_while(|after| *after - before <= limit).count();
            count += within as u64;
        }
        count
    }

    /// The difference of a rank from 1 on.
    fn ranked(&self, rank: u64) -> f64 {
        let (mut low, mut high) = (place(self.least), place(self.greatest));
        while low < high {
            let middle = low + (high - low).div_euclid(2);
            if self.at_most(number(middle)) >= rank { high = middle } else { low = middle + 1 }
        }
        // Of the two zeros the usual one.
        number(low) + 0.0
    }
}

/// Where a number stands among all of its type, so that there is a middle between any two.
fn place(number: f64) -> i128 {
    let bits = number.to_bits() as i64;
    i128::from(bits ^ (((bits >> 63) as u64) >> 1) as i64)
}

fn number(place: i128) -> f64 {
    let bits = place as i64;
    f64::from_bits((bits ^ (((bits >> 63) as u64) >> 1) as i64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vector() {
        // Of 36 differences the 18th and the 19th are 4. Rank 18 − 1.96 · √(36 · 13 / 12) = 5.76, so 5; the 5th is 1, the 32nd 7.
        let shift = hodges_lehmann(&[2.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert_eq!(shift, Some(Shift { value: 4.0, ci: Some((1.0, 7.0)) }));
    }

    #[test]
    fn few_values_have_a_shift_and_no_interval() {
        // Differences −1, 1, 8, 10: the median lies between 1 and 8.
        assert_eq!(hodges_lehmann(&[0.0, 2.0], &[1.0, 10.0]), Some(Shift { value: 4.5, ci: None }));
        assert_eq!(hodges_lehmann(&[], &[1.0]), None);
        // Five on each side: 12.5 − 1.96 · √(25 · 11 / 12) = 3.1.
        let same = [3.0; 5];
        assert_eq!(hodges_lehmann(&same, &same), Some(Shift { value: 0.0, ci: Some((0.0, 0.0)) }));
    }

    #[test]
    fn ranks_are_those_of_the_sorted_differences() {
        let before: Vec<f64> = (0..23).map(|i| f64::from((i * i) % 17) / 3.0).collect();
        let after: Vec<f64> = (0..19).map(|i| f64::from((i * 7) % 13) - 4.0).collect();
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            values
        };
        let (before, after) = (sorted(&before), sorted(&after));
        let all = sorted(&before.iter().flat_map(|before| after.iter().map(move |after| after - before)).collect::<Vec<_>>());
        let differences = Differences::of(&before, &after).expect("values");
        for (rank, expected) in (1..).zip(&all) {
            assert_eq!(differences.ranked(rank), *expected, "rank {rank}");
        }
    }

    #[test]
    fn many_values_take_no_room() {
        // Ten thousand million differences: 0 … 99,999 against the same and 250 more.
        let before: Vec<f64> = (0..100_000).map(f64::from).collect();
        let after: Vec<f64> = before.iter().map(|value| value + 250.0).collect();
        let shift = hodges_lehmann(&before, &after).expect("values");
        assert_eq!(shift.value, 250.0);
        assert!(shift.ci.is_some_and(|(lo, hi)| lo < 250.0 && 250.0 < hi && lo + hi == 500.0));
    }
}
