//! What follows from the rows of a world at one `as_of`.

use std::collections::BTreeMap;

use crate::deployments::{self, Deployment};
use crate::drift::{self, Drift};
use crate::failures::{self, Failure, Incident};
use crate::fold::fold;
use crate::graph::Graph;
use crate::jobs::Runs;
use crate::pipelines::{self, Attempt};
use crate::row::Row;
use crate::test_results::{self, TestResult};
use crate::time::Time;
use crate::verdicts;

/// The folded rows, whatever `as_of` is.
pub struct Folded {
    tables: BTreeMap<String, Vec<Row>>,
    pub graph: Graph,
    /// Every finished deployment, before evidence is merged and kinds are derived.
    pub deployed: Vec<Deployment>,
}

impl Folded {
    pub fn new(tables: &BTreeMap<String, Vec<Row>>) -> Folded {
        let folded = |table: &str| fold(table, tables.get(table).map_or(&[][..], Vec::as_slice));
        let graph = Graph::new(
            &folded("commits"),
            &folded("changes"),
            &folded("artifacts"),
            &folded("services"),
            &folded("deployments"),
            &folded("pipeline_runs"),
        );
        let kept = [
            "deployments",
            "incidents",
            "changes",
            "pipeline_runs",
            "jobs",
            "gitops_observations",
            "test_results",
            "verdicts",
            "scans",
            "approvals",
        ];
        let tables: BTreeMap<String, Vec<Row>> = kept.iter().map(|t| ((*t).to_owned(), folded(t))).collect();
        Folded { deployed: deployments::read_all(&tables["deployments"], &graph), tables, graph }
    }

    pub fn rows(&self, table: &str) -> &[Row] {
        &self.tables[table]
    }
}

pub struct Facts {
    /// In the order of rule 16.
    pub deployments: Vec<Deployment>,
    /// Of each deployment, in its place.
    pub failures: Vec<Failure>,
    /// Of each deployment: an incident names it as its fix (rule 41).
    pub is_fix: Vec<bool>,
    pub incidents: Vec<Incident>,
    /// Rule 11: there is an `incidents` row.
    pub has_incident_rows: bool,
    pub attempts: Vec<Attempt>,
    pub drift: Drift,
    pub runs: Runs,
    pub tests: Vec<TestResult>,
}

impl Facts {
    pub fn new(folded: &Folded, as_of: Time) -> Facts {
        let verdicts = verdicts::read(folded.rows("verdicts"));
        let deployments = deployments::derive(&folded.deployed, &verdicts, &folded.graph, as_of);
        let incidents = failures::incidents(folded.rows("incidents"), &verdicts, &deployments, as_of);
        let (tests, observations) = (folded.rows("test_results"), folded.rows("gitops_observations"));
        let failures = failures::failures(&deployments, &incidents, &verdicts, tests, observations, as_of);
        let runs = Runs::new(folded, as_of);
        let fixes = failures::fixes(&incidents, &deployments);
        Facts {
            is_fix: (0..deployments.len()).map(|i| fixes.contains(&i)).collect(),
            failures,
            has_incident_rows: folded.rows("incidents").iter().any(|r| failures::exists(r, as_of)),
            incidents,
            attempts: pipelines::attempts(folded.rows("pipeline_runs"), folded.rows("jobs"), as_of),
            drift: drift::derive(observations, as_of),
            tests: test_results::read(folded, &runs, &deployments, as_of),
            runs,
            deployments,
        }
    }
}
