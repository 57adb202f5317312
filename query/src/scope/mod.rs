//! `scope`: the facts that a question is about, filtered, labelled with their series and put into buckets. Fan-out merging and
//! `as_of` are applied here; formulas are not: these are SQL.

mod batch;
mod changes;
mod config;
mod deployments;
mod drift;
mod gates;
mod homes;
mod incidents;
mod onboarding;
mod pipelines;
mod promotions;
mod recoveries;
mod reviews;
mod rungs;
mod scans;
mod score;
mod subject;
mod templates;
mod test_results;
mod weeks;
mod work;

pub use batch::bucket_batch;
pub use score::score_scope;
pub use subject::Subject;

use crate::buckets::Bucket;
use crate::error::QueryError;
use crate::facts::Facts;
use crate::facts::stages::Stages;
use crate::metric::{Family, Metric};
use crate::question::{Dimension, Question, Tiers};
use arrow::array::RecordBatch;
use flowgauge_lake::model::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One row of `scope`. `what` says which of the other columns mean something; each metric's SQL names those it reads.
#[derive(Clone, Debug, Default, PartialEq)]
struct ScopeRow {
    what: &'static str,
    series: i64,
    bucket: Option<i64>,
    id: Option<i64>,
    at: Option<Time>,
    since: Option<Time>,
    until: Option<Time>,
    remedied_at: Option<Time>,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    /// A name from outside: of a gate, a job, a suite.
    name: Option<Arc<str>>,
    count: Option<i64>,
    seconds: Option<f64>,
    is_incident: Option<bool>,
    is_hidden: Option<bool>,
    is_passed: Option<bool>,
    /// The bounds of a change's legs.
    opened_at: Option<Time>,
    merged_at: Option<Time>,
    /// Its local day and week, by number.
    day: Option<i64>,
    week: Option<i64>,
    /// Seconds of each stage of a commit's lead time.
    stages: Option<Box<Stages>>,
}

/// One line of an answer: the values of the question's dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: Vec<(Dimension, String)>,
    /// The base table has a row with these labels.
    pub is_configured: bool,
}

pub struct Scope {
    pub series: Vec<Series>,
    pub batch: RecordBatch,
    /// Of each row, what it is about; empty where nobody asked.
    pub subjects: Vec<Vec<Subject>>,
}

impl Series {
    /// The values of its labels, in the order of the question's dimensions.
    pub fn values(&self) -> Vec<String> {
        self.labels.iter().map(|(_, value)| value.clone()).collect()
    }
}

/// Builds the scope of a question. `buckets` are the question's, in order; `names_subjects`: also tell of each row what it is about.
pub fn scope(metric: &Metric, question: &Question, buckets: &[Bucket], facts: &Facts, names_subjects: bool) -> Result<Scope, QueryError> {
    let tiers = if question.tiers == Tiers::Default && metric.family.counts_all_tiers() { Tiers::All } else { question.tiers };
    let mut builder = Builder { question, tiers, buckets, facts, names_subjects, series: BTreeMap::new(), next_id: 0 };
    if question.by.is_empty() {
        builder.series.insert(Vec::new(), SeriesData::default());
    }
    match metric.family {
        Family::Deployments => builder.deployments(metric.population),
        Family::Changes => builder.changes(),
        Family::Incidents => builder.incidents(),
        Family::Drift => builder.drift(),
        Family::Pipelines => builder.pipelines(),
        Family::Reviews => builder.reviews(),
        Family::Promotions => builder.promotions(),
        Family::Entries => builder.entries(),
        Family::Rungs => builder.rungs(metric.id == "environment_lag"),
        Family::Config => builder.config(),
        Family::Onboarding => builder.onboarding(),
        Family::Templates => builder.templates(),
        // Its rows are answers of other metrics: `score_scope`.
        Family::Score => {}
        Family::FlakyTests => builder.flaky_tests(),
        Family::Tests => builder.tests(),
        Family::Checks => builder.checks(),
        Family::Gates => builder.gates(),
        Family::Findings => builder.findings(),
        Family::ScannedChanges => builder.scanned_changes(),
        Family::Work => builder.work(),
        Family::CriticalPaths => builder.critical_paths(),
    }
    builder.finish()
}

#[derive(Default)]
struct SeriesData {
    is_configured: bool,
    connected_at: Option<Time>,
    rows: Vec<(ScopeRow, Vec<Subject>)>,
}

struct Builder<'a> {
    question: &'a Question,
    /// Which tiers count where no environment is named.
    tiers: Tiers,
    buckets: &'a [Bucket],
    facts: &'a Facts,
    names_subjects: bool,
    series: BTreeMap<Vec<String>, SeriesData>,
    /// Deployments are numbered over the whole scope.
    next_id: i64,
}

/// The values that a row has in the dimensions.
type Labels<'a> = [(Dimension, Option<&'a str>)];

impl<'a> Builder<'a> {
    fn passes(&self, labels: &Labels<'_>) -> bool {
        labels.iter().all(|(dimension, value)| self.question.filter(*dimension, *value))
    }

    fn key(&self, labels: &Labels<'_>) -> Vec<String> {
        let value = |wanted: &Dimension| labels.iter().find(|(dimension, _)| dimension == wanted).and_then(|(_, value)| *value);
        self.question.by.iter().map(|dimension| value(dimension).unwrap_or_default().to_owned()).collect()
    }

    /// The services that what belongs to a repository counts for: each of the repository's where services are asked for, else once.
    fn services_of_repo(&self, repo: Option<&'a str>) -> Vec<Option<&'a str>> {
        let by_service = [Dimension::Service, Dimension::Team]
            .iter()
            .any(|dimension| self.question.by.contains(dimension) || self.question.filters.contains_key(dimension));
        let facts = self.facts;
        let services: Vec<Option<&str>> = match repo {
            Some(repo) if by_service => facts.catalogue.services_of_repo(repo).map(|(name, _)| Some(name)).collect(),
            _ => Vec::new(),
        };
        if services.is_empty() { vec![None] } else { services }
    }

    /// The series of these labels, now known to have rows.
    fn configured(&mut self, labels: &Labels<'_>) -> &mut SeriesData {
        let key = self.key(labels);
        let series = self.series.entry(key).or_default();
        series.is_configured = true;
        series
    }

    fn bucket(&self, at: Time) -> Option<i64> {
        let place = self.buckets.partition_point(|bucket| bucket.to <= at && !bucket.is_empty());
        self.buckets.get(place).filter(|bucket| bucket.from <= at && at < bucket.to).map(|_| place as i64)
    }

    fn push(&mut self, key: &[String], row: ScopeRow, subjects: impl FnOnce() -> Vec<Subject>) {
        let names_subjects = self.names_subjects;
        if let Some(series) = self.series.get_mut(key) {
            series.rows.push((row, if names_subjects { subjects() } else { Vec::new() }));
        }
    }

    fn exists(&self, at: Time) -> bool {
        at <= self.question.as_of
    }

    fn finish(self) -> Result<Scope, QueryError> {
        let (mut rows, mut subjects) = (Vec::new(), Vec::new());
        let mut series = Vec::new();
        for (number, (key, data)) in self.series.into_iter().enumerate() {
            let number = number as i64;
            rows.push(ScopeRow { what: "series", series: number, at: data.connected_at, ..ScopeRow::default() });
            subjects.push(Vec::new());
            if self.facts.incident_bases.iter().any(|(at, _)| at.is_none_or(|at| at <= self.question.as_of)) {
                rows.push(ScopeRow { what: "incident_source", series: number, ..ScopeRow::default() });
                subjects.push(Vec::new());
            }
            for (row, about) in data.rows {
                rows.push(ScopeRow { series: number, ..row });
                subjects.push(about);
            }
            let labels = self.question.by.iter().copied().zip(key).collect();
            series.push(Series { labels, is_configured: data.is_configured });
        }
        Ok(Scope { series, batch: batch::batch(&rows)?, subjects })
    }
}
