//! Whether one rate is a multiple of another: given how many events there were in both, those after are a share of them that is
//! binomial, so the ratio has an exact test and an exact interval (Przyborowski and Wilenski 1940; Clopper and Pearson 1934;
//! semantics, 6.5).

use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PoissonRatio {
    /// Rate after ÷ rate before; `None` where there was nothing before: no multiple of nothing.
    pub value: Option<f64>,
    pub lo: f64,
    /// `None` where the ratio has no upper limit.
    pub hi: Option<f64>,
    /// Twice the lesser tail, which agrees with the interval.
    pub p: f64,
}

/// Events and days of two windows; `None` without any event or without time.
pub fn poisson_ratio(before: (u64, f64), after: (u64, f64)) -> Option<PoissonRatio> {
    let ((events_before, days_before), (events_after, days_after)) = (before, after);
    let events = events_before + events_after;
    if events == 0 || days_before <= 0.0 || days_after <= 0.0 {
        return None;
    }
    let (k, n) = (events_after as f64, events as f64);
    let as_ratio = |share: f64| share / (1.0 - share) * days_before / days_after;
    let lo = if events_after == 0 { 0.0 } else { as_ratio(Beta::new(k, n - k + 1.0).ok()?.inverse_cdf(0.025)) };
    let hi = match events_before {
        0 => None,
        _ => Some(as_ratio(Beta::new(k + 1.0, n - k).ok()?.inverse_cdf(0.975))),
    };
    let alike = Binomial::new(days_after / (days_before + days_after), events).ok()?;
    let below = alike.cdf(events_after);
    let above = if events_after == 0 { 1.0 } else { alike.sf(events_after - 1) };
    let value = (events_before > 0).then(|| (k / days_after) / (events_before as f64 / days_before));
    Some(PoissonRatio { value, lo, hi, p: (2.0 * below.min(above)).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::close;

    #[test]
    fn doubled_is_not_yet_significant() {
        let found = poisson_ratio((12, 30.0), (24, 30.0)).expect("events");
        close(found.value.expect("a ratio"), 2.0);
        close(found.lo, 0.961_929);
        close(found.hi.expect("a limit"), 4.389_040);
        close(found.p, 0.065_245);
    }

    #[test]
    fn nothing_on_one_side() {
        // Five after, none before, in equal times: p = 2 · ½⁵; the least share that gives five of five with 2.5 %: 0.025^(1/5).
        let found = poisson_ratio((0, 10.0), (5, 10.0)).expect("events");
        let share = 0.025_f64.powf(0.2);
        close(found.lo, share / (1.0 - share));
        assert_eq!((found.value, found.hi), (None, None));
        close(found.p, 0.0625);
        let mirrored = poisson_ratio((5, 10.0), (0, 10.0)).expect("events");
        assert_eq!((mirrored.value, mirrored.lo), (Some(0.0), 0.0));
        close(mirrored.hi.expect("a limit"), (1.0 - share) / share);
        close(mirrored.p, 0.0625);
        assert_eq!(poisson_ratio((0, 10.0), (0, 10.0)), None);
    }

    #[test]
    fn times_of_different_length() {
        // Two a day before and after; with a share of 1/4 expected, 20 of 80 are just that.
        let found = poisson_ratio((60, 30.0), (20, 10.0)).expect("events");
        close(found.value.expect("a ratio"), 1.0);
        assert!(found.lo < 1.0 && found.hi.is_some_and(|hi| hi > 1.0) && found.p > 0.9, "{found:?}");
    }
}
