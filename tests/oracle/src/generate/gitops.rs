//! Observations of Argo CD applications: drift, lag, blocks, gaps, self-heals that hid a drift, and health after deployments.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Made, Maker, at, maybe};
use crate::time::Time;

/// What an observation says, as it goes along.
#[derive(Clone)]
struct State {
    status: &'static str,
    compared: String,
    synced: String,
    hash: String,
    operation: Operation,
    prune_only: bool,
    health: &'static str,
}

#[derive(Clone)]
struct Operation {
    phase: &'static str,
    started: Time,
    finished: Option<Time>,
    revision: Option<String>,
    self_heal: bool,
}

struct App {
    name: String,
    service: Option<String>,
    environment: String,
    /// A poll says when it last looked; an event-driven source does not.
    polled: bool,
    says_synced: bool,
}

pub fn fill(m: &mut Maker) {
    for n in 0..m.dice.between(1, 3) {
        let service = m.dice.of(&m.services.clone());
        let environment = if m.dice.chance(0.7) { m.dice.of(&service.production) } else { "qa" };
        let app = App {
            name: format!("{}-{environment}-{n}", service.name),
            service: if m.dice.chance(0.85) { Some(service.name.clone()) } else { None },
            environment: environment.into(),
            polled: m.dice.chance(0.5),
            says_synced: m.dice.chance(0.7),
        };
        observe(m, &app);
        if n == 0 {
            unhealthy(m, &service.name);
        }
    }
}

/// Degraded soon after a deployment, told by an application that tells nothing else.
fn unhealthy(m: &mut Maker, service: &str) {
    let there: Vec<Made> = m.made.iter().filter(|d| d.service == service && d.environment.starts_with("prod")).cloned().collect();
    let Some(environment) = there.first().map(|d| d.environment.clone()) else { return };
    for d in there.iter().filter(|d| d.environment == environment) {
        if m.dice.chance(0.2) {
            let thirty = TimeDelta::minutes(30);
            let offset = m.dice.of(&[TimeDelta::minutes(3), thirty, thirty + TimeDelta::microseconds(1), TimeDelta::zero()]);
            let health = m.dice.of(&["Degraded", "Degraded", "Progressing"]);
            m.put(
                "gitops_observations",
                json!({"app": format!("{service}-health"), "service": service, "environment": environment,
                "observed_at": at(d.finished_at + offset), "health": health, "sync_status": "Unknown"}),
            );
        }
    }
}

fn observe(m: &mut Maker, app: &App) {
    let mut t = m.start + m.minutes(0, 2000);
    let mut s = synced(m, t);
    put(m, app, t, &s);
    let steps = m.dice.between(8, 22);
    let pause = ((m.end - t).num_minutes() / steps).max(30);
    for _ in 0..steps {
        t += m.minutes(10, pause);
        t = m.bend(t).max(t);
        let short = m.minutes(4, 200);
        match m.dice.below(16) {
            0..3 => {
                // Live drift, seen once or more, then synced or not.
                s.status = "OutOfSync";
                for _ in 0..m.dice.between(1, 3) {
                    put(m, app, t, &s);
                    t += short;
                }
                if m.dice.chance(0.8) {
                    s.status = "Synced";
                    s.operation = done(t - TimeDelta::seconds(30), &s.compared, false);
                    put(m, app, t, &s);
                }
            }
            3 | 4 => {
                // A new revision waits, is synced after a while; sometimes it overtakes a drift.
                if m.dice.chance(0.4) {
                    s.status = "OutOfSync";
                    put(m, app, t, &s);
                    t += short;
                }
                s.status = "OutOfSync";
                s.compared = m.dice.hex(40);
                put(m, app, t, &s);
                t += short;
                if m.dice.chance(0.4) {
                    s.operation =
                        Operation { phase: m.dice.of(&["Failed", "Error"]), ..done(t - TimeDelta::minutes(2), &s.compared, false) };
                    put(m, app, t, &s); // blocked
                    t += short;
                }
                settle(m, app, t, &mut s);
            }
            5 => {
                // An operation for the same revision is running; it may name no revision.
                s.status = "OutOfSync";
                let revision = if m.dice.chance(0.3) { None } else { Some(s.compared.clone()) };
                let phase = m.dice.of(&["Running", "Terminating"]);
                s.operation = Operation { phase, started: t - TimeDelta::seconds(20), finished: None, revision, self_heal: false };
                put(m, app, t, &s);
                t += short;
                settle(m, app, t, &mut s);
            }
            6 => {
                s.status = "OutOfSync";
                s.prune_only = true;
                put(m, app, t, &s);
                t += short;
                s.prune_only = false;
                settle(m, app, t, &mut s);
            }
            7 | 8 => {
                // A self-heal that no look has seen the drift of.
                s.status = "Synced";
                put(m, app, t, &s);
                t += TimeDelta::minutes(9);
                s.operation = done(t - TimeDelta::minutes(3), &s.compared, true);
                put(m, app, t, &s);
                t += TimeDelta::minutes(5);
                put(m, app, t, &s); // seen again: the same operation
            }
            9 | 10 => {
                // Something changes it back after every sync.
                for _ in 0..m.dice.between(2, 4) {
                    s.status = "OutOfSync";
                    s.operation =
                        done(t - m.dice.of(&[TimeDelta::seconds(180), TimeDelta::seconds(40)]) - TimeDelta::seconds(9), &s.compared, false);
                    s.operation.finished = Some(t - m.dice.of(&[TimeDelta::seconds(180), TimeDelta::seconds(40), TimeDelta::seconds(181)]));
                    s.operation.started = s.operation.finished.expect("it finished") - TimeDelta::seconds(9);
                    put(m, app, t, &s);
                    t += short;
                }
                settle(m, app, t, &mut s);
            }
            11 => {
                // Not known for a while, between two drifts or not.
                let before = s.status;
                if m.dice.chance(0.6) {
                    s.status = "OutOfSync";
                    put(m, app, t, &s);
                    t += short;
                }
                let seen = s.status;
                s.status = "Unknown";
                put(m, app, t, &s);
                t += short;
                s.status = if m.dice.chance(0.6) { seen } else { before };
                put(m, app, t, &s);
            }
            12 => {
                // The parameters changed, not the revision.
                s.status = "OutOfSync";
                s.hash = m.dice.hex(8);
                put(m, app, t, &s);
                t += short;
                settle(m, app, t, &mut s);
            }
            _ => put(m, app, t, &s),
        }
        if t > m.end {
            return;
        }
    }
}

fn synced(m: &mut Maker, t: Time) -> State {
    let revision = m.dice.hex(40);
    State {
        status: "Synced",
        compared: revision.clone(),
        synced: revision.clone(),
        hash: m.dice.hex(8),
        operation: done(t - TimeDelta::minutes(5), &revision, false),
        prune_only: false,
        health: "Healthy",
    }
}

/// An operation that succeeded in ten seconds.
fn done(started: Time, revision: &str, self_heal: bool) -> Operation {
    let finished = Some(started + TimeDelta::seconds(10));
    Operation { phase: "Succeeded", started, finished, revision: Some(revision.into()), self_heal }
}

/// A full sync of what is compared.
fn settle(m: &mut Maker, app: &App, t: Time, s: &mut State) {
    s.status = "Synced";
    s.synced = s.compared.clone();
    s.operation = done(t - TimeDelta::minutes(4), &s.compared, false);
    put(m, app, t, s);
}

fn put(m: &mut Maker, app: &App, t: Time, s: &State) {
    let reconciled = if app.polled { Some(t + m.dice.of(&[TimeDelta::zero(), TimeDelta::minutes(3), TimeDelta::hours(30)])) } else { None };
    let revision = s.operation.revision.as_ref().map_or(Value::Null, |r| json!([r]));
    let row = json!({"app": app.name, "observed_at": at(t), "service": app.service, "environment": app.environment, "sync_status": s.status,
        "compared_revisions": [s.compared], "synced_revisions": if app.says_synced { json!([s.synced]) } else { Value::Null },
        "source_hash": s.hash, "health": s.health, "op_phase": s.operation.phase, "op_started_at": at(s.operation.started),
        "op_finished_at": maybe(s.operation.finished), "op_revisions": revision, "op_self_heal": s.operation.self_heal,
        "op_partial": s.operation.self_heal, "reconciled_at": maybe(reconciled),
        "prune_only": if s.prune_only { json!(true) } else { Value::Null }});
    m.put("gitops_observations", row);
}
