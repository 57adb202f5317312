//! What each deployment was: evidence put together, versions compared, kinds derived (semantics 0.1 and 7.14–7.22).

use super::configuration::Configuration;
use super::graph::{Node, PrefixMatch, Reached, Repo, RepoChange};
use super::lineage::{self, Link};
use crate::catalogue::Catalogue;
use crate::definitions::{CfrDen, Dedupe, Definitions, DfKinds};
use flowgauge_lake::model::{Artifact, Deployment, DeploymentKind, Evidence, Outcome, Source, Tier, Time};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Repositories and artifacts, to find what a deployment was built from.
#[derive(Debug, Default)]
pub struct Sources {
    pub repos: BTreeMap<String, Arc<Repo>>,
    pub artifacts: HashMap<String, Artifact>,
    /// The digests of the artifacts of each version.
    pub versions: HashMap<String, Vec<String>>,
    /// Every repository as a configuration.
    pub configurations: BTreeMap<String, Arc<Configuration>>,
    /// Repositories that hold no source, as the owner says.
    pub configured: BTreeSet<String>,
}

impl Sources {
    pub fn take_artifacts(&mut self, artifacts: impl Iterator<Item = Artifact>) {
        self.artifacts = artifacts.map(|artifact| (artifact.digest.clone(), artifact)).collect();
        self.versions.clear();
        for artifact in self.artifacts.values() {
            if let Some(version) = &artifact.version {
                self.versions.entry(version.clone()).or_default().push(artifact.digest.clone());
            }
        }
    }
}

/// Where a deployment's commits are.
#[derive(Clone, Debug)]
pub enum Tip {
    /// A commit of the graph.
    Commit(Arc<Repo>, Node),
    /// The graph does not know the commit, but the deployment lists its commits.
    /// Its own commit is part of what has been reached, but not of the list.
    Listed(Arc<Repo>, Vec<Node>, Option<Node>),
    /// The commit is named, its history is not known.
    NoGraph(Option<(Arc<Repo>, Node)>),
    /// Nothing leads to a commit.
    NoSourceLink,
}

impl Tip {
    /// The repository that it leads to.
    pub fn repo(&self) -> Option<&Arc<Repo>> {
        match self {
            Tip::Commit(repo, _) | Tip::Listed(repo, _, _) | Tip::NoGraph(Some((repo, _))) => Some(repo),
            Tip::NoGraph(None) | Tip::NoSourceLink => None,
        }
    }
}

/// One deployment of one service, classified.
#[derive(Clone, Debug)]
pub struct Classified {
    pub row: Deployment,
    pub source: Source,
    pub service: String,
    pub tier: Tier,
    pub took_effect: bool,
    pub kind: Option<DeploymentKind>,
    pub kind_reason: &'static str,
    /// What somebody said it was: wins over everything.
    said_kind: Option<DeploymentKind>,
    pub tip: Tip,
    /// The commit it was built from, by its own word or its artifact's.
    pub source_sha: Option<String>,
    /// When what it deploys was published.
    pub published_at: Option<Time>,
    /// When the commit of the configuration was made that asked for it.
    pub configured_at: Option<Time>,
    /// How its commit was found.
    pub link: Link,
    /// Commits that it first brought to its environment (not in the history of an earlier success there).
    pub brought: Vec<Node>,
    /// The deployment whose version it replaced, as an index into the service's deployments.
    pub previous: Option<usize>,
    /// The commits that it reverts, as it says.
    pub reverts: Vec<Node>,
    /// Other evidence of the same deployment.
    pub duplicates: Vec<Duplicate>,
}

/// A row that tells of a deployment which better evidence tells of as well.
#[derive(Clone, Debug)]
pub struct Duplicate {
    pub deployment_id: String,
    pub source: Source,
    pub environment: String,
    pub tier: Tier,
    pub first_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub version: Option<String>,
    pub outcome: Option<Outcome>,
    pub evidence: Option<Evidence>,
}

/// Reasons of a kind that others ask about.
pub const SAID: &str = "said by a person";
pub const GIVEN: &str = "given by the source";
pub const ROLLED_FORWARD: &str = "version rolled forward again";

impl Classified {
    /// A row whose kind is not derived yet.
    pub(super) fn unclassified(row: Deployment, source: Source, service: &str, tier: Tier, took_effect: bool, tip: Tip) -> Self {
        Classified {
            row,
            source,
            service: service.to_owned(),
            tier,
            took_effect,
            kind: None,
            kind_reason: "",
            said_kind: None,
            tip,
            link: Link::default(),
            source_sha: None,
            published_at: None,
            configured_at: None,
            brought: Vec::new(),
            previous: None,
            reverts: Vec::new(),
            duplicates: Vec::new(),
        }
    }

    pub fn finished_at(&self) -> Option<Time> {
        self.row.finished_at
    }

    /// The order of everything: finish, then id by bytes, then source.
    pub fn order(&self) -> (Option<Time>, &str, &Source) {
        (self.row.finished_at, &self.row.deployment_id, &self.source)
    }

    pub fn is_success(&self) -> bool {
        self.row.outcome == Some(Outcome::Success) && self.row.finished_at.is_some()
    }

    /// A success of a kind that counts.
    pub fn is_counted(&self, definitions: &Definitions) -> bool {
        match definitions.df_kinds {
            DfKinds::Changes => self.is_release(),
            DfKinds::All => self.is_success(),
        }
    }

    /// Can have failed: what failures are measured against.
    pub fn is_at_risk(&self, definitions: &Definitions) -> bool {
        let is_kind = definitions.df_kinds == DfKinds::All || self.kind != Some(DeploymentKind::NoOp);
        let is_there = match definitions.cfr_den {
            CfrDen::MinusRollbacks => self.took_effect && self.kind != Some(DeploymentKind::Rollback),
            CfrDen::All => self.took_effect,
            CfrDen::Success => self.is_success(),
        };
        is_kind && is_there
    }

    /// Part of a change stream: a success that is neither no_op nor config_only.
    pub fn is_release(&self) -> bool {
        self.is_success() && !matches!(self.kind, Some(DeploymentKind::NoOp | DeploymentKind::ConfigOnly))
    }
}

/// Where the commits of a deployment are, how that was found, and the one that it was built from.
fn link(row: &mut Deployment, service: &str, sources: &Sources, catalogue: &Catalogue) -> (Tip, Link, Option<String>) {
    let service_repo = catalogue.get(service).and_then(|entry| entry.repo.as_deref());
    let (link, found) = lineage::trace(row, service, service_repo, sources);
    let Some((repo, sha)) = found else { return (Tip::NoSourceLink, link, None) };
    let repo = repo.or_else(|| {
        let mut having = sources.repos.values().filter(|repo| repo.has_commit(&sha));
        having.next().filter(|_| having.next().is_none()).map(|repo| repo.name.clone())
    });
    let Some(repo) = repo.and_then(|name| sources.repos.get(&name)) else { return (Tip::NoGraph(None), link, Some(sha)) };
    let tip = match (repo.find(&sha), &row.commit_shas) {
        (Some(node), _) if repo.is_told(node) => Tip::Commit(repo.clone(), node),
        (node, Some(listed)) if !listed.is_empty() => {
            Tip::Listed(repo.clone(), listed.iter().filter_map(|sha| repo.find(sha)).collect(), node)
        }
        (node, _) => Tip::NoGraph(node.map(|node| (repo.clone(), node))),
    };
    (tip, link, Some(sha))
}

/// The commit of the configuration that a deployment brought to the cluster; where the repository is not named, the only one that has it.
pub fn config_commit<'a>(row: &Deployment, repos: &'a BTreeMap<String, Arc<Repo>>) -> Option<(&'a Arc<Repo>, Node)> {
    let sha = row.config_sha.as_deref()?;
    let repo = match &row.config_repo {
        Some(name) => repos.get(name).filter(|repo| repo.has_commit(sha))?,
        None => only(repos.values().filter(|repo| repo.has_commit(sha)))?,
    };
    repo.find(sha).map(|node| (repo, node))
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// Environments that differ only as `prod` and `production` do are one where evidence is put together.
pub fn environment_key(name: &str) -> String {
    let lower = name.to_lowercase();
    let short = |part: &str| match part {
        "production" => "prod".to_owned(),
        "development" => "dev".to_owned(),
        "testing" => "test".to_owned(),
        "stage" => "staging".to_owned(),
        part => part.to_owned(),
    };
    lower.split(|c: char| !c.is_alphanumeric()).map(short).collect::<Vec<_>>().join("-")
}

/// The same version: by digest, where one has none by sha, where one has none by version (semantics, 7.15).
pub fn same_version(a: &Deployment, b: &Deployment) -> bool {
    if let (Some(a), Some(b)) = (&a.digest, &b.digest) {
        return a == b;
    }
    if let (Some(a), Some(b)) = (&a.sha, &b.sha) {
        return a == b;
    }
    matches!((&a.version, &b.version), (Some(a), Some(b)) if a == b)
}

/// All deployments of one service in order, put together and classified.
pub fn classify(
    service: &str,
    rows: Vec<(Source, Deployment)>,
    tier: &dyn Fn(&str) -> Tier,
    sources: &Sources,
    catalogue: &Catalogue,
    said_kind: &dyn Fn(&Source, &str) -> Option<DeploymentKind>,
    definitions: &Definitions,
) -> Vec<Classified> {
    let mut all: Vec<Classified> = rows
        .into_iter()
        .map(|(source, mut row)| {
            let (tip, link, source_sha) = link(&mut row, service, sources, catalogue);
            // Ended is what has an end and an outcome; a finish without one is still on its way.
            if !row.outcome.is_some_and(Outcome::is_ended) {
                row.finished_at = None;
            }
            let took_effect = row.finished_at.is_some() && (row.outcome == Some(Outcome::Success) || row.took_effect == Some(true));
            let artifact = row.digest.as_ref().and_then(|digest| sources.artifacts.get(digest));
            let published_at = artifact.and_then(|artifact| artifact.published_at);
            let configured_at = config_commit(&row, &sources.repos).and_then(|(repo, node)| repo.landed_at(node));
            let (tier, said_kind) = (tier(&row.environment), said_kind(&source, &row.deployment_id));
            let plain = Classified::unclassified(row, source, service, tier, took_effect, tip);
            Classified { said_kind, link, source_sha, published_at, configured_at, ..plain }
        })
        .collect();
    all.sort_by(|a, b| a.order().cmp(&b.order()));
    let mut all = merge_evidence(all, definitions);
    let mut environments: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, deployment) in all.iter().enumerate().filter(|(_, deployment)| deployment.finished_at().is_some()) {
        environments.entry(deployment.row.environment.clone()).or_default().push(i);
    }
    for indices in environments.values() {
        bring(&mut all, indices);
        derive_kinds(&mut all, indices);
    }
    all
}

/// Rows of one environment whose evidence differs and that link to the same commit or artifact within the window are one
/// deployment, told by the best evidence (semantics, 7.22). What is one with a third is one with each other.
fn merge_evidence(all: Vec<Classified>, definitions: &Definitions) -> Vec<Classified> {
    if definitions.dedupe == Dedupe::DeploymentId {
        return all;
    }
    let mut group: Vec<usize> = (0..all.len()).collect();
    let told = |i: usize| all[i].row.evidence.zip(all[i].finished_at());
    let linked = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    for i in 0..all.len() {
        let Some((evidence, finished)) = told(i) else { continue };
        let near =
            (0..i).rev().take_while(|&j| all[j].finished_at().is_none_or(|at| at.plus_seconds(definitions.dedupe_window) >= finished));
        for j in near.collect::<Vec<_>>() {
            let Some((other, _)) = told(j) else { continue };
            let (a, b) = (&all[i].row, &all[j].row);
            let is_same = other != evidence
                && environment_key(&a.environment) == environment_key(&b.environment)
                && (linked(&a.sha, &b.sha) || linked(&a.digest, &b.digest));
            if is_same {
                let (from, to) = (group[i].max(group[j]), group[i].min(group[j]));
                group.iter_mut().filter(|root| **root == from).for_each(|root| *root = to);
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<Classified>> = BTreeMap::new();
    for (deployment, root) in all.into_iter().zip(group) {
        groups.entry(root).or_default().push(deployment);
    }
    let mut merged: Vec<Classified> = groups
        .into_values()
        .map(|mut group| {
            let best = (0..group.len()).min_by_key(|&i| group[i].row.evidence.unwrap_or(Evidence::Event)).unwrap_or(0);
            let mut told = group.remove(best);
            told.said_kind = told.said_kind.or_else(|| group.iter().find_map(|other| other.said_kind));
            told.duplicates = group
                .into_iter()
                .map(|other| {
                    told.link.depend_as(other.link);
                    Duplicate {
                        first_at: [other.row.created_at, other.row.started_at, other.row.finished_at].into_iter().flatten().min(),
                        finished_at: other.row.finished_at,
                        version: other.row.version,
                        outcome: other.row.outcome,
                        evidence: other.row.evidence,
                        deployment_id: other.row.deployment_id,
                        environment: other.row.environment,
                        source: other.source,
                        tier: other.tier,
                    }
                })
                .collect();
            told
        })
        .collect();
    merged.sort_by(|a, b| a.order().cmp(&b.order()));
    merged
}

/// Which commits each deployment of an environment first brought there: those not in the history of an earlier success.
fn bring(all: &mut [Classified], indices: &[usize]) {
    let mut reached: BTreeMap<String, Reached> = BTreeMap::new();
    for &i in indices {
        let deployment = &mut all[i];
        match &deployment.tip {
            Tip::Commit(repo, node) => {
                let here = reached.entry(repo.name.clone()).or_default();
                deployment.brought = here.brought_by(repo, *node).commits;
                deployment.reverts = reverted(repo, &deployment.brought, here);
                if deployment.is_success() {
                    here.close(repo, *node);
                }
            }
            Tip::Listed(repo, nodes, own) => {
                let here = reached.entry(repo.name.clone()).or_default();
                deployment.brought = nodes.iter().copied().filter(|&node| !here.contains(node)).collect();
                deployment.reverts = reverted(repo, &deployment.brought, here);
                if deployment.is_success() {
                    nodes.iter().chain(own).for_each(|&node| here.add(node));
                }
            }
            // Of an unknown history only its own commit is known.
            Tip::NoGraph(Some((repo, node))) => {
                let here = reached.entry(repo.name.clone()).or_default();
                if !here.contains(*node) {
                    deployment.brought = vec![*node];
                    deployment.reverts = reverted(repo, &deployment.brought, here);
                }
                if deployment.is_success() {
                    here.add(*node);
                }
            }
            _ => {}
        }
    }
}

/// The commits of earlier deployments that these commits say they revert (semantics, 7.20).
fn reverted(repo: &Repo, brought: &[Node], here: &Reached) -> Vec<Node> {
    let mut found = Vec::new();
    for message in brought.iter().filter_map(|&node| repo.message(node)) {
        for rest in message.split("This reverts commit ").skip(1) {
            let sha: String = rest.chars().take_while(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
            let node = match repo.find(&sha) {
                Some(node) => Some(node),
                None if sha.len() >= 7 => match repo.resolve_prefix(&sha) {
                    PrefixMatch::One(sha) => repo.find(sha),
                    _ => None,
                },
                None => None,
            };
            found.extend(node.filter(|&node| here.contains(node)));
        }
        if message.contains("This reverts commit ") {
            continue;
        }
        let title = message.lines().next().and_then(|line| Some(line.strip_prefix("Revert \"")?.rsplit_once('"')?.0));
        let commits =
            |change: &RepoChange| change.commits.iter().copied().chain(change.merge).filter(|&node| here.contains(node)).collect();
        // Titles come again: of several changes deployed there, the last that was merged is meant.
        let titled = title.into_iter().flat_map(|title| repo.changes_titled(title)).map(|change| (change, commits(change)));
        let last = titled
            .filter(|(_, commits): &(_, Vec<Node>)| !commits.is_empty())
            .max_by_key(|(change, _)| (change.merged_at, &change.change_id));
        found.extend(last.into_iter().flat_map(|(_, commits)| commits));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn derive_kinds(all: &mut [Classified], indices: &[usize]) {
    // The last deployment that took effect, and for every version that ever did, when it first did.
    let mut current: Option<usize> = None;
    let mut effective: Vec<usize> = Vec::new();
    for (place, &i) in indices.iter().enumerate() {
        let told = all[i].said_kind.map(|kind| (kind, SAID));
        let (kind, reason) = match (told.or(all[i].row.kind.map(|kind| (kind, GIVEN))), current) {
            (Some(told), _) => told,
            (None, None) if place == 0 => (DeploymentKind::Release, "first of its environment"),
            (None, None) => kind_by_commits(&all[i]),
            (None, Some(current)) => derive_kind(all, i, current, &effective),
        };
        all[i].kind = Some(kind);
        all[i].kind_reason = reason;
        all[i].previous = current;
        if all[i].took_effect {
            current = Some(i);
            effective.push(i);
        }
    }
}

fn derive_kind(all: &[Classified], i: usize, current: usize, effective: &[usize]) -> (DeploymentKind, &'static str) {
    let (deployment, running) = (&all[i], &all[current]);
    if same_version(&deployment.row, &running.row) {
        let reconfigured = matches!((&deployment.row.config_sha, &running.row.config_sha), (Some(a), Some(b)) if a != b);
        return if reconfigured {
            (DeploymentKind::ConfigOnly, "same version, other configuration")
        } else if running.is_success() {
            (DeploymentKind::NoOp, "same version as the one running")
        } else {
            (DeploymentKind::Release, "same version again after a failure")
        };
    }
    let first_effect = |row: &Deployment| effective.iter().copied().find(|&j| same_version(&all[j].row, row)).map(|j| all[j].order());
    if let Some(returning) = first_effect(&deployment.row) {
        return if first_effect(&running.row).is_some_and(|replaced| returning < replaced) {
            (DeploymentKind::Rollback, "version ran before the one it replaces")
        } else {
            (DeploymentKind::Release, ROLLED_FORWARD)
        };
    }
    kind_by_commits(deployment)
}

/// What the commits say that a deployment first brings to its environment (semantics, 7.19 and 7.20).
fn kind_by_commits(deployment: &Classified) -> (DeploymentKind, &'static str) {
    let repo = match &deployment.tip {
        Tip::Commit(repo, _) | Tip::Listed(repo, _, _) | Tip::NoGraph(Some((repo, _))) => repo,
        _ => return (DeploymentKind::Release, "another version"),
    };
    let brings_hotfix =
        deployment.brought.iter().any(|&node| !repo.is_merge(node) && repo.change_of(node).is_some_and(|change| change.is_hotfix));
    if brings_hotfix {
        (DeploymentKind::Hotfix, "brings a change labelled or branched as hotfix")
    } else if !deployment.reverts.is_empty() {
        (DeploymentKind::Revert, "brings a revert of a commit deployed there")
    } else {
        (DeploymentKind::Release, "another version")
    }
}
