//! Deployments: releases through the ladder, and everything that happens to them in production.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Made, Maker, Service, at};
use crate::row::Row;
use crate::time::Time;

/// What is deployed.
#[derive(Clone)]
struct Version {
    sha: Option<String>,
    digest: Option<String>,
    name: String,
    config_repo: Option<String>,
    config_sha: Option<String>,
    commit_shas: Option<Vec<String>>,
}

pub fn fill(m: &mut Maker, service: &Service) {
    let mut t = m.start + m.minutes(60, 3000);
    let mut live: Vec<Version> = Vec::new(); // what production ran, oldest first
    let mut current: Option<Version> = None;
    let rounds = m.dice.between(6, 13);
    let pause = (m.end - t).num_minutes() / rounds;
    for round in 0..rounds {
        let moment = if round == 0 { t } else { m.bend(t) };
        let choice = if round == 0 { 0 } else { m.dice.below(20) };
        match (choice, current.clone()) {
            (9, Some(_)) => {
                // Never goes further than the lower environments.
                let next = version(m, service, moment, round);
                deploy(m, service, &next, "dev", moment, "success");
                ladder(m, service, &next, moment + TimeDelta::hours(40), false);
            }
            (10, Some(now)) => production(m, service, &now, moment, "success"), // the same again
            (11 | 12, Some(now)) if service.has_config => {
                let other = Version { config_sha: Some(configuration(m, moment)), ..now };
                production(m, service, &other, moment, "success");
                current = Some(other);
            }
            (13 | 14, Some(_)) if live.len() > 1 => {
                // Back by one or two, and sometimes forward again.
                let back = m.dice.between(2, 3).min(live.len() as i64) as usize;
                let (old, newest) = (live[live.len() - back].clone(), live[live.len() - 1].clone());
                production(m, service, &old, moment, "success");
                current = Some(old);
                if m.dice.chance(0.4) {
                    let later = moment + m.minutes(30, 300);
                    production(m, service, &newest, later, "success");
                    current = Some(newest);
                }
            }
            (15, Some(_)) => {
                // A failure, with or without effect, and a retry.
                let next = version(m, service, moment, round);
                let outcome = m.dice.of(&["failure", "error", "timeout"]);
                production(m, service, &next, moment, outcome);
                if m.dice.chance(0.7) {
                    let later = moment + m.minutes(10, 200);
                    production(m, service, &next, later, "success");
                    live.push(next.clone());
                    current = Some(next);
                }
            }
            (16, Some(_)) => {
                let next = version(m, service, moment, round);
                let outcome = m.dice.of(&["cancellation", "skip"]);
                production(m, service, &next, moment, outcome);
            }
            (17, Some(_)) => {
                if let Some(fix) = hotfix(m, service, moment, round) {
                    production(m, service, &fix, moment, "success");
                    if m.dice.chance(0.5) {
                        ladder(m, service, &fix, moment + TimeDelta::hours(50), false); // it comes to the others afterwards
                    }
                    live.push(fix.clone());
                    current = Some(fix);
                }
            }
            (18, Some(now)) => {
                // A tie: the same finish twice, or an unfinished one.
                let next = version(m, service, moment, round);
                if m.dice.chance(0.5) {
                    production(m, service, &next, moment, "success");
                    production(m, service, &now, moment, "success");
                    live.push(next);
                } else {
                    production(m, service, &next, moment, "in_progress");
                }
            }
            _ => {
                let next = version(m, service, moment, round);
                ladder(m, service, &next, moment, round == 0);
                production(m, service, &next, moment, "success");
                live.push(next.clone());
                current = Some(next);
            }
        }
        t += TimeDelta::minutes(pause) + m.minutes(-60, 60);
    }
}

/// The head of main, named by sha, digest or both, and sometimes not at all.
fn version(m: &mut Maker, service: &Service, t: Time, round: i64) -> Version {
    let sha = m.repos[service.repo].head(t);
    let first = round == 0;
    let mut v = of_sha(m, service, sha, t, round);
    match m.dice.below(25) {
        0 if !first => v.sha = None, // the digest's artifact may know it
        1 if !first => (v.sha, v.digest) = (None, None),
        2 if !first => {
            // A sha that no one knows, sometimes with the list of what it brings.
            v.sha = Some(m.dice.hex(40));
            v.commit_shas = listed(m, service, t);
        }
        3 if !first => v.sha = Some("0".repeat(40)),
        _ => {}
    }
    v
}

/// The last two commits of main, where their rows say all.
fn listed(m: &mut Maker, service: &Service, t: Time) -> Option<Vec<String>> {
    let repo = &m.repos[service.repo];
    let last: Vec<String> = repo.main.iter().rev().filter(|c| c.0 <= t).take(2).map(|c| c.1.clone()).collect();
    let known = |sha: &String| m.tables["commits"].iter().any(|c| c.get("sha") == Some(&json!(sha)) && c.contains_key("parents"));
    let complete = last.iter().all(known);
    if complete && m.dice.chance(0.6) { Some(last) } else { None }
}

fn of_sha(m: &mut Maker, service: &Service, sha: Option<String>, t: Time, round: i64) -> Version {
    let digest = if service.has_digests { Some(format!("sha256:{}", m.dice.hex(64))) } else { None };
    let config_sha = if service.has_config { Some(configuration(m, t)) } else { None };
    let config_repo = if m.dice.chance(0.7) { Some(CONFIG.into()) } else { None };
    if let (Some(digest), true) = (&digest, m.dice.chance(0.8)) {
        let source = if m.dice.chance(0.9) { json!(sha) } else { Value::Null };
        let address = if m.dice.chance(0.7) { json!(m.repos[service.repo].address) } else { Value::Null };
        m.put("artifacts", json!({"digest": digest, "name": service.name, "repo": address, "source_sha": source, "published_at": at(t - TimeDelta::minutes(30))}));
    }
    Version { sha, digest, name: format!("1.{round}.0"), config_repo, config_sha, commit_shas: None }
}

const CONFIG: &str = "git.example.org/acme/config";

/// A commit of the configuration, for what reaches production at an instant and other environments a day before. It may be unknown, or
/// known in two repositories, or without a time, or dated after what it brought.
fn configuration(m: &mut Maker, t: Time) -> String {
    if m.dice.chance(0.03) {
        return "0".repeat(40);
    }
    let sha = m.dice.hex(40);
    let committed = match m.dice.below(14) {
        0 => t, // just in time for production
        1 => t + m.minutes(1, 300),
        _ => t - TimeDelta::hours(31) - m.minutes(0, 3000),
    };
    let authored = if m.dice.chance(0.6) { at(committed - m.minutes(1, 500)) } else { Value::Null };
    let row = json!({"repo": CONFIG, "sha": sha, "parents": [], "authored_at": authored,
        "committed_at": if m.dice.chance(0.85) { at(committed) } else { Value::Null }, "message": "Deploy"});
    if m.dice.chance(0.06) {
        let mut copy = row.clone();
        copy["repo"] = json!("git.example.org/acme/config-old");
        m.put("commits", copy);
    }
    if m.dice.chance(0.88) {
        m.put("commits", row);
    }
    sha
}

/// The newest hotfix branch that stood ready in the week before.
fn hotfix(m: &mut Maker, service: &Service, t: Time, round: i64) -> Option<Version> {
    let ready = m.repos[service.repo].side.iter().rev().find(|(at, _)| *at <= t && t - *at < TimeDelta::days(7))?.1.clone();
    Some(of_sha(m, service, Some(ready), t, round))
}

/// The rungs below production, in the days before.
fn ladder(m: &mut Maker, service: &Service, v: &Version, t: Time, all: bool) {
    for (rung, share, hours) in
        [("dev", 0.6, 30), ("qa", 0.4, 20), ("preprod", 0.4, 8)].into_iter().chain(service.extra.map(|e| (e, 0.3, 25)))
    {
        if all || m.dice.chance(share) {
            let mut when = t - TimeDelta::hours(hours) + m.minutes(0, 200);
            if !all && m.dice.chance(0.08) {
                when += TimeDelta::hours(36); // out of order
            }
            let outcome = if all || m.dice.chance(0.85) { "success" } else { "failure" };
            deploy(m, service, v, rung, when, outcome);
        }
    }
}

/// To every production environment, soon after each other or not, and sometimes not to all.
fn production(m: &mut Maker, service: &Service, v: &Version, t: Time, outcome: &str) {
    let mut when = t;
    for (n, environment) in service.production.iter().enumerate() {
        if n > 0 && m.dice.chance(0.1) && outcome != "success" {
            return;
        }
        deploy(m, service, v, environment, when, outcome);
        let two_hours = TimeDelta::hours(2);
        when += match m.dice.below(8) {
            0 => two_hours,
            1 => two_hours + TimeDelta::microseconds(1),
            2 => m.minutes(121, 400),
            _ => m.minutes(1, 100),
        };
    }
}

fn deploy(m: &mut Maker, service: &Service, v: &Version, environment: &str, finished: Time, outcome: &str) {
    let is_production = environment.starts_with("prod");
    let mut source = "import".to_owned();
    let mut id = m.id("d-");
    if m.dice.chance(0.04)
        && let Some(other) = m.made.last()
    {
        (source, id) = ("mirror".into(), other.id.clone()); // an id that is unique only within its source
        if m.made.iter().any(|d| d.source == source && d.id == id) {
            id = m.id("d-");
        }
    }
    let started = finished - m.minutes(1, 25);
    let created = started - m.minutes(0, 10);
    let took_effect = match outcome {
        "failure" | "error" | "timeout" => m.dice.of(&[json!(true), json!(false), Value::Null]),
        "success" if m.dice.chance(0.1) => json!(true),
        _ => Value::Null,
    };
    let is_first = !m.made.iter().any(|d| d.service == service.name && d.environment == environment);
    let kind = if !is_first && m.dice.chance(0.03) {
        json!(m.dice.of(&["release", "hotfix", "rollback", "revert", "no_op", "config_only"]))
    } else {
        Value::Null
    };
    let address = if m.dice.chance(0.6) { json!(m.repos[service.repo].address) } else { Value::Null };
    let row = json!({"deployment_id": id, "service": service.name, "environment": environment, "sha": v.sha, "digest": v.digest,
        "version": v.name, "repo": address, "config_repo": v.config_repo, "config_sha": v.config_sha, "commit_shas": v.commit_shas, "created_at": at(created),
        "started_at": at(started), "finished_at": if outcome == "in_progress" { Value::Null } else { at(finished) }, "outcome": outcome,
        "took_effect": took_effect, "kind": kind, "source": if source == "import" && m.dice.chance(0.5) { Value::Null } else { json!(source) }});
    let evident = outcome == "success" && kind.is_null() && v.sha.as_ref().is_some_and(|s| s.contains('a')) && m.dice.chance(0.06);
    if evident {
        evidence(m, &row, finished);
    } else {
        states(m, &row, [created, started, finished]);
    }
    if outcome == "in_progress" || evident {
        return;
    }
    m.made.push(Made {
        source,
        id: id.clone(),
        service: service.name.clone(),
        environment: environment.into(),
        sha: v.sha.clone(),
        finished_at: finished,
    });
    if is_production && m.dice.chance(0.15) {
        post_deploy_test(m, service, environment, &id, finished);
    }
}

/// The same deployment told twice: by its object or its sync, and by the job.
fn evidence(m: &mut Maker, row: &Value, finished: Time) {
    let mut best = row.clone();
    best["evidence"] = json!(m.dice.of(&["deployment", "gitops_sync"]));
    let mut job = row.clone();
    job["deployment_id"] = json!(m.id("job-"));
    job["evidence"] = json!(m.dice.of(&["job", "event"]));
    let lag = m.dice.of(&[TimeDelta::minutes(15), TimeDelta::minutes(4), TimeDelta::minutes(-6), TimeDelta::minutes(16)]);
    job["finished_at"] = at(finished + lag);
    if m.dice.chance(0.5) && job["environment"] == "prod" {
        job["environment"] = json!("production");
    }
    m.put("deployments", best);
    m.put("deployments", job);
}

/// One row, or the rows of its states in any order, sometimes with the provider's own time.
fn states(m: &mut Maker, row: &Value, [created, started, finished]: [Time; 3]) {
    let full: Row = row.as_object().expect("a row").clone();
    if !m.dice.chance(0.25) || full["outcome"] == "in_progress" {
        m.put("deployments", row.clone());
        return;
    }
    let with_updates = m.dice.chance(0.5);
    let state = |outcome: &str, without: &[&str], updated: Time| {
        let mut row = full.clone();
        row.insert("outcome".into(), json!(outcome));
        for column in without {
            row.remove(*column);
        }
        if with_updates {
            row.insert("updated_at".into(), at(updated));
        }
        Value::Object(row)
    };
    let outcome = full["outcome"].as_str().unwrap_or_default();
    let mut rows = vec![
        state("queued", &["started_at", "finished_at", "took_effect", "digest"], created),
        state("in_progress", &["finished_at", "took_effect"], started),
        state(outcome, &[], finished),
    ];
    if m.dice.chance(0.4) {
        // Told again much later, when it was superseded: the first report of the finish stands.
        let later = finished + m.minutes(60, 6000);
        let mut again = state(outcome, &[], later);
        again["finished_at"] = at(later);
        rows.push(again);
    }
    let turn = m.dice.below(rows.len() as u64) as usize;
    rows.rotate_left(turn);
    for row in rows {
        m.put("deployments", row);
    }
}

fn post_deploy_test(m: &mut Maker, service: &Service, environment: &str, deployment: &str, finished: Time) {
    let thirty = TimeDelta::minutes(30);
    let offset =
        m.dice.of(&[TimeDelta::minutes(5), thirty, thirty + TimeDelta::microseconds(1), TimeDelta::zero(), TimeDelta::minutes(-1)]);
    let result = m.dice.of(&["success", "failure", "error", "skip", "timeout"]);
    let phase = if m.dice.chance(0.85) { "post_deploy" } else { "pipeline" };
    let named = if m.dice.chance(0.8) { json!(deployment) } else { Value::Null };
    let id = m.id("smoke-");
    m.put(
        "test_results",
        json!({"test_id": id, "suite": "smoke", "attempt": 1, "phase": phase, "deployment_id": named,
        "service": service.name, "environment": environment, "result": result, "started_at": at(finished + offset)}),
    );
}
