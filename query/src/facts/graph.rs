//! The commit graph of one repository, and the walk that tells which commits a deployment brings first.

use super::entity;
use super::tickets::tickets;
use crate::entities::Entities;
use flowgauge_lake::model::{Change, Commit, Push, Review, Table, Time};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A commit's place in `Repo::nodes`.
pub type Node = u32;

#[derive(Debug, Default)]
struct NodeData {
    sha: String,
    /// A row of `commits` speaks of it.
    known: bool,
    /// `None`: unknown.
    parents: Option<Vec<Node>>,
    /// Complete pushes that end here: the history is that of `before` and these commits.
    pushes: Vec<(Node, Vec<Node>)>,
    authored_at: Option<Time>,
    committed_at: Option<Time>,
    message: Option<String>,
    files: Option<Vec<String>>,
    change: Option<usize>,
}

/// A change with its commits, put together from its row and from the pushes to its branch.
#[derive(Debug)]
pub struct RepoChange {
    pub change_id: String,
    pub title: Option<String>,
    pub source_branch: Option<String>,
    pub opened_at: Option<Time>,
    /// When it was ready for review: opened, or no draft any more.
    pub ready_at: Option<Time>,
    pub first_review_at: Option<Time>,
    pub approved_at: Option<Time>,
    pub merged_at: Option<Time>,
    /// Lines added and deleted.
    pub size: Option<i64>,
    pub is_hotfix: bool,
    pub merge: Option<Node>,
    pub merge_method: Option<String>,
    pub commits: Vec<Node>,
}

impl RepoChange {
    /// The tickets that its title and its branch name.
    pub fn tickets(&self) -> Vec<String> {
        tickets(self.title.as_deref(), self.source_branch.as_deref(), Some(&self.change_id))
    }
}

/// The first review by somebody else who is no bot.
fn first_review(change: &Change, reviews: &[Review]) -> Option<Time> {
    let by_another = |review: &&Review| review.actor_is_bot != Some(true) && (review.actor.is_none() || review.actor != change.author);
    reviews.iter().filter(by_another).filter_map(|review| review.submitted_at).min()
}

/// The last approval before the merge.
fn last_approval(change: &Change, reviews: &[Review]) -> Option<Time> {
    let approvals = reviews.iter().filter(|review| review.state.as_deref() == Some("approved")).filter_map(|review| review.submitted_at);
    approvals.filter(|at| change.merged_at.is_none_or(|merged| *at <= merged)).max()
}

/// Commits, pushes and changes of one repository.
#[derive(Debug, Default)]
pub struct Repo {
    pub name: String,
    ids: HashMap<String, Node>,
    sorted: BTreeSet<String>,
    nodes: Vec<NodeData>,
    pub changes: Vec<RepoChange>,
    by_title: HashMap<String, Vec<usize>>,
}

impl Repo {
    pub fn build(name: &str, entities: &Entities) -> Repo {
        let mut repo = Repo { name: name.to_owned(), ..Repo::default() };
        for (_, stored) in entities.with_first(Table::Commit, name) {
            repo.add_commit(entity::<Commit>(stored.cells()));
        }
        let pushes: Vec<Push> = entities.with_first(Table::Push, name).map(|(_, stored)| entity::<Push>(stored.cells())).collect();
        for push in &pushes {
            repo.add_push(push);
        }
        let mut changes: Vec<Change> =
            entities.with_first(Table::Change, name).map(|(_, stored)| entity::<Change>(stored.cells())).collect();
        changes.sort_by(|a, b| (a.merged_at, &a.change_id).cmp(&(b.merged_at, &b.change_id)));
        let branches = repo.commits_by_branch(&pushes);
        let mut reviews: HashMap<String, Vec<Review>> = HashMap::new();
        for (_, stored) in entities.with_first(Table::Review, name) {
            let review = entity::<Review>(stored.cells());
            reviews.entry(review.change_id.clone()).or_default().push(review);
        }
        let mut merged_before: HashMap<String, Time> = HashMap::new();
        for change in changes {
            let reviews = reviews.remove(&change.change_id).unwrap_or_default();
            repo.add_change(change, &reviews, &branches, &mut merged_before);
        }
        repo
    }

    fn node(&mut self, sha: &str) -> Node {
        if let Some(&node) = self.ids.get(sha) {
            return node;
        }
        let node = Node::try_from(self.nodes.len()).expect("a repository has fewer than four billion commits");
        self.ids.insert(sha.to_owned(), node);
        self.nodes.push(NodeData { sha: sha.to_owned(), ..NodeData::default() });
        node
    }

    fn add_commit(&mut self, commit: Commit) {
        let node = self.node(&commit.sha) as usize;
        let parents = commit.parents.map(|parents| parents.iter().map(|sha| self.node(sha)).collect());
        self.sorted.insert(commit.sha);
        let data = &mut self.nodes[node];
        data.known = true;
        data.parents = parents;
        data.authored_at = commit.authored_at.or(commit.committed_at);
        data.committed_at = commit.committed_at;
        data.message = commit.message;
        data.files = commit.files;
    }

    /// A complete, unforced push says that the history of `after` is that of `before` and its commits.
    fn add_push(&mut self, push: &Push) {
        let (Some(before), Some(true)) = (&push.before, push.complete) else { return };
        if push.forced == Some(true) {
            return;
        }
        let (after, before) = (self.node(&push.after), self.node(before));
        let commits: Vec<Node> = push.commit_shas.iter().flatten().map(|sha| self.node(sha)).collect();
        self.nodes[after as usize].pushes.push((before, commits));
    }

    fn add_change(&mut self, change: Change, reviews: &[Review], branches: &BranchCommits, merged_before: &mut HashMap<String, Time>) {
        let commits = change.commit_shas.clone().unwrap_or_else(|| {
            let branch = change.source_branch.as_deref().unwrap_or_default();
            let after = merged_before.get(branch).copied().unwrap_or(Time::MIN);
            let until = change.merged_at.unwrap_or(Time::MAX);
            let pushed = branches.get(branch).into_iter().flatten();
            pushed.filter(|(at, _)| (*at > after || *at == Time::MIN) && *at <= until).flat_map(|(_, shas)| shas.iter().cloned()).collect()
        });
        if let (Some(branch), Some(merged)) = (&change.source_branch, change.merged_at) {
            merged_before.insert(branch.clone(), merged);
        }
        let is_hotfix = change.labels.iter().flatten().any(|label| label.eq_ignore_ascii_case("hotfix"))
            || change.source_branch.as_deref().is_some_and(|branch| branch.starts_with("hotfix/") || branch.starts_with("hotfix-"));
        let first_review_at = change.first_review_at.or_else(|| first_review(&change, reviews));
        let approved_at = change.approved_at.or_else(|| last_approval(&change, reviews));
        let index = self.changes.len();
        let merge = change.merge_sha.as_deref().map(|sha| self.node(sha));
        let mut seen = BTreeSet::new();
        let commits: Vec<Node> = commits.iter().map(|sha| self.node(sha)).filter(|node| seen.insert(*node)).collect();
        // Where a commit is in several changes, the one that landed it says more than one that only lists it.
        for &node in &commits {
            self.nodes[node as usize].change.get_or_insert(index);
        }
        if let Some(node) = merge {
            self.nodes[node as usize].change = Some(index);
        }
        if let Some(title) = &change.title {
            self.by_title.entry(title.clone()).or_default().push(index);
        }
        self.changes.push(RepoChange {
            change_id: change.change_id,
            title: change.title,
            source_branch: change.source_branch,
            opened_at: change.opened_at,
            ready_at: change.ready_at.or(change.opened_at),
            first_review_at,
            approved_at,
            merged_at: change.merged_at,
            size: change.additions.zip(change.deletions).map(|(added, deleted)| added + deleted),
            is_hotfix,
            merge,
            merge_method: change.merge_method,
            commits,
        });
    }

    /// The commits pushed to each branch, by the time of the push; where that is not said, by the latest of its commits.
    fn commits_by_branch(&self, pushes: &[Push]) -> BranchCommits {
        let mut branches: BranchCommits = BTreeMap::new();
        for push in pushes {
            let (Some(branch), Some(commits)) = (push.r#ref.strip_prefix("refs/heads/"), &push.commit_shas) else { continue };
            let latest = commits.iter().filter_map(|sha| self.started_at(self.find(sha)?)).max();
            branches.entry(branch.to_owned()).or_default().push((push.pushed_at.or(latest).unwrap_or(Time::MIN), commits.clone()));
        }
        for pushes in branches.values_mut() {
            pushes.sort();
        }
        branches
    }

    pub fn find(&self, sha: &str) -> Option<Node> {
        self.ids.get(sha).copied()
    }

    /// Whether a row of `commits` or a complete push tells of this commit.
    pub fn is_told(&self, node: Node) -> bool {
        let data = &self.nodes[node as usize];
        data.known || !data.pushes.is_empty()
    }

    /// Whether a row of `commits` tells the commit's parents.
    pub fn has_parents(&self, node: Node) -> bool {
        let data = &self.nodes[node as usize];
        data.known && data.parents.is_some()
    }

    pub fn has_commit(&self, sha: &str) -> bool {
        self.find(sha).is_some_and(|node| self.nodes[node as usize].known)
    }

    /// The only commit whose id begins with `prefix`.
    pub fn resolve_prefix(&self, prefix: &str) -> PrefixMatch<'_> {
        let mut matches = self.sorted.range(prefix.to_owned()..).take_while(|sha| sha.starts_with(prefix));
        match (matches.next(), matches.next()) {
            (Some(only), None) => PrefixMatch::One(only),
            (Some(_), Some(_)) => PrefixMatch::Several,
            _ => PrefixMatch::None,
        }
    }

    pub fn sha(&self, node: Node) -> &str {
        &self.nodes[node as usize].sha
    }

    pub fn started_at(&self, node: Node) -> Option<Time> {
        self.nodes[node as usize].authored_at
    }

    /// When the commit was made as it stands.
    pub fn landed_at(&self, node: Node) -> Option<Time> {
        let data = &self.nodes[node as usize];
        data.committed_at.or(data.authored_at)
    }

    /// The commits that rows of `commits` tell of.
    pub fn known(&self) -> impl Iterator<Item = Node> + '_ {
        (0..).zip(&self.nodes).filter(|(_, data)| data.known).map(|(node, _)| node)
    }

    /// Of each commit the first of its parents. Where they are unknown, complete pushes tell which commit came before.
    pub fn first_parents(&self) -> Vec<Option<Node>> {
        let mut first: Vec<Option<Node>> = self.nodes.iter().map(|data| data.parents.as_ref()?.first().copied()).collect();
        for (after, data) in (0..).zip(&self.nodes) {
            for (before, commits) in &data.pushes {
                let earlier = std::iter::once(before).chain(commits.iter().filter(|&&commit| commit != after));
                let later = commits.iter().filter(|&&commit| commit != after).chain(std::iter::once(&after));
                for (&earlier, &later) in earlier.zip(later) {
                    if self.nodes[later as usize].parents.is_none() && earlier != later {
                        first[later as usize].get_or_insert(earlier);
                    }
                }
            }
        }
        first
    }

    pub fn message(&self, node: Node) -> Option<&str> {
        self.nodes[node as usize].message.as_deref()
    }

    pub fn files(&self, node: Node) -> Option<&[String]> {
        self.nodes[node as usize].files.as_deref()
    }

    /// The commits of the pushes that end at this one; none where no push is known whole.
    pub fn pushed(&self, node: Node) -> BTreeSet<Node> {
        self.nodes[node as usize].pushes.iter().flat_map(|(_, commits)| commits.iter().copied()).collect()
    }

    pub fn change_of(&self, node: Node) -> Option<&RepoChange> {
        self.nodes[node as usize].change.map(|index| &self.changes[index])
    }

    /// Every change of the repository, in the order of their merges.
    pub fn changes(&self) -> &[RepoChange] {
        &self.changes
    }

    /// The tickets of the change that a commit came with, else those that the commit's own title names.
    pub fn tickets(&self, node: Node) -> Vec<String> {
        match self.change_of(node) {
            Some(change) => change.tickets(),
            None => tickets(self.message(node).and_then(|message| message.lines().next()), None, None),
        }
    }

    pub fn changes_titled(&self, title: &str) -> impl Iterator<Item = &RepoChange> {
        self.by_title.get(title).into_iter().flatten().map(|&index| &self.changes[index])
    }

    /// Whether the commit joins two lines of history. Where its parents are unknown, the change that it landed or git's own
    /// words for a merge tell.
    pub fn is_merge(&self, node: Node) -> bool {
        let data = &self.nodes[node as usize];
        if let Some(parents) = &data.parents {
            return parents.len() > 1;
        }
        let landed_by_merge = self.change_of(node).is_some_and(|change| {
            change.merge == Some(node) && change.merge_method.as_deref() == Some("merge") && !change.commits.contains(&node)
        });
        let says_so = data.message.as_deref().is_some_and(|message| {
            ["Merge branch '", "Merge pull request #", "Merge remote-tracking branch '", "Merge commit '", "Merge tag '"]
                .iter()
                .any(|words| message.starts_with(words))
        });
        landed_by_merge || says_so
    }

    /// The change whose own commits this landing commit stands for (semantics, 7.26): squashed, or of unknown method with at
    /// most one parent.
    pub fn squashed(&self, node: Node) -> Option<&RepoChange> {
        let change = self.change_of(node).filter(|change| change.merge == Some(node) && !change.commits.is_empty())?;
        match change.merge_method.as_deref() {
            Some("squash") => Some(change),
            None if !self.is_merge(node) => Some(change),
            _ => None,
        }
    }
}

pub enum PrefixMatch<'a> {
    None,
    One(&'a str),
    Several,
}

type BranchCommits = BTreeMap<String, Vec<(Time, Vec<String>)>>;

/// What has reached a place so far, deployment by deployment.
#[derive(Debug, Default, Clone)]
pub struct Reached {
    /// These commits and all their ancestors that are known.
    closed: Bits,
    /// Only these: of deployments whose history is unknown.
    single: BTreeSet<Node>,
    /// The originals behind squashed commits: in no history, but not to be charged again.
    originals: BTreeSet<Node>,
}

/// What a deployment brings that was not there before.
#[derive(Debug, Default)]
pub struct Brought {
    /// In no particular order of history; sorted by node.
    pub commits: Vec<Node>,
    /// Some of them have no row or unknown parents: the graph is open.
    pub has_gap: bool,
}

impl Reached {
    /// In the history of what was deployed.
    pub fn contains(&self, node: Node) -> bool {
        self.closed.contains(node) || self.single.contains(&node)
    }

    /// Deployed as a commit or within a squashed one.
    pub fn is_charged(&self, node: Node) -> bool {
        self.contains(node) || self.originals.contains(&node)
    }

    /// The commits of the history of `tip` that have not been reached (semantics, 1.2 and 7.25).
    pub fn brought_by(&self, repo: &Repo, tip: Node) -> Brought {
        let mut brought = Brought::default();
        let mut seen = BTreeSet::new();
        // A node reached through a complete push needs no parents of its own: the push tells the whole of its history.
        let mut stack = vec![(tip, false)];
        while let Some((node, told_by_push)) = stack.pop() {
            if self.closed.contains(node) || !seen.insert((node, told_by_push)) {
                continue;
            }
            let data = &repo.nodes[node as usize];
            let is_new = !self.single.contains(&node);
            match &data.parents {
                Some(parents) => stack.extend(parents.iter().map(|&parent| (parent, false))),
                None if !data.pushes.is_empty() => {
                    for (before, commits) in &data.pushes {
                        stack.push((*before, false));
                        stack.extend(commits.iter().filter(|&&commit| commit != node).map(|&commit| (commit, true)));
                    }
                }
                None if told_by_push && data.known => {}
                None => brought.has_gap |= is_new,
            }
            if is_new {
                brought.commits.push(node);
            }
        }
        brought.commits.sort_unstable();
        brought.commits.dedup();
        brought
    }

    /// As `add`, and where it is a squash, what it stands for is not charged again.
    pub fn add_landed(&mut self, repo: &Repo, node: Node) {
        self.add(node);
        if let Some(change) = repo.squashed(node) {
            self.originals.extend(change.commits.iter().copied());
        }
    }

    /// From now on the whole history of `tip` is here.
    pub fn close(&mut self, repo: &Repo, tip: Node) {
        let mut stack = vec![tip];
        while let Some(node) = stack.pop() {
            if !self.closed.insert(node) {
                continue;
            }
            let data = &repo.nodes[node as usize];
            if let Some(change) = repo.squashed(node) {
                self.originals.extend(change.commits.iter().copied());
            }
            stack.extend(data.parents.iter().flatten().copied());
            for (before, commits) in &data.pushes {
                stack.push(*before);
                stack.extend(commits.iter().copied());
            }
        }
    }

    pub fn add(&mut self, node: Node) {
        self.single.insert(node);
    }
}

#[derive(Debug, Default, Clone)]
struct Bits(Vec<u64>);

impl Bits {
    fn contains(&self, node: Node) -> bool {
        self.0.get(node as usize / 64).is_some_and(|word| word & (1 << (node % 64)) != 0)
    }

    /// Whether it was not there yet.
    fn insert(&mut self, node: Node) -> bool {
        let word = node as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (node % 64);
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}
