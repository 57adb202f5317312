//! Merge Request Hook: the change, and the review where somebody approved it or took that back.
//!
//! - `merge_sha` is the commit that landed the work: the squash commit if there is one, though a merge commit may stand on top
//!   of it (that one has two parents and no work of its own); else the merge commit. After a fast-forward the hook names none:
//!   the push that brings the landing commit does, where its last line says `See merge request`.
//! - `merged_at` is the time of the event `merge`: no later event may move it.
//! - `approved_at` is set by approvals before the merge, and taken back when the last approval is.

use super::payload::{self, Label, Project, User};
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::{Change, Observation, Review, Time};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    user: Option<User>,
    project: Option<Project>,
    object_attributes: Option<Attributes>,
    labels: Option<Vec<Label>>,
    assignees: Option<Vec<User>>,
    reviewers: Option<Vec<User>>,
    changes: Option<Changes>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default, deserialize_with = "shared::id")]
    iid: Option<String>,
    #[serde(default, deserialize_with = "shared::id")]
    author_id: Option<String>,
    action: Option<String>,
    state: Option<String>,
    /// Set where GitLab itself acted: approvals fall when somebody pushes.
    system: Option<bool>,
    title: Option<String>,
    source_branch: Option<String>,
    target_branch: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    created_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    updated_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    merged_at: Option<Time>,
    #[serde(default, deserialize_with = "shared::time")]
    closed_at: Option<Time>,
    merge_commit_sha: Option<String>,
    squash_commit_sha: Option<String>,
    last_commit: Option<LastCommit>,
    labels: Option<Vec<Label>>,
    target: Option<Project>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct LastCommit {
    id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Changes {
    draft: Option<Turn<bool>>,
    /// The older name of `draft`.
    work_in_progress: Option<Turn<bool>>,
    title: Option<Turn<String>>,
}

#[derive(Deserialize)]
struct Turn<T> {
    previous: Option<T>,
    current: Option<T>,
}

pub(super) fn normalise(body: &[u8], rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let attributes = shared::need(hook.object_attributes, "object_attributes")?;
    let repo = hook.project.as_ref().and_then(Project::repo).or_else(|| attributes.target.as_ref()?.repo());
    let repo = shared::need(repo, "project.web_url")?;
    let change_id = shared::need(attributes.iid.clone(), "object_attributes.iid")?;
    let user = hook.user.unwrap_or_default();
    let action = attributes.action.as_deref().unwrap_or_default();
    let at = attributes.updated_at;

    // The hook names the author by number only; who that is, it tells where the author is somebody it names.
    let people: Vec<&User> = std::iter::once(&user).chain(hook.assignees.iter().flatten()).chain(hook.reviewers.iter().flatten()).collect();
    let author = people.into_iter().find(|person| person.id.is_some() && person.id == attributes.author_id);
    let is_merged = action == "merge" || attributes.state.as_deref() == Some("merged");
    let landing = if is_merged { landing(&attributes) } else { None };
    let turned_ready = hook.changes.unwrap_or_default().turned_ready();

    let mut change = Observation::new(Change {
        repo: repo.clone(),
        change_id: change_id.clone(),
        author: author.and_then(|author| author.pseudonym(&rules.people)),
        author_is_bot: author.and_then(User::is_bot),
        opened_at: attributes.created_at,
        ready_at: if turned_ready == Some(true) { at } else { None },
        approved_at: if matches!(action, "approved" | "approval") && !is_merged { at } else { None },
        merged_at: attributes.merged_at.or(if action == "merge" { at } else { None }),
        closed_at: if action == "close" { attributes.closed_at.or(at) } else { None },
        merge_method: landing.as_ref().map(|(_, method)| (*method).to_owned()),
        merge_sha: landing.map(|(sha, _)| sha),
        title: attributes.title,
        labels: payload::titles(attributes.labels.or(hook.labels)),
        source_branch: attributes.source_branch,
        target_branch: attributes.target_branch,
        url: attributes.url,
        ..Default::default()
    })
    .updated_at(at);
    for (column, is_taken_back) in
        [("ready_at", turned_ready == Some(false)), ("approved_at", action == "unapproved"), ("closed_at", action == "reopen")]
    {
        if is_taken_back {
            change = change.clearing(column);
        }
    }

    let state = match action {
        "approved" | "approval" => Some("approved"),
        "unapproved" | "unapproval" => Some("dismissed"),
        _ => None,
    };
    let review = state.filter(|_| attributes.system != Some(true)).zip(user.pseudonym(&rules.people)).zip(at);
    let review = review.map(|((state, actor), at)| {
        let review = Review {
            repo,
            change_id,
            // An approval has no id of its own: what, when and who make it itself.
            review_id: format!("{state}@{at}@{actor}"),
            actor: Some(actor),
            actor_is_bot: user.is_bot(),
            state: Some(state.to_owned()),
            submitted_at: Some(at),
        };
        Observation::new(review).updated_at(Some(at))
    });
    Ok(std::iter::once(change).chain(review).collect())
}

/// The commit that landed a merged change, and how.
fn landing(attributes: &Attributes) -> Option<(String, &'static str)> {
    let sha = |text: &Option<String>| text.as_deref().and_then(shared::sha);
    let last = attributes.last_commit.as_ref().and_then(|commit| sha(&commit.id));
    if let Some(squash) = sha(&attributes.squash_commit_sha) {
        return Some((squash, "squash"));
    }
    match sha(&attributes.merge_commit_sha) {
        Some(merge) if Some(&merge) != last.as_ref() => Some((merge, "merge")),
        // Named nowhere: fast-forwarded as it was, or squashed. The landing commit itself tells which, in the push that brings it.
        merge => merge.map(|sha| (sha, "rebase")),
    }
}

impl Changes {
    /// `true`: the draft became ready; `false`: it became a draft again. Old versions tell it by the title only.
    fn turned_ready(&self) -> Option<bool> {
        if let Some(draft) = self.draft.as_ref().or(self.work_in_progress.as_ref()) {
            return draft.current.filter(|_| draft.previous != draft.current).map(|is_draft| !is_draft);
        }
        let title = self.title.as_ref()?;
        let (was, is) = (is_draft_title(title.previous.as_deref()?), is_draft_title(title.current.as_deref()?));
        (was != is).then_some(!is)
    }
}

fn is_draft_title(title: &str) -> bool {
    let title = title.trim_start().to_lowercase();
    ["draft:", "[draft]", "(draft)", "wip:", "[wip]"].iter().any(|mark| title.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(json: &str) -> Option<(String, &'static str)> {
        landing(&serde_json::from_str(json).expect("attributes"))
    }

    #[test]
    fn what_landed_by_each_way_to_merge() {
        let (head, squash, merge) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let head_commit = format!(r#""last_commit":{{"id":"{head}"}}"#);
        for (json, sha, method) in [
            (format!(r#"{{{head_commit},"merge_commit_sha":"{merge}","squash_commit_sha":"{squash}"}}"#), &squash, "squash"),
            (format!(r#"{{{head_commit},"merge_commit_sha":null,"squash_commit_sha":"{squash}"}}"#), &squash, "squash"),
            (format!(r#"{{{head_commit},"merge_commit_sha":"{merge}"}}"#), &merge, "merge"),
            (format!(r#"{{{head_commit},"merge_commit_sha":"{head}"}}"#), &head, "rebase"),
        ] {
            assert_eq!(landed(&json), Some((sha.clone(), method)), "{json}");
        }
        assert_eq!(landed("{}"), None);
        assert_eq!(landed(&format!("{{{head_commit}}}")), None);
    }

    #[test]
    fn drafts_come_and_go() {
        let turned = |json: &str| serde_json::from_str::<Changes>(json).expect("changes").turned_ready();
        assert_eq!(turned(r#"{"draft":{"previous":true,"current":false}}"#), Some(true));
        assert_eq!(turned(r#"{"draft":{"previous":false,"current":true}}"#), Some(false));
        assert_eq!(turned(r#"{"work_in_progress":{"previous":true,"current":false}}"#), Some(true));
        assert_eq!(turned(r#"{"title":{"previous":"Draft: cart","current":"cart"}}"#), Some(true));
        assert_eq!(turned(r#"{"title":{"previous":"cart","current":"carts"}}"#), None);
        assert_eq!(turned("{}"), None);
    }
}
