//! Change lead time (section 1.2, rules 23 to 28).

use std::collections::{BTreeMap, BTreeSet};

use crate::deployments::{Deployment, Group};
use crate::graph::{Graph, History, glob_matches};
use crate::time::{Time, seconds};

/// What the lead time says about one logical deployment.
pub struct Charged {
    pub group: Group,
    pub at: Time,
    /// One value for each commit that is counted.
    pub lead_seconds: Vec<f64>,
    /// The reasons of what is left out, once for each deployment or commit.
    pub excluded: Vec<&'static str>,
}

/// `groups` are the logical successful deployments (no no_op, no config_only) of the question. Each service, or each service and
/// environment where `split`, has a stream of its own (rule 23).
pub fn charge(all: &[Deployment], groups: &[Group], split: bool, graph: &Graph) -> Vec<Charged> {
    let mut streams: BTreeMap<(String, String), Vec<Group>> = BTreeMap::new();
    for g in groups {
        let first = &all[g[0]];
        let environment = if split { first.environment.clone() } else { String::new() };
        streams.entry((first.service.clone(), environment)).or_default().push(g.clone());
    }
    let mut charged = Vec::new();
    for mut stream in streams.into_values() {
        stream.sort_by_key(|g| (finish(all, g), all[g[0]].id.clone(), all[g[0]].source.clone()));
        charged.extend(charge_stream(all, &stream, graph));
    }
    charged
}

/// Rule 21: the logical deployment finishes with its last row.
pub fn finish(all: &[Deployment], group: &Group) -> Time {
    group.iter().map(|&i| all[i].finished_at).max().expect("a group has a row")
}

fn charge_stream(all: &[Deployment], stream: &[Group], graph: &Graph) -> Vec<Charged> {
    let mut contained: BTreeSet<String> = BTreeSet::new(); // earlier histories
    let mut known: BTreeSet<String> = BTreeSet::new(); // these, and what came through squash commits of them (rule 26)
    let mut charged = Vec::new();
    for (n, group) in stream.iter().enumerate() {
        let d = &all[group[0]];
        let at = finish(all, group);
        let (mut lead_seconds, mut excluded) = (Vec::new(), Vec::new());
        if n == 0 {
            excluded.push("no_baseline"); // rule 23: the first of the stream
        } else if group.iter().any(|&i| all[i].kind == "rollback") {
            // Rule 28: C = ∅.
        } else {
            match &d.history {
                History::NoSource => excluded.push("no_source_link"),
                History::Unknown { .. } => excluded.push("no_graph"),
                History::Listed { repo, commits, .. } | History::Walked { repo, commits } => {
                    let new: BTreeSet<String> = commits.difference(&contained).cloned().collect();
                    if new.iter().any(|s| graph.commit(repo, s).is_none_or(|c| c.parents.is_none())) {
                        excluded.push("no_graph"); // rule 25
                    } else {
                        (lead_seconds, excluded) = measure(repo, &new, &known, &d.service, at, graph);
                    }
                }
            }
        }
        let mine = d.history.contained();
        if let History::Listed { repo, .. } | History::Walked { repo, .. } = &d.history {
            known.extend(mine.iter().filter_map(|s| graph.originals(repo, s)).flatten().cloned());
        }
        known.extend(mine.iter().cloned());
        contained.extend(mine);
        charged.push(Charged { group: group.clone(), at, lead_seconds, excluded });
    }
    charged
}

/// The values of the new commits of one deployment, and the reasons of those without.
fn measure(
    repo: &str,
    new: &BTreeSet<String>,
    known: &BTreeSet<String>,
    service: &str,
    at: Time,
    graph: &Graph,
) -> (Vec<f64>, Vec<&'static str>) {
    let globs = graph.services.get(service).and_then(|s| s.path_globs.as_ref());
    let (mut values, mut excluded) = (Vec::new(), Vec::new());
    let mut commits: BTreeSet<&String> = BTreeSet::new();
    for sha in new {
        // Rule 27: the landing commit's files, before squash expansion.
        if let Some(globs) = globs {
            match graph.commit(repo, sha).and_then(|c| c.files.as_ref()) {
                None => {
                    excluded.push("no_files");
                    continue;
                }
                Some(files) if !files.iter().any(|f| globs.iter().any(|g| glob_matches(g, f))) => continue,
                Some(_) => {}
            }
        }
        // Rule 26: a squash commit is replaced by its originals.
        match graph.originals(repo, sha) {
            Some(originals) => commits.extend(originals),
            None => drop(commits.insert(sha)),
        }
    }
    for sha in commits {
        if known.contains(sha) {
            continue; // rule 26: contained by an earlier deployment, as commit or through a squash
        }
        let commit = graph.commit(repo, sha);
        if commit.is_some_and(|c| c.is_merge()) {
            excluded.push("merge_commit"); // rule 28: before times are looked at
            continue;
        }
        // Rule 26: authored_at, else committed_at.
        match commit.and_then(|c| c.authored_at.or(c.committed_at)) {
            None => excluded.push("no_commit_time"),
            Some(start) if start > at => excluded.push("clock_skew"), // rule 28: 0 is kept
            Some(start) => values.push(seconds(start, at)),
        }
    }
    (values, excluded)
}
