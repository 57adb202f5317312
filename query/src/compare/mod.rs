//! Before and after: the figures of delivery in two windows, by how much each has changed, and whether that is more than chance. The
//! values are those that the metrics' own statements give; here they are only compared.

mod effect;
mod mix;
mod windows;

pub use effect::Effect;
pub use mix::Mix;
pub use windows::{Comparison, Span};

use crate::answer::{Point, SeriesAnswer};
use crate::engine::Engine;
use crate::error::QueryError;
use crate::facts::Facts;
use crate::metric::{Better, Metric, metric};
use crate::question::{Dimension, Extent};
use crate::statistics::benjamini_hochberg;
use effect::{Outcome, compared};
use flowgauge_lake::model::{Tenant, Time};
use serde::Serialize;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What is compared, in the order in which people read it.
pub const FIGURES: &[&str] = &[
    "deployment_frequency",
    "lead_time",
    "change_fail_rate",
    "recovery_time",
    "rework_rate",
    "pipeline_duration",
    "onboarding_time",
    "test_pass_rate",
    "false_result_rate",
    "change_scan_coverage",
];

/// Of what is called a change, at most this much is expected to be chance.
const SIGNIFICANCE: f64 = 0.05;

/// The answer to a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub preset: String,
    /// Hash of the definitions that were used.
    pub definition: String,
    pub before: Span,
    pub after: Span,
    pub as_of: String,
    /// What the windows are filtered by; empty: everything.
    pub filters: BTreeMap<&'static str, Vec<String>>,
    pub data: Vec<Figure>,
    pub computed_at: String,
    pub data_as_of: Option<String>,
}

/// One metric before and after.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub metric: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub better: &'static str,
    pub before: Point,
    pub after: Point,
    /// `None` where there is too little to compare.
    pub effect: Option<Effect>,
    /// The test that decides, or the interval where its p is null.
    pub method: Option<&'static str>,
    pub p_value: Option<f64>,
    /// Adjusted over the figures of one answer.
    pub p_adjusted: Option<f64>,
    /// The values come together, as the commits of one deployment: not as many of them tell something as there are.
    pub clustered: bool,
    pub verdict: Verdict,
    /// Of several services: the change that is left if each keeps the weight that it had.
    pub mix: Option<Mix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    Worse,
    NotSignificant,
    /// Too few values, or none, in one of the windows.
    Insufficient,
    /// There are values, and no test for them.
    NotTested,
}

impl Verdict {
    pub const ALL: &'static [&'static str] = &["better", "worse", "not_significant", "insufficient", "not_tested"];
}

impl Engine {
    /// Compares two windows, in one picture of the facts.
    pub async fn compare(&self, tenant: &Tenant, comparison: &Comparison, now: Time) -> Result<Compared, QueryError> {
        compare(comparison, &self.facts(tenant), now).await
    }
}

/// Compares two windows. `now` is the caller's clock, and the moment whose knowledge counts for both.
pub async fn compare(comparison: &Comparison, facts: &Facts, now: Time) -> Result<Compared, QueryError> {
    let mut figures = Vec::new();
    for metric in FIGURES.iter().filter_map(|id| metric(id).ok()) {
        figures.push(figure(Asked { metric, comparison, facts, now }).await?);
    }
    adjust(&mut figures);
    for (figure, outcome) in &mut figures {
        figure.verdict = verdict(figure, outcome);
    }
    Ok(Compared {
        preset: facts.definitions.preset.clone(),
        definition: facts.definitions.hash(),
        before: comparison.before,
        after: comparison.after,
        as_of: now.to_string(),
        filters: comparison.filters.iter().map(|(dimension, values)| (dimension.as_str(), values.clone())).collect(),
        data: figures.into_iter().map(|(figure, _)| figure).collect(),
        computed_at: now.to_string(),
        data_as_of: facts.data_as_of.map(|at| at.to_string()),
    })
}

/// One metric's questions.
struct Asked<'a> {
    metric: &'static Metric,
    comparison: &'a Comparison,
    facts: &'a Facts,
    now: Time,
}

impl Asked<'_> {
    async fn series(&self, window: Span, by: &[Dimension], extent: Extent) -> Result<Vec<SeriesAnswer>, QueryError> {
        let question = self.comparison.question(self.metric.id, window, by, extent, self.now);
        Ok(crate::run(&question, self.facts, self.now).await?.series)
    }

    /// Everything that passes the filters, as one point.
    async fn whole(&self, window: Span) -> Result<Point, QueryError> {
        Ok(self.series(window, &[], Extent::Sample).await?.swap_remove(0).points.swap_remove(0))
    }

    async fn by_service(&self, window: Span) -> Result<Vec<SeriesAnswer>, QueryError> {
        let extent = if self.metric.unit == "s" { Extent::Sample } else { Extent::Values };
        self.series(window, &[Dimension::Service], extent).await
    }
}

async fn figure(asked: Asked<'_>) -> Result<(Figure, Outcome), QueryError> {
    let Asked { metric, comparison, facts, .. } = asked;
    let (before, after) = (asked.whole(comparison.before).await?, asked.whole(comparison.after).await?);
    let outcome = compared(metric, &before, &after, facts.definitions.min_n);
    let mix = match comparison.filters.get(&Dimension::Service) {
        Some(services) if services.len() == 1 => None,
        _ => {
            let (parts_before, parts_after) = (asked.by_service(comparison.before).await?, asked.by_service(comparison.after).await?);
            mix::mix(metric, (&before, &parts_before), (&after, &parts_after))
        }
    };
    let tested = outcome.tested();
    let figure = Figure {
        metric: metric.id,
        title: metric.title,
        unit: metric.unit,
        better: metric.better.as_str(),
        effect: tested.map(|tested| tested.effect.clone()),
        method: tested.map(|tested| tested.method),
        p_value: tested.and_then(|tested| tested.p),
        p_adjusted: None,
        clustered: effect::is_clustered(&before) || effect::is_clustered(&after),
        verdict: Verdict::NotTested,
        mix,
        before,
        after,
    };
    Ok((figure, outcome))
}

fn adjust(figures: &mut [(Figure, Outcome)]) {
    let p: Vec<f64> = figures.iter().filter_map(|(figure, _)| figure.p_value).collect();
    let tested = figures.iter_mut().filter(|(figure, _)| figure.p_value.is_some());
    for ((figure, _), adjusted) in tested.zip(benjamini_hochberg(&p)) {
        figure.p_adjusted = Some(adjusted);
    }
}

fn verdict(figure: &Figure, outcome: &Outcome) -> Verdict {
    let tested = match outcome {
        Outcome::Insufficient => return Verdict::Insufficient,
        Outcome::NotTested => return Verdict::NotTested,
        Outcome::Tested(tested) => tested,
    };
    let is_significant = figure.p_adjusted.map_or(tested.excludes_no_change, |p| p < SIGNIFICANCE);
    match tested.direction {
        Ordering::Equal => Verdict::NotSignificant,
        _ if !is_significant => Verdict::NotSignificant,
        Ordering::Greater if figure.better == Better::Up.as_str() => Verdict::Better,
        Ordering::Less if figure.better == Better::Down.as_str() => Verdict::Better,
        _ => Verdict::Worse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_figure_is_missing() {
        let missing: Vec<&str> = FIGURES.iter().copied().filter(|id| metric(id).is_err()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_duration_gives_its_values() {
        for metric in FIGURES.iter().filter_map(|id| metric(id).ok()).filter(|metric| metric.unit == "s") {
            assert!(metric.sql.contains("as sample,"), "{} has no column `sample`", metric.id);
        }
    }
}
