//! Metrics about a moment: what lies between neighbouring environments, what scans found in what runs, which services follow a template
//! (rules 60 to 62 and 65). Nothing dated after the moment exists.

use std::collections::{BTreeMap, BTreeSet};

use crate::deployments::{Deployment, finished_by};
use crate::facts::Folded;
use crate::graph::{Graph, History};
use crate::items::{self, Item, What, deployment_home, with};
use crate::pipelines;
use crate::promotion::rank;
use crate::question::{Bucket, Question};
use crate::row::{Row, number, sha, source, text, time};
use crate::time::{Cut, Time};

pub fn is_state(metric: &str) -> bool {
    ["environment_lag", "version_skew", "scan_findings", "template_adoption"].contains(&metric)
}

/// The moment that a bucket is about: its cut end, without buckets `as_of`.
pub fn moment(q: &Question, cut: &Cut) -> Time {
    if q.bucket == Bucket::None { q.as_of } else { cut.to }
}

pub fn items(folded: &Folded, q: &Question, moment: Time) -> Vec<Item> {
    if q.metric == "template_adoption" {
        return adoption(folded, q, moment);
    }
    let all = finished_by(&folded.deployed, moment);
    match q.metric.as_str() {
        "version_skew" => pairs(&folded.graph, &all).iter().map(|p| p.item(folded, moment, p.skew())).collect(),
        "environment_lag" => pairs(&folded.graph, &all).iter().map(|p| p.item(folded, moment, p.lag(&folded.graph))).collect(),
        "scan_findings" => findings(folded, q, &all, moment),
        other => panic!("the oracle does not know the metric {other}"),
    }
}

/// Rule 16: what each environment of each service runs.
fn current(all: &[Deployment]) -> BTreeMap<&str, BTreeMap<&str, &Deployment>> {
    let mut services: BTreeMap<&str, BTreeMap<&str, &Deployment>> = BTreeMap::new();
    for d in all.iter().filter(|d| d.took_effect) {
        services.entry(&d.service).or_default().insert(&d.environment, d); // they come in order
    }
    services
}

/// What runs in an environment, and in the one below it.
struct Pair<'a> {
    lower: &'a Deployment,
    upper: &'a Deployment,
}

/// Of the environments of the service with something that runs and a rank below, those of the highest rank; of several the one that was
/// deployed to last.
fn pairs<'a>(graph: &Graph, all: &'a [Deployment]) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    for (service, environments) in current(all) {
        let ranked: Vec<(usize, &Deployment)> = environments.iter().filter_map(|(e, d)| Some((rank(graph, service, e)?, *d))).collect();
        for (upper_rank, upper) in &ranked {
            let below = ranked.iter().filter(|(r, _)| r < upper_rank);
            if let Some((_, lower)) = below.max_by(|a, b| (a.0, a.1.order()).cmp(&(b.0, b.1.order()))) {
                pairs.push(Pair { lower, upper });
            }
        }
    }
    pairs
}

impl Pair<'_> {
    fn item(&self, folded: &Folded, moment: Time, what: What) -> Item {
        Item { homes: vec![deployment_home(folded, &self.upper.service, &self.upper.environment)], at: moment, what }
    }

    fn skew(&self) -> What {
        What::Skew { service: self.upper.service.clone(), skewed: !self.lower.same_version(self.upper) }
    }

    /// The commits below that are not above (rules 24, 25 and 27).
    fn lag(&self, graph: &Graph) -> What {
        let (lower, upper) = (self.lower, self.upper);
        if lower.sha.is_none() || upper.sha.is_none() {
            return What::Excluded("no_source_link");
        }
        if lower.sha == upper.sha {
            return What::Amount(0.0); // even without a graph
        }
        let (History::Listed { repo, commits, .. } | History::Walked { repo, commits }) = &lower.history else {
            return What::Excluded("no_graph");
        };
        if matches!(upper.history, History::Unknown { .. }) {
            return What::Excluded("no_graph");
        }
        let above = upper.history.contained();
        let new: BTreeSet<&String> = commits.difference(&above).collect();
        count(graph, &lower.service, repo, &new).map_or_else(What::Excluded, |n| What::Amount(n as f64))
    }
}

/// How many of these commits are the service's, merges left out.
fn count(graph: &Graph, service: &str, repo: &str, new: &BTreeSet<&String>) -> Result<usize, &'static str> {
    let rows: Option<Vec<_>> = new.iter().map(|sha| graph.commit(repo, sha).filter(|c| c.parents.is_some())).collect();
    let plain = rows.ok_or("no_graph")?.into_iter().filter(|c| !c.is_merge());
    let touched: Option<Vec<bool>> = plain.map(|c| graph.touches(service, c)).collect();
    Ok(touched.ok_or("no_files")?.into_iter().filter(|yes| *yes).count())
}

/// Rules 60 and 65: critical and high findings in what runs where it counts.
fn findings(folded: &Folded, q: &Question, all: &[Deployment], moment: Time) -> Vec<Item> {
    let scans = Scan::finished_by(folded, moment);
    let split = q.by.iter().any(|d| d == "environment");
    let counted: Vec<Deployment> = items::counted(folded, all, q).into_iter().map(|i| all[i].clone()).collect();
    let mut running: Vec<Vec<&Deployment>> = Vec::new(); // the versions of a service, or of one in an environment
    for environments in current(&counted).into_values() {
        if split {
            running.extend(environments.into_values().map(|d| vec![d]));
        } else {
            running.push(distinct(environments.into_values()));
        }
    }
    let item = |versions: Vec<&Deployment>| {
        let found: Vec<f64> = versions.iter().flat_map(|d| latest(&scans, d)).map(|scan| scan.grave).collect();
        let what = if found.is_empty() { What::Excluded("no_scan") } else { What::Amount(found.iter().sum()) };
        Item { homes: vec![deployment_home(folded, &versions[0].service, &versions[0].environment)], at: moment, what }
    };
    running.into_iter().map(item).collect()
}

/// Each version once (rule 15), the first by the environment's name.
fn distinct<'a>(running: impl Iterator<Item = &'a Deployment>) -> Vec<&'a Deployment> {
    let mut kept: Vec<&Deployment> = Vec::new();
    for d in running {
        if !kept.iter().any(|k| k.same_version(d)) {
            kept.push(d);
        }
    }
    kept
}

/// A scan that finished.
pub struct Scan {
    id: String,
    source: String,
    pub kind: String,
    pub finished_at: Time,
    pub digest: Option<String>,
    /// Its own, else its run's.
    pub sha: Option<String>,
    /// Critical and high findings.
    grave: f64,
}

impl Scan {
    pub fn finished_by(folded: &Folded, moment: Time) -> Vec<Scan> {
        let scan = |row: &Row| {
            Some(Scan {
                id: text(row, "scan_id").unwrap_or_default(),
                source: source(row),
                kind: text(row, "kind").unwrap_or_default(),
                finished_at: time(row, "finished_at").filter(|t| *t <= moment)?,
                digest: text(row, "digest"),
                sha: sha(row, "sha").or_else(|| run_sha(folded, &source(row), &text(row, "run_id")?, moment)),
                grave: number(row, "critical").unwrap_or(0.0) + number(row, "high").unwrap_or(0.0),
            })
        };
        folded.rows("scans").iter().filter_map(scan).collect()
    }

    /// By the digest where both have one, else by the commit.
    pub fn is_of(&self, d: &Deployment) -> bool {
        match (&self.digest, &d.digest) {
            (Some(a), Some(b)) => a == b,
            _ => self.sha.is_some() && self.sha == d.sha,
        }
    }
}

/// The commit of a run; where several pipelines share its id, of the first by name, and of the first attempt that says one.
fn run_sha(folded: &Folded, from: &str, run_id: &str, moment: Time) -> Option<String> {
    let is_it = |r: &&Row| source(r) == from && text(r, "run_id").as_deref() == Some(run_id) && pipelines::exists(r, moment);
    let rows: Vec<&Row> = folded.rows("pipeline_runs").iter().filter(is_it).collect();
    let pipeline = rows.iter().map(|r| text(r, "pipeline")).min()?;
    let mut attempts: Vec<&Row> = rows.into_iter().filter(|r| text(r, "pipeline") == pipeline).collect();
    attempts.sort_by_key(|r| pipelines::number_of(r));
    attempts.into_iter().find_map(|r| sha(r, "sha"))
}

/// The last scan of each kind.
fn latest<'a>(scans: &'a [Scan], d: &Deployment) -> Vec<&'a Scan> {
    let mut kinds: BTreeMap<&str, &Scan> = BTreeMap::new();
    for scan in scans.iter().filter(|s| s.is_of(d)) {
        let kept = kinds.entry(&scan.kind).or_insert(scan);
        if (scan.finished_at, &scan.id, &scan.source) > (kept.finished_at, &kept.id, &kept.source) {
            *kept = scan;
        }
    }
    kinds.into_values().collect()
}

/// The last attempt of a run.
struct Run<'a> {
    row: &'a Row,
    repo: String,
    pipeline: String,
}

/// Rule 61: of the services whose repository has runs, those whose last run on the default branch has a template.
fn adoption(folded: &Folded, q: &Question, moment: Time) -> Vec<Item> {
    let runs = runs(folded, moment);
    let wanted = |run: &&Run| q.filters.get("pipeline").is_none_or(|names| names.contains(&run.pipeline));
    // Where pipelines are told apart each is looked at alone.
    let split = q.by.iter().any(|d| d == "pipeline");
    let mut groups: BTreeMap<(&str, &str), Vec<&Run>> = BTreeMap::new();
    for run in runs.iter().filter(wanted) {
        groups.entry((&run.repo, if split { &run.pipeline } else { "" })).or_default().push(run);
    }
    let mut all = Vec::new();
    for ((repo, _), runs) in groups {
        let adopted = is_adopted(folded, &runs);
        for home in items::repo_homes(folded, repo).into_iter().filter(|home| home.contains_key("service")) {
            all.push(Item { homes: vec![with(home, "pipeline", &runs[0].pipeline)], at: moment, what: What::Outcome(adopted) });
        }
    }
    all
}

fn runs(folded: &Folded, moment: Time) -> Vec<Run<'_>> {
    let mut last: BTreeMap<(String, String, String), &Row> = BTreeMap::new();
    for row in folded.rows("pipeline_runs").iter().filter(|r| pipelines::exists(r, moment)) {
        let key = (source(row), text(row, "pipeline").unwrap_or_default(), text(row, "run_id").unwrap_or_default());
        let kept = last.entry(key).or_insert(row);
        if pipelines::number_of(row) > pipelines::number_of(kept) {
            *kept = row;
        }
    }
    last.into_iter().map(|((_, pipeline, _), row)| Run { row, repo: text(row, "repo").unwrap_or_default(), pipeline }).collect()
}

/// A run that does not say when it began, began with the first of its jobs, as in the other pipeline metrics.
fn is_adopted(folded: &Folded, runs: &[&Run]) -> bool {
    let on_default = runs.iter().filter(|run| crate::row::flag(run.row, "is_default_branch") == Some(true));
    let is_of = |job: &Row, run: &Row| {
        source(job) == source(run) && text(job, "run_id") == text(run, "run_id") && pipelines::number_of(job) == pipelines::number_of(run)
    };
    let first_job = |run: &Row| folded.rows("jobs").iter().filter(|job| is_of(job, run)).filter_map(|job| time(job, "started_at")).min();
    let began = |row: &Row| time(row, "started_at").or_else(|| first_job(row)).or_else(|| pipelines::moments(row).min());
    let last = on_default.max_by_key(|run| (began(run.row), text(run.row, "run_id"), &run.pipeline, source(run.row)));
    last.is_some_and(|run| text(run.row, "template_ref").is_some())
}
