//! What the generator knows, as rows of the public schema: told from the model of the shop, never read out of a payload.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Shop;
use crate::calendar::{Sec, iso};
use crate::catalogue::{ENVIRONMENTS, Landing, Provider, SERVICES, Service};
use crate::history::Repo;
use crate::model::{Attempt, Change, Deployment, Incident, Job, Observation, Outcome, Phase, Run, Tracker, World};
use crate::sim::is_watched;
use crate::{argocd, github, gitlab, pagerduty};

/// Rows by table; columns that are null are left out.
#[derive(Default, Serialize)]
pub struct Truth {
    pub tables: BTreeMap<&'static str, Vec<Map<String, Value>>>,
}

impl Truth {
    pub fn rows(&self, table: &str) -> &[Map<String, Value>] {
        self.tables.get(table).map_or(&[], Vec::as_slice)
    }

    /// Writes `<table>.ndjson` for every table.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        for (table, rows) in &self.tables {
            let mut file = BufWriter::new(std::fs::File::create(dir.join(format!("{table}.ndjson")))?);
            for row in rows {
                serde_json::to_writer(&mut file, row)?;
                file.write_all(b"\n")?;
            }
            file.flush()?;
        }
        Ok(())
    }

    fn add(&mut self, table: &'static str, row: Value) {
        let Value::Object(mut row) = row else { return };
        row.retain(|_, value| !value.is_null());
        self.tables.entry(table).or_default().push(row);
    }
}

fn at(instant: Option<Sec>) -> Value {
    instant.map_or(Value::Null, |instant| Value::from(iso(instant)))
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Timeout => "timeout",
        Outcome::Cancelled => "cancellation",
        Outcome::Skipped => "skip",
    }
}

pub fn truth(shop: &Shop) -> Truth {
    let mut truth = Truth::default();
    for (service, world) in SERVICES.iter().zip(&shop.worlds) {
        truth.add(
            "services",
            json!({
                "service": service.name, "team": service.team, "repo": service.repo(), "source": service.source(),
            }),
        );
        commits(&mut truth, &world.repo, service.source());
        for change in world.changes.iter().filter(|change| change.opened_at.is_some()) {
            truth.add("changes", change_row(service, &world.repo, change));
        }
        for deployment in &world.deployments {
            told_row(&mut truth, service, world, deployment);
            sync_row(&mut truth, shop, service, world, deployment);
        }
        for observation in &world.observations {
            truth.add("gitops_observations", observation_row(shop, service, world, observation));
        }
        for run in &world.runs {
            match service.provider {
                Provider::Gitlab => gitlab_run(&mut truth, service, world, run, shop.calendar.end),
                Provider::Github => github_run(&mut truth, service, world, run, shop.calendar.end),
            }
        }
    }
    for (place, world) in shop.worlds.iter().enumerate() {
        for incident in &world.incidents {
            truth.add("incidents", incident_row(place, incident));
        }
    }
    commits(&mut truth, &shop.config, "gitlab");
    truth
}

fn commits(truth: &mut Truth, repo: &Repo, source: &str) {
    let name = repo.name();
    for commit in &repo.commits {
        let parents: Vec<&str> = commit.parents.iter().map(|parent| repo.sha(*parent)).collect();
        let files: Vec<&str> = commit.added.iter().chain(&commit.modified).copied().collect();
        truth.add(
            "commits",
            json!({
                "repo": name, "sha": commit.sha, "parents": parents, "authored_at": iso(commit.authored_at),
                "committed_at": iso(commit.committed_at), "author_is_bot": commit.author.is_bot, "message": commit.message,
                "files": files, "source": source,
            }),
        );
    }
}

fn change_row(service: &Service, repo: &Repo, change: &Change) -> Value {
    let on_github = service.provider == Provider::Github;
    let size = |value: i64| if on_github { Value::from(value) } else { Value::Null };
    let method = change.merged_at.map(|_| match service.landing {
        Landing::Squash => "squash",
        Landing::Merge => "merge",
        Landing::Rebase => "rebase",
    });
    let shas: Vec<&str> = change.commits.iter().map(|commit| repo.sha(*commit)).collect();
    let url = match service.provider {
        Provider::Gitlab => format!("https://{}/{}/-/merge_requests/{}", repo.host, repo.path, change.number),
        Provider::Github => format!("https://{}/{}/pull/{}", repo.host, repo.path, change.number),
    };
    json!({
        "repo": repo.name(), "change_id": change.number.to_string(), "title": change.title,
        "author_is_bot": change.author.is_bot, "labels": change.labels, "source_branch": change.branch, "target_branch": "main",
        "opened_at": at(change.opened_at), "ready_at": at(change.ready_at), "first_review_at": at(change.first_review_at),
        "approved_at": at(change.approved_at), "merged_at": at(change.merged_at), "closed_at": at(change.closed_at),
        "merge_sha": change.landed.map(|landed| repo.sha(landed)), "merge_method": method, "commit_shas": shas,
        "additions": size(change.additions), "deletions": size(change.deletions), "files_changed": size(change.files),
        "url": url, "source": service.source(),
    })
}

/// A deployment that GitLab or GitHub tells of.
fn told_row(truth: &mut Truth, service: &Service, world: &World, deployment: &Deployment) {
    let Some(told) = &deployment.told else { return };
    let created_at = (service.provider == Provider::Github).then_some(told.created_at);
    truth.add(
        "deployments",
        json!({
            "deployment_id": told.id.to_string(), "service": service.name, "environment": ENVIRONMENTS[deployment.environment],
            "sha": world.repo.sha(deployment.commit), "repo": service.repo(), "branch": "main", "created_at": at(created_at),
            "started_at": at(told.running_at), "finished_at": at(told.finished.map(|(at, _)| at)),
            "outcome": told.finished.map_or("in_progress", |(_, outcome)| word(outcome)), "evidence": "deployment",
            "source": service.source(),
        }),
    );
}

/// A deployment that Argo CD's operation is the evidence of.
fn sync_row(truth: &mut Truth, shop: &Shop, service: &Service, world: &World, deployment: &Deployment) {
    let Some(sync) = &deployment.sync else { return };
    let Some(started_at) = sync.started_at else { return };
    let app = argocd::app_name(service.name, deployment.environment);
    let told_while_running = is_watched(deployment.environment);
    if sync.finished.is_none() && !told_while_running {
        return;
    }
    let revision = shop.config.sha(sync.revision);
    // Only the pods of a sync that succeeded show what it brought.
    let has_shown = sync.finished.is_some_and(|(_, outcome)| outcome == Outcome::Success);
    truth.add(
        "deployments",
        json!({
            "deployment_id": format!("{app}@{}@{revision}", iso(started_at)), "service": service.name,
            "environment": ENVIRONMENTS[deployment.environment],
            "sha": has_shown.then(|| world.repo.sha(deployment.commit)), "repo": has_shown.then(|| service.repo()),
            "config_repo": shop.config.name(), "config_sha": revision, "started_at": iso(started_at),
            "finished_at": at(sync.finished.map(|(at, _)| at)),
            "outcome": sync.finished.map_or("in_progress", |(_, outcome)| word(outcome)), "evidence": "gitops_sync",
            "automated": sync.by.is_none(), "source": "argocd",
        }),
    );
}

fn observation_row(shop: &Shop, service: &Service, world: &World, observation: &Observation) -> Value {
    let app = &observation.app;
    let revision = |commit| shop.config.sha(commit);
    let tag = app.image.map(|commit| world.repo.commits[commit].tag());
    let operation = app.operation.as_ref();
    let phase = operation.map(|operation| match operation.phase {
        Phase::Running => "Running",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
    });
    json!({
        "app": argocd::app_name(service.name, observation.environment), "observed_at": iso(observation.at),
        "service": service.name, "environment": ENVIRONMENTS[observation.environment],
        "sync_status": argocd::sync_status(app), "compared_revisions": app.revision.map(|commit| vec![revision(commit)]),
        "synced_revisions": app.history.last().map(|line| vec![revision(line.revision)]), "health": argocd::health(app),
        "op_phase": phase, "op_started_at": at(operation.map(|operation| operation.started_at)),
        "op_finished_at": at(operation.and_then(|operation| operation.finished_at)),
        "op_revisions": operation.map(|operation| vec![revision(operation.revision)]),
        "op_automated": operation.map(|operation| operation.by.is_none()),
        "op_self_heal": operation.map(|operation| operation.heals), "op_partial": operation.map(|operation| operation.heals),
        "out_of_sync": app.out_of_sync.len(), "prune_only": app.prune_only && !app.out_of_sync.is_empty(),
        "images": argocd::images(service.name, tag), "source": "argocd",
    })
}

fn incident_row(place: usize, incident: &Incident) -> Value {
    let (id, severity, source) = match incident.tracker {
        Tracker::PagerDuty => (pagerduty::incident_id(place, incident), Some(pagerduty::severity(incident)), "pagerduty"),
        Tracker::GitlabIssue => (gitlab::issue_id(place, incident).to_string(), Some(gitlab::severity(incident).to_owned()), "gitlab"),
        Tracker::GithubIssue => (github::issue_id(place, incident).to_string(), None, "github"),
    };
    json!({
        "incident_id": id, "services": [SERVICES[place].name], "severity": severity, "title": incident.title,
        "created_at": iso(incident.opened_at), "acknowledged_at": at(incident.acknowledged_at),
        "resolved_at": at(incident.resolved_at), "source": source,
    })
}

/// GitLab keeps one pipeline through all its tries: what is retried moves its end and its result.
fn gitlab_run(truth: &mut Truth, service: &Service, world: &World, run: &Run, end: Sec) {
    let finished: Vec<&Attempt> = run.attempts.iter().filter(|attempt| attempt.finished).collect();
    if finished.is_empty() && !run.attempts[0].started {
        return;
    }
    let last = finished.last();
    let worked: Option<Sec> = last.map(|_| finished.iter().map(|attempt| attempt.finished_at - attempt.started_at).sum());
    let change = run.change.map(|change| world.changes[change].number.to_string());
    truth.add(
        "pipeline_runs",
        json!({
            "pipeline": service.repo(), "run_id": run.id.to_string(), "attempt": 1, "repo": service.repo(),
            "branch": run.on_main.then_some("main"), "is_default_branch": run.on_main, "sha": world.repo.sha(run.commit),
            "trigger": if run.on_main { "push" } else { "merge_request_event" }, "change_id": change,
            "created_at": iso(run.created_at), "started_at": at(last.map(|_| run.attempts[0].started_at)),
            "finished_at": at(last.map(|attempt| attempt.finished_at)), "duration_seconds": worked,
            "result": last.map_or("in_progress", |attempt| word(pipeline_outcome(attempt.outcome))), "kind": "ci", "source": "gitlab",
        }),
    );
    // What is not tried again keeps its id; what is, is a job of its own, of the try in which it first stands.
    let mut jobs: BTreeMap<i64, (&Job, usize, bool)> = BTreeMap::new();
    for (place, attempt) in run.attempts.iter().enumerate().filter(|(_, attempt)| attempt.finished || attempt.started) {
        for job in &attempt.jobs {
            let done = attempt.finished || job.ran.is_some_and(|(_, to)| to <= end);
            let number = jobs.get(&job.id).map_or(place + 1, |(_, number, _)| *number);
            jobs.insert(job.id, (job, number, done));
        }
    }
    for (job, number, done) in jobs.values() {
        job_row(truth, run, *number, job, *done, service);
    }
}

/// GitLab has no word of its own for a pipeline whose job took too long.
fn pipeline_outcome(outcome: Outcome) -> Outcome {
    if outcome == Outcome::Timeout { Outcome::Failure } else { outcome }
}

/// GitHub tells every attempt as one of its own.
fn github_run(truth: &mut Truth, service: &Service, world: &World, run: &Run, end: Sec) {
    let change = run.change.map(|change| &world.changes[change]);
    for (place, attempt) in run.attempts.iter().enumerate() {
        if attempt.finished || attempt.started {
            let result = if attempt.finished { word(attempt.outcome) } else { "queued" };
            truth.add(
                "pipeline_runs",
                json!({
                    "pipeline": "ci", "run_id": run.id.to_string(), "attempt": place + 1, "repo": service.repo(),
                    "branch": change.map_or("main", |change| &change.branch), "is_default_branch": run.on_main,
                    "sha": world.repo.sha(run.commit), "trigger": if run.on_main { "push" } else { "pull_request" },
                    "change_id": change.map(|change| change.number.to_string()), "created_at": iso(run.created_at),
                    "queued_at": iso(attempt.started_at), "finished_at": at(attempt.finished.then_some(attempt.finished_at)),
                    "duration_seconds": attempt.finished.then_some(attempt.finished_at - attempt.started_at),
                    "result": result, "kind": "ci", "source": "github",
                }),
            );
        }
        for job in attempt.jobs.iter().filter(|job| job.ran.is_some_and(|(_, to)| to <= end)) {
            job_row(truth, run, place + 1, job, true, service);
        }
    }
}

fn job_row(truth: &mut Truth, run: &Run, attempt: usize, job: &Job, done: bool, service: &Service) {
    let ran = job.ran.filter(|_| done);
    let on_github = service.provider == Provider::Github;
    let queued_at = if on_github { Some(job.queued_at) } else { ran.map(|_| job.queued_at) };
    truth.add(
        "jobs",
        json!({
            "run_id": run.id.to_string(), "job_id": job.id.to_string(), "attempt": attempt, "name": job.name,
            "stage": (!on_github).then_some(job.stage), "created_at": iso(if on_github { job.queued_at } else { job.created_at }),
            "queued_at": at(queued_at), "started_at": at(ran.map(|(from, _)| from)), "finished_at": at(ran.map(|(_, to)| to)),
            "result": if done { word(job.outcome) } else { "queued" }, "kind": "ci", "source": service.source(),
        }),
    );
}
