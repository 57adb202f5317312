//! Release Hook: a release names a tag, and so a commit. It names no digest, so it is no artifact, and no environment, so it is
//! no deployment.

use super::payload::{CommitPayload, Project};
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::Observation;
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    project: Option<Project>,
    commit: Option<CommitPayload>,
}

pub(super) fn normalise(body: &[u8], rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let repo = shared::need(hook.project.and_then(|project| project.repo()), "project.web_url")?;
    let commit = hook.commit.and_then(|commit| commit.row(&repo, None, &rules.people));
    Ok(commit.map(Observation::new).into_iter().collect())
}
