//! From a deployment to the commit that it was built from. Rules are tried from the surest to the least sure; the first that
//! leads to exactly one commit counts. Where a rule finds several, nothing is guessed.
//!
//! What runs is told by the deployment itself (commit, digest, version) or by the configuration that was deployed: the image that
//! its files pin at that commit, or a trailer in the message of the commit that changed them.

use super::configuration::{Configuration, Pinned};
use super::deployments::{Sources, environment_key};
use super::graph::{Node, PrefixMatch, Repo};
use crate::catalogue::glob_matches;
use flowgauge_lake::model::{Artifact, Deployment, Tier, tier_of};
use std::collections::BTreeSet;

/// How far the line of first parents is searched for the commit that changed a deployment's files.
const LONGEST_SEARCH: usize = 10_000;

/// How sure a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// An id that can mean nothing else: a whole commit id, a digest.
    Exact,
    /// A name and a version, or somebody's word.
    Strong,
    /// A habit of naming: the tag holds the beginning of a commit id.
    Convention,
}

impl Confidence {
    pub const fn as_str(self) -> &'static str {
        match self {
            Confidence::Exact => "exact",
            Confidence::Strong => "strong",
            Confidence::Convention => "convention",
        }
    }
}

/// How a deployment was linked to its commit.
#[derive(Clone, Debug, Default)]
pub struct Link {
    pub rule: Option<(&'static str, Confidence)>,
    /// The file that said which image it is: commit, path and image of a row of `manifests`.
    pub pinned: Option<(String, String, String)>,
    /// The configuration repositories that were asked. What is learnt of them later may change the link.
    asked: Vec<String>,
    /// Beginnings of commit ids that were looked for in every repository. Another that holds one may change the link.
    searched: Vec<String>,
}

impl Link {
    pub fn rule(&self) -> &'static str {
        self.rule.map_or("none", |(rule, _)| rule)
    }

    pub fn confidence(&self) -> Option<&'static str> {
        self.rule.map(|(_, confidence)| confidence.as_str())
    }

    /// Takes in what the link of other evidence of the same deployment depends on.
    pub(super) fn depend_as(&mut self, other: Link) {
        self.asked.extend(other.asked);
        self.searched.extend(other.searched);
    }

    /// Whether what these repositories say may change the link.
    pub(super) fn depends_on(&self, repos: &BTreeSet<String>, sources: &Sources) -> bool {
        let has = |repo: &String, prefix: &str| {
            sources.repos.get(repo).is_some_and(|repo| !matches!(repo.resolve_prefix(prefix), PrefixMatch::None))
        };
        self.asked.iter().any(|asked| repos.contains(asked))
            || repos.iter().any(|repo| self.searched.iter().any(|prefix| has(repo, prefix)))
    }
}

/// A commit, and how sure it is that it is the one.
struct Found {
    repo: Option<String>,
    sha: String,
    confidence: Confidence,
}

/// What is asked for one deployment.
struct Search<'a> {
    service: &'a str,
    service_repo: Option<&'a str>,
    sources: &'a Sources,
    link: Link,
}

/// Finds the commit of a deployment: its repository, as far as that is told, and its id. What the configuration says of the version,
/// and a commit that no artifact's digest names already, is written into the row.
pub fn trace(
    row: &mut Deployment,
    service: &str,
    service_repo: Option<&str>,
    sources: &Sources,
) -> (Link, Option<(Option<String>, String)>) {
    let mut search = Search { service, service_repo, sources, link: Link::default() };
    let found = match row.sha.clone() {
        Some(sha) => Some(("deployment_sha", Found { repo: None, sha, confidence: Confidence::Exact })),
        None => search.by_what_runs(row).or_else(|| search.by_configuration(row)),
    };
    let Some((rule, Found { repo, sha, confidence })) = found else { return (search.link, None) };
    search.link.rule = Some((rule, confidence));
    if rule != "artifact_digest" {
        row.repo = row.repo.take().or_else(|| repo.clone());
        row.sha = Some(sha.clone());
    }
    let repo = row.repo.clone().or(repo).or_else(|| service_repo.map(str::to_owned));
    if repo.is_none() {
        search.link.searched.push(sha.clone());
    }
    (search.link, Some((repo, sha)))
}

impl Search<'_> {
    fn by_what_runs(&mut self, row: &Deployment) -> Option<(&'static str, Found)> {
        if let Some(found) = row.digest.as_deref().and_then(|digest| self.by_digest(digest)) {
            return Some(("artifact_digest", found));
        }
        let version = row.version.as_deref()?;
        if let Some(found) = self.by_own_version(version) {
            return Some(("artifact_version", found));
        }
        self.by_tag(version).map(|found| ("tag_is_commit", found))
    }

    fn by_configuration(&mut self, row: &mut Deployment) -> Option<(&'static str, Found)> {
        let config_repo = row.config_repo.clone()?;
        let config_sha = row.config_sha.clone()?;
        let sources = self.sources;
        self.link.asked.push(config_repo.clone());
        let configuration = sources.configurations.get(&config_repo)?;
        let at = configuration.repo.find(&config_sha)?;
        if is_read(configuration, at, row, self.service)
            && let Some(pinned) = self.pinned(configuration, at, row)
        {
            // What was seen running wins: a file that says otherwise is not what this deployment brought.
            let contradicts = |told: &Option<String>, pinned: Option<&str>| pinned.is_some() && told.is_some() && told.as_deref() != pinned;
            if contradicts(&row.version, pinned.tag) || contradicts(&row.digest, pinned.digest) {
                return None;
            }
            row.version = row.version.take().or_else(|| pinned.tag.map(str::to_owned));
            row.digest = row.digest.take().or_else(|| pinned.digest.map(str::to_owned));
            self.link.pinned = Some((configuration.repo.sha(pinned.set_by).to_owned(), pinned.path.to_owned(), pinned.image.to_owned()));
            return self.by_pin(&pinned).or_else(|| self.by_trailer(&configuration.repo, pinned.set_by));
        }
        self.by_trailer(&configuration.repo, changed_by(configuration, at, row, self.service)?)
    }

    /// The pin of the service's own image, if the files agree on one.
    fn pinned<'c>(&mut self, configuration: &'c Configuration, at: Node, row: &Deployment) -> Option<Pinned<'c>> {
        let environment = environment_key(&row.environment);
        let is_environment = |name: &str| environment_key(name) == environment;
        let groups = configuration.groups(at, self.service, row.config_paths.as_deref(), &is_environment);
        // In files that were named as this deployment's own, an image that is alone there needs no name of the service.
        let alone = row.config_paths.is_some() && {
            let mut names: Vec<&str> = groups.iter().flatten().map(|pinned| pinned.image).collect();
            names.sort_unstable();
            names.dedup();
            names.len() == 1
        };
        for group in &groups {
            let own = if alone { group.clone() } else { self.own(group) };
            let Some(first) = own.first() else { continue };
            let is_one = own.iter().all(|pinned| (pinned.tag, pinned.digest) == (first.tag, first.digest));
            return (is_one && (first.tag.is_some() || first.digest.is_some())).then_some(*first);
        }
        None
    }

    /// The images of a group that are the service's own: named like it, else named by their place only, else built from its
    /// repository, else the only one whose name holds the service's.
    fn own<'c>(&mut self, group: &[Pinned<'c>]) -> Vec<Pinned<'c>> {
        let service = self.service.to_lowercase();
        let last = |pinned: &Pinned| pinned.image.rsplit('/').next().unwrap_or_default().to_lowercase();
        let is_place = |pinned: &Pinned| {
            pinned.image.starts_with('.')
                && (pinned.image == ".image" || pinned.image[1..].split('.').any(|key| key.to_lowercase() == service))
        };
        let those = |is: &dyn Fn(&Pinned) -> bool| -> Vec<Pinned<'c>> { group.iter().filter(|pinned| is(pinned)).copied().collect() };
        let named = those(&|pinned| last(pinned) == service);
        if !named.is_empty() {
            return named;
        }
        let placed = those(&is_place);
        if !placed.is_empty() {
            return placed;
        }
        let built: Vec<Pinned<'c>> = group
            .iter()
            .filter(|pinned| {
                let repo = self.by_pin(pinned).and_then(|(_, found)| found.repo);
                repo.is_some_and(|repo| match self.service_repo {
                    Some(own) => own == repo,
                    None => repo.rsplit('/').next() == Some(self.service),
                })
            })
            .copied()
            .collect();
        if !built.is_empty() {
            return built;
        }
        those(&|pinned| {
            last(pinned)
                .split(|c: char| !c.is_alphanumeric())
                .collect::<Vec<_>>()
                .join("-")
                .split_once(&service)
                .is_some_and(|(before, after)| (before.is_empty() || before.ends_with('-')) && (after.is_empty() || after.starts_with('-')))
        })
    }

    fn by_pin(&mut self, pinned: &Pinned) -> Option<(&'static str, Found)> {
        if let Some(found) = pinned.digest.and_then(|digest| self.by_digest(digest)) {
            return Some(("manifest_digest", found));
        }
        let tag = pinned.tag?;
        let built = if pinned.image.starts_with('.') {
            self.by_own_version(tag)
        } else {
            self.by_version(tag, &|artifact| same_image(artifact.name.as_deref(), pinned.image))
        };
        built.or_else(|| self.by_tag(tag)).map(|found| ("manifest_tag", found))
    }

    fn by_digest(&self, digest: &str) -> Option<Found> {
        let artifact = self.sources.artifacts.get(digest)?;
        Some(Found { repo: artifact.repo.clone(), sha: artifact.source_sha.clone()?, confidence: Confidence::Exact })
    }

    /// The commit of the artifacts of this version, if they agree on one.
    fn by_version(&self, version: &str, is_it: &dyn Fn(&Artifact) -> bool) -> Option<Found> {
        let digests = self.sources.versions.get(version)?;
        let artifacts = digests.iter().filter_map(|digest| self.sources.artifacts.get(digest)).filter(|artifact| is_it(artifact));
        let mut built = artifacts.filter_map(|artifact| Some((artifact.source_sha.as_ref()?, &artifact.repo)));
        let (sha, repo) = built.next()?;
        built.all(|other| other == (sha, repo)).then(|| Found { repo: repo.clone(), sha: sha.clone(), confidence: Confidence::Strong })
    }

    /// As `by_version`, of artifacts that are named like the service, else of those that are built from its repository.
    fn by_own_version(&self, version: &str) -> Option<Found> {
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
        let service = self.service.to_lowercase();
        let is_named = |artifact: &Artifact| artifact.name.as_deref().is_some_and(|name| last(name) == service);
        let is_built = |artifact: &Artifact| {
            artifact.repo.as_deref().is_some_and(|repo| self.service_repo.map_or_else(|| last(repo) == service, |own| own == repo))
        };
        let digests = self.sources.versions.get(version)?;
        let has_named = digests.iter().filter_map(|digest| self.sources.artifacts.get(digest)).any(is_named);
        if has_named { self.by_version(version, &is_named) } else { self.by_version(version, &is_built) }
    }

    /// The commit whose id a tag abbreviates with 7 hex digits or more (`1.4.0-3fa9c21`, `3fa9c21b7d02`).
    fn by_tag(&mut self, tag: &str) -> Option<Found> {
        let parts = tag.split(|c: char| !c.is_ascii_alphanumeric());
        let prefixes = parts.map(|part| part.strip_prefix('g').filter(|hex| is_hex(hex)).unwrap_or(part)).filter(|part| is_hex(part));
        for prefix in prefixes {
            match self.by_prefix(&prefix.to_ascii_lowercase()) {
                Ok(Some((repo, sha))) => return Some(Found { repo: Some(repo), sha, confidence: Confidence::Convention }),
                Ok(None) => {}
                Err(Several) => return None,
            }
        }
        None
    }

    /// A commit of the service's own repository, else of any that is not a configuration.
    fn by_prefix(&mut self, prefix: &str) -> Result<Option<(String, String)>, Several> {
        if let Some(repo) = self.service_repo.and_then(|name| self.sources.repos.get(name)) {
            match repo.resolve_prefix(prefix) {
                PrefixMatch::One(sha) => return Ok(Some((repo.name.clone(), sha.to_owned()))),
                PrefixMatch::Several => return Err(Several),
                PrefixMatch::None => {}
            }
        }
        self.link.searched.push(prefix.to_owned());
        let mut found = None;
        for repo in self.sources.repos.values().filter(|repo| !self.sources.configured.contains(&repo.name)) {
            match (repo.resolve_prefix(prefix), &found) {
                (PrefixMatch::None, _) => {}
                (PrefixMatch::One(sha), None) => found = Some((repo.name.clone(), sha.to_owned())),
                _ => return Err(Several),
            }
        }
        Ok(found)
    }

    /// The source commit that the message of a commit of the configuration names.
    fn by_trailer(&mut self, config: &Repo, commit: Node) -> Option<(&'static str, Found)> {
        let mut found: Option<(String, String)> = None;
        for (repo, sha) in trailers(config.message(commit)?) {
            let Some(named) = self.named_commit(repo, &sha) else { continue };
            match &found {
                Some(known) if *known != named => return None,
                _ => found = Some(named),
            }
        }
        let (repo, sha) = found?;
        Some(("commit_trailer", Found { repo: Some(repo), sha, confidence: Confidence::Strong }))
    }

    /// A commit that a trailer names, if it is this service's: one commit may bring several services.
    fn named_commit(&mut self, repo: Option<&str>, sha: &str) -> Option<(String, String)> {
        self.link.searched.push(sha.to_owned());
        let is_own = |name: &str| self.service_repo.map_or_else(|| name.rsplit('/').next() == Some(self.service), |own| own == name);
        let is_named = |name: &str| repo.is_none_or(|repo| name == repo || name.ends_with(&format!("/{repo}")));
        let mut found = None;
        for candidate in self.sources.repos.values().filter(|candidate| is_own(&candidate.name) && is_named(&candidate.name)) {
            match (candidate.resolve_prefix(sha), &found) {
                (PrefixMatch::None, _) => {}
                (PrefixMatch::One(sha), None) => found = Some((candidate.name.clone(), sha.to_owned())),
                _ => return None,
            }
        }
        found
    }
}

/// More than one commit begins so.
struct Several;

fn is_hex(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Names of one image: registries are often left out.
fn same_image(artifact: Option<&str>, image: &str) -> bool {
    let Some(artifact) = artifact else { return false };
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    ends(artifact, image) || ends(image, artifact)
}

/// Whether the pins at a commit are known as far as this deployment goes: commits that nobody has read may stand before those that
/// were, if they touch other files only.
fn is_read(configuration: &Configuration, at: Node, row: &Deployment, service: &str) -> bool {
    let repo = &configuration.repo;
    let mut unread = configuration.line(at).take_while(|&node| !configuration.is_read(node));
    configuration.has_manifests()
        && unread.all(|node| repo.files(node).is_some_and(|files| !files.iter().any(|file| is_of(file, row, service))))
}

/// The commit that last changed the files of a deployment.
fn changed_by(configuration: &Configuration, at: Node, row: &Deployment, service: &str) -> Option<Node> {
    for node in configuration.line(at).take(LONGEST_SEARCH) {
        if configuration.repo.files(node)?.iter().any(|file| is_of(file, row, service)) {
            return Some(node);
        }
    }
    None
}

/// Whether a file of the configuration belongs to a deployment, as far as names tell.
fn is_of(file: &str, row: &Deployment, service: &str) -> bool {
    let is_tier = |path: &str| {
        let told: Vec<Tier> = path.split('/').map(tier_of).filter(|tier| *tier != Tier::Other).collect();
        told.is_empty() || told.contains(&tier_of(&row.environment))
    };
    match &row.config_paths {
        Some(paths) => paths.iter().any(|path| {
            if path.contains('*') {
                return glob_matches(path, file);
            }
            let rest = if matches!(path.as_str(), "" | ".") { Some(file) } else { file.strip_prefix(path.as_str()) };
            rest.is_some_and(|rest| rest.is_empty() || ((rest.starts_with('/') || rest == file) && is_tier(rest)))
        }),
        None => {
            let service = service.to_lowercase();
            is_tier(file) && file.to_lowercase().split(['/', '.']).any(|part| part == service || part.starts_with(&format!("{service}-")))
        }
    }
}

/// The commits that a message names as its source: `Source-Commit: 3fa9c21…`, `Source-Revision: shop/cart@3fa9c21…`, the address
/// of a commit, or `shop/cart@3fa9c21…` anywhere. A repository, if it is named, and the id or its beginning.
pub fn trailers(message: &str) -> Vec<(Option<&str>, String)> {
    let mut found = Vec::new();
    for line in message.lines() {
        let value = line.split_once(':').filter(|(key, _)| {
            let key = key.trim().to_lowercase();
            matches!(key.as_str(), "source-commit" | "source-revision" | "source-sha")
        });
        if let Some((_, value)) = value {
            found.extend(value.split([' ', ',', '\t']).filter_map(|word| commit_of(word, true)));
        } else {
            found.extend(line.split_whitespace().filter_map(|word| commit_of(word, false)));
        }
    }
    found
}

fn commit_of(word: &str, may_be_alone: bool) -> Option<(Option<&str>, String)> {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let id = |text: &str| is_hex(text).then(|| text.to_ascii_lowercase());
    if let Some((repo, sha)) = word.rsplit_once('@') {
        return id(sha).filter(|_| repo.contains('/')).map(|sha| (Some(repo), sha));
    }
    if let Some((_, address)) = word.split_once("://") {
        let (path, sha) = address.rsplit_once("/commit/")?;
        let path = path.trim_end_matches("/-");
        return id(sha).filter(|_| may_be_alone).map(|sha| (Some(path), sha));
    }
    id(word).filter(|_| may_be_alone).map(|sha| (None, sha))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_that_a_message_names() {
        let sha = "3fa9c21b7d02e4c18f6a5b9d7c3e1f2a4b5c6d7e";
        let told = |message: &str| -> Vec<(Option<String>, String)> {
            trailers(message).into_iter().map(|(repo, sha)| (repo.map(str::to_owned), sha)).collect()
        };
        let named = |repo: Option<&str>| vec![(repo.map(str::to_owned), sha.to_owned())];
        for (message, expected) in [
            (format!("Bump cart\n\nSource-Commit: {sha}"), named(None)),
            (format!("Bump cart\n\nsource-revision: shop/cart@{}", sha.to_uppercase()), named(Some("shop/cart"))),
            (format!("Bump to shop/cart@{sha}."), named(Some("shop/cart"))),
            (format!("Source-Commit: https://git.acme.io/shop/cart/-/commit/{sha}"), named(Some("git.acme.io/shop/cart"))),
            (format!("Source-Sha: https://github.com/shop/cart/commit/{sha}"), named(Some("github.com/shop/cart"))),
            (format!("Bump {sha}"), vec![]),
            (format!("This reverts commit {sha}."), vec![]),
            ("mail me@facade1".to_owned(), vec![]),
            ("Source-Commit: main".to_owned(), vec![]),
        ] {
            assert_eq!(told(&message), expected, "{message}");
        }
    }

    #[test]
    fn images_of_one_name() {
        for (artifact, image, same) in [
            ("r.acme.io/shop/cart", "r.acme.io/shop/cart", true),
            ("shop/cart", "r.acme.io/shop/cart", true),
            ("r.acme.io/shop/cart", "cart", true),
            ("r.acme.io/shop/cart", "art", false),
            ("other/cart", "shop/cart", false),
        ] {
            assert_eq!(same_image(Some(artifact), image), same, "{artifact} {image}");
        }
    }

    #[test]
    fn files_of_a_deployment() {
        let row = |paths: Option<&[&str]>| Deployment {
            environment: "prod".to_owned(),
            config_paths: paths.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect()),
            ..Deployment::default()
        };
        let chart = row(Some(&["charts/cart/values-prod.yaml", "charts/cart"]));
        for (file, of) in [
            ("charts/cart/values-prod.yaml", true),
            ("charts/cart/values.yaml", true),
            ("charts/cart/values-dev.yaml", false),
            ("charts/cart2/values.yaml", false),
        ] {
            assert_eq!(is_of(file, &chart, "cart"), of, "{file}");
        }
        for (file, of) in [
            ("apps/cart/overlays/prod/x.yaml", true),
            ("apps/cart/base/x.yaml", true),
            ("apps/cart/overlays/qa/x.yaml", false),
            ("apps/api/x.yaml", false),
        ] {
            assert_eq!(is_of(file, &row(None), "cart"), of, "{file}");
        }
    }
}
