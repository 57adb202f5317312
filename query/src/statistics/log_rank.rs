//! Whether durations of which some are still open end sooner in one group: the log-rank test (Mantel 1966), with the ratio of the
//! rates at which they end after Peto (1977).

use super::{Z, two_sided};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogRank {
    /// At any moment, how many times as fast those after end as those before.
    pub ratio: f64,
    pub lo: f64,
    pub hi: f64,
    pub p: f64,
}

/// Durations, and whether each has ended. `None` where nothing tells the groups apart: none has ended while there were others.
pub fn log_rank(before: &[(f64, bool)], after: &[(f64, bool)]) -> Option<LogRank> {
    let mut all: Vec<(f64, bool, bool)> = before.iter().map(|&(time, is_over)| (time, is_over, false)).collect();
    all.extend(after.iter().map(|&(time, is_over)| (time, is_over, true)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut at_risk, mut of_after) = (all.len() as f64, after.len() as f64);
    let (mut surplus, mut variance) = (0.0, 0.0);
    for here in all.chunk_by(|a, b| a.0 == b.0) {
        let count = |of: fn(&&(f64, bool, bool)) -> bool| here.iter().filter(of).count() as f64;
        let ended = count(|subject| subject.1);
        let share = of_after / at_risk;
        surplus += count(|subject| subject.1 && subject.2) - ended * share;
        if at_risk > 1.0 {
            variance += ended * share * (1.0 - share) * (at_risk - ended) / (at_risk - 1.0);
        }
        at_risk -= here.len() as f64;
        of_after -= count(|subject| subject.2);
    }
    if variance <= 0.0 {
        return None;
    }
    let (log_ratio, half) = (surplus / variance, Z / variance.sqrt());
    Some(LogRank {
        ratio: log_ratio.exp(),
        lo: (log_ratio - half).exp(),
        hi: (log_ratio + half).exp(),
        p: two_sided(surplus / variance.sqrt()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::close;

    #[test]
    fn as_worked_out_by_hand() {
        // Before 2, 4+ (open); after 1, 3. At 1: 4 at risk, 2 after: expected 1/2, variance 1/4. At 2: 3 at risk, 1 after: 1/3, 2/9.
        // At 3: 2 at risk, 1 after: 1/2, 1/4. Ended after: 2. Surplus 2 − 4/3 = 2/3, variance 13/18, z² = 4/9 · 18/13 = 8/13.
        let found = log_rank(&[(2.0, true), (4.0, false)], &[(1.0, true), (3.0, true)]).expect("a test");
        close(found.ratio, (12.0_f64 / 13.0).exp());
        close(found.p, two_sided((8.0_f64 / 13.0).sqrt()));
        close(found.lo.ln(), 12.0 / 13.0 - Z * (18.0_f64 / 13.0).sqrt());
        close(found.hi.ln(), 12.0 / 13.0 + Z * (18.0_f64 / 13.0).sqrt());
    }

    #[test]
    fn several_at_once() {
        // At 1 two of four end, one of two after: expected 1, variance 2 · ¼ · 2/3 = 1/3; at 2 again one of each: expected 1, variance 0.
        let found = log_rank(&[(1.0, true), (2.0, true)], &[(1.0, true), (2.0, true)]).expect("a test");
        assert_eq!((found.ratio, found.p), (1.0, 1.0));
        close(found.hi.ln(), Z * 3.0_f64.sqrt());
    }

    #[test]
    fn without_an_end_nothing_is_told() {
        assert_eq!(log_rank(&[(1.0, false)], &[(2.0, false)]), None);
        assert_eq!(log_rank(&[], &[(2.0, true)]), None);
    }
}
