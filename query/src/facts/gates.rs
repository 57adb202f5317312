//! Gates: what a deployment had to show before it started, and what there is to show for it (semantics, 7.60 and 7.65). A gate is
//! named `scan:<kind>`, `test:<suite>` or `approval:<kind>`.

use super::approvals::Approved;
use super::deployments::Classified;
use super::failures::Spot;
use super::graph::{Node, Repo};
use super::scans::Scanned;
use super::test_results::Tested;
use super::{Facts, ServiceFacts};
use flowgauge_lake::model::{self, ApprovalKind, Time};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A service shows for this long that it has a gate.
const SHOWN_SECONDS: i64 = 90 * 86_400;

#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    Scan(&'a Scanned),
    Test(&'a Tested),
    Approval(&'a Approved),
}

/// What there is of one gate for one deployment.
#[derive(Debug)]
pub struct Shown<'a> {
    /// When the first of it was there.
    pub first_at: Time,
    /// When the last of it was there before the deployment started.
    pub last_in_time: Option<Time>,
    /// What it came to by then; null where there was nothing yet.
    pub is_passed: Option<bool>,
    /// What decided: in time, else the first that came late.
    pub evidence: Vec<Evidence<'a>>,
}

/// A deployment and its gates.
pub struct Gated<'a> {
    pub start: Time,
    pub finish: Time,
    pub gates: BTreeMap<Arc<str>, Shown<'a>>,
}

/// Finds the evidence of deployments, as it was at a moment.
pub struct Gates<'a> {
    facts: &'a Facts,
    as_of: Time,
    names: HashMap<(&'static str, &'a str), Arc<str>>,
    /// By repository, the approvals of the changes that a commit is of.
    of_commit: HashMap<String, HashMap<Node, Vec<&'a Approved>>>,
}

type Found<'a> = (Time, Evidence<'a>);

impl<'a> Gates<'a> {
    pub fn new(facts: &'a Facts, as_of: Time) -> Self {
        Gates { facts, as_of, names: HashMap::new(), of_commit: HashMap::new() }
    }

    /// The gates of a logical deployment, told by its first row. `rows`: indices into the service's deployments, in finish order.
    pub fn of(&mut self, service: &str, of: &'a ServiceFacts, rows: &[usize]) -> Option<Gated<'a>> {
        let first = &of.deployments[*rows.first()?];
        let finish = of.deployments[*rows.last()?].finished_at()?;
        let start = first.row.started_at.or(first.finished_at())?;
        let mut found: BTreeMap<(&'static str, &'a str), Vec<Found<'a>>> = BTreeMap::new();
        self.scans(first, &mut found);
        self.tests(service, first, rows, &mut found);
        self.approvals(service, of, rows, &mut found);
        let mut gates = BTreeMap::new();
        for (gate, mut evidence) in found {
            evidence.retain(|(at, _)| *at <= self.as_of);
            if let Some(shown) = shown(evidence, start) {
                let name = self.names.entry(gate).or_insert_with(|| format!("{}:{}", gate.0, gate.1).into());
                gates.insert(name.clone(), shown);
            }
        }
        Some(Gated { start, finish, gates })
    }

    fn scans(&self, first: &'a Classified, found: &mut BTreeMap<(&'static str, &'a str), Vec<Found<'a>>>) {
        for scanned in self.facts.scans.of_version(first.row.digest.as_deref(), first.source_sha.as_deref()) {
            let Some(at) = scanned.scan.finished_at else { continue };
            found.entry(("scan", scanned.scan.kind.as_str())).or_default().push((at, Evidence::Scan(scanned)));
        }
    }

    fn tests(&self, service: &str, first: &'a Classified, rows: &[usize], found: &mut BTreeMap<(&'static str, &'a str), Vec<Found<'a>>>) {
        let mut add = |test: &'a Tested| {
            if let Some(at) = test.finished_at().filter(|_| test.is_verdict()) {
                found.entry(("test", test.result.suite.as_deref().unwrap_or_default())).or_default().push((at, Evidence::Test(test)));
            }
        };
        let (digest, sha) = (first.row.digest.as_deref(), first.source_sha.as_deref());
        if let Some(sha) = sha {
            self.facts.tests.of_commit(sha).for_each(&mut add);
        }
        for check in self.facts.checks.of_version(digest, sha) {
            let bound = check.bound(self.facts, self.as_of);
            if bound.is_some_and(|(spot, _)| spot.service == service && rows.contains(&spot.index)) {
                continue;
            }
            let bound = bound.map(|(_, deployment)| deployment);
            let own_digest = bound.and_then(|deployment| deployment.row.digest.as_deref());
            let own_sha = check.test.result.sha.as_deref().or_else(|| bound?.source_sha.as_deref());
            let is_of_version = match own_digest.zip(digest) {
                Some((own, wanted)) => own == wanted,
                None => own_sha.is_some() && own_sha == sha,
            };
            if is_of_version {
                add(&check.test);
            }
        }
    }

    fn approvals(
        &mut self,
        service: &str,
        of: &'a ServiceFacts,
        rows: &[usize],
        found: &mut BTreeMap<(&'static str, &'a str), Vec<Found<'a>>>,
    ) {
        let facts = self.facts;
        let mut add = |approved: &'a Approved| {
            if let Some(at) = approved.approval.decided_at {
                found.entry(("approval", approved.approval.kind.as_str())).or_default().push((at, Evidence::Approval(approved)));
            }
        };
        for &index in rows {
            facts.approvals.of_deployment(&Spot { service: service.to_owned(), index }).for_each(&mut add);
        }
        let first = &of.deployments[rows[0]];
        for approved in facts.approvals.of_service(service) {
            let approval = &approved.approval;
            let is_there = |name: &String| rows.iter().any(|&i| of.deployments[i].row.environment == *name);
            let is_its_version = approval.version.is_some() && approval.version == first.row.version;
            let is_its = match approval.kind {
                ApprovalKind::Environment => {
                    approval.environment.as_ref().is_some_and(is_there) && (approval.version.is_none() || is_its_version)
                }
                ApprovalKind::Release => approval.environment.as_ref().is_none_or(is_there) && is_its_version,
                ApprovalKind::Change => false,
            };
            if is_its {
                add(approved);
            }
        }
        if let Some(repo) = first.tip.repo() {
            let of_commit = self.of_commit.entry(repo.name.clone()).or_insert_with(|| approved_commits(repo, facts));
            let mut seen = HashSet::new();
            for approved in first.brought.iter().filter_map(|node| of_commit.get(node)).flatten() {
                if seen.insert((&approved.source, &approved.approval.approval_id)) {
                    add(approved);
                }
            }
        }
    }
}

/// The approvals of each commit's changes.
fn approved_commits<'a>(repo: &Repo, facts: &'a Facts) -> HashMap<Node, Vec<&'a Approved>> {
    let mut commits: HashMap<Node, Vec<&Approved>> = HashMap::new();
    for change in repo.changes() {
        for approved in facts.approvals.of_change(&change.change_id).filter(|approved| approved.approval.kind == ApprovalKind::Change) {
            let nodes: BTreeSet<Node> = change.commits.iter().copied().chain(change.merge).collect();
            nodes.into_iter().for_each(|node| commits.entry(node).or_default().push(approved));
        }
    }
    commits
}

/// Evidence of one gate, all of one sort.
fn shown(mut evidence: Vec<Found<'_>>, start: Time) -> Option<Shown<'_>> {
    evidence.sort_by(|a, b| (a.0, order(&a.1)).cmp(&(b.0, order(&b.1))));
    let (first_at, first) = *evidence.first()?;
    let in_time = &evidence[..evidence.partition_point(|(at, _)| *at <= start)];
    let decisive = decisive(in_time);
    let is_passed = (!decisive.is_empty()).then(|| decisive.iter().all(is_good));
    let last_in_time = in_time.last().map(|(at, _)| *at);
    Some(Shown { first_at, last_in_time, is_passed, evidence: if decisive.is_empty() { vec![first] } else { decisive } })
}

/// Of equal moments, what comes later.
fn order<'a>(evidence: &Evidence<'a>) -> (i64, [&'a str; 4]) {
    match evidence {
        Evidence::Scan(of) => (0, [&of.scan.scan_id, of.source.as_str(), "", ""]),
        Evidence::Approval(of) => (0, [&of.approval.approval_id, of.source.as_str(), "", ""]),
        Evidence::Test(of) => {
            let result = &of.result;
            let text = |id: &'a Option<String>| id.as_deref().unwrap_or_default();
            (result.attempt, [&result.test_id, text(&result.run_id), text(&result.job_id), of.source.as_str()])
        }
    }
}

/// The last scan, the last approval, the last result of each test.
fn decisive<'a>(in_time: &[Found<'a>]) -> Vec<Evidence<'a>> {
    let mut last: BTreeMap<&str, Evidence<'_>> = BTreeMap::new();
    for (_, evidence) in in_time {
        let of = match evidence {
            Evidence::Test(test) => test.result.test_id.as_str(),
            _ => "",
        };
        last.insert(of, *evidence);
    }
    last.into_values().collect()
}

fn is_good(evidence: &Evidence<'_>) -> bool {
    match evidence {
        Evidence::Scan(of) => of.scan.gate != Some(model::Gate::Failed),
        Evidence::Test(of) => of.is_good(),
        Evidence::Approval(of) => of.approval.decision.as_deref() == Some("approved"),
    }
}

/// Of each deployment of a service (in order of their finish) the gates that it needed: those that are `defined`, and where none are,
/// those that another deployment had shown in time in the 90 days before.
pub fn required(deployments: &[&Gated<'_>], defined: &[Arc<str>]) -> Vec<Vec<Arc<str>>> {
    if !defined.is_empty() {
        return deployments.iter().map(|_| defined.to_vec()).collect();
    }
    let in_time = |gated: &Gated<'_>| {
        let gates = gated.gates.iter().filter(|(_, shown)| shown.last_in_time.is_some());
        gates.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut shown: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    let (mut oldest, mut newest) = (0, 0);
    let mut needed = Vec::new();
    for gated in deployments {
        while deployments[newest].finish < gated.finish {
            in_time(deployments[newest]).into_iter().for_each(|gate| *shown.entry(gate).or_default() += 1);
            newest += 1;
        }
        while oldest < newest && deployments[oldest].finish < gated.finish.plus_seconds(-SHOWN_SECONDS) {
            for gate in in_time(deployments[oldest]) {
                if let Some(count) = shown.get_mut(&gate) {
                    *count -= 1;
                }
            }
            oldest += 1;
        }
        shown.retain(|_, count| *count > 0);
        needed.push(shown.keys().cloned().collect());
    }
    needed
}

/// How long before a deployment others may have shown which gates it needs.
pub const fn lookback(defined: &[String]) -> i64 {
    if defined.is_empty() { SHOWN_SECONDS } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gated(finish_day: i64, gates: &[(&str, bool)]) -> Gated<'static> {
        let finish = Time::from_seconds(86_400 * finish_day);
        let shown = |in_time: bool| Shown {
            first_at: finish,
            last_in_time: in_time.then_some(finish),
            is_passed: in_time.then_some(true),
            evidence: Vec::new(),
        };
        Gated { start: finish, finish, gates: gates.iter().map(|(name, in_time)| (Arc::from(*name), shown(*in_time))).collect() }
    }

    #[test]
    fn gates_are_needed_for_ninety_days_after_they_were_shown() {
        // Shown on day 0, late on day 10; day 90 is still within, day 91 is not; nobody shows it to himself or to one of the same moment.
        let days = [
            gated(0, &[("scan:sast", true)]),
            gated(0, &[("scan:sca", true)]),
            gated(10, &[("approval:release", false)]),
            gated(90, &[]),
            gated(91, &[]),
        ];
        let days: Vec<&Gated<'_>> = days.iter().collect();
        let names = |needed: Vec<Vec<Arc<str>>>| needed.iter().map(|gates| gates.join(" ")).collect::<Vec<_>>();
        assert_eq!(names(required(&days, &[])), ["", "", "scan:sast scan:sca", "scan:sast scan:sca", ""]);
        assert_eq!(names(required(&days[3..], &["test:e2e".into()])), ["test:e2e", "test:e2e"]);
    }
}
