//! How metrics, states and reasons are spoken of on the pages.

use crate::pages::chart::Style;
use crate::pages::format;
use flowgauge_query::answer::{Point, Status};
use flowgauge_query::metric::{Metric, metric};

/// How a metric is spoken of.
pub struct Words {
    pub id: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// What n counts.
    pub one: &'static str,
    pub many: &'static str,
    /// A greater and a smaller value than before.
    pub more: &'static str,
    pub less: &'static str,
    /// Why there may be none though a source is connected.
    pub none: &'static str,
    pub style: Style,
}

/// The metrics that pages show, in order: the five, and drift.
pub const WORDS: &[Words] = &[
    Words {
        id: "deployment_frequency",
        about: "Successful deployments to production, days without one included",
        one: "deployment",
        many: "deployments",
        more: "more often",
        less: "less often",
        none: "The source of deployments was not connected for the whole window.",
        style: Style::Bars,
    },
    Words {
        id: "lead_time",
        about: "Median time from commit to production",
        one: "commit",
        many: "commits",
        more: "slower",
        less: "faster",
        none: "No commit with a known history reached production in this window.",
        style: Style::Line,
    },
    Words {
        id: "change_fail_rate",
        about: "Share of deployments that failed in production",
        one: "deployment",
        many: "deployments",
        more: "higher",
        less: "lower",
        none: "No deployment to production in this window.",
        style: Style::Line,
    },
    Words {
        id: "recovery_time",
        about: "Median time until a failed deployment was over",
        one: "failed deployment",
        many: "failed deployments",
        more: "slower",
        less: "faster",
        none: "No deployment failed in this window.",
        style: Style::Line,
    },
    Words {
        id: "rework_rate",
        about: "Share of deployments that were unplanned",
        one: "deployment",
        many: "deployments",
        more: "higher",
        less: "lower",
        none: "No deployment to production in this window.",
        style: Style::Line,
    },
    Words {
        id: "drift_ratio",
        about: "Share of the observed time in which clusters differed from what was synced",
        one: "application",
        many: "applications",
        more: "higher",
        less: "lower",
        none: "No application was observed in this window.",
        style: Style::Line,
    },
];

pub fn described(words: &Words) -> &'static Metric {
    metric(words.id).expect("pages show metrics that there are")
}

pub fn status_words(point: &Point) -> &'static str {
    match point.status {
        Status::Ok => "ok",
        Status::Insufficient => "few data",
        Status::Empty => "no data",
        Status::NotConfigured => "no source",
    }
}

/// Reasons for leaving something out, in words.
pub fn left_out(point: &Point) -> String {
    let words = |reason: &str| match reason {
        "no_graph" => "with unknown history".to_owned(),
        "no_baseline" => "first of their service".to_owned(),
        "no_source_link" => "without a commit".to_owned(),
        "no_commit_time" => "commits without a time".to_owned(),
        "no_files" => "commits without a list of files".to_owned(),
        "merge_commit" => "merge commits".to_owned(),
        "clock_skew" => "that end before they begin".to_owned(),
        "no_op" => "that changed nothing".to_owned(),
        "config_only" => "of configuration only".to_owned(),
        "rollback" => "rollbacks".to_owned(),
        "unattributed" => "incidents that no deployment caused".to_owned(),
        "resolved_before_deploy" => "over before the deployment".to_owned(),
        other => format::words(other),
    };
    let parts = point.excluded.iter().map(|(reason, count)| format!("{} {}", format::grouped(*count), words(reason)));
    parts.collect::<Vec<_>>().join(", ")
}
