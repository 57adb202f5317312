//! The statistics of section 6, each in its plainest form.

/// The 97.5 % point of the normal distribution, as section 6.1 writes it.
pub const Z: f64 = 1.959964;
const ALPHA: f64 = 0.05;

/// Type 7: linear interpolation between the order statistics around `(n - 1) p` (section 0). The values are sorted.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let h = (sorted.len() - 1) as f64 * p;
    let below = h.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (h - below as f64) * (sorted[above] - sorted[below])
}

/// The bootstrap over clusters (rules 6.2 and 8), as bounds of its bounds: another run with other draws has its 2.5 % point between
/// the first two and its 97.5 % point between the last two. Of 2000 draws about 50 ± 7 lie below the 2.5 % point; five times that
/// much to either side is 0.75 % and 4.25 %.
pub fn cluster_bootstrap(clusters: &[Vec<f64>]) -> [[f64; 2]; 2] {
    let mut state = 1_u64;
    let mut draw = || {
        // Knuth's generator. Only its high bits are good: the number of clusters scales them, a remainder would look at the low ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((state >> 33) * clusters.len() as u64) >> 31) as usize
    };
    let mut medians = Vec::new();
    for _ in 0..2000 {
        let mut drawn: Vec<f64> = (0..clusters.len()).flat_map(|_| clusters[draw()].clone()).collect();
        drawn.sort_by(f64::total_cmp);
        medians.push(quantile(&drawn, 0.5));
    }
    medians.sort_by(f64::total_cmp);
    let at = |p: f64| quantile(&medians, p);
    [[at(0.0075), at(0.0425)], [at(0.9575), at(0.9925)]]
}

/// Wilson's interval for x of n (section 6.1).
pub fn wilson(x: usize, n: usize) -> (f64, f64) {
    let (x, n) = (x as f64, n as f64);
    let p = x / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// Garwood's interval for the expectation behind a count (section 6.3); the caller divides by the time.
pub fn garwood(k: usize) -> (f64, f64) {
    let lo = if k == 0 { 0.0 } else { 0.5 * chi_square_quantile(ALPHA / 2.0, 2.0 * k as f64) };
    (lo, 0.5 * chi_square_quantile(1.0 - ALPHA / 2.0, 2.0 * k as f64 + 2.0))
}

/// By bisection on the distribution function.
fn chi_square_quantile(p: f64, degrees: f64) -> f64 {
    let (mut lo, mut hi) = (0.0, 1.0);
    while lower_gamma(degrees / 2.0, hi / 2.0) < p {
        hi *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (lo + hi);
        if lower_gamma(degrees / 2.0, middle / 2.0) < p { lo = middle } else { hi = middle }
    }
    0.5 * (lo + hi)
}

/// The regularised lower incomplete gamma function P(a, x) for whole a (even degrees of freedom): 1 - e^-x Σ_{i<a} x^i / i!.
/// For x below a it is summed from the other side, Σ_{i>=a}, so that nothing is lost to cancellation.
fn lower_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let ln_factorial = |i: usize| (1..=i).map(|j| (j as f64).ln()).sum::<f64>();
    let whole = a as usize;
    if x < a {
        let mut term = (whole as f64 * x.ln() - x - ln_factorial(whole)).exp();
        let (mut sum, mut i) = (0.0, whole);
        while term > 1e-18 * sum {
            sum += term;
            i += 1;
            term *= x / i as f64;
        }
        sum
    } else {
        let mut term = (-x).exp();
        let mut sum = 0.0;
        for i in 0..whole {
            sum += term;
            term *= x / (i + 1) as f64;
        }
        1.0 - sum
    }
}

/// The ranks (from 1) of the order-statistic interval of the median (section 6.2): the largest r with 2 P(Bin(n, 1/2) <= r - 1) <= 5 %.
pub fn median_ranks(n: usize) -> Option<(usize, usize)> {
    let mut best = None;
    let mut cumulated = 0.0;
    let mut term = 0.5f64.powi(n as i32); // P(Bin = 0)
    for r in 1..=n {
        cumulated += term; // P(Bin <= r - 1)
        term *= (n - r + 1) as f64 / r as f64;
        if 2.0 * cumulated <= ALPHA {
            best = Some((r, n - r + 1));
        }
    }
    best
}

/// One subject of a survival estimate: how long, and whether it ended then (or was still open: censored).
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    pub time: f64,
    pub ended: bool,
}

/// The Kaplan-Meier median with its interval (section 6.4, rules 8 and 38).
#[derive(Debug)]
pub struct Survival {
    pub median: Option<f64>,
    pub lo: Option<f64>,
    pub hi: Option<f64>,
    /// S after each event time.
    pub curve: Vec<(f64, f64)>,
}

pub fn kaplan_meier(subjects: &[Subject]) -> Survival {
    let mut times: Vec<f64> = subjects.iter().filter(|s| s.ended).map(|s| s.time).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let (mut s, mut variance) = (1.0f64, 0.0f64);
    let mut found = Survival { median: None, lo: None, hi: None, curve: Vec::new() };
    for t in times {
        // Events precede censorings at equal t: who is censored at t is still at risk.
        let at_risk = subjects.iter().filter(|x| x.time >= t).count() as f64;
        let died = subjects.iter().filter(|x| x.ended && x.time == t).count() as f64;
        s *= 1.0 - died / at_risk;
        found.curve.push((t, s));
        if found.median.is_none() && s <= 0.5 + 1e-9 {
            found.median = Some(t);
        }
        if at_risk == died {
            continue; // S = 0: the limits are undefined and skipped
        }
        variance += died / (at_risk * (at_risk - died)); // Greenwood
        let error = variance.sqrt() / -s.ln(); // of log(-log S)
        let (lower, upper) = (s.powf((Z * error).exp()), s.powf((-Z * error).exp()));
        if found.lo.is_none() && lower <= 0.5 {
            found.lo = Some(t);
        }
        if found.hi.is_none() && upper <= 0.5 {
            found.hi = Some(t);
        }
    }
    if found.median.is_none() {
        found.lo = subjects.iter().map(|x| x.time).max_by(f64::total_cmp);
        found.hi = None;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: (f64, f64), want: (f64, f64)) {
        assert!((got.0 - want.0).abs() < 1e-6 && (got.1 - want.1).abs() < 1e-6, "{got:?} is not {want:?}");
    }

    #[test]
    fn wilson_gives_the_vectors() {
        near(wilson(0, 10), (0.0, 0.277533));
        near(wilson(1, 10), (0.017876, 0.404150));
        near(wilson(2, 5), (0.117621, 0.769276));
        near(wilson(4, 6), (0.299993, 0.903229));
        near(wilson(5, 50), (0.043476, 0.213602));
        near(wilson(50, 1000), (0.038130, 0.065314));
    }

    #[test]
    fn garwood_gives_the_vectors() {
        near(garwood(0), (0.0, 3.688879));
        near(garwood(1), (0.025318, 5.571643));
        near(garwood(4), (1.089865, 10.241589));
        near(garwood(12), (6.200575, 20.961585));
        near(garwood(30), (20.240874, 42.826865));
    }

    #[test]
    fn order_statistics_give_the_vectors() {
        assert_eq!(median_ranks(5), None);
        assert_eq!(median_ranks(6), Some((1, 6)));
        assert_eq!(median_ranks(10), Some((2, 9)));
        assert_eq!(median_ranks(20), Some((6, 15)));
        assert_eq!(median_ranks(50), Some((18, 33)));
        assert_eq!(median_ranks(100), Some((40, 61)));
    }

    fn subjects(pairs: &[(f64, bool)]) -> Vec<Subject> {
        pairs.iter().map(|&(time, ended)| Subject { time, ended }).collect()
    }

    #[test]
    fn kaplan_meier_gives_the_vectors() {
        let found =
            kaplan_meier(&subjects(&[(1.0, true), (2.0, true), (3.0, false), (4.0, true), (6.0, false), (8.0, true), (10.0, false)]));
        let s: Vec<f64> = found.curve.iter().map(|p| (p.1 * 1e6).round() / 1e6).collect();
        assert_eq!(s, [0.857143, 0.714286, 0.535714, 0.267857]);
        assert_eq!(found.median, Some(8.0));

        let open = kaplan_meier(&subjects(&[(1.0, true), (2.0, false), (3.0, false), (4.0, false)]));
        assert_eq!((open.median, open.lo, open.hi), (None, Some(4.0), None));

        // Rule 38: of four events the second brings S to exactly one half.
        assert_eq!(kaplan_meier(&subjects(&[(1.0, true), (2.0, true), (3.0, true), (4.0, true)])).median, Some(2.0));
        // One event: S = 0 at once, where no limit is defined.
        let one = kaplan_meier(&subjects(&[(7.0, true)]));
        assert_eq!((one.median, one.lo, one.hi), (Some(7.0), None, None));
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert_eq!(quantile(&[10.0, 20.0, 35.0], 0.9), 32.0); // h = 1.8: 20 + 0.8 · 15
        assert_eq!(quantile(&[5.0], 0.95), 5.0);
    }
}
