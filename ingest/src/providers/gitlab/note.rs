//! Note Hook: a comment on a merge request is a review; any other comment says nothing for us.

use super::payload::{Project, User};
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::{Observation, Review, Time};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    user: Option<User>,
    project: Option<Project>,
    object_attributes: Option<Note>,
    merge_request: Option<MergeRequest>,
}

#[derive(Deserialize)]
struct Note {
    #[serde(default, deserialize_with = "shared::id")]
    id: Option<String>,
    noteable_type: Option<String>,
    system: Option<bool>,
    #[serde(default, deserialize_with = "shared::time")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    updated_at: Option<Time>,
}

#[derive(Deserialize)]
struct MergeRequest {
    #[serde(default, deserialize_with = "shared::id")]
    iid: Option<String>,
}

pub(super) fn normalise(body: &[u8], rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let note = shared::need(hook.object_attributes, "object_attributes")?;
    if note.noteable_type.as_deref() != Some("MergeRequest") || note.system == Some(true) {
        return Ok(Vec::new());
    }
    let user = hook.user.unwrap_or_default();
    let review = Review {
        repo: shared::need(hook.project.and_then(|project| project.repo()), "project.web_url")?,
        change_id: shared::need(hook.merge_request.and_then(|request| request.iid), "merge_request.iid")?,
        review_id: shared::need(note.id, "object_attributes.id")?,
        actor: user.pseudonym(&rules.people),
        actor_is_bot: user.is_bot(),
        state: Some("commented".to_owned()),
        submitted_at: note.created_at,
    };
    Ok(vec![Observation::new(review).updated_at(note.updated_at)])
}
