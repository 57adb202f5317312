//! Push Hook and Tag Push Hook: where a ref points now, and the commits that came with it.

use super::payload::{CommitPayload, Project, short_ref};
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared;
use flowgauge_lake::model::{Change, Observation, Push};
use serde::Deserialize;

#[derive(Deserialize)]
struct Hook {
    r#ref: Option<String>,
    before: Option<String>,
    after: Option<String>,
    checkout_sha: Option<String>,
    project: Option<Project>,
    repository: Option<Project>,
    commits: Option<Vec<CommitPayload>>,
    total_commits_count: Option<i64>,
}

pub(super) fn normalise(body: &[u8], rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let hook: Hook = shared::json(body)?;
    let project = Project::either(hook.project, hook.repository);
    let repo = shared::need(project.repo(), "project.web_url")?;
    let r#ref = shared::need(hook.r#ref.and_then(shared::filled), "ref")?;
    let before = hook.before.as_deref().and_then(shared::sha);
    // A ref that was deleted points nowhere: 40 zeros, and nothing to say.
    let Some(after) = hook.after.as_deref().and_then(shared::sha) else { return Ok(Vec::new()) };
    let commits = hook.commits.unwrap_or_default();

    let is_tag = r#ref.starts_with("refs/tags/");
    let push = if is_tag {
        // `after` of an annotated tag is the tag itself; it carries one commit, not a history.
        let after = hook.checkout_sha.as_deref().and_then(shared::sha).unwrap_or(after);
        Push { repo: repo.clone(), r#ref: r#ref.clone(), after, before, complete: Some(false), ..Default::default() }
    } else {
        let listed: Vec<String> = commits.iter().filter_map(CommitPayload::sha).collect();
        let is_default = project.default_branch.as_deref() == Some(short_ref(&r#ref));
        Push {
            repo: repo.clone(),
            r#ref: r#ref.clone(),
            complete: Some(complete(&listed, hook.total_commits_count, before.is_some(), is_default, &after)),
            forced: moved_back(before.as_deref(), &after, hook.total_commits_count).then_some(true),
            commit_shas: Some(listed),
            after,
            before,
            ..Default::default()
        }
    };
    let branch = (!is_tag).then(|| short_ref(&push.r#ref).to_owned());
    let landed: Vec<_> = commits.iter().filter_map(|commit| landed(commit, &repo)).map(Observation::new).collect();
    let commits = commits.into_iter().filter_map(|commit| commit.row(&repo, branch.as_deref(), &rules.people));
    let commits: Vec<_> = commits.map(Observation::new).collect();
    Ok(std::iter::once(Observation::new(push)).chain(commits).chain(landed).collect())
}

/// A squashed merge request that is fast-forwarded has no merge commit, and its own hook names no commit at all: only the landing
/// commit says where it came from, in its last line. A merge commit is named by the merge request's hook.
fn landed(commit: &CommitPayload, repo: &str) -> Option<Change> {
    let message = commit.message.as_deref()?.trim_end();
    let (path, iid) = message.lines().last()?.strip_prefix("See merge request ")?.rsplit_once('!')?;
    let is_here = repo.split_once('/').is_some_and(|(_, here)| here == path) && !message.starts_with("Merge branch ");
    let is_number = !iid.is_empty() && iid.bytes().all(|b| b.is_ascii_digit());
    (is_here && is_number).then(|| Change {
        repo: repo.to_owned(),
        change_id: iid.to_owned(),
        merge_sha: commit.sha(),
        ..Default::default()
    })
}

/// Whether the history of `after` is known from that of `before`: GitLab lists the newest 20 of the commits between the two.
/// Of a new branch it lists what the default branch does not hold, which is no whole history; of a new default branch it counts
/// all commits there are.
fn complete(listed: &[String], total: Option<i64>, has_before: bool, is_default: bool, after: &String) -> bool {
    let is_whole = i64::try_from(listed.len()).is_ok_and(|listed| total == Some(listed));
    is_whole && listed.contains(after) && (has_before || is_default)
}

/// No commit lies between the two though they differ: `after` is an ancestor of `before`, so the branch was moved back.
/// Any other forced push cannot be told from a plain one.
fn moved_back(before: Option<&str>, after: &str, total: Option<i64>) -> bool {
    total == Some(0) && before.is_some_and(|before| before != after)
}
