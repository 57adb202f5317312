//! The metrics of the registry over the last 7, 30 and 90 days: the same answers that the API gives.

use super::families::{Families, Labels};
use flowgauge_lake::model::Time;
use flowgauge_query::answer::Point;
use flowgauge_query::facts::Facts;
use flowgauge_query::metric::{self, Family, Metric};
use flowgauge_query::question::{Dimension, Display, Extent, Question};
use std::borrow::Cow;

const WINDOWS: [(&str, i64); 3] = [("7d", 7), ("30d", 30), ("90d", 90)];
const LABELS: [Dimension; 3] = [Dimension::Environment, Dimension::Service, Dimension::Team];

/// One question a metric and window, split by every label at once.
pub async fn add(facts: &Facts, now: Time, families: &mut Families) {
    for metric in metric::ALL.iter().filter(|metric| has_rows(metric.family, facts)) {
        // A state is the same whatever the window: it is told once.
        let windows = if metric.family.is_state() { &WINDOWS[..1] } else { &WINDOWS };
        for &(window, days) in windows {
            let mut question = Question::new(metric.id, now, Display::default());
            question.from = now.plus_seconds(-days * 86_400);
            question.extent = Extent::Values;
            question.by = LABELS.into_iter().filter(|label| metric.family.dimensions().contains(label)).collect();
            // Not through the engine's cache: a window that ends now is never asked for again.
            match flowgauge_query::run(&question, facts, now).await {
                Ok(answer) => {
                    for series in &answer.series {
                        let mut labels: Vec<(&str, &str)> = series.labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
                        if !metric.family.is_state() {
                            labels.push(("window", window));
                        }
                        series.points.iter().for_each(|point| show(metric, point, &labels, families));
                    }
                }
                Err(error) => tracing::error!(metric = metric.id, window, %error, "a metric could not be computed for Prometheus"),
            }
            // Scrapes and pages share this thread.
            tokio::task::yield_now().await;
        }
    }
}

/// Whether there is anything that a question could be about.
fn has_rows(family: Family, facts: &Facts) -> bool {
    match family {
        Family::Deployments
        | Family::Changes
        | Family::Promotions
        | Family::Entries
        | Family::Rungs
        | Family::Config
        | Family::Onboarding
        | Family::Gates
        | Family::Findings
        | Family::Score => !facts.services.is_empty(),
        Family::Incidents => !facts.links.is_empty(),
        Family::Drift => !facts.apps.is_empty(),
        Family::Pipelines | Family::Templates | Family::Work | Family::CriticalPaths => !facts.runs.is_empty(),
        Family::FlakyTests | Family::Tests | Family::Checks => !facts.tests.is_empty() || !facts.checks.all.is_empty(),
        Family::Reviews | Family::ScannedChanges => !facts.repos.is_empty(),
    }
}

/// The name of a metric's series.
pub fn name(metric: &Metric) -> Cow<'static, str> {
    let suffix = match metric.unit {
        "s" => "seconds",
        "1" => "ratio",
        "1/d" => "per_day",
        _ => "count",
    };
    match metric.id {
        "deployment_frequency" => "dora_deployments_per_day".into(),
        "lead_time" => "dora_lead_time_quantile_seconds".into(),
        "recovery_time" => "dora_recovery_time_quantile_seconds".into(),
        "change_fail_rate" => "dora_change_failure_ratio".into(),
        // `_count` is taken: histograms and summaries end so.
        "change_size" => "dora_change_size_lines".into(),
        "environment_lag" => "dora_environment_lag_commits".into(),
        "version_skew" => "dora_version_skew_services".into(),
        "scan_findings" | "ungated_deployments" => format!("dora_{}", metric.id).into(),
        id => format!("dora_{id}_{suffix}").into(),
    }
}

/// No value, no series: never 0, never NaN.
fn show(metric: &Metric, point: &Point, labels: &Labels<'_>, families: &mut Families) {
    let Some(value) = point.value else { return };
    let name = name(metric);
    let help = help(metric);
    match metric.unit {
        // A sum has no median.
        unit if (unit == "s" && metric.min_n_applies) || !point.quantiles.is_empty() => {
            let median = [("p50".to_owned(), value)];
            let quantiles: Vec<(&String, &f64)> = if point.quantiles.is_empty() {
                median.iter().map(|(stat, value)| (stat, value)).collect()
            } else {
                point.quantiles.iter().collect()
            };
            for (stat, value) in quantiles {
                let with_stat: Vec<(&str, &str)> = labels.iter().copied().chain([("stat", stat.as_str())]).collect();
                families.gauge(&name, &help, &with_stat, *value);
            }
        }
        "1" => {
            families.gauge(&name, &help, labels, value);
            for (part, value) in [("numerator", point.numerator), ("denominator", point.denominator)] {
                if let Some(value) = value {
                    families.gauge(&format!("{name}_{part}"), &format!("The {part} of {name}, to add up over labels."), labels, value);
                }
            }
        }
        _ => families.gauge(&name, &help, labels, value),
    }
    if let Some(count) = point.numerator.filter(|_| metric.id == "deployment_frequency") {
        let help = "Deployments that count in deployment frequency, in the window that the label names, which ends now.";
        families.gauge("dora_window_deployments", help, labels, count);
    }
}

/// Title, definition in words, window.
fn help(metric: &Metric) -> String {
    let definition = definition(metric.doc).map(|text| format!(": {text}")).unwrap_or_default();
    let window = if metric.family.is_state() { "As it is now." } else { "Window: the days that the label names, up to now." };
    format!("{}{definition} {window}", metric.title)
}

/// The first paragraph of a metric's documentation, in one line.
fn definition(doc: &str) -> Option<String> {
    let paragraph =
        doc.split("\n\n").map(str::trim).find(|paragraph| !paragraph.is_empty() && !paragraph.starts_with(['#', '|', '`', '-']))?;
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(line.replace("**", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_unit() {
        let name_of = |id: &str| name(metric::metric(id).unwrap()).into_owned();
        assert_eq!(name_of("rework_rate"), "dora_rework_rate_ratio");
        assert_eq!(name_of("pipeline_duration"), "dora_pipeline_duration_seconds");
        assert_eq!(name_of("drift_episodes"), "dora_drift_episodes_per_day");
    }

    #[test]
    fn a_definition_is_its_first_paragraph() {
        assert_eq!(definition("# Lead time\n\nTime from **commit**\nto end.\n\nMore."), Some("Time from commit to end.".to_owned()));
        assert_eq!(definition(""), None);
    }
}
