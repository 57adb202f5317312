//! The registry of metrics: one entry each, with its formula, its documentation and what it is made of. `README.md` tells how to
//! add one.

use crate::error::QueryError;
use flowgauge_lake::model::nearest;

/// What a metric is computed from; decides its dimensions and its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Deployments,
    Changes,
    Incidents,
    Drift,
    Pipelines,
    Reviews,
    /// Versions that arrived in an environment.
    Promotions,
    /// Versions that might arrive in one.
    Entries,
    /// What runs on neighbouring rungs of the ladder at a moment.
    Rungs,
    /// Commits of the configuration that arrived in an environment.
    Config,
    /// The first deployments of services.
    Onboarding,
    /// What the pipelines of services are built from, at a moment.
    Templates,
    /// The five metrics together.
    Score,
    /// Results of one test on one commit.
    FlakyTests,
    /// The last result of each test.
    Tests,
    /// Failed checks after deployments.
    Checks,
    /// What deployments needed before they started.
    Gates,
    /// What scans found in the versions that run at a moment.
    Findings,
    /// Merged changes and their scans.
    ScannedChanges,
    /// Jobs, else runs, that ended.
    Work,
    /// The jobs that successful runs had to wait for.
    CriticalPaths,
}

impl Family {
    /// Whether every tier counts unless one is asked for; else production alone does.
    pub const fn counts_all_tiers(self) -> bool {
        matches!(self, Family::Promotions | Family::Entries | Family::Rungs | Family::Config)
    }

    /// Whether its metrics tell how things stand at a moment, not what happened in a window.
    pub const fn is_state(self) -> bool {
        matches!(self, Family::Rungs | Family::Templates | Family::Findings)
    }
}

/// Which deployments a deployment metric looks at, before rows of one version are merged (semantics, 7.21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// D: successes that are neither no_op nor config_only.
    Counted,
    /// Q: took effect, neither no_op nor rollback.
    AtRisk,
    /// Every ended row on its own.
    Rows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Up,
    Down,
}

impl Better {
    pub const fn as_str(self) -> &'static str {
        match self {
            Better::Up => "up",
            Better::Down => "down",
        }
    }
}

#[derive(Debug)]
pub struct Metric {
    pub id: &'static str,
    pub title: &'static str,
    /// `s`, `1`, `1/d` or `count`.
    pub unit: &'static str,
    pub better: Better,
    pub family: Family,
    pub population: Population,
    /// Counts over time and time shares are never `insufficient` (semantics, 7.4).
    pub min_n_applies: bool,
    pub sql: &'static str,
    /// Definition, source and caveats for people (Markdown).
    pub doc: &'static str,
}

macro_rules! metrics {
    ($($id:ident: $folder:literal, $title:literal, $unit:literal, $better:ident, $family:ident, $population:ident, $min_n:literal;)+) => {
        /// Every metric, in the order in which people read them.
        pub static ALL: &[Metric] = &[$(Metric {
            id: stringify!($id),
            title: $title,
            unit: $unit,
            better: Better::$better,
            family: Family::$family,
            population: Population::$population,
            min_n_applies: $min_n,
            sql: include_str!(concat!("../metrics/", $folder, "/", stringify!($id), ".sql")),
            doc: include_str!(concat!("../metrics/", $folder, "/", stringify!($id), ".md")),
        }),+];
    };
}

metrics! {
    deployment_frequency: "dora", "Deployment frequency", "1/d", Up, Deployments, Counted, false;
    lead_time: "dora", "Change lead time", "s", Down, Changes, Counted, true;
    change_fail_rate: "dora", "Change fail rate", "1", Down, Deployments, AtRisk, true;
    recovery_time: "dora", "Failed deployment recovery time", "s", Down, Deployments, AtRisk, true;
    rework_rate: "dora", "Deployment rework rate", "1", Down, Deployments, Counted, true;
    mttr: "dora", "Time to restore", "s", Down, Incidents, Rows, true;
    deployment_success_rate: "dora", "Deployment success rate", "1", Up, Deployments, Rows, true;
    dora_score: "dora", "DORA Quick Check score", "1", Up, Score, Rows, true;
    promotion_lead_time: "promotion", "Promotion lead time", "s", Down, Promotions, Rows, true;
    promotion_rate: "promotion", "Promotion rate", "1", Up, Entries, Rows, true;
    environment_lag: "promotion", "Environment lag", "count", Down, Rungs, Rows, false;
    version_skew: "promotion", "Version skew", "count", Down, Rungs, Rows, false;
    onboarding_time: "promotion", "Onboarding time", "s", Down, Onboarding, Rows, true;
    drift_ratio: "drift", "Drift ratio", "1", Down, Drift, Rows, false;
    drift_episodes: "drift", "Drift episodes", "1/d", Down, Drift, Rows, false;
    drift_duration: "drift", "Drift duration", "s", Down, Drift, Rows, true;
    config_lag: "drift", "Configuration lag", "s", Down, Config, Rows, true;
    blocked_time: "drift", "Blocked time", "s", Down, Drift, Rows, false;
    pipeline_success_rate: "pipeline", "Pipeline success rate", "1", Up, Pipelines, Rows, true;
    pipeline_duration: "pipeline", "Pipeline duration", "s", Down, Pipelines, Rows, true;
    pipeline_queue_time: "pipeline", "Pipeline queue time", "s", Down, Pipelines, Rows, true;
    pipeline_mttr: "pipeline", "Pipeline recovery time", "s", Down, Pipelines, Rows, true;
    wasted_time: "pipeline", "Wasted time", "s", Down, Work, Rows, false;
    critical_path: "pipeline", "Critical path", "s", Down, CriticalPaths, Rows, true;
    retry_rate: "pipeline", "Pipeline retry rate", "1", Down, Pipelines, Rows, true;
    template_adoption: "pipeline", "Template adoption", "1", Up, Templates, Rows, true;
    test_pass_rate: "tests", "Test pass rate", "1", Up, Tests, Rows, true;
    flaky_test_rate: "tests", "Flaky test rate", "1", Down, FlakyTests, Rows, true;
    false_result_rate: "tests", "False result rate", "1", Down, Checks, Rows, true;
    gate_coverage: "gates", "Gate coverage", "1", Up, Gates, Counted, true;
    ungated_deployments: "gates", "Ungated deployments", "count", Down, Gates, Counted, false;
    scan_findings: "gates", "Scan findings", "count", Down, Findings, Rows, false;
    change_scan_coverage: "gates", "Change scan coverage", "1", Up, ScannedChanges, Rows, true;
    review_time: "review", "Review time", "s", Down, Reviews, Rows, true;
    change_size: "review", "Change size", "count", Down, Reviews, Rows, true;
}

/// The five metrics of delivery performance, as the scorecard shows them.
pub const FIVE: &[&str] = &["deployment_frequency", "lead_time", "change_fail_rate", "recovery_time", "rework_rate"];

/// The metric of an id; else an error that names the nearest.
pub fn metric(id: &str) -> Result<&'static Metric, QueryError> {
    ALL.iter().find(|metric| metric.id == id).ok_or_else(|| QueryError::UnknownMetric {
        id: id.to_owned(),
        nearest: nearest(id, ALL.iter().map(|metric| metric.id)).map(str::to_owned),
    })
}
