//! A roll-up over services can change only because the services' shares have: the change that is left if each keeps the weight that
//! it had before stands beside the raw one, so that such a paradox shows (Simpson; semantics, 6.8).

use super::effect::is_survival;
use crate::answer::{Point, SeriesAnswer};
use crate::metric::Metric;
use crate::statistics::{Stratum, standardised_mean, standardised_median};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mix {
    /// Services with a value in both windows: only these can be compared.
    pub services: usize,
    /// Services with a value in one of them.
    pub left_out: usize,
    pub before: f64,
    pub after: f64,
    /// After ÷ before for rates, else after − before; `None` where there was nothing before.
    pub change: Option<f64>,
    /// The same of the roll-up as it stands.
    pub raw_change: Option<f64>,
    /// One has risen and the other has fallen.
    pub reversed: bool,
}

/// The roll-up and its services in each window. `None` for a single service, and for survival curves: a window has too few failures
/// of one service to have a curve of each.
pub(super) fn mix(metric: &Metric, before: (&Point, &[SeriesAnswer]), after: (&Point, &[SeriesAnswer])) -> Option<Mix> {
    if is_survival(before.0) || is_survival(after.0) {
        return None;
    }
    let (parts_before, parts_after) = (parts(before.1), parts(after.1));
    let both: Vec<(&Point, &Point)> =
        parts_before.iter().filter_map(|(service, before)| Some((*before, *parts_after.get(service)?))).collect();
    let left_out = parts_before.len() + parts_after.len() - 2 * both.len();
    if both.len() + left_out < 2 {
        return None;
    }
    let (old, new) = match metric.unit {
        "1/d" => (total(both.iter().map(|(before, _)| before))?, total(both.iter().map(|(_, after)| after))?),
        "1" => {
            let mean = |of: fn(&(&Point, &Point)) -> Option<f64>| {
                let strata = both.iter().map(|pair| Some(Stratum { weight: pair.0.n as f64, measured: of(pair)? }));
                standardised_mean(strata.collect::<Option<Vec<_>>>()?)
            };
            (mean(|(before, _)| before.value)?, mean(|(_, after)| after.value)?)
        }
        _ => {
            let samples: Vec<(f64, Vec<f64>, Vec<f64>)> =
                both.iter().map(|(before, after)| (before.n as f64, values(before), values(after))).collect();
            let median = |of: fn(&(f64, Vec<f64>, Vec<f64>)) -> &[f64]| {
                standardised_median(samples.iter().map(|part| Stratum { weight: part.0, measured: of(part) }))
            };
            (median(|(_, before, _)| before)?, median(|(_, _, after)| after)?)
        }
    };
    let is_rate = metric.unit == "1/d";
    let change = change(is_rate, old, new);
    let raw_change = self::change(is_rate, before.0.value?, after.0.value?);
    let none = if is_rate { 1.0 } else { 0.0 };
    let reversed = change.zip(raw_change).is_some_and(|(change, raw)| (change - none) * (raw - none) < -f64::EPSILON);
    Some(Mix { services: both.len(), left_out, before: old, after: new, change, raw_change, reversed })
}

/// The services that have a value.
fn parts(series: &[SeriesAnswer]) -> BTreeMap<&str, &Point> {
    let parts = series.iter().filter_map(|series| Some((series.labels.get("service")?.as_str(), series.points.first()?)));
    parts.filter(|(_, point)| point.value.is_some()).collect()
}

/// Rates add up: all services together.
fn total<'a>(points: impl Iterator<Item = &'a &'a Point>) -> Option<f64> {
    let rates = points.map(|point| point.value).collect::<Option<Vec<f64>>>()?;
    (!rates.is_empty()).then(|| rates.iter().sum())
}

fn values(point: &Point) -> Vec<f64> {
    point.sample.iter().map(|measured| measured.value).collect()
}

fn change(is_rate: bool, before: f64, after: f64) -> Option<f64> {
    match is_rate {
        true => (before > 0.0).then(|| after / before),
        false => Some(after - before),
    }
}
