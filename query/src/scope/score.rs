//! The score's scope: the answers of the five metrics, one row for each value.

use super::{Scope, ScopeRow, Series, batch};
use crate::answer::{Point, Status};
use crate::error::QueryError;
use crate::metric::FIVE;
use crate::question::Dimension;
use std::collections::BTreeMap;

/// `answers`: of each of the five, in their order, the points of each series by its labels.
pub fn score_scope(by: &[Dimension], answers: Vec<BTreeMap<Vec<String>, Vec<Point>>>) -> Result<Scope, QueryError> {
    let mut all: BTreeMap<Vec<String>, Vec<(&'static str, Vec<Point>)>> = BTreeMap::new();
    for (metric, series) in FIVE.iter().zip(answers) {
        for (labels, points) in series {
            all.entry(labels).or_default().push((metric, points));
        }
    }
    let (mut rows, mut series) = (Vec::new(), Vec::new());
    for (number, (labels, parts)) in (0..).zip(all) {
        rows.push(ScopeRow { what: "series", series: number, ..ScopeRow::default() });
        let mut is_configured = false;
        for (metric, points) in parts {
            for (bucket, point) in (0..).zip(points) {
                is_configured |= point.status != Status::NotConfigured;
                rows.push(ScopeRow {
                    what: "part",
                    series: number,
                    bucket: Some(bucket),
                    reason: Some(metric),
                    seconds: point.value,
                    count: Some(point.n),
                    is_passed: Some(point.status != Status::Insufficient),
                    ..ScopeRow::default()
                });
            }
        }
        series.push(Series { labels: by.iter().copied().zip(labels).collect(), is_configured });
    }
    let subjects = vec![Vec::new(); rows.len()];
    Ok(Scope { series, batch: batch::batch(&rows)?, subjects })
}
