//! Change sets: which commits a stream of deployments first brought, and since when each was under way (semantics 1.2, 7.23–7.28).

use super::deployments::{Classified, Tip, same_version};
use super::graph::{Node, Reached, Repo};
use super::ranges::{charge_changes, ranges};
use super::stages::Landing;
use crate::catalogue::glob_matches;
use crate::definitions::{ChangeSet, Dedupe, Definitions, LtMerges, LtSquash, LtStart, LtUnit};
use flowgauge_lake::model::{DeploymentKind, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Several rows that are one deployment: the same version reaching several environments (semantics, 7.21).
/// Indices into the service's deployments, in finish order; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Logical(pub Vec<usize>);

/// Merges rows (indices in finish order) into logical deployments. The groups of a prefix are the prefixes of the groups,
/// so a question about an earlier moment sees what was seen then.
pub fn fan_out(all: &[Classified], rows: impl Iterator<Item = usize>, definitions: &Definitions) -> Vec<Logical> {
    if definitions.dedupe == Dedupe::DeploymentId {
        return rows.map(|i| Logical(vec![i])).collect();
    }
    let window = definitions.fanout_window;
    let mut groups: Vec<Logical> = Vec::new();
    for i in rows {
        // Groups stand in the order of their first rows: behind one that is too old are only older ones.
        let is_near = |group: &&mut Logical| all[i].finished_at() <= all[group.0[0]].finished_at().map(|at| at.plus_seconds(window));
        let joins = groups.iter_mut().rev().take_while(is_near).find(|group| {
            same_version(&all[group.0[0]].row, &all[i].row) && group.0.iter().all(|&j| all[j].row.environment != all[i].row.environment)
        });
        match joins {
            Some(group) => group.0.push(i),
            None => groups.push(Logical(vec![i])),
        }
    }
    groups
}

/// One commit that a deployment brought, or the reason why a deployment's commits cannot be told.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRow {
    /// The logical deployment, as an index into the stream.
    pub logical: usize,
    pub repo: Option<String>,
    pub sha: Option<String>,
    pub change_id: Option<String>,
    pub started_at: Option<Time>,
    pub excluded: Option<&'static str>,
    pub link_rule: &'static str,
    pub landing: Landing,
}

impl ChangeRow {
    /// A deployment whose commits cannot be told.
    pub(super) fn left_out(logical: usize, reason: &'static str) -> ChangeRow {
        ChangeRow {
            logical,
            repo: None,
            sha: None,
            change_id: None,
            started_at: None,
            excluded: Some(reason),
            link_rule: "none",
            landing: Landing::default(),
        }
    }
}

/// The commits of a stream of logical deployments, each charged to the first that contains it.
pub fn change_set(all: &[Classified], stream: &[Logical], paths: Option<&[String]>, definitions: &Definitions) -> Vec<ChangeRow> {
    if definitions.change_set != ChangeSet::Reachability {
        return ranges(all, stream, paths, definitions);
    }
    let mut reached: BTreeMap<String, Reached> = BTreeMap::new();
    let mut rows = Vec::new();
    for (logical, group) in stream.iter().enumerate() {
        let deployment = &all[group.0[0]];
        let mut leave_out = |reason| rows.push(ChangeRow::left_out(logical, reason));
        let told = group.0.iter().map(|&i| &all[i].tip).find(|tip| matches!(tip, Tip::Commit(..) | Tip::Listed(..)));
        let tip = told.unwrap_or(&deployment.tip);
        let brings_nothing = group.0.iter().any(|&i| all[i].kind == Some(DeploymentKind::Rollback));
        match tip {
            Tip::NoSourceLink if logical == 0 => leave_out("no_baseline"),
            Tip::NoSourceLink if brings_nothing => {}
            Tip::NoSourceLink => leave_out("no_source_link"),
            Tip::NoGraph(node) => {
                if logical == 0 {
                    leave_out("no_baseline");
                } else if !brings_nothing {
                    leave_out("no_graph");
                }
                if let Some((repo, node)) = node {
                    reached.entry(repo.name.clone()).or_default().add(*node);
                }
            }
            Tip::Commit(repo, node) => {
                let here = reached.entry(repo.name.clone()).or_default();
                if logical == 0 {
                    leave_out("no_baseline");
                } else if !brings_nothing {
                    let brought = here.brought_by(repo, *node);
                    if brought.has_gap {
                        leave_out("no_graph");
                    } else {
                        charge(logical, repo, &brought.commits, here, paths, "graph", definitions, &mut rows);
                    }
                }
                here.close(repo, *node);
            }
            Tip::Listed(repo, nodes, own) => {
                let here = reached.entry(repo.name.clone()).or_default();
                if logical == 0 {
                    leave_out("no_baseline");
                } else if !brings_nothing {
                    let fresh: Vec<Node> = nodes.iter().copied().filter(|&node| !here.contains(node)).collect();
                    if fresh.iter().any(|&node| !repo.has_parents(node)) {
                        leave_out("no_graph");
                    } else {
                        charge(logical, repo, &fresh, here, paths, "commit_shas", definitions, &mut rows);
                    }
                }
                nodes.iter().chain(own).for_each(|&node| here.add_landed(repo, node));
            }
        }
    }
    rows
}

#[expect(clippy::too_many_arguments, reason = "what a deployment brought, and by which rules")]
pub(super) fn charge(
    logical: usize,
    repo: &Arc<Repo>,
    commits: &[Node],
    here: &Reached,
    paths: Option<&[String]>,
    link_rule: &'static str,
    definitions: &Definitions,
    rows: &mut Vec<ChangeRow>,
) {
    if definitions.lt_unit != LtUnit::Commit {
        return charge_changes(logical, repo, commits, paths, definitions, rows);
    }
    let start = |node: Node, landing: Node| {
        let change = || repo.change_of(landing);
        match definitions.lt_start {
            LtStart::Author => repo.started_at(node),
            LtStart::PrReady => change().and_then(|change| change.ready_at),
            LtStart::Merge => change().and_then(|change| change.merged_at),
        }
    };
    let mut charged = BTreeSet::new();
    for &landing in commits {
        let row = |node: Node, excluded, link_rule| ChangeRow {
            logical,
            repo: Some(repo.name.clone()),
            sha: Some(repo.sha(node).to_owned()),
            change_id: repo.change_of(landing).map(|change| change.change_id.clone()),
            started_at: start(node, landing),
            excluded,
            link_rule,
            landing: Landing::of(repo.change_of(landing)),
        };
        if let Some(paths) = paths {
            match repo.files(landing) {
                None => {
                    rows.push(row(landing, Some("no_files"), link_rule));
                    continue;
                }
                Some(files) if !files.iter().any(|file| paths.iter().any(|glob| glob_matches(glob, file))) => continue,
                Some(_) => {}
            }
        }
        let without_time = |node: Node| start(node, landing).is_none().then_some("no_commit_time");
        if let Some(change) = repo.squashed(landing).filter(|_| definitions.lt_squash == LtSquash::Expand) {
            for &node in &change.commits {
                if !here.is_charged(node) && charged.insert(node) {
                    rows.push(row(node, without_time(node), "squash"));
                }
            }
        } else if !here.is_charged(landing) && charged.insert(landing) {
            let is_left_out = repo.is_merge(landing) && definitions.lt_merges == LtMerges::LeaveOut;
            let excluded = if is_left_out { Some("merge_commit") } else { without_time(landing) };
            rows.push(row(landing, excluded, link_rule));
        }
    }
}
