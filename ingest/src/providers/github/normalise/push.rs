//! Pushes and the commits they bring.

use super::super::payload::{GitPerson, Push, PushedCommit};
use super::Rows;
use crate::provider::Rules;
use crate::providers::shared::{message, need, sha};
use flowgauge_lake::model::{Commit, Observation, Push as PushRow, Time};

/// GitHub lists at most this many commits with a push; a longer list is cut.
const LISTED_COMMITS: usize = 2048;

pub fn push(event: Push, rules: &Rules) -> Rows {
    let repository = need(event.repository, "repository")?;
    let repo = repository.repo()?;
    let reference = need(event.r#ref, "ref")?;
    let commits = event.commits.unwrap_or_default();
    // An annotated tag's `after` is the tag object; the head commit is what it points to.
    let head = event.head_commit.and_then(|commit| commit.id).filter(|_| reference.starts_with("refs/tags/"));
    let Some(after) = head.or(event.after).as_deref().and_then(sha).filter(|_| event.deleted != Some(true)) else {
        return Ok(Vec::new());
    };
    let before = event.before.as_deref().and_then(sha);
    let forced = event.forced.unwrap_or(false);
    let shas: Vec<String> = commits.iter().filter_map(|commit| commit.id.as_deref().and_then(sha)).collect();
    // Whole means: the history of `after` is that of `before` and this list. A new ref lists only what no other ref has.
    let complete = before.is_some()
        && !forced
        && event.created != Some(true)
        && shas.len() == commits.len()
        && shas.len() < LISTED_COMMITS
        && shas.last() == Some(&after);
    let branch = reference.strip_prefix("refs/heads/");
    let mut rows: Vec<Observation> =
        commits.iter().filter_map(|commit| pushed_commit(commit, &repo, branch, repository.pushed_at, rules)).collect();
    rows.push(Observation::new(PushRow {
        repo,
        r#ref: reference,
        after,
        before,
        commit_shas: Some(shas),
        complete: Some(complete),
        forced: Some(forced),
        pushed_at: repository.pushed_at,
    }));
    Ok(rows)
}

fn pushed_commit(commit: &PushedCommit, repo: &str, branch: Option<&str>, pushed_at: Option<Time>, rules: &Rules) -> Option<Observation> {
    // Only the push that first brought a commit says when it reached the server, and on which branch.
    let is_first = commit.distinct == Some(true);
    let files = match (&commit.added, &commit.modified, &commit.removed) {
        (None, None, None) => None,
        (added, modified, removed) => {
            let mut files: Vec<String> = [added, modified, removed].into_iter().flatten().flatten().cloned().collect();
            files.sort();
            files.dedup();
            Some(files)
        }
    };
    Some(Observation::new(Commit {
        repo: repo.to_owned(),
        sha: commit.id.as_deref().and_then(sha)?,
        committed_at: commit.timestamp,
        pushed_at: pushed_at.filter(|_| is_first),
        branch: branch.filter(|_| is_first).map(str::to_owned),
        author: commit.author.as_ref().and_then(GitPerson::id).map(|person| rules.people.name(person)),
        author_is_bot: commit.author.as_ref().map(GitPerson::is_bot),
        message: commit.message.as_deref().map(message),
        files,
        ..Commit::default()
    }))
}

impl GitPerson {
    /// The e-mail, as the history of a clone tells it, so that hook and clone name one person alike.
    fn id(&self) -> Option<&str> {
        [&self.email, &self.username, &self.name].into_iter().flatten().map(String::as_str).find(|text| !text.trim().is_empty())
    }

    fn is_bot(&self) -> bool {
        [&self.name, &self.username].into_iter().flatten().any(|name| name.ends_with("[bot]"))
    }
}
