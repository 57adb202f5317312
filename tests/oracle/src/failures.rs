//! Incidents, what they belong to, which deployments failed and when they recovered (sections 1.3 to 1.5, rules 29 to 37, V3, V5).

use chrono::TimeDelta;

use crate::deployments::{Deployment, resolve, tier};
use crate::row::{Row, list, sha, source, text, time};
use crate::time::Time;
use crate::verdicts::{self, Cause, Verdict};

pub struct Incident {
    source: String,
    id: String,
    pub services: Vec<String>,
    pub environment: Option<String>,
    pub start: Time,
    /// None where it is open at `as_of`.
    pub resolved_at: Option<Time>,
    caused_by_deployment: Option<String>,
    caused_by_sha: Option<String>,
    fixed_by_deployment: Option<String>,
    /// The place of the deployment it belongs to.
    pub deployment: Option<usize>,
}

/// Rule 36: start = started_at, else created_at.
fn start(row: &Row) -> Option<Time> {
    time(row, "started_at").or_else(|| time(row, "created_at"))
}

/// Rule 1: nothing dated after `as_of` exists, incidents by their start.
pub fn exists(row: &Row, as_of: Time) -> bool {
    start(row).is_none_or(|t| t <= as_of)
}

/// Rule 36: the production incidents, without those that have no start and the duplicates of a known one.
pub fn incidents(rows: &[Row], verdicts: &[Verdict], deployments: &[Deployment], as_of: Time) -> Vec<Incident> {
    let rows: Vec<&Row> = rows.iter().filter(|r| exists(r, as_of)).collect();
    let known = |row: &Row| text(row, "duplicate_of").is_some_and(|of| find(&rows, &source(row), &of).is_some());
    let mut all: Vec<Incident> = rows.iter().filter(|row| !known(row)).filter_map(|row| read(row, as_of)).collect();
    let verdicts = verdicts::decided(verdicts, as_of);
    for incident in &mut all {
        let about = |v: &&Verdict| {
            let row = v.incident_id.as_ref().and_then(|id| find(&rows, &v.source, id));
            row.is_some_and(|row| source(row) == incident.source && text(row, "incident_id").as_ref() == Some(&incident.id))
        };
        let said: Vec<&Verdict> = verdicts.iter().filter(about).collect();
        incident.deployment = match verdicts::cause(&said) {
            Some(Cause::Deployment(source, id)) => explicit(deployments, &source, &id),
            Some(Cause::Nobody) => None,
            None => attribute(incident, deployments),
        };
    }
    all
}

/// As rule 33 finds a deployment: the row of the same source, else the only row with that id, else none.
fn find<'a>(rows: &[&'a Row], from: &str, id: &str) -> Option<&'a Row> {
    let with_id: Vec<&Row> = rows.iter().copied().filter(|row| text(row, "incident_id").as_deref() == Some(id)).collect();
    let same_source = with_id.iter().copied().find(|row| source(row) == from);
    same_source.or(if with_id.len() == 1 { Some(with_id[0]) } else { None })
}

fn read(row: &Row, as_of: Time) -> Option<Incident> {
    let environment = text(row, "environment");
    if environment.as_ref().is_some_and(|e| tier(e) != "production") {
        return None;
    }
    let mut services = list(row, "services").unwrap_or_default();
    services.sort();
    services.dedup();
    Some(Incident {
        source: source(row),
        id: text(row, "incident_id").unwrap_or_default(),
        services,
        environment,
        start: start(row)?,
        resolved_at: time(row, "resolved_at").filter(|t| *t <= as_of),
        caused_by_deployment: text(row, "caused_by_deployment"),
        caused_by_sha: sha(row, "caused_by_sha"),
        fixed_by_deployment: text(row, "fixed_by_deployment"),
        deployment: None,
    })
}

/// Section 0.1: what took no effect is not a production change.
fn can_cause(d: &Deployment) -> bool {
    d.is_production() && d.took_effect
}

/// Rule 33: explicit links never fall through to rule 2.
fn explicit(all: &[Deployment], source: &str, id: &str) -> Option<usize> {
    resolve(all, source, id).filter(|&i| can_cause(&all[i]))
}

/// Section 1.4: the deployment that an incident belongs to.
fn attribute(incident: &Incident, all: &[Deployment]) -> Option<usize> {
    let candidates: Vec<usize> = (0..all.len()).filter(|&i| can_cause(&all[i])).collect();
    if let Some(id) = &incident.caused_by_deployment {
        return explicit(all, &incident.source, id);
    }
    if let Some(sha) = &incident.caused_by_sha {
        let mine = |&i: &usize| incident.services.is_empty() || incident.services.contains(&all[i].service);
        let of_sha = candidates.iter().copied().filter(mine).find(|&i| all[i].sha.as_ref() == Some(sha));
        return of_sha.or_else(|| candidates.iter().copied().filter(mine).find(|&i| all[i].history.contained().contains(sha)));
    }
    // Rule 34; the candidates are in the order of rule 35, so the latest is the last.
    let near = |&i: &usize| {
        let lag = incident.start - all[i].finished_at;
        incident.services.contains(&all[i].service) && TimeDelta::zero() <= lag && lag <= TimeDelta::hours(24)
    };
    let near: Vec<usize> = candidates.into_iter().filter(near).collect();
    let there: Vec<usize> = near.iter().copied().filter(|&i| incident.environment.as_ref() == Some(&all[i].environment)).collect();
    if there.is_empty() { near.last().copied() } else { there.last().copied() }
}

/// Rule 41: the deployments that an incident names as its fix.
pub fn fixes(incidents: &[Incident], all: &[Deployment]) -> Vec<usize> {
    incidents.iter().filter_map(|i| resolve(all, &i.source, i.fixed_by_deployment.as_ref()?)).collect()
}

/// What is known of the failure of one deployment row.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    pub failed: bool,
    /// The places of the incidents attributed to it.
    pub incidents: Vec<usize>,
    /// The finishes of what remedied it.
    pub remedies: Vec<Time>,
}

impl Failure {
    fn remedied(&mut self, by: Option<Time>) {
        self.failed = true;
        self.remedies.extend(by);
    }
}

/// Failures by reason (a) to (e) of section 1.3, for each deployment in its place.
pub fn failures(
    all: &[Deployment],
    incidents: &[Incident],
    verdicts: &[Verdict],
    tests: &[Row],
    observations: &[Row],
    as_of: Time,
) -> Vec<Failure> {
    let mut found = vec![Failure::default(); all.len()];
    // (a) an attributed incident
    for (n, incident) in incidents.iter().enumerate() {
        if let Some(i) = incident.deployment {
            found[i].failed = true;
            found[i].incidents.push(n);
        }
    }
    for (i, d) in all.iter().enumerate() {
        let place = |&j: &usize| all[j].service == d.service && all[j].environment == d.environment;
        let before: Vec<usize> = (0..i).filter(place).collect();
        // What took no effect neither marks nor remedies (section 0.1).
        if d.took_effect {
            for marked in marked_by(all, i, &before) {
                found[marked].remedied(Some(d.finished_at));
            }
        }
        // (d) rule 32; its remediation is the next successful deployment there
        if (d.took_effect && d.is_failure()) || verification_failed(all, i, tests, observations, as_of) {
            found[i].remedied(next_success(all, i));
        }
    }
    // (e) V3: whatever the rules say
    let verdicts = verdicts::decided(verdicts, as_of);
    for (i, said) in verdicts::about_deployments(&verdicts, all).iter().enumerate() {
        match verdicts::failed(said) {
            Some(true) => found[i].remedied(next_success(all, i)),
            Some(false) => found[i].failed = false,
            None => {}
        }
    }
    found
}

/// The finish of the next successful deployment of its service and environment.
fn next_success(all: &[Deployment], i: usize) -> Option<Time> {
    let there = |d: &&Deployment| d.service == all[i].service && d.environment == all[i].environment;
    all[i + 1..].iter().filter(there).find(|d| d.is_success()).map(|d| d.finished_at)
}

/// The deployments that a rollback, hotfix or revert marks as failed; `before` are the earlier ones of its place.
fn marked_by(all: &[Deployment], i: usize, before: &[usize]) -> Vec<usize> {
    let d = &all[i];
    let is_change = |&&j: &&usize| all[j].took_effect && all[j].kind != "no_op" && all[j].kind != "rollback";
    match d.kind.as_str() {
        // (b) rule 30: the first change after the target
        "rollback" => {
            let target = before.iter().rposition(|&j| all[j].took_effect && all[j].same_version(d));
            target.and_then(|t| before[t + 1..].iter().find(is_change)).copied().into_iter().collect()
        }
        // (c) rule 31
        "hotfix" => before.iter().rev().find(is_change).copied().into_iter().collect(),
        "revert" => before.iter().copied().filter(|&j| !all[j].brought.is_disjoint(&d.reverted)).collect(),
        _ => Vec::new(),
    }
}

/// Rule 32: something bad within [finished_at, finished_at + verify_window].
fn verification_failed(all: &[Deployment], i: usize, tests: &[Row], observations: &[Row], as_of: Time) -> bool {
    let d = &all[i];
    let inside = |t: Time| t <= as_of && d.finished_at <= t && t <= d.finished_at + TimeDelta::minutes(30);
    let bad_test = |row: &Row| {
        let bad = ["failure", "error", "timeout"].contains(&text(row, "result").unwrap_or_default().as_str());
        let post_deploy = text(row, "phase").as_deref() == Some("post_deploy");
        post_deploy && bad && time(row, "started_at").is_some_and(|t| inside(t) && belongs(row, t, all) == Some(i))
    };
    let degraded = |row: &Row| {
        // What few rows say is asked first: a shop has many.
        let says = |column: &str, wanted: &str| row.get(column).and_then(serde_json::Value::as_str) == Some(wanted);
        says("health", "Degraded")
            && says("service", &d.service)
            && says("environment", &d.environment)
            && time(row, "observed_at").is_some_and(inside)
    };
    tests.iter().any(bad_test) || observations.iter().any(degraded)
}

/// Whose post-deploy result it is: the named deployment's, else (rule 59) that of the one of its service and environment that was running
/// or had last finished.
fn belongs(row: &Row, at: Time, all: &[Deployment]) -> Option<usize> {
    if let Some(id) = text(row, "deployment_id") {
        return resolve(all, &source(row), &id);
    }
    let (service, environment) = (text(row, "service")?, text(row, "environment")?);
    let place: Vec<usize> = (0..all.len()).filter(|&j| all[j].service == service && all[j].environment == environment).collect();
    let running = place.iter().copied().rfind(|&j| all[j].started_at.is_some_and(|s| s <= at) && at < all[j].finished_at);
    running.or_else(|| place.iter().copied().rfind(|&j| all[j].finished_at <= at))
}
