//! Webhooks as GitLab sends them.

use std::collections::HashMap;

use crate::calendar::{Sec, gitlab_offset, gitlab_utc, iso_offset};
use crate::catalogue::{CONFIG_PATH, ENVIRONMENTS, Landing, SERVICES, Service};
use crate::draw::uuid;
use crate::flow::GITLAB_PUSH_LIMIT;
use crate::history::{Commit, CommitIx, Repo};
use crate::json::{Json, object};
use crate::model::{Act, Change, Incident, Job, Moment, Outcome, Push, Run, State, Step, What};
use crate::people::{PEOPLE, Person};
use crate::scene::Scene;

const INSTANCE: &str = "https://gitlab.shop.example";

/// The server's own time zone, which its deployment hooks use.
const SERVER_OFFSET: i32 = 120;

const ZEROS: &str = "0000000000000000000000000000000000000000";

const STAGES: [&str; 3] = ["build", "test", "package"];

/// What stands in one payload after the other.
pub struct Texts {
    /// One per service; the last is the repository of manifests.
    projects: Vec<String>,
    repositories: Vec<String>,
    people: HashMap<i64, String>,
}

impl Texts {
    pub fn new() -> Self {
        let paths: Vec<String> = SERVICES.iter().map(Service::path).chain([CONFIG_PATH.to_owned()]).collect();
        Self {
            projects: paths.iter().enumerate().map(|(place, path)| project(place, path)).collect(),
            repositories: paths.iter().map(|path| repository(path)).collect(),
            people: PEOPLE.iter().map(|person| (person.id, user(person))).collect(),
        }
    }

    fn person(&self, person: &Person) -> &str {
        self.people.get(&person.id).map_or("null", String::as_str)
    }
}

fn project_id(place: usize) -> i64 {
    201 + place as i64
}

fn project(place: usize, path: &str) -> String {
    let (group, name) = path.split_once('/').unwrap_or(("", path));
    object(|json| {
        json.num("id", project_id(place));
        json.str("name", name);
        json.str("description", "");
        json.str("web_url", &format!("{INSTANCE}/{path}"));
        json.null("avatar_url");
        json.str("git_ssh_url", &format!("git@gitlab.shop.example:{path}.git"));
        json.str("git_http_url", &format!("{INSTANCE}/{path}.git"));
        json.str("namespace", group);
        json.num("visibility_level", 10);
        json.str("path_with_namespace", path);
        json.str("default_branch", "main");
        json.str("ci_config_path", "");
    })
}

fn repository(path: &str) -> String {
    object(|json| {
        json.str("name", path.rsplit('/').next().unwrap_or(path));
        json.str("url", &format!("git@gitlab.shop.example:{path}.git"));
        json.str("description", "");
        json.str("homepage", &format!("{INSTANCE}/{path}"));
    })
}

fn user(person: &Person) -> String {
    object(|json| {
        json.num("id", person.id);
        json.str("name", person.name);
        json.str("username", person.username);
        json.null("avatar_url");
        json.str("email", "[REDACTED]");
    })
}

/// The event's name for the header, and the body.
pub fn payload(scene: &Scene) -> (&'static str, String) {
    match scene.event.what {
        What::Push(push) => ("Push Hook", push_hook(scene, &scene.world.pushes[push])),
        What::Change { change, act, head } => ("Merge Request Hook", merge_request_hook(scene, &scene.world.changes[change], act, head)),
        What::Run { run, attempt, moment } => ("Pipeline Hook", pipeline_hook(scene, &scene.world.runs[run], attempt, moment)),
        What::Job { run, attempt, job, .. } => {
            let run = &scene.world.runs[run];
            ("Job Hook", job_hook(scene, run, &run.attempts[attempt].jobs[job]))
        }
        What::Deployment { deployment, state } => ("Deployment Hook", deployment_hook(scene, deployment, state)),
        What::Incident { incident, step } => ("Issue Hook", issue_hook(scene, &scene.world.incidents[incident], step)),
        What::Observation(_) => unreachable!("Argo CD tells of applications"),
    }
}

pub fn headers(scene: &Scene, event: &str) -> Vec<(String, String)> {
    let place = match scene.event.what {
        What::Push(push) if scene.world.pushes[push].config => SERVICES.len(),
        _ => scene.event.service,
    };
    [
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "GitLab/18.4.2-ee".to_owned()),
        ("Idempotency-Key", uuid(scene.nth, 1)),
        ("X-Gitlab-Event", event.to_owned()),
        ("X-Gitlab-Webhook-UUID", uuid(place as u64, 2)),
        ("X-Gitlab-Instance", INSTANCE.to_owned()),
        ("X-Gitlab-Event-UUID", uuid(scene.nth, 3)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn commit_members(json: &mut Json, repo: &Repo, commit: &Commit) {
    json.str("id", &commit.sha);
    json.str("message", &commit.message);
    json.str("title", commit.title());
    json.str("timestamp", &iso_offset(commit.authored_at, commit.author.offset));
    json.str("url", &[INSTANCE, "/", &repo.path, "/-/commit/", &commit.sha].concat());
    json.object("author", |json| {
        json.str("name", commit.author.name);
        json.str("email", &commit.author.email());
    });
}

fn push_hook(scene: &Scene, push: &Push) -> String {
    let repo = if push.config { &scene.shop.config } else { &scene.world.repo };
    let place = if push.config { SERVICES.len() } else { scene.event.service };
    let after = repo.sha(push.after);
    object(|json| {
        json.str("object_kind", "push");
        json.str("event_name", "push");
        json.str("before", push.before.map_or(ZEROS, |before| repo.sha(before)));
        json.str("after", after);
        json.str("ref", &["refs/heads/", &push.branch].concat());
        json.bool("ref_protected", push.branch == "main");
        json.str("checkout_sha", after);
        json.num("user_id", push.by.id);
        json.str("user_name", push.by.name);
        json.str("user_username", push.by.username);
        json.str("user_email", "");
        json.null("user_avatar");
        json.num("project_id", project_id(place));
        json.raw("project", &scene.shop.gitlab.projects[place]);
        json.array("commits", |json| {
            for commit in push.commits.iter().skip(push.commits.len().saturating_sub(GITLAB_PUSH_LIMIT)) {
                let commit = &repo.commits[*commit];
                json.element(|json| {
                    commit_members(json, repo, commit);
                    json.strings("added", &commit.added);
                    json.strings("modified", &commit.modified);
                    json.strings("removed", [""; 0]);
                });
            }
        });
        json.num("total_commits_count", push.commits.len() as i64);
        json.raw("repository", &scene.shop.gitlab.repositories[place]);
    })
}

fn label(json: &mut Json, title: &str, place: usize) {
    json.element(|json| {
        json.num("id", 900 + title.len() as i64);
        json.str("title", title);
        json.str("color", "#6699cc");
        json.num("project_id", project_id(place));
        json.bool("template", false);
        json.str("type", "ProjectLabel");
    });
}

fn merge_request_hook(scene: &Scene, change: &Change, act: Act, head: CommitIx) -> String {
    let (repo, texts, place) = (&scene.world.repo, &scene.shop.gitlab, scene.event.service);
    let project = &texts.projects[place];
    let opened_at = change.opened_at.unwrap_or(scene.event.at);
    let (action, state, state_id) = match act {
        Act::Opened => ("open", "opened", 1),
        Act::Reviewed(_) => ("approved", "opened", 1),
        Act::Merged => ("merge", "merged", 3),
        Act::Closed => ("close", "closed", 2),
        Act::Ready | Act::Updated => ("update", "opened", 1),
    };
    let by = match act {
        Act::Reviewed(_) => change.reviewer,
        Act::Merged if change.author.is_bot => change.reviewer,
        _ => change.author,
    };
    // Of a squash that is fast-forwarded, this hook does not tell the commit.
    let merge_sha = match (act, scene.service.landing) {
        (Act::Merged, Landing::Merge) => change.landed.map(|landed| repo.sha(landed)),
        _ => None,
    };
    object(|json| {
        json.str("object_kind", "merge_request");
        json.str("event_type", "merge_request");
        json.raw("user", texts.person(by));
        json.raw("project", project);
        json.object("object_attributes", |json| {
            json.num("id", 50_000 + place as i64 * 10_000 + change.number);
            json.num("iid", change.number);
            json.str("title", &change.title);
            json.str("description", &change.description);
            json.str("source_branch", &change.branch);
            json.str("target_branch", "main");
            json.num("source_project_id", project_id(place));
            json.num("target_project_id", project_id(place));
            json.num("author_id", change.author.id);
            json.null("assignee_id");
            json.raw("reviewer_ids", &format!("[{}]", change.reviewer.id));
            json.str("created_at", &gitlab_utc(opened_at));
            json.str("updated_at", &gitlab_utc(scene.event.at));
            json.bool("draft", false);
            json.bool("work_in_progress", false);
            json.null("head_pipeline_id");
            json.opt("merge_commit_sha", merge_sha);
            json.null("merge_error");
            json.raw("merge_params", "{\"force_remove_source_branch\":\"1\"}");
            json.str("merge_status", "can_be_merged");
            json.str("detailed_merge_status", if act == Act::Merged { "not_open" } else { "mergeable" });
            match act {
                Act::Merged => json.num("merge_user_id", by.id),
                _ => json.null("merge_user_id"),
            }
            json.bool("merge_when_pipeline_succeeds", false);
            json.null("milestone_id");
            json.num("state_id", state_id);
            json.str("state", state);
            json.bool("blocking_discussions_resolved", true);
            json.str("url", &format!("{INSTANCE}/{}/-/merge_requests/{}", repo.path, change.number));
            json.object("last_commit", |json| commit_members(json, repo, &repo.commits[head]));
            json.array("labels", |json| change.labels.iter().for_each(|title| label(json, title, place)));
            json.str("action", action);
        });
        json.array("labels", |json| change.labels.iter().for_each(|title| label(json, title, place)));
        json.object("changes", |_| {});
        json.raw("repository", &texts.repositories[place]);
        json.array("reviewers", |json| json.raw_element(texts.person(change.reviewer)));
    })
}

fn status(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure | Outcome::Timeout => "failed",
        Outcome::Cancelled => "canceled",
        Outcome::Skipped => "skipped",
    }
}

fn seconds(json: &mut Json, key: &str, span: Option<(Sec, Sec)>) {
    match span {
        Some((from, to)) => json.raw(key, &format!("{}.0", to - from)),
        None => json.null(key),
    }
}

fn instant(json: &mut Json, key: &str, at: Option<Sec>) {
    json.opt(key, at.map(gitlab_utc).as_deref());
}

fn runner(json: &mut Json, job: &Job, has_run: bool) {
    if !has_run {
        return json.null("runner");
    }
    json.object("runner", |json| {
        json.num("id", job.runner);
        json.str("description", &format!("runner-{}.shop.example", job.runner));
        json.str("runner_type", "instance_type");
        json.bool("active", true);
        json.bool("is_shared", true);
        json.strings("tags", ["docker"]);
    });
}

fn failure_reason(json: &mut Json, key: &str, job: &Job) {
    match job.outcome {
        Outcome::Failure => json.str(key, "script_failure"),
        Outcome::Timeout => json.str(key, "job_execution_timeout"),
        _ => {}
    }
}

/// The jobs that the pipeline shows after an attempt: the latest of each name.
fn latest_jobs(run: &Run, attempt: usize) -> Vec<&Job> {
    let mut latest: Vec<&Job> = Vec::new();
    for job in run.attempts[..=attempt].iter().flat_map(|attempt| &attempt.jobs) {
        match latest.iter_mut().find(|known| known.name == job.name) {
            Some(known) => *known = job,
            None => latest.push(job),
        }
    }
    latest
}

fn pipeline_hook(scene: &Scene, run: &Run, attempt: usize, moment: Moment) -> String {
    let (repo, texts, place) = (&scene.world.repo, &scene.shop.gitlab, scene.event.service);
    let change = run.change.map(|change| &scene.world.changes[change]);
    let done = moment == Moment::Finished;
    let last = &run.attempts[attempt];
    let (status_now, detailed) = match (done, last.outcome) {
        (false, _) => ("running", "running"),
        (true, Outcome::Success) => ("success", "passed"),
        (true, outcome) => (status(outcome), status(outcome)),
    };
    let worked: Sec = run.attempts[..=attempt].iter().map(|attempt| attempt.finished_at - attempt.started_at).sum();
    let commit = &repo.commits[run.commit];
    let name = match change {
        Some(change) => format!("refs/merge-requests/{}/head", change.number),
        None => "main".to_owned(),
    };
    object(|json| {
        json.str("object_kind", "pipeline");
        json.object("object_attributes", |json| {
            json.num("id", run.id);
            json.num("iid", run.number);
            json.null("name");
            json.str("ref", &name);
            json.bool("tag", false);
            json.str("sha", &commit.sha);
            json.str("before_sha", ZEROS);
            json.str("source", if change.is_some() { "merge_request_event" } else { "push" });
            json.str("status", status_now);
            json.str("detailed_status", detailed);
            json.strings("stages", STAGES);
            json.str("created_at", &gitlab_utc(run.created_at));
            instant(json, "finished_at", done.then_some(last.finished_at));
            if done {
                json.num("duration", worked);
                json.num("queued_duration", run.attempts[0].started_at - run.created_at);
            } else {
                json.null("duration");
                json.null("queued_duration");
            }
            json.array("variables", |_| {});
            json.str("url", &format!("{INSTANCE}/{}/-/pipelines/{}", repo.path, run.id));
        });
        match change {
            Some(change) => json.object("merge_request", |json| {
                json.num("id", 50_000 + place as i64 * 10_000 + change.number);
                json.num("iid", change.number);
                json.str("title", &change.title);
                json.str("source_branch", &change.branch);
                json.num("source_project_id", project_id(place));
                json.str("target_branch", "main");
                json.num("target_project_id", project_id(place));
                json.str("state", "opened");
                json.str("merge_status", "can_be_merged");
                json.str("url", &format!("{INSTANCE}/{}/-/merge_requests/{}", repo.path, change.number));
            }),
            None => json.null("merge_request"),
        }
        json.raw("user", texts.person(run.by));
        json.raw("project", &texts.projects[place]);
        json.object("commit", |json| commit_members(json, repo, commit));
        json.array("builds", |json| {
            for job in latest_jobs(run, attempt) {
                let ran = job.ran.filter(|_| done);
                json.element(|json| {
                    json.num("id", job.id);
                    json.str("stage", job.stage);
                    json.str("name", job.name);
                    json.str("status", if done { status(job.outcome) } else { "created" });
                    json.str("created_at", &gitlab_utc(job.created_at));
                    instant(json, "started_at", ran.map(|(from, _)| from));
                    instant(json, "finished_at", ran.map(|(_, to)| to));
                    seconds(json, "duration", ran);
                    seconds(json, "queued_duration", ran.map(|(from, _)| (job.queued_at, from)));
                    if done {
                        failure_reason(json, "failure_reason", job);
                    }
                    json.str("when", "on_success");
                    json.bool("manual", false);
                    json.bool("allow_failure", false);
                    runner(json, job, ran.is_some());
                    json.null("environment");
                });
            }
        });
    })
}

fn job_hook(scene: &Scene, run: &Run, job: &Job) -> String {
    let (repo, texts, place) = (&scene.world.repo, &scene.shop.gitlab, scene.event.service);
    let commit = &repo.commits[run.commit];
    let reference = match run.change {
        Some(change) => format!("refs/merge-requests/{}/head", scene.world.changes[change].number),
        None => "main".to_owned(),
    };
    object(|json| {
        json.str("object_kind", "build");
        json.str("ref", &reference);
        json.bool("tag", false);
        json.str("before_sha", ZEROS);
        json.str("sha", &commit.sha);
        json.num("retries_count", 0);
        json.num("build_id", job.id);
        json.str("build_name", job.name);
        json.str("build_stage", job.stage);
        json.str("build_status", status(job.outcome));
        json.str("build_created_at", &gitlab_utc(job.created_at));
        instant(json, "build_started_at", job.ran.map(|(from, _)| from));
        instant(json, "build_finished_at", job.ran.map(|(_, to)| to));
        seconds(json, "build_duration", job.ran);
        seconds(json, "build_queued_duration", job.ran.map(|(from, _)| (job.queued_at, from)));
        json.bool("build_allow_failure", false);
        match job.outcome {
            Outcome::Failure | Outcome::Timeout => failure_reason(json, "build_failure_reason", job),
            _ => json.str("build_failure_reason", "unknown_failure"),
        }
        json.num("pipeline_id", run.id);
        json.num("project_id", project_id(place));
        json.str("project_name", &[scene.service.team, " / ", scene.service.name].concat());
        runner(json, job, job.ran.is_some());
        json.raw("user", texts.person(run.by));
        json.object("commit", |json| {
            json.num("id", run.id);
            json.null("name");
            json.str("sha", &commit.sha);
            json.str("message", &commit.message);
            json.str("author_name", commit.author.name);
            json.str("author_email", &commit.author.email());
            json.str("status", "running");
        });
        json.raw("repository", &texts.repositories[place]);
        json.raw("project", &texts.projects[place]);
        json.null("environment");
    })
}

fn deployment_hook(scene: &Scene, deployment: usize, state: State) -> String {
    let (repo, texts, place) = (&scene.world.repo, &scene.shop.gitlab, scene.event.service);
    let deployment = &scene.world.deployments[deployment];
    let id = deployment.told.as_ref().map_or(0, |told| told.id);
    let commit = &repo.commits[deployment.commit];
    let environment = ENVIRONMENTS[deployment.environment];
    let tier = ["development", "testing", "staging", "production"][deployment.environment];
    let status = match (state, deployment.fails) {
        (State::Ended, false) => "success",
        (State::Ended, true) => "failed",
        _ => "running",
    };
    object(|json| {
        json.str("object_kind", "deployment");
        json.str("status", status);
        json.str("status_changed_at", &gitlab_offset(scene.event.at, SERVER_OFFSET));
        json.num("deployment_id", id);
        json.null("deployable_id");
        json.null("deployable_url");
        json.str("environment", environment);
        json.str("environment_tier", tier);
        json.str("environment_slug", environment);
        json.str("environment_external_url", &format!("https://{}.{environment}.shop.example", scene.service.name));
        json.raw("project", &texts.projects[place]);
        json.str("ref", "main");
        json.str("short_sha", &commit.sha[..8]);
        json.raw("user", texts.person(deployment.by));
        json.str("user_url", &format!("{INSTANCE}/{}", deployment.by.username));
        json.str("commit_url", &format!("{INSTANCE}/{}/-/commit/{}", repo.path, commit.sha));
        json.str("commit_title", commit.title());
    })
}

/// GitLab's own number of an incident.
pub fn issue_id(service: usize, incident: &Incident) -> i64 {
    700_000 + service as i64 * 1_000 + incident.number
}

fn issue_hook(scene: &Scene, incident: &Incident, step: Step) -> String {
    let (texts, place) = (&scene.shop.gitlab, scene.event.service);
    let closed = step == Step::Resolved;
    let severity = severity(incident);
    object(|json| {
        json.str("object_kind", "issue");
        json.str("event_type", "issue");
        json.raw("user", texts.person(incident.by));
        json.raw("project", &texts.projects[place]);
        json.object("object_attributes", |json| {
            json.num("id", issue_id(place, incident));
            json.num("iid", incident.number);
            json.str("title", &incident.title);
            json.str("description", "Raised by the people on call.");
            json.str("type", "Incident");
            json.str("severity", severity);
            json.str("escalation_status", if closed { "resolved" } else { "triggered" });
            json.num("author_id", incident.by.id);
            json.num("project_id", project_id(place));
            json.str("created_at", &gitlab_utc(incident.opened_at));
            json.str("updated_at", &gitlab_utc(scene.event.at));
            instant(json, "closed_at", closed.then_some(scene.event.at));
            json.bool("confidential", false);
            json.num("state_id", if closed { 2 } else { 1 });
            json.str("state", if closed { "closed" } else { "opened" });
            json.str("url", &format!("{INSTANCE}/{}/-/issues/{}", scene.world.repo.path, incident.number));
            json.array("labels", |json| label(json, "incident", place));
            json.str("action", if closed { "close" } else { "open" });
        });
        json.array("labels", |json| label(json, "incident", place));
        json.object("changes", |_| {});
        json.raw("repository", &texts.repositories[place]);
    })
}

pub fn severity(incident: &Incident) -> &'static str {
    match incident.priority {
        Some(1) => "critical",
        Some(2) => "high",
        Some(_) => "medium",
        None => "unknown",
    }
}
