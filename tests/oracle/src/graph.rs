//! Commits, changes and artifacts, and what a deployment contains (rules 24 to 27). They exist whatever `as_of` is (rule 1).

use std::collections::{BTreeMap, BTreeSet};

use crate::row::{Row, list, sha, text, time};
use crate::time::Time;

pub struct Commit {
    /// None is unknown; an empty list is a root.
    pub parents: Option<Vec<String>>,
    pub authored_at: Option<Time>,
    pub committed_at: Option<Time>,
    pub message: String,
    pub files: Option<Vec<String>>,
}

impl Commit {
    pub fn is_merge(&self) -> bool {
        self.parents.as_ref().is_some_and(|p| p.len() > 1)
    }
}

pub struct Change {
    pub repo: String,
    pub change_id: String,
    pub merged_at: Option<Time>,
    pub title: Option<String>,
    pub labels: Vec<String>,
    pub source_branch: Option<String>,
    pub merge_sha: Option<String>,
    pub merge_method: Option<String>,
    pub commit_shas: Vec<String>,
}

impl Change {
    /// Rule 19: a change's commits are `merge_sha` and `commit_shas`.
    pub fn commits(&self) -> impl Iterator<Item = &String> {
        self.merge_sha.iter().chain(&self.commit_shas)
    }

    /// Rule 19: the default hotfix rule.
    pub fn is_hotfix(&self) -> bool {
        self.labels.iter().any(|l| l.eq_ignore_ascii_case("hotfix"))
            || self.source_branch.as_ref().is_some_and(|b| b.starts_with("hotfix/") || b.starts_with("hotfix-"))
    }
}

pub struct Artifact {
    pub repo: Option<String>,
    pub source_sha: Option<String>,
}

pub struct Service {
    pub team: String,
    pub repo: Option<String>,
    pub path_globs: Option<Vec<String>>,
    /// Its environments from the lowest to the highest.
    pub ladder: Option<Vec<String>>,
}

pub struct Graph {
    pub commits: BTreeMap<(String, String), Commit>,
    pub changes: Vec<Change>,
    pub artifacts: BTreeMap<String, Artifact>,
    pub services: BTreeMap<String, Service>,
}

/// What a deployment contains.
#[derive(Debug, Clone)]
pub enum History {
    /// Neither a sha nor an artifact that says one.
    NoSource,
    /// A sha without a row and without a list: only the sha itself is known.
    Unknown { sha: String },
    /// A sha without a row, but the deployment lists its commits.
    Listed { repo: String, sha: String, commits: BTreeSet<String> },
    /// anc(sha), as far as rows and parents are known.
    Walked { repo: String, commits: BTreeSet<String> },
}

impl History {
    /// What is known to be contained. Rule 25: an unknown history contributes only its own sha or listed commits.
    pub fn contained(&self) -> BTreeSet<String> {
        match self {
            History::NoSource => BTreeSet::new(),
            History::Unknown { sha } => [sha.clone()].into(),
            History::Listed { sha, commits, .. } => commits.iter().cloned().chain([sha.clone()]).collect(),
            History::Walked { commits, .. } => commits.clone(),
        }
    }
}

impl Graph {
    pub fn new(commits: &[Row], changes: &[Row], artifacts: &[Row], services: &[Row], deployments: &[Row], runs: &[Row]) -> Graph {
        let commit = |r: &Row| Commit {
            parents: list(r, "parents"),
            authored_at: time(r, "authored_at"),
            committed_at: time(r, "committed_at"),
            message: text(r, "message").unwrap_or_default(),
            files: list(r, "files"),
        };
        let change = |r: &Row| Change {
            repo: text(r, "repo").unwrap_or_default(),
            change_id: text(r, "change_id").unwrap_or_default(),
            merged_at: time(r, "merged_at"),
            title: text(r, "title"),
            labels: list(r, "labels").unwrap_or_default(),
            source_branch: text(r, "source_branch"),
            merge_sha: sha(r, "merge_sha"),
            merge_method: text(r, "merge_method"),
            commit_shas: list(r, "commit_shas").unwrap_or_default(),
        };
        let artifact = |r: &Row| Artifact { repo: text(r, "repo"), source_sha: sha(r, "source_sha") };
        // DESIGN section 3: without configuration a service is a repository's name and its team the owner. The repository is the one that
        // its deployments name (the least, if several), or that runs under that name.
        let mut repos: BTreeMap<String, String> = BTreeMap::new();
        let named = deployments.iter().filter_map(|r| Some((text(r, "service")?, text(r, "repo")?)));
        let ran = runs.iter().filter_map(|r| text(r, "repo")).map(|repo| (repo.rsplit('/').next().unwrap_or(&repo).to_owned(), repo));
        for (service, repo) in named.chain(ran) {
            let known = repos.entry(service).or_insert_with(|| repo.clone());
            *known = known.clone().min(repo);
        }
        let mut known: BTreeMap<String, Service> = BTreeMap::new();
        for (service, repo) in &repos {
            let team = owner(repo).unwrap_or_default();
            known.insert(service.clone(), Service { team, repo: Some(repo.clone()), path_globs: None, ladder: None });
        }
        for row in services {
            let Some(service) = text(row, "service") else { continue };
            let repo = text(row, "repo").or_else(|| repos.get(&service).cloned());
            let team = text(row, "team").or_else(|| repo.as_deref().and_then(owner)).unwrap_or_default();
            known.insert(service, Service { team, repo, path_globs: list(row, "path_globs"), ladder: list(row, "ladder") });
        }
        // A repository with services of its own is no service beside them only because something runs there.
        let told: BTreeSet<String> = deployments.iter().chain(services).filter_map(|r| text(r, "service")).collect();
        let owned: BTreeSet<String> = known.iter().filter(|(name, _)| told.contains(*name)).filter_map(|(_, s)| s.repo.clone()).collect();
        known.retain(|name, s| told.contains(name) || s.repo.as_ref().is_none_or(|repo| !owned.contains(repo)));
        Graph {
            commits: commits.iter().filter_map(|r| Some(((text(r, "repo")?, sha(r, "sha")?), commit(r)))).collect(),
            changes: changes.iter().map(change).collect(),
            artifacts: artifacts.iter().filter_map(|r| Some((text(r, "digest")?, artifact(r)))).collect(),
            services: known,
        }
    }

    /// The team of a service is that of its `services` row, else the owner of its repository (DESIGN section 3), else "".
    pub fn team(&self, service: &str) -> String {
        self.services.get(service).map(|s| s.team.clone()).unwrap_or_default()
    }

    pub fn commit(&self, repo: &str, sha: &str) -> Option<&Commit> {
        self.commits.get(&(repo.to_owned(), sha.to_owned()))
    }

    /// anc(sha), which contains sha. A parent without a row is in it; behind it, and behind unknown parents, nothing is known.
    pub fn walk(&self, repo: &str, sha: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![sha.to_owned()];
        while let Some(next) = waiting.pop() {
            if found.insert(next.clone())
                && let Some(parents) = self.commit(repo, &next).and_then(|c| c.parents.as_ref())
            {
                waiting.extend(parents.iter().cloned());
            }
        }
        found
    }

    /// Rule 24: the sha is the deployment's, else that of its digest's artifact.
    pub fn source_sha(&self, deployed_sha: Option<&String>, digest: Option<&String>) -> Option<String> {
        deployed_sha.cloned().or_else(|| self.artifacts.get(digest?)?.source_sha.clone())
    }

    /// Rule 24: the repo is the deployment's, else the artifact's, else the service's, else the only one with that sha.
    pub fn source_repo(&self, repo: Option<&String>, digest: Option<&String>, service: &str, sha: &str) -> Option<String> {
        let of_artifact = || self.artifacts.get(digest?)?.repo.clone();
        let of_service = || self.services.get(service)?.repo.clone();
        repo.cloned().or_else(of_artifact).or_else(of_service).or_else(|| self.only_repo(sha).cloned())
    }

    /// The only repository with that sha.
    pub fn only_repo(&self, sha: &str) -> Option<&String> {
        let mut with = self.commits.keys().filter(|(_, s)| s == sha).map(|(r, _)| r);
        with.next().filter(|_| with.next().is_none())
    }

    /// Rule 27: whether a commit is of the paths of a service; none where its files are not known.
    pub fn touches(&self, service: &str, commit: &Commit) -> Option<bool> {
        let Some(globs) = self.services.get(service).and_then(|s| s.path_globs.as_ref()) else { return Some(true) };
        let files = commit.files.as_ref()?;
        Some(files.iter().any(|f| globs.iter().any(|g| glob_matches(g, f))))
    }

    /// Rule 24: the history of a deployment.
    pub fn history(
        &self,
        sha: Option<&String>,
        digest: Option<&String>,
        repo: Option<&String>,
        service: &str,
        listed: Option<&Vec<String>>,
    ) -> History {
        let Some(sha) = self.source_sha(sha, digest) else { return History::NoSource };
        let repo = self.source_repo(repo, digest, service, &sha);
        match (repo, listed) {
            (Some(repo), _) if self.commit(&repo, &sha).is_some() => History::Walked { commits: self.walk(&repo, &sha), repo },
            (repo, Some(list)) => History::Listed { repo: repo.unwrap_or_default(), sha, commits: list.iter().cloned().collect() },
            (_, None) => History::Unknown { sha },
        }
    }

    /// Rule 26: the commits that stand for a squash commit; none if this is not one.
    pub fn originals(&self, repo: &str, sha: &str) -> Option<&Vec<String>> {
        let parents = self.commit(repo, sha).and_then(|c| c.parents.as_ref()).map_or(0, Vec::len);
        let squashed = |c: &&Change| match c.merge_method.as_deref() {
            Some(method) => method == "squash",
            None => parents <= 1,
        };
        self.changes
            .iter()
            .filter(|c| c.repo == repo && c.merge_sha.as_deref() == Some(sha) && !c.commit_shas.is_empty())
            .find(squashed)
            .map(|c| &c.commit_shas)
    }
}

/// Rule 27: `**` crosses folders, `*` and `?` do not, a trailing `/` means all below.
pub fn glob_matches(glob: &str, path: &str) -> bool {
    let glob = if glob.ends_with('/') { format!("{glob}**") } else { glob.to_owned() };
    matches(&glob.chars().collect::<Vec<_>>(), &path.chars().collect::<Vec<_>>())
}

fn matches(glob: &[char], path: &[char]) -> bool {
    match glob {
        [] => path.is_empty(),
        // `**/` also stands for no folder at all.
        ['*', '*', '/', rest @ ..] if matches(rest, path) => true,
        ['*', '*', rest @ ..] => (0..=path.len()).any(|n| matches(rest, &path[n..])),
        ['*', rest @ ..] => (0..=path.len()).take_while(|n| !path[..*n].contains(&'/')).any(|n| matches(rest, &path[n..])),
        ['?', rest @ ..] => path.first().is_some_and(|c| *c != '/') && matches(rest, &path[1..]),
        [c, rest @ ..] => path.first() == Some(c) && matches(rest, &path[1..]),
    }
}

/// The top group or owner of `host/owner/…/name`.
fn owner(repo: &str) -> Option<String> {
    let parts: Vec<&str> = repo.split('/').collect();
    (parts.len() > 2).then(|| parts[1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn globs_follow_rule_27() {
        assert!(glob_matches("services/cart/**", "services/cart/src/main.rs"));
        assert!(glob_matches("services/cart/", "services/cart/src/main.rs"));
        assert!(!glob_matches("services/cart/*", "services/cart/src/main.rs"));
        assert!(glob_matches("services/c?rt/*.rs", "services/cart/a.rs"));
        assert!(!glob_matches("services?cart", "services/cart"));
        assert!(glob_matches("**/Makefile", "Makefile"));
        assert!(!glob_matches("services/cart/**", "services/carts/a"));
    }
}
