//! Change sets by the previous deployment alone, as other tools take them (semantics, 2.2), and lead times of changes instead of commits.

use super::changes::{ChangeRow, Logical, charge};
use super::deployments::{Classified, Tip};
use super::graph::{Node, Reached, Repo};
use super::stages::Landing;
use crate::catalogue::glob_matches;
use crate::definitions::{ChangeSet, Definitions, LtLegs, LtStart};
use flowgauge_lake::model::Time;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a deployment brought, before it is known whether another one has it.
struct Range<'a> {
    logical: usize,
    repo: &'a Arc<Repo>,
    commits: Vec<Node>,
    link_rule: &'static str,
    /// Whoever started first has a commit that several brought.
    order: (Option<Time>, Option<Time>, &'a str),
}

/// The commits of each deployment of a stream that the previous deployment of its environment did not have.
pub(super) fn ranges(all: &[Classified], stream: &[Logical], paths: Option<&[String]>, definitions: &Definitions) -> Vec<ChangeRow> {
    let mut previous: HashMap<&str, &Classified> = HashMap::new();
    let (mut found, mut rows) = (Vec::new(), Vec::new());
    for (logical, group) in stream.iter().enumerate() {
        let deployment = &all[group.0[0]];
        let before = previous.insert(&deployment.row.environment, deployment);
        match range(deployment, before, definitions) {
            Ok((repo, commits, link_rule)) => {
                let started_at = deployment.row.started_at.or(deployment.finished_at());
                let order = (started_at, deployment.finished_at(), deployment.row.deployment_id.as_str());
                found.push(Range { logical, repo, commits, link_rule, order });
            }
            Err(reason) => rows.push(ChangeRow::left_out(logical, reason)),
        }
    }
    if definitions.change_set == ChangeSet::RangePrev {
        keep_first(&mut found);
    }
    for Range { logical, repo, commits, link_rule, .. } in &found {
        charge(*logical, repo, commits, &Reached::default(), paths, link_rule, definitions, &mut rows);
    }
    rows.sort_by_key(|row| row.logical);
    rows
}

type Brought<'a> = (&'a Arc<Repo>, Vec<Node>, &'static str);

/// What one deployment brought, or why that cannot be told.
fn range<'a>(deployment: &'a Classified, before: Option<&Classified>, definitions: &Definitions) -> Result<Brought<'a>, &'static str> {
    if let (ChangeSet::Push, Tip::Commit(repo, node)) = (definitions.change_set, &deployment.tip) {
        let pushed = repo.pushed(*node);
        if !pushed.is_empty() {
            return Ok((repo, pushed.into_iter().collect(), "push"));
        }
    }
    let Some(before) = before else { return Err("no_baseline") };
    match &deployment.tip {
        Tip::NoSourceLink => Err("no_source_link"),
        Tip::NoGraph(_) => Err("no_graph"),
        Tip::Listed(repo, nodes, _) => Ok((repo, nodes.clone(), "commit_shas")),
        Tip::Commit(repo, node) => {
            let brought = had_by(before, repo).brought_by(repo, *node);
            if brought.has_gap { Err("no_graph") } else { Ok((repo, brought.commits, "graph")) }
        }
    }
}

/// The history of a deployment, as far as it is of this repository.
fn had_by(deployment: &Classified, repo: &Repo) -> Reached {
    let mut had = Reached::default();
    match &deployment.tip {
        Tip::Commit(of, node) if of.name == repo.name => had.close(repo, *node),
        Tip::Listed(of, nodes, own) if of.name == repo.name => nodes.iter().chain(own).for_each(|&node| had.add(node)),
        Tip::NoGraph(Some((of, node))) if of.name == repo.name => had.add(*node),
        _ => {}
    }
    had
}

/// A commit that several deployments brought, as to two environments, is left with the one that started first.
fn keep_first(found: &mut [Range<'_>]) {
    let mut first: BTreeMap<(&str, Node), usize> = BTreeMap::new();
    for (place, range) in found.iter().enumerate() {
        for &node in &range.commits {
            let kept = first.entry((&range.repo.name, node)).or_insert(place);
            if range.order < found[*kept].order {
                *kept = place;
            }
        }
    }
    let keeps: Vec<Vec<Node>> = found
        .iter()
        .enumerate()
        .map(|(place, range)| range.commits.iter().copied().filter(|node| first[&(range.repo.name.as_str(), *node)] == place).collect())
        .collect();
    found.iter_mut().zip(keeps).for_each(|(range, commits)| range.commits = commits);
}

/// The changes that these commits landed, one row each.
pub(super) fn charge_changes(
    logical: usize,
    repo: &Arc<Repo>,
    commits: &[Node],
    paths: Option<&[String]>,
    definitions: &Definitions,
    rows: &mut Vec<ChangeRow>,
) {
    for &landing in commits {
        let Some(change) = repo.change_of(landing).filter(|change| change.merge == Some(landing)) else { continue };
        let own = || change.commits.iter().copied();
        // What a merge commit changes, its change's commits tell.
        let touched: Vec<&String> = own().chain([landing]).filter_map(|node| repo.files(node)).flatten().collect();
        let is_ours = paths.is_none_or(|paths| touched.iter().any(|file| paths.iter().any(|glob| glob_matches(glob, file))));
        let knows_files = paths.is_none() || own().chain([landing]).any(|node| repo.files(node).is_some());
        if knows_files && !is_ours {
            continue;
        }
        let started_at = match definitions.lt_start {
            LtStart::Author => own().filter_map(|node| repo.started_at(node)).min().or_else(|| repo.started_at(landing)),
            LtStart::PrReady => change.ready_at,
            LtStart::Merge => change.merged_at,
        };
        // Legs add up without a beginning too.
        let is_timeless = started_at.is_none() && definitions.lt_legs == LtLegs::Telescoping;
        rows.push(ChangeRow {
            logical,
            repo: Some(repo.name.clone()),
            sha: Some(repo.sha(landing).to_owned()),
            change_id: Some(change.change_id.clone()),
            started_at,
            excluded: if knows_files { is_timeless.then_some("no_commit_time") } else { Some("no_files") },
            link_rule: "change",
            landing: Landing::of(Some(change)),
        });
    }
}
