//! What a row of `scope` is about: the way from a number back to entities, and from these to the bytes that came in.

use crate::facts::deployments::Classified;
use crate::facts::failures::Link;
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

    /// What an application looked like at a moment.
    pub(super) fn look(source: &Source, app: &str, observed_at: Time) -> Subject {
        Subject { table: Table::GitopsObservation, source: Some(source.clone()), key: vec![app.to_owned(), observed_at.to_string()] }
    }
}
