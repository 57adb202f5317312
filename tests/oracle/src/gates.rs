//! Gates: what was looked at before a deployment started, and before a change was merged (rules 60 and 65).

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::deployments::{Deployment, Group, resolve};
use crate::facts::{Facts, Folded};
use crate::graph::Change;
use crate::items::{Home, Item, What, ci_homes};
use crate::jobs::Runs;
use crate::lead_time::finish;
use crate::pipelines;
use crate::question::Question;
use crate::row::{Row, sha, source, text, time};
use crate::test_results::TestResult;
use crate::time::Time;

/// Something that speaks for or against a gate of a deployment.
struct Evidence {
    gate: String,
    /// What is judged by itself: each test of a suite.
    subject: String,
    finished_at: Time,
    /// Of several at one instant the last one stands.
    tie: (i64, String, String),
    passed: bool,
}

/// What a gate of a deployment says by its evidence.
#[derive(Clone, Copy)]
struct Gate {
    /// Some of it finished before the deployment started.
    present: bool,
    passed: bool,
}

/// gate_coverage: whether each required gate of a deployment is there. ungated_deployments: whether one of them is missing, late or failed.
/// `groups` are the logical deployments of D.
pub fn items(folded: &Folded, facts: &Facts, q: &Question, groups: &[Group]) -> Vec<(Group, What)> {
    let all = &facts.deployments;
    let gates: Vec<BTreeMap<String, Gate>> = groups
        .iter()
        .map(|g| {
            let mut evidence = scans(folded, &facts.runs, &all[g[0]]);
            evidence.extend(suites(facts, g));
            evidence.extend(approvals(folded, facts, g));
            evidence.retain(|e| e.finished_at <= q.as_of);
            judge(&evidence, start(&all[g[0]]))
        })
        .collect();
    let mut items = Vec::new();
    for (n, group) in groups.iter().enumerate() {
        let required = required(all, groups, &gates, n);
        let found: Vec<Option<&Gate>> = required.iter().map(|gate| gates[n].get(*gate)).collect();
        if required.is_empty() {
            items.push((group.clone(), What::Excluded("no_gate")));
        } else if q.metric == "gate_coverage" {
            items.extend(found.iter().map(|gate| (group.clone(), What::Outcome(gate.is_some_and(|g| g.present)))));
        } else {
            let is_open = found.iter().any(|gate| !gate.is_some_and(|g| g.present && g.passed));
            items.push((group.clone(), What::Outcome(is_open)));
        }
    }
    items
}

/// A logical deployment stands for its first row.
fn start(d: &Deployment) -> Time {
    d.started_at.unwrap_or(d.finished_at)
}

/// The gates that were there for another deployment of the service in the 90 days before.
fn required<'a>(all: &[Deployment], groups: &[Group], gates: &'a [BTreeMap<String, Gate>], n: usize) -> BTreeSet<&'a String> {
    let end = finish(all, &groups[n]);
    let is_before = |g: &Group| {
        let before = finish(all, g);
        all[g[0]].service == all[groups[n][0]].service && before < end && before >= end - TimeDelta::days(90)
    };
    let others = groups.iter().zip(gates).filter(|(g, _)| is_before(g));
    others.flat_map(|(_, gates)| gates).filter(|(_, gate)| gate.present).map(|(name, _)| name).collect()
}

fn judge(evidence: &[Evidence], start: Time) -> BTreeMap<String, Gate> {
    let mut gates: BTreeMap<String, Gate> = BTreeMap::new();
    let mut last: BTreeMap<(&String, &String), &Evidence> = BTreeMap::new();
    for e in evidence {
        gates.entry(e.gate.clone()).or_insert(Gate { present: false, passed: true });
        if e.finished_at > start {
            continue; // too late
        }
        let known = last.entry((&e.gate, &e.subject)).or_insert(e);
        if (e.finished_at, &e.tie) > (known.finished_at, &known.tie) {
            *known = e;
        }
    }
    for ((name, _), e) in last {
        let gate = gates.entry(name.clone()).or_insert(Gate { present: false, passed: true });
        *gate = Gate { present: true, passed: gate.passed && e.passed };
    }
    gates
}

/// The same digest where both have one, else the same commit.
fn is_of(d: &Deployment, digest: Option<&String>, sha: Option<&String>) -> bool {
    match (&d.digest, digest) {
        (Some(a), Some(b)) => a == b,
        _ => d.sha.is_some() && d.sha.as_ref() == sha,
    }
}

fn scans(folded: &Folded, runs: &Runs, d: &Deployment) -> Vec<Evidence> {
    let evidence = |row: &Row| {
        let run = text(row, "run_id").and_then(|id| runs.named(&source(row), &id));
        let sha = sha(row, "sha").or_else(|| run.and_then(|run| run.sha.clone()));
        let finished_at = time(row, "finished_at")?;
        is_of(d, text(row, "digest").as_ref(), sha.as_ref()).then(|| Evidence {
            gate: format!("scan:{}", text(row, "kind").unwrap_or_default()),
            subject: String::new(),
            finished_at,
            tie: (0, text(row, "scan_id").unwrap_or_default(), source(row)),
            passed: text(row, "gate").as_deref() != Some("failed"),
        })
    };
    folded.rows("scans").iter().filter_map(evidence).collect()
}

fn suites(facts: &Facts, group: &Group) -> Vec<Evidence> {
    let all = &facts.deployments;
    let evidence = |r: &TestResult| {
        // What a deployment brought about itself is no gate of it.
        if r.bound.is_some_and(|i| group.contains(&i)) {
            return None;
        }
        let bound = r.bound.map(|i| &all[i]);
        let sha = r.sha.as_ref().or_else(|| bound.and_then(|b| b.sha.as_ref()));
        let (passed, finished_at) = (r.good?, r.finished_at?);
        is_of(&all[group[0]], bound.and_then(|b| b.digest.as_ref()), sha).then(|| Evidence {
            gate: format!("test:{}", r.suite.clone().unwrap_or_default()),
            subject: r.test_id.clone(),
            finished_at,
            tie: (r.attempt, String::new(), String::new()),
            passed,
        })
    };
    facts.tests.iter().filter_map(evidence).collect()
}

fn approvals(folded: &Folded, facts: &Facts, group: &Group) -> Vec<Evidence> {
    let evidence = |row: &Row| {
        let finished_at = time(row, "decided_at")?;
        let kind = text(row, "kind").unwrap_or_default();
        let is_its = match text(row, "deployment_id") {
            Some(id) => resolve(&facts.deployments, &source(row), &id).is_some_and(|i| group.contains(&i)),
            None => match kind.as_str() {
                "change" => approves_change(row, &facts.deployments[group[0]], folded),
                _ => approves_place(row, &kind, facts, group),
            },
        };
        is_its.then(|| Evidence {
            gate: format!("approval:{kind}"),
            subject: String::new(),
            finished_at,
            tie: (0, text(row, "approval_id").unwrap_or_default(), source(row)),
            passed: text(row, "decision").as_deref() == Some("approved"),
        })
    };
    folded.rows("approvals").iter().filter_map(evidence).collect()
}

/// Of a service's environment, where a version matters only if it is named; or of the release of a version, where the environment does.
fn approves_place(row: &Row, kind: &str, facts: &Facts, group: &Group) -> bool {
    let d = &facts.deployments[group[0]];
    let (environment, version) = (text(row, "environment"), text(row, "version"));
    let there = |e: &String| group.iter().any(|&i| facts.deployments[i].environment == *e);
    let same_version = version.is_some() && version == d.version;
    text(row, "service").as_ref() == Some(&d.service)
        && match kind {
            "environment" => environment.as_ref().is_some_and(there) && (version.is_none() || same_version),
            "release" => environment.as_ref().is_none_or(there) && same_version,
            _ => false,
        }
}

/// Of a change that the deployment first brings.
fn approves_change(row: &Row, d: &Deployment, folded: &Folded) -> bool {
    let Some(id) = text(row, "change_id") else { return false };
    let is_it = |c: &&Change| c.change_id == id && Some(&c.repo) == d.repo.as_ref();
    folded.graph.changes.iter().filter(is_it).any(|c| c.commits().any(|sha| d.brought.contains(sha)))
}

/// Every change counts in the series of its repository, and of the services of it.
pub fn change_base(folded: &Folded) -> Vec<(Home, Option<Time>)> {
    folded.graph.changes.iter().flat_map(|c| change_homes(folded, c)).map(|home| (home, None)).collect()
}

fn change_homes(folded: &Folded, change: &Change) -> Vec<Home> {
    let mut homes = ci_homes(folded, &change.repo, "");
    for home in &mut homes {
        home.remove("pipeline"); // not a dimension of changes
    }
    homes
}

/// change_scan_coverage: merged changes, and whether source or dependencies were scanned before the merge.
pub fn change_items(folded: &Folded, q: &Question) -> Vec<Item> {
    let mut items = Vec::new();
    for change in &folded.graph.changes {
        let Some(merged) = change.merged_at.filter(|t| *t <= q.as_of) else { continue };
        let covered = folded.rows("scans").iter().any(|scan| covers(scan, change, merged, folded, q.as_of));
        items.push(Item { homes: change_homes(folded, change), at: merged, what: What::Outcome(covered) });
    }
    items
}

fn covers(scan: &Row, change: &Change, merged: Time, folded: &Folded, as_of: Time) -> bool {
    let is_kind = ["sast", "sca"].contains(&text(scan, "kind").unwrap_or_default().as_str());
    if !is_kind || time(scan, "finished_at").is_none_or(|t| t > merged) {
        return false;
    }
    let repo = text(scan, "repo");
    let here = repo.as_ref() == Some(&change.repo);
    let is_change = |id: Option<String>| id.as_ref() == Some(&change.change_id);
    let is_commit = |sha: Option<String>| sha.is_some_and(|sha| change.commits().any(|c| *c == sha));
    let run_id = text(scan, "run_id");
    let of_run = |run: &Row| {
        text(run, "run_id") == run_id
            && source(run) == source(scan)
            && pipelines::exists(run, as_of)
            && text(run, "repo").as_ref() == Some(&change.repo)
            && (is_change(text(run, "change_id")) || is_commit(sha(run, "sha")))
    };
    (here && is_change(text(scan, "change_id")))
        || ((here || repo.is_none()) && is_commit(sha(scan, "sha")))
        || (run_id.is_some() && folded.rows("pipeline_runs").iter().any(of_run))
}
