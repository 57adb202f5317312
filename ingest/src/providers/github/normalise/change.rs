//! Pull requests and their reviews.

use super::super::payload::{Account, PullRequestEvent, ReviewEvent};
use super::{Rows, names};
use crate::provider::Rules;
use crate::providers::shared::{need, sha};
use flowgauge_lake::model::{Change, Observation, Review as ReviewRow};

pub fn pull_request(event: PullRequestEvent, rules: &Rules) -> Rows {
    let pull = need(event.pull_request, "pull_request")?;
    let repo = need(event.repository, "repository")?;
    let action = event.action.as_deref().unwrap_or_default();
    let is_merged = pull.merged_at.is_some();
    let head = pull.head.as_ref();
    // A fork's branch may have the name of one of ours, so it is told with its owner, as GitHub labels it.
    let is_fork = head.is_some_and(|head| !head.is_of(&repo));
    let source_branch = head.and_then(|head| if is_fork { head.label.clone() } else { head.r#ref.clone() });
    let row = Change {
        repo: repo.repo()?,
        change_id: need(pull.number, "pull_request.number")?,
        title: pull.title,
        merge_method: pull
            .auto_merge
            .and_then(|auto| auto.merge_method)
            .filter(|method| ["merge", "squash", "rebase"].contains(&method.as_str())),
        author: pull.user.as_ref().and_then(|user| user.name(rules)),
        author_is_bot: pull.user.as_ref().map(Account::is_bot),
        labels: pull.labels.map(names),
        source_branch,
        target_branch: pull.base.as_ref().and_then(|base| base.r#ref.clone()),
        opened_at: pull.created_at,
        ready_at: pull.updated_at.filter(|_| action == "ready_for_review"),
        merged_at: pull.merged_at,
        closed_at: pull.closed_at.filter(|_| !is_merged),
        merge_sha: pull.merge_commit_sha.as_deref().and_then(sha).filter(|_| is_merged),
        additions: pull.additions,
        deletions: pull.deletions,
        files_changed: pull.changed_files,
        url: pull.html_url,
        ..Change::default()
    };
    let mut row = Observation::new(row).updated_at(pull.updated_at);
    if pull.state.as_deref() == Some("open") && action != "opened" {
        row = row.clearing("closed_at");
    }
    if action == "converted_to_draft" {
        row = row.clearing("ready_at");
    }
    Ok(vec![row])
}

pub fn review(event: ReviewEvent, rules: &Rules) -> Rows {
    let review = need(event.review, "review")?;
    let pull = need(event.pull_request, "pull_request")?;
    let row = ReviewRow {
        repo: need(event.repository, "repository")?.repo()?,
        change_id: need(pull.number, "pull_request.number")?,
        review_id: need(review.id, "review.id")?,
        actor: review.user.as_ref().and_then(|user| user.name(rules)),
        actor_is_bot: review.user.as_ref().map(Account::is_bot),
        state: review.state.map(|state| state.to_lowercase()),
        submitted_at: review.submitted_at,
    };
    // A dismissal leaves `submitted_at` as it was; the pull request's own time has moved on.
    Ok(vec![Observation::new(row).updated_at([review.submitted_at, review.updated_at, pull.updated_at].into_iter().flatten().max())])
}
