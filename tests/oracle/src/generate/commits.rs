//! Commit graphs: direct commits, merges, squashes, rebases, hotfix branches, reverts, and gaps.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Maker, at};
use crate::time::Time;

pub struct Repo {
    pub address: String,
    /// The services of a monorepo.
    parts: Vec<String>,
    /// The main branch: when each commit landed.
    pub main: Vec<(Time, String)>,
    /// Heads of hotfix branches and when they stood ready.
    pub side: Vec<(Time, String)>,
}

impl Repo {
    pub fn new(address: String, parts: Vec<String>) -> Repo {
        Repo { address, parts, main: Vec::new(), side: Vec::new() }
    }

    /// The head of main at an instant.
    pub fn head(&self, t: Time) -> Option<String> {
        self.main.iter().rev().find(|(landed, _)| *landed <= t).map(|c| c.1.clone())
    }
}

/// What a change row is made of.
struct Change<'a> {
    title: &'a str,
    branch: String,
    merge_sha: &'a str,
    method: Value,
    commits: Option<Vec<String>>,
    hotfix_label: bool,
}

pub fn fill(m: &mut Maker, repo: usize) {
    let mut t = m.start - TimeDelta::days(6);
    let root_parents = if m.dice.chance(0.15) { Value::Null } else { json!([]) };
    let root = commit(m, repo, t, root_parents, "start", true);
    m.repos[repo].main.push((t, root.clone()));
    let mut titles: Vec<String> = Vec::new();
    let mut squashed: Vec<String> = Vec::new(); // heads of squashed branches
    let longest = ((m.end - t).num_minutes() / 11).max(600); // some twenty steps
    while t < m.end {
        t += m.minutes(4 * 60, longest);
        let head = m.repos[repo].main.last().expect("a root").1.clone();
        let title = m.id("Change ");
        match m.dice.below(20) {
            0..7 => land(m, repo, t, json!([head]), &title),
            7..11 => {
                let originals = branch(m, repo, t, &head);
                let sha = commit(m, repo, t, json!([head]), &title, true);
                let method = m.dice.of(&[json!("squash"), Value::Null]);
                let name = if m.dice.chance(0.08) { "hotfix-squashed" } else { "feature" };
                let label = m.dice.chance(0.08);
                put_change(
                    m,
                    repo,
                    t,
                    Change {
                        title: &title,
                        branch: name.into(),
                        merge_sha: &sha,
                        method,
                        commits: Some(originals.clone()),
                        hotfix_label: label,
                    },
                );
                m.repos[repo].main.push((t, sha));
                squashed.extend(originals.last().cloned());
            }
            11..15 => {
                let commits = branch(m, repo, t, &head);
                let tip = commits.last().expect("a branch has a commit").clone();
                let sha = commit(m, repo, t, json!([head, tip]), "Merge", true);
                let method = m.dice.of(&[json!("merge"), Value::Null]);
                let listed = if m.dice.chance(0.8) { Some(commits) } else { None };
                let label = m.dice.chance(0.08);
                put_change(
                    m,
                    repo,
                    t,
                    Change { title: &title, branch: "topic".into(), merge_sha: &sha, method, commits: listed, hotfix_label: label },
                );
                m.repos[repo].main.push((t, sha));
            }
            15 => {
                // A rebase: two commits land anew, the change lists the originals.
                let originals = branch(m, repo, t, &head);
                let first = commit(m, repo, t - TimeDelta::seconds(1), json!([head]), &title, false);
                let second = commit(m, repo, t, json!([first]), &title, true);
                put_change(
                    m,
                    repo,
                    t,
                    Change {
                        title: &title,
                        branch: "rebased".into(),
                        merge_sha: &second,
                        method: json!("rebase"),
                        commits: Some(originals),
                        hotfix_label: false,
                    },
                );
                m.repos[repo].main.push((t, second));
            }
            16 => {
                // A hotfix branch off an older commit, merged back two days later.
                let base = m.repos[repo].main.iter().rev().nth(2).map_or(head.clone(), |c| c.1.clone());
                let fix = commit(m, repo, t, json!([base]), &title, false);
                m.repos[repo].side.push((t, fix.clone()));
                let back = t + TimeDelta::days(2);
                let merge = commit(m, repo, back, json!([head, fix]), "Merge hotfix", true);
                put_change(
                    m,
                    repo,
                    back,
                    Change {
                        title: &title,
                        branch: m_branch(&title),
                        merge_sha: &merge,
                        method: json!("merge"),
                        commits: Some(vec![fix]),
                        hotfix_label: false,
                    },
                );
                m.repos[repo].main.push((back, merge));
                t = back;
            }
            17 => {
                // A revert, by sha or by title.
                let victim = m.repos[repo].main[m.dice.below(m.repos[repo].main.len() as u64) as usize].1.clone();
                let message = if titles.is_empty() || m.dice.chance(0.5) {
                    format!("Undo\n\nThis reverts commit {victim}.")
                } else {
                    format!("Revert \"{}\"", m.dice.of(&titles))
                };
                land(m, repo, t, json!([head]), &message);
            }
            18 if !squashed.is_empty() => {
                // A squashed branch is merged once more: its originals are now in the history themselves.
                let again = m.dice.of(&squashed);
                land(m, repo, t, json!([head, again]), "Merge again");
            }
            _ => land(m, repo, t + TimeDelta::seconds(1), json!([head]), &title),
        }
        titles.push(title);
    }
    m.repos[repo].main.sort();
}

fn m_branch(title: &str) -> String {
    format!("hotfix/{}", title.replace(' ', "-").to_lowercase())
}

fn land(m: &mut Maker, repo: usize, t: Time, parents: Value, message: &str) {
    let sha = commit(m, repo, t, parents, message, true);
    m.repos[repo].main.push((t, sha));
}

/// One to three commits of a branch, oldest first.
fn branch(m: &mut Maker, repo: usize, t: Time, base: &str) -> Vec<String> {
    let mut commits: Vec<String> = Vec::new();
    for n in 0..m.dice.between(1, 3) {
        let parent = commits.last().cloned().unwrap_or_else(|| base.to_owned());
        let when = t - TimeDelta::hours(10 - 2 * n);
        commits.push(commit(m, repo, when, json!([parent]), "work", false));
    }
    commits
}

/// A commit row, sometimes with something missing. A merge always says its files.
fn commit(m: &mut Maker, repo: usize, t: Time, parents: Value, message: &str, landing: bool) -> String {
    let sha = m.dice.hex(40);
    let is_merge = parents.as_array().is_some_and(|p| p.len() > 1);
    let row_missing = m.dice.chance(0.02);
    let mut authored = t - m.minutes(1, 600);
    if m.dice.chance(0.03) {
        authored = t + TimeDelta::days(9); // a clock that is wrong
    }
    let authored_at = if m.dice.chance(0.05) { Value::Null } else { at(authored) };
    let committed_at = if m.dice.chance(0.3) { Value::Null } else { at(t) };
    let parents = if m.dice.chance(0.02) && !is_merge { Value::Null } else { parents };
    let files = files(m, repo, is_merge);
    if !row_missing || is_merge || !landing {
        let repo = m.repos[repo].address.clone();
        m.put(
            "commits",
            json!({"repo": repo, "sha": sha, "parents": parents, "authored_at": authored_at, "committed_at": committed_at,
            "message": message, "files": files, "branch": if landing { json!("main") } else { Value::Null }}),
        );
    }
    sha
}

fn files(m: &mut Maker, repo: usize, is_merge: bool) -> Value {
    if !is_merge && m.dice.chance(0.05) {
        return Value::Null;
    }
    let mut all: Vec<String> = vec!["README.md".into()];
    for part in m.repos[repo].parts.clone() {
        if m.dice.chance(0.55) {
            all.push(format!("services/{part}/src/main.rs"));
        }
    }
    if m.dice.chance(0.15) {
        all.push("libs/common/lib.rs".into());
    }
    json!(all)
}

fn put_change(m: &mut Maker, repo: usize, merged: Time, c: Change) {
    let id = m.id("");
    let labels = if c.hotfix_label { json!(["urgent", "HotFix"]) } else { json!(["feature"]) };
    let mut row = json!({"repo": m.repos[repo].address, "change_id": id, "title": c.title, "labels": labels, "source_branch": c.branch,
        "target_branch": "main", "opened_at": at(merged - TimeDelta::hours(9)), "merged_at": at(merged), "merge_sha": c.merge_sha,
        "merge_method": c.method, "commit_shas": c.commits});
    // One in twelve says nothing of its opening; some were drafts first, and a clock or two is wrong.
    if m.dice.chance(0.08) {
        row["opened_at"] = Value::Null;
    }
    if m.dice.chance(0.3) {
        row["ready_at"] = at(merged - TimeDelta::minutes(m.dice.below(600) as i64 - 20));
    }
    if m.dice.chance(0.8) {
        (row["additions"], row["deletions"]) = (json!(m.dice.below(400)), json!(m.dice.below(200)));
    }
    if m.dice.chance(0.2) {
        // The same change was seen open before.
        let mut earlier = row.as_object().expect("a row").clone();
        for column in ["merged_at", "merge_sha", "merge_method", "commit_shas"] {
            earlier.remove(column);
        }
        m.put("changes", Value::Object(earlier));
    }
    m.put("changes", row);
}
