//! By how much a figure has changed, and whether that is more than chance: which statistic suits which kind of metric.

use crate::answer::{Interval, Point, Status};
use crate::metric::Metric;
use crate::statistics::{difference_of_medians, fisher, hodges_lehmann, log_rank, mann_whitney, newcombe, poisson_ratio};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// After against before.
#[derive(Clone, Debug, Serialize)]
pub struct Effect {
    /// One of `Effect::KINDS`.
    pub kind: &'static str,
    /// `None`: a multiple of nothing.
    pub value: Option<f64>,
    pub ci: Option<Interval>,
}

impl Effect {
    /// A ratio of rates; a shift or a difference of medians, in the metric's unit; a difference of shares; the ratio of the rates at
    /// which failures end.
    pub const KINDS: &'static [&'static str] = &["rate_ratio", "shift", "median_difference", "difference", "hazard_ratio"];

    fn new(kind: &'static str, value: Option<f64>, ci: Option<(Option<f64>, Option<f64>)>, method: &str) -> Self {
        Effect { kind, value, ci: ci.map(|(lo, hi)| Interval { lo, hi, method: method.to_owned() }) }
    }
}

/// What came of the comparison of two points.
#[derive(Debug)]
pub(super) enum Outcome {
    Insufficient,
    NotTested,
    Tested(Tested),
}

#[derive(Debug)]
pub(super) struct Tested {
    pub effect: Effect,
    pub method: &'static str,
    pub p: Option<f64>,
    /// Of the metric's value: up or down.
    pub direction: Ordering,
    /// The effect's interval does not hold "no change".
    pub excludes_no_change: bool,
}

impl Outcome {
    pub fn tested(&self) -> Option<&Tested> {
        match self {
            Outcome::Tested(tested) => Some(tested),
            _ => None,
        }
    }
}

/// Compares two points of a metric. Fewer than `min_n` values, or of clustered ones fewer clusters, are not compared.
pub(super) fn compared(metric: &Metric, before: &Point, after: &Point, min_n: i64) -> Outcome {
    let both = [before, after];
    if is_survival(before) || is_survival(after) {
        // Half of them may still be open, so that there is no median: the test needs none.
        return if both.iter().all(|point| point.n >= min_n) { survival(before, after) } else { Outcome::Insufficient };
    }
    if both.iter().any(|point| point.status != Status::Ok) {
        return Outcome::Insufficient;
    }
    match metric.unit {
        "1/d" => rate(before, after),
        "1" => proportion(before, after),
        _ if both.iter().any(|point| point.sample.len() as i64 != point.n) => Outcome::NotTested,
        _ if is_clustered(before) || is_clustered(after) => clustered(before, after, min_n),
        _ => duration(before, after),
    }
}

/// Whether what was measured may still be open.
pub(super) fn is_survival(point: &Point) -> bool {
    point.sample.iter().any(|measured| measured.is_over.is_some())
}

/// Whether values come together: then they are not independent of each other.
pub(super) fn is_clustered(point: &Point) -> bool {
    let known = point.sample.iter().filter(|measured| measured.cluster.is_some()).count();
    clusters(point) < known
}

fn clusters(point: &Point) -> usize {
    point.sample.iter().filter_map(|measured| measured.cluster).collect::<BTreeSet<i64>>().len()
}

fn rate(before: &Point, after: &Point) -> Outcome {
    let counted = |point: &Point| Some((point.numerator? as u64, point.denominator?));
    let (Some(before), Some(after)) = (counted(before), counted(after)) else { return Outcome::NotTested };
    // Nothing in either window is no change that could be measured.
    let Some(ratio) = poisson_ratio(before, after) else { return Outcome::Insufficient };
    let direction = (after.0 as f64 * before.1).total_cmp(&(before.0 as f64 * after.1));
    Outcome::Tested(Tested {
        effect: Effect::new("rate_ratio", ratio.value, Some((Some(ratio.lo), ratio.hi)), "clopper_pearson"),
        method: "poisson_exact",
        p: Some(ratio.p),
        direction,
        excludes_no_change: ratio.lo > 1.0 || ratio.hi.is_some_and(|hi| hi < 1.0),
    })
}

fn proportion(before: &Point, after: &Point) -> Outcome {
    let counted = |point: &Point| Some((point.numerator?, point.denominator?));
    let (Some(before), Some(after)) = (counted(before), counted(after)) else { return Outcome::NotTested };
    let whole = |(part, whole): (f64, f64)| (part as u64, whole as u64);
    let (Some((lo, hi)), Some(p)) = (newcombe(before, after), fisher(whole(before), whole(after))) else { return Outcome::NotTested };
    let difference = after.0 / after.1 - before.0 / before.1;
    Outcome::Tested(Tested {
        effect: Effect::new("difference", Some(difference), Some((Some(lo), Some(hi))), "newcombe"),
        method: "fisher_exact",
        p: Some(p),
        direction: sign(difference),
        excludes_no_change: excludes_zero(lo, hi),
    })
}

fn duration(before: &Point, after: &Point) -> Outcome {
    let values = |point: &Point| point.sample.iter().map(|measured| measured.value).collect::<Vec<f64>>();
    let (before, after) = (values(before), values(after));
    let (Some(shift), Some(test)) = (hodges_lehmann(&before, &after), mann_whitney(&before, &after)) else { return Outcome::NotTested };
    Outcome::Tested(Tested {
        effect: Effect::new("shift", Some(shift.value), shift.ci.map(|(lo, hi)| (Some(lo), Some(hi))), "moses"),
        method: "mann_whitney",
        p: Some(test.p),
        direction: sign(shift.value),
        excludes_no_change: shift.ci.is_some_and(|(lo, hi)| excludes_zero(lo, hi)),
    })
}

/// Ranks would take ten commits of one deployment for ten witnesses: clusters are drawn, and the interval decides.
fn clustered(before: &Point, after: &Point, min_n: i64) -> Outcome {
    if [before, after].iter().any(|point| (clusters(point) as i64) < min_n) {
        return Outcome::Insufficient;
    }
    let values = |point: &Point| {
        let pairs = point.sample.iter().map(|measured| Some((measured.value, measured.cluster?)));
        pairs.collect::<Option<Vec<(f64, i64)>>>()
    };
    let drawn = values(before).zip(values(after)).and_then(|(before, after)| difference_of_medians(&before, &after));
    let (Some((lo, hi)), Some(old), Some(new)) = (drawn, before.value, after.value) else { return Outcome::NotTested };
    Outcome::Tested(Tested {
        effect: Effect::new("median_difference", Some(new - old), Some((Some(lo), Some(hi))), "cluster_bootstrap"),
        method: "cluster_bootstrap",
        p: None,
        direction: sign(new - old),
        excludes_no_change: excludes_zero(lo, hi),
    })
}

fn survival(before: &Point, after: &Point) -> Outcome {
    let subjects = |point: &Point| {
        let subjects = point.sample.iter().map(|measured| Some((measured.value, measured.is_over?)));
        subjects.collect::<Option<Vec<(f64, bool)>>>()
    };
    let test = subjects(before).zip(subjects(after)).and_then(|(before, after)| log_rank(&before, &after));
    let Some(test) = test else { return Outcome::NotTested };
    Outcome::Tested(Tested {
        effect: Effect::new("hazard_ratio", Some(test.ratio), Some((Some(test.lo), Some(test.hi))), "peto"),
        method: "log_rank",
        p: Some(test.p),
        // What ends at a higher rate takes less time.
        direction: 1.0_f64.total_cmp(&test.ratio),
        excludes_no_change: test.lo > 1.0 || test.hi < 1.0,
    })
}

fn sign(number: f64) -> Ordering {
    number.partial_cmp(&0.0).unwrap_or(Ordering::Equal)
}

fn excludes_zero(lo: f64, hi: f64) -> bool {
    lo > 0.0 || hi < 0.0
}
