//! Promotion between environments, and the way of configuration and of new services (sections 1.7 and 1.8, rules 42 to 44, 61 and 62).

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::deployments::{Deployment, tier};
use crate::facts::{Facts, Folded};
use crate::graph::Graph;
use crate::items::{self, Home, Item, What, deployment_home};
use crate::question::Question;
use crate::row::{Row, text};
use crate::time::{Time, seconds};

/// Rule 43: the place of an environment on the service's ladder; none where it is not on it.
pub fn rank(graph: &Graph, service: &str, environment: &str) -> Option<usize> {
    let ladder = graph.services.get(service).and_then(|s| s.ladder.as_ref()).filter(|l| !l.is_empty());
    let Some(ladder) = ladder else {
        return ["development", "testing", "staging", "production"].iter().position(|t| *t == tier(environment));
    };
    let of_tier = || ladder.iter().rposition(|rung| tier(rung) == tier(environment));
    ladder.iter().position(|rung| rung == environment).or_else(of_tier)
}

/// When each version first succeeded in each environment.
type Firsts<'a> = BTreeMap<&'a str, BTreeMap<&'a str, Time>>;

/// Rule 42, of each service. A row of any kind counts; one with neither digest nor sha is left out.
fn firsts(all: &[Deployment]) -> BTreeMap<&str, Firsts<'_>> {
    let mut services: BTreeMap<&str, Firsts> = BTreeMap::new();
    for d in all.iter().filter(|d| d.is_success()) {
        let Some(version) = d.promoted() else { continue };
        let reached = services.entry(&d.service).or_default().entry(version).or_default();
        reached.entry(&d.environment).or_insert(d.finished_at); // they come in the order of their finish
    }
    services
}

pub fn items(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    match q.metric.as_str() {
        "promotion_lead_time" => lead_times(folded, facts),
        "promotion_rate" => rates(folded, facts, q.as_of),
        "config_lag" => config_lags(folded, facts),
        "onboarding_time" => onboarding_times(folded, facts, q),
        other => panic!("the oracle does not know the metric {other}"),
    }
}

fn lead_times(folded: &Folded, facts: &Facts) -> Vec<Item> {
    let mut all = Vec::new();
    for (service, versions) in firsts(&facts.deployments) {
        for reached in versions.values() {
            for (environment, at) in reached {
                let Some(upper) = rank(&folded.graph, service, environment).filter(|r| *r > 0) else { continue };
                let what = match source_of(&folded.graph, service, reached, upper, *at) {
                    Ok(from) => What::Value { seconds: seconds(from, *at), cluster: all.len() },
                    Err(reason) => What::Excluded(reason),
                };
                all.push(Item { homes: vec![deployment_home(folded, service, environment)], at: *at, what });
            }
        }
    }
    all
}

/// Rule 42: when the version was first in the highest environment below `upper` where it had been by then; of equal rank the earliest.
fn source_of(graph: &Graph, service: &str, reached: &BTreeMap<&str, Time>, upper: usize, at: Time) -> Result<Time, &'static str> {
    let below: Vec<(usize, Time)> =
        reached.iter().filter_map(|(e, t)| Some((rank(graph, service, e)?, *t))).filter(|(r, _)| *r < upper).collect();
    let before = below.iter().filter(|(_, t)| *t <= at);
    match before.max_by_key(|(r, t)| (*r, std::cmp::Reverse(*t))) {
        Some((_, from)) => Ok(*from),
        None if below.is_empty() => Err("no_lower_environment"),
        None => Err("out_of_order"),
    }
}

/// Rule 62: the horizon.
const HORIZON: TimeDelta = TimeDelta::days(30);

fn rates(folded: &Folded, facts: &Facts, as_of: Time) -> Vec<Item> {
    let mut all = Vec::new();
    for (service, versions) in firsts(&facts.deployments) {
        // The environments of the service that have rows and a rank.
        let there = facts.deployments.iter().filter(|d| d.service == service);
        let ranks: BTreeMap<&str, usize> =
            there.filter_map(|d| Some((d.environment.as_str(), rank(&folded.graph, service, &d.environment)?))).collect();
        for (environment, upper) in &ranks {
            // What feeds it: the highest rank below on which anything ever succeeded.
            let succeeded = versions.values().flat_map(|v| v.keys()).filter_map(|e| ranks.get(e));
            let Some(feeding) = succeeded.filter(|r| *r < upper).max() else { continue };
            let entered =
                |reached: &BTreeMap<&str, Time>| reached.iter().filter(|(e, _)| ranks.get(*e) == Some(feeding)).map(|e| *e.1).min();
            let went: Vec<Went> =
                versions.values().filter_map(|v| Some(Went { entered: entered(v)?, arrived: v.get(environment).copied() })).collect();
            for version in &went {
                if let Some(what) = fate(version, &went, as_of) {
                    let home = deployment_home(folded, service, environment);
                    all.push(Item { homes: vec![home], at: version.entered, what });
                }
            }
        }
    }
    all
}

/// One version on its way: when it entered what feeds the environment, and when it came there.
struct Went {
    entered: Time,
    arrived: Option<Time>,
}

/// None for what is told apart: superseded and open ones.
fn fate(version: &Went, all: &[Went], as_of: Time) -> Option<What> {
    let limit = version.entered + HORIZON;
    // What was there before it entered below did not overtake anybody.
    let overtakes = |other: &Went| other.entered > version.entered && other.arrived.is_some_and(|t| other.entered <= t && t <= limit);
    match version.arrived {
        Some(t) if t < version.entered => Some(What::Excluded("out_of_order")),
        Some(t) if t <= limit => Some(What::Outcome(true)),
        _ if all.iter().any(overtakes) => None, // superseded
        _ if limit > as_of => None,             // open
        _ => Some(What::Outcome(false)),
    }
}

/// Rules 40 and 44: the first success of each configuration in each environment, since its commit.
fn config_lags(folded: &Folded, facts: &Facts) -> Vec<Item> {
    let mut first: BTreeMap<(&str, &str, Option<&str>, &str), Time> = BTreeMap::new();
    for d in facts.deployments.iter().filter(|d| d.is_success()) {
        let Some(sha) = d.config_sha.as_deref() else { continue };
        first.entry((&d.service, &d.environment, d.config_repo.as_deref(), sha)).or_insert(d.finished_at);
    }
    let graph = &folded.graph;
    let mut all = Vec::new();
    for (cluster, ((service, environment, repo, sha), at)) in first.into_iter().enumerate() {
        let repo = repo.or_else(|| graph.only_repo(sha).map(String::as_str));
        let commit = repo.and_then(|repo| graph.commit(repo, sha));
        let what = match commit.and_then(|c| c.committed_at.or(c.authored_at)) {
            None => What::Excluded("no_commit"),
            Some(committed) if committed > at => What::Excluded("clock_skew"),
            Some(committed) => What::Value { seconds: seconds(committed, at), cluster },
        };
        all.push(Item { homes: vec![deployment_home(folded, service, environment)], at, what });
    }
    all
}

/// Rule 61: per service, or per service and environment where split, the first success where it counts.
fn onboarding_times(folded: &Folded, facts: &Facts, q: &Question) -> Vec<Item> {
    let split = q.by.iter().any(|d| d == "environment");
    let mut first: BTreeMap<(&str, &str), &Deployment> = BTreeMap::new();
    for i in items::counted(folded, &facts.deployments, q) {
        let d = &facts.deployments[i];
        if d.is_success() {
            first.entry((&d.service, if split { &d.environment } else { "" })).or_insert(d);
        }
    }
    let item = |(cluster, d): (usize, &Deployment)| {
        let start = began(folded, &d.service, q.as_of).unwrap_or(d.finished_at);
        let what = if start > d.finished_at {
            What::Excluded("clock_skew")
        } else {
            What::Value { seconds: seconds(start, d.finished_at), cluster }
        };
        let home: Home = deployment_home(folded, &d.service, &d.environment);
        Item { homes: vec![home], at: d.finished_at, what }
    };
    first.into_values().enumerate().map(item).collect()
}

/// The time of the service's first commit, else of the first event of its deployments.
fn began(folded: &Folded, service: &str, as_of: Time) -> Option<Time> {
    let graph = &folded.graph;
    let repo = graph.services.get(service).and_then(|s| s.repo.as_ref());
    let mine = graph.commits.iter().filter(|((r, _), c)| Some(r) == repo && graph.touches(service, c) == Some(true));
    let written = mine.filter_map(|(_, c)| c.authored_at.or(c.committed_at)).min();
    let rows = items::deployment_rows(folded, as_of).filter(|r: &&Row| text(r, "service").unwrap_or_default() == service);
    written.or_else(|| rows.filter_map(items::earliest).min())
}
