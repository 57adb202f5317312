//! What a row of `scope` is about: the way from a number back to entities, and from these to the bytes that came in.

use crate::facts::approvals::Approved;
use crate::facts::deployments::Classified;
use crate::facts::failures::Link;
use crate::facts::gates::Evidence;
use crate::facts::runs::{JobAttempt, RunGroup};
use crate::facts::scans::Scanned;
use crate::facts::test_results::Tested;
use flowgauge_lake::model::{Source, Table, Time};

/// An entity by its table and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    pub table: Table,
    /// `None` where the source is no part of the key.
    pub source: Option<Source>,
    /// The key columns as text, in their order.
    pub key: Vec<String>,
}

impl Subject {
    pub(super) fn deployment(of: &Classified) -> Subject {
        Subject { table: Table::Deployment, source: Some(of.source.clone()), key: vec![of.row.deployment_id.clone()] }
    }

    pub(super) fn incident(source: &Source, incident_id: &str) -> Subject {
        Subject { table: Table::Incident, source: Some(source.clone()), key: vec![incident_id.to_owned()] }
    }

    pub(super) fn of_link(link: &Link) -> Subject {
        Subject::incident(&link.source, &link.incident.incident_id)
    }

    pub(super) fn commit(repo: &str, sha: &str) -> Subject {
        Subject { table: Table::Commit, source: None, key: vec![repo.to_owned(), sha.to_owned()] }
    }

    pub(super) fn change(repo: &str, change_id: &str) -> Subject {
        Subject { table: Table::Change, source: None, key: vec![repo.to_owned(), change_id.to_owned()] }
    }

    pub(super) fn run(source: &str, pipeline: &str, run_id: &str, attempt: i64) -> Subject {
        let key = vec![pipeline.to_owned(), run_id.to_owned(), attempt.to_string()];
        Subject { table: Table::PipelineRun, source: Some(Source::new(source)), key }
    }

    pub(super) fn job(group: &RunGroup, job: &JobAttempt) -> Subject {
        let key = vec![group.run_id.clone(), job.job_id.clone(), job.attempt.to_string()];
        Subject { table: Table::Job, source: Some(group.source.clone()), key }
    }

    pub(super) fn test_result(of: &Tested) -> Subject {
        let result = &of.result;
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let key = vec![
            result.test_id.clone(),
            text(&result.sha),
            result.attempt.to_string(),
            text(&result.run_id),
            text(&result.job_id),
            text(&result.deployment_id),
            text(&result.suite),
            result.phase.map(|phase| phase.to_string()).unwrap_or_default(),
            result.started_at.map(|at| at.to_string()).unwrap_or_default(),
        ];
        Subject { table: Table::TestResult, source: Some(of.source.clone()), key }
    }

    pub(super) fn scan(of: &Scanned) -> Subject {
        Subject { table: Table::Scan, source: Some(of.source.clone()), key: vec![of.scan.scan_id.clone()] }
    }

    pub(super) fn approval(of: &Approved) -> Subject {
        Subject { table: Table::Approval, source: Some(of.source.clone()), key: vec![of.approval.approval_id.clone()] }
    }

    pub(super) fn of_evidence(evidence: &Evidence<'_>) -> Subject {
        match evidence {
            Evidence::Scan(of) => Subject::scan(of),
            Evidence::Test(of) => Subject::test_result(of),
            Evidence::Approval(of) => Subject::approval(of),
        }
    }

    /// What an application looked like at a moment.
    pub(super) fn look(source: &Source, app: &str, observed_at: Time) -> Subject {
        Subject { table: Table::GitopsObservation, source: Some(source.clone()), key: vec![app.to_owned(), observed_at.to_string()] }
    }
}
