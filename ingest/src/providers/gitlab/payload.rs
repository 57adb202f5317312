//! What several hooks share: the project, a person, a commit, a label. Only the fields that are read.

use crate::people::People;
use crate::providers::shared;
use flowgauge_lake::model::{Commit, Time, repo_name};
use serde::Deserialize;

/// `project` of most hooks, and `repository` of the older ones, which knows fewer fields.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Project {
    pub web_url: Option<String>,
    homepage: Option<String>,
    git_http_url: Option<String>,
    path_with_namespace: Option<String>,
    pub default_branch: Option<String>,
}

impl Project {
    /// `host/path`, by the address of its page: the one for ssh may name another host.
    pub fn repo(&self) -> Option<String> {
        [&self.web_url, &self.homepage, &self.git_http_url].into_iter().flatten().find_map(|address| repo_name(address))
    }

    /// `group/project`. Never a hook's `project_name`, which has blanks around the slash.
    pub fn path(&self) -> Option<String> {
        let path = self.path_with_namespace.clone().and_then(shared::filled);
        path.or_else(|| self.repo()?.split_once('/').map(|(_, path)| path.to_owned()))
    }

    /// The last part of its path: the service, as long as nothing else is configured.
    pub fn name(&self) -> Option<String> {
        self.path().and_then(|path| shared::filled(path.rsplit('/').next().unwrap_or(&path)))
    }

    /// Of a hook's two ways to say it, the one that names an address.
    pub fn either(project: Option<Project>, repository: Option<Project>) -> Project {
        project.filter(|project| project.repo().is_some()).or(repository).unwrap_or_default()
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct User {
    #[serde(default, deserialize_with = "shared::id")]
    pub id: Option<String>,
    pub username: Option<String>,
}

impl User {
    pub fn pseudonym(&self, people: &People) -> Option<String> {
        self.username.as_deref().and_then(shared::filled).map(|name| people.name(&name))
    }

    pub fn is_bot(&self) -> Option<bool> {
        self.username.as_deref().map(is_bot)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Label {
    pub title: Option<String>,
}

/// The titles of a hook's labels: `None` if it says nothing about them.
pub(super) fn titles(labels: Option<Vec<Label>>) -> Option<Vec<String>> {
    labels.map(|labels| labels.into_iter().filter_map(|label| label.title).collect())
}

#[derive(Debug, Deserialize)]
pub(super) struct CommitPayload {
    pub id: Option<String>,
    pub(super) message: Option<String>,
    #[serde(default, deserialize_with = "shared::time")]
    timestamp: Option<Time>,
    author: Option<Author>,
    added: Option<Vec<String>>,
    modified: Option<Vec<String>>,
    removed: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Author {
    name: Option<String>,
    email: Option<String>,
}

impl CommitPayload {
    pub fn sha(&self) -> Option<String> {
        self.id.as_deref().and_then(shared::sha)
    }

    /// The commit as we keep it. Its `timestamp` is when it was committed, not when it was written; parents are not told.
    pub fn row(self, repo: &str, branch: Option<&str>, people: &People) -> Option<Commit> {
        let sha = self.sha()?;
        let author = self.author.and_then(|author| author.email.and_then(shared::filled).or(author.name.and_then(shared::filled)));
        Some(Commit {
            repo: repo.to_owned(),
            sha,
            committed_at: self.timestamp,
            branch: branch.map(str::to_owned),
            author: author.as_deref().map(|author| people.name(author)),
            author_is_bot: author.as_deref().map(is_bot),
            message: self.message.as_deref().map(shared::message),
            files: files([self.added, self.modified, self.removed]),
            ..Default::default()
        })
    }
}

/// Every path once. A commit that lists nothing at all (as a release's) says nothing about files.
fn files(lists: [Option<Vec<String>>; 3]) -> Option<Vec<String>> {
    if lists.iter().all(Option::is_none) {
        return None;
    }
    let mut files: Vec<String> = lists.into_iter().flatten().flatten().collect();
    files.sort();
    files.dedup();
    Some(files)
}

/// Whether a username or an e-mail address is a machine's: `project_7_bot_1f2e` (access tokens), `renovate-bot`, `x[bot]`.
pub(super) fn is_bot(person: &str) -> bool {
    let local = person.split('@').next().unwrap_or(person).to_lowercase();
    local.split(|c: char| !c.is_alphanumeric()).any(|part| matches!(part, "bot" | "dependabot" | "renovate" | "renovatebot"))
}

/// A branch's or tag's name without `refs/heads/` or `refs/tags/`.
pub(super) fn short_ref(full: &str) -> &str {
    full.strip_prefix("refs/heads/").or_else(|| full.strip_prefix("refs/tags/")).unwrap_or(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_by_whole_words() {
        for (name, bot) in [
            ("project_7_bot_1f2e", true),
            ("group_3_bot", true),
            ("renovate-bot", true),
            ("dependabot[bot]@users.acme.io", true),
            ("abbot", false),
            ("ada@bot.acme.io", false),
        ] {
            assert_eq!(is_bot(name), bot, "{name}");
        }
    }

    #[test]
    fn projects_by_any_address() {
        let project = |json: &str| serde_json::from_str::<Project>(json).expect("a project");
        let old = project(r#"{"homepage":"https://GitLab.acme.io/shop/cart","git_http_url":"https://gitlab.acme.io/shop/cart.git"}"#);
        assert_eq!((old.repo().as_deref(), old.name().as_deref()), (Some("gitlab.acme.io/shop/cart"), Some("cart")));
        let nested = project(r#"{"web_url":"https://gitlab.acme.io/shop/web/cart","path_with_namespace":"shop/web/cart"}"#);
        assert_eq!((nested.path().as_deref(), nested.name().as_deref()), (Some("shop/web/cart"), Some("cart")));
        assert_eq!(project("{}").repo(), None);
    }
}
