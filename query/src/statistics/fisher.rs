//! Whether two shares differ: Fisher's exact test, two-sided. All tables with the same margins that are at most as likely as the one
//! that was seen count (Fisher 1922; semantics, 6.5). Exact at any size, so no approximation has to be chosen.

/// Rounding must not tell equally likely tables apart.
const TOLERANCE: f64 = 1e-7;

/// Parts and wholes of two windows; `None` without a whole.
pub fn fisher(before: (u64, u64), after: (u64, u64)) -> Option<f64> {
    let ((part, whole), (other_part, other)) = (before, after);
    if whole == 0 || other == 0 || part > whole || other_part > other {
        return None;
    }
    let parts = part + other_part;
    let (least, greatest) = (parts.saturating_sub(other), parts.min(whole));
    let mode = ((parts + 1) as f64 * (whole + 1) as f64 / (whole + other + 2) as f64) as u64;
    let mode = mode.clamp(least, greatest);
    // How much likelier a table is than the one with one part less in the first window.
    let step = |k: u64| ((whole - k + 1) as f64 * (parts - k + 1) as f64) / (k as f64 * (other + k - parts) as f64);
    let upwards = (mode + 1..=greatest).scan(1.0, |weight, k| {
        *weight *= step(k);
        Some((k, *weight))
    });
    let downwards = (least + 1..=mode).rev().scan(1.0, |weight, k| {
        *weight /= step(k);
        Some((k - 1, *weight))
    });
    // Relative to the likeliest; what is too small for a number is too small to matter.
    let weighs = |(_, weight): &(u64, f64)| *weight > 0.0;
    let mut weights: Vec<(u64, f64)> = upwards.take_while(weighs).collect();
    weights.extend(downwards.take_while(weighs));
    weights.push((mode, 1.0));
    // From the least on, so that they add up.
    weights.sort_by(|a, b| a.1.total_cmp(&b.1));
    let seen = weights.iter().find(|(k, _)| *k == part).map_or(0.0, |(_, weight)| *weight);
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let unlikely: f64 = weights.iter().map(|(_, weight)| weight).take_while(|weight| **weight <= seen * (1.0 + TOLERANCE)).sum();
    Some(unlikely / total)
}

#[cfg(test)]
mod tests {
    use super::fisher;
    use crate::functions::close;

    #[test]
    fn as_counted_by_hand() {
        // The lady tasting tea: 3 of 4 against 1 of 4. Of 70 tables 1, 16, 36, 16, 1; at most as likely: 1 + 16 + 16 + 1.
        close(fisher((3, 4), (1, 4)).expect("wholes"), 34.0 / 70.0);
        // 4 of 4 against 0 of 4: 2 of 70.
        close(fisher((4, 4), (0, 4)).expect("wholes"), 2.0 / 70.0);
        // 0 of 3 against 2 of 2: of C(5, 2) = 10 tables those with 0, 1 and 2 in the first are 1, 6 and 3.
        close(fisher((0, 3), (2, 2)).expect("wholes"), 0.1);
        close(fisher((1, 3), (1, 2)).expect("wholes"), 1.0);
    }

    #[test]
    fn the_ends() {
        assert_eq!(fisher((0, 7), (0, 9)), Some(1.0));
        assert_eq!(fisher((7, 7), (9, 9)), Some(1.0));
        assert_eq!(fisher((0, 0), (1, 2)), None);
        assert!(fisher((500_000, 1_000_000), (501_000, 1_000_000)).is_some_and(|p| (0.15..0.17).contains(&p)));
        assert!(fisher((0, 1_000_000), (1_000_000, 1_000_000)).is_some_and(|p| (0.0..1e-300).contains(&p)));
    }
}
