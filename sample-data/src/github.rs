//! Webhooks as GitHub sends them.

use std::collections::HashMap;

use crate::calendar::{Sec, iso, iso_offset};
use crate::catalogue::{ENVIRONMENTS, Landing, PRODUCTION, SERVICES};
use crate::draw::{code, uuid};
use crate::history::{Commit, CommitIx};
use crate::json::{Json, object};
use crate::model::{Act, Change, Incident, Job, Moment, Outcome, Push, Run, State, Step, What};
use crate::people::{PEOPLE, Person};
use crate::scene::Scene;

const ZEROS: &str = "0000000000000000000000000000000000000000";

const ORGANISATION: &str = "shopfront";

const ORGANISATION_ID: i64 = 84_300_217;

/// When the organisation made its repositories.
const CREATED: Sec = 1_700_000_000;

/// What stands in one payload after the other.
pub struct Texts {
    /// Members of `repository`, without braces; one per service.
    repositories: Vec<String>,
    people: HashMap<i64, String>,
    organisation: String,
}

impl Texts {
    pub fn new() -> Self {
        let organisation = object(|json| {
            json.str("login", ORGANISATION);
            json.num("id", ORGANISATION_ID);
            json.str("url", "https://api.github.com/orgs/shopfront");
        });
        Self {
            repositories: SERVICES.iter().enumerate().map(|(place, service)| repository(place, &service.path())).collect(),
            people: PEOPLE.iter().map(|person| (person.id, user(person))).collect(),
            organisation,
        }
    }

    fn person(&self, person: &Person) -> &str {
        self.people.get(&person.id).map_or("null", String::as_str)
    }
}

fn repository_id(place: usize) -> i64 {
    560_000_000 + place as i64 * 137
}

fn repository(place: usize, path: &str) -> String {
    let text = object(|json| {
        json.num("id", repository_id(place));
        json.str("node_id", &["R_", &code(place as u64, 4, b"kgDOABCDEFGHIJ", 12)].concat());
        json.str("name", path.rsplit('/').next().unwrap_or(path));
        json.str("full_name", path);
        json.bool("private", true);
        json.object("owner", |json| {
            json.str("login", ORGANISATION);
            json.str("name", ORGANISATION);
            json.num("id", ORGANISATION_ID);
            json.str("type", "Organization");
            json.bool("site_admin", false);
        });
        json.str("html_url", &format!("https://github.com/{path}"));
        json.null("description");
        json.bool("fork", false);
        json.str("url", &format!("https://api.github.com/repos/{path}"));
        json.str("clone_url", &format!("https://github.com/{path}.git"));
        json.str("default_branch", "main");
        json.bool("archived", false);
    });
    text[1..text.len() - 1].to_owned()
}

/// A login has no dots.
fn login(person: &Person) -> String {
    person.username.replace('.', "-")
}

fn user(person: &Person) -> String {
    object(|json| {
        let login = login(person);
        json.str("login", &login);
        json.num("id", person.id);
        json.str("html_url", &format!("https://github.com/{}", login.replace("[bot]", "")));
        json.str("type", if person.is_bot { "Bot" } else { "User" });
        json.bool("site_admin", false);
    })
}

/// The event's name for the header, and the body.
pub fn payload(scene: &Scene) -> (&'static str, String) {
    match scene.event.what {
        What::Push(push) => ("push", push_event(scene, &scene.world.pushes[push])),
        What::Change { change, act: act @ Act::Reviewed(word), head } => {
            ("pull_request_review", review_event(scene, &scene.world.changes[change], act, word, head))
        }
        What::Change { change, act, head } => ("pull_request", pull_request_event(scene, &scene.world.changes[change], act, head)),
        What::Run { run, attempt, moment } => ("workflow_run", workflow_run_event(scene, &scene.world.runs[run], attempt, moment)),
        What::Job { run, attempt, job, .. } => {
            let run = &scene.world.runs[run];
            ("workflow_job", workflow_job_event(scene, run, attempt, &run.attempts[attempt].jobs[job]))
        }
        What::Deployment { deployment, state: State::Created } => ("deployment", deployment_event(scene, deployment, None)),
        What::Deployment { deployment, state } => ("deployment_status", deployment_event(scene, deployment, Some(state))),
        What::Incident { incident, step } => ("issues", issue_event(scene, &scene.world.incidents[incident], step)),
        What::Observation(_) => unreachable!("Argo CD tells of applications"),
    }
}

pub fn headers(scene: &Scene, event: &str) -> Vec<(String, String)> {
    [
        ("Accept", "*/*".to_owned()),
        ("Content-Type", "application/json".to_owned()),
        ("User-Agent", "GitHub-Hookshot/7f3c21e".to_owned()),
        ("X-GitHub-Delivery", uuid(scene.nth, 5)),
        ("X-GitHub-Event", event.to_owned()),
        ("X-GitHub-Hook-ID", "497215533".to_owned()),
        ("X-GitHub-Hook-Installation-Target-ID", ORGANISATION_ID.to_string()),
        ("X-GitHub-Hook-Installation-Target-Type", "organization".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn html(scene: &Scene) -> String {
    ["https://github.com/", &scene.world.repo.path].concat()
}

/// The members that end every payload.
fn surroundings(json: &mut Json, scene: &Scene, sender: &Person) {
    let texts = &scene.shop.github;
    json.object("repository", |json| json.members(&texts.repositories[scene.event.service]));
    json.raw("organization", &texts.organisation);
    json.raw("sender", texts.person(sender));
}

fn name_and_email(json: &mut Json, person: &Person) {
    json.str("name", person.name);
    json.str("email", &person.email());
    json.str("username", &login(person));
}

fn commit_members(json: &mut Json, scene: &Scene, commit: &Commit) {
    json.str("id", &commit.sha);
    json.str("tree_id", &commit.tree.to_string());
    json.bool("distinct", true);
    json.str("message", &commit.message);
    json.str("timestamp", &iso_offset(commit.authored_at, commit.author.offset));
    json.str("url", &[&html(scene), "/commit/", &commit.sha].concat());
    json.object("author", |json| name_and_email(json, commit.author));
    json.object("committer", |json| name_and_email(json, commit.author));
    json.strings("added", &commit.added);
    json.strings("removed", [""; 0]);
    json.strings("modified", &commit.modified);
}

fn push_event(scene: &Scene, push: &Push) -> String {
    let repo = &scene.world.repo;
    let texts = &scene.shop.github;
    let after = repo.sha(push.after);
    let before = push.before.map_or(ZEROS, |before| repo.sha(before));
    let compare = match push.before {
        Some(_) => format!("{}/compare/{}...{}", html(scene), &before[..12], &after[..12]),
        None => format!("{}/compare/{}", html(scene), push.branch),
    };
    object(|json| {
        json.str("ref", &["refs/heads/", &push.branch].concat());
        json.str("before", before);
        json.str("after", after);
        json.object("repository", |json| {
            json.members(&texts.repositories[scene.event.service]);
            json.num("created_at", CREATED);
            json.num("pushed_at", scene.event.at);
        });
        json.object("pusher", |json| {
            json.str("name", &login(push.by));
            json.str("email", &push.by.email());
        });
        json.raw("organization", &texts.organisation);
        json.raw("sender", texts.person(push.by));
        json.bool("created", push.before.is_none());
        json.bool("deleted", false);
        json.bool("forced", false);
        json.null("base_ref");
        json.str("compare", &compare);
        json.array("commits", |json| {
            for commit in &push.commits {
                json.element(|json| commit_members(json, scene, &repo.commits[*commit]));
            }
        });
        json.object("head_commit", |json| commit_members(json, scene, &repo.commits[push.after]));
    })
}

fn branch_end(json: &mut Json, key: &str, scene: &Scene, branch: &str, sha: &str) {
    json.object(key, |json| {
        json.str("label", &[ORGANISATION, ":", branch].concat());
        json.str("ref", branch);
        json.str("sha", sha);
        json.object("repo", |json| {
            json.num("id", repository_id(scene.event.service));
            json.str("name", scene.service.name);
            json.str("full_name", &scene.world.repo.path);
            json.bool("fork", false);
        });
    });
}

fn pull_request(json: &mut Json, scene: &Scene, change: &Change, act: Act, head: CommitIx) {
    let (repo, texts) = (&scene.world.repo, &scene.shop.github);
    let at = scene.event.at;
    let ended = matches!(act, Act::Merged | Act::Closed);
    let merged = act == Act::Merged;
    // Before the merge this is the merge that GitHub tries out, which never lands.
    let merge_sha = match act {
        Act::Merged => change.landed.map(|landed| repo.sha(landed).to_owned()),
        Act::Opened => None,
        _ => Some(code(scene.event.service as u64, change.number as u64, b"0123456789abcdef", 40)),
    };
    let method = match scene.service.landing {
        Landing::Squash => "squash",
        Landing::Merge => "merge",
        Landing::Rebase => "rebase",
    };
    json.str("url", &format!("https://api.github.com/repos/{}/pulls/{}", repo.path, change.number));
    json.num("id", 1_900_000_000 + scene.event.service as i64 * 100_000 + change.number);
    json.str("html_url", &format!("{}/pull/{}", html(scene), change.number));
    json.num("number", change.number);
    json.str("state", if ended { "closed" } else { "open" });
    json.bool("locked", false);
    json.str("title", &change.title);
    json.raw("user", texts.person(change.author));
    json.str("body", &change.description);
    json.array("labels", |json| {
        for name in &change.labels {
            json.element(|json| {
                json.num("id", 5_100_000_000 + name.len() as i64);
                json.str("name", name);
                json.str("color", "d73a4a");
                json.bool("default", false);
            });
        }
    });
    json.bool("draft", change.ready_at.map_or(change.draft, |ready| at < ready));
    json.str("created_at", &iso(change.opened_at.unwrap_or(at)));
    json.str("updated_at", &iso(at));
    json.opt("closed_at", ended.then(|| iso(at)).as_deref());
    json.opt("merged_at", merged.then(|| iso(at)).as_deref());
    json.opt("merge_commit_sha", merge_sha.as_deref());
    json.null("assignee");
    json.array("requested_reviewers", |json| {
        if !ended {
            json.raw_element(texts.person(change.reviewer));
        }
    });
    branch_end(json, "head", scene, &change.branch, repo.sha(head));
    branch_end(json, "base", scene, "main", repo.sha(change.base));
    json.str("author_association", "MEMBER");
    if change.auto_merge {
        json.object("auto_merge", |json| {
            json.raw("enabled_by", texts.person(change.reviewer));
            json.str("merge_method", method);
        });
    } else {
        json.null("auto_merge");
    }
}

fn pull_request_event(scene: &Scene, change: &Change, act: Act, head: CommitIx) -> String {
    let action = match act {
        Act::Opened => "opened",
        Act::Ready => "ready_for_review",
        Act::Updated => "synchronize",
        Act::Reviewed(_) | Act::Merged | Act::Closed => "closed",
    };
    let merged = act == Act::Merged;
    let sender = if merged && change.author.is_bot { change.reviewer } else { change.author };
    object(|json| {
        json.str("action", action);
        json.num("number", change.number);
        json.object("pull_request", |json| {
            pull_request(json, scene, change, act, head);
            json.bool("merged", merged);
            json.raw("merged_by", if merged { scene.shop.github.person(sender) } else { "null" });
            let commits = change.commits.iter().position(|commit| *commit == head).map_or(1, |place| place + 1);
            json.num("commits", commits as i64);
            json.num("additions", change.additions);
            json.num("deletions", change.deletions);
            json.num("changed_files", change.files);
        });
        surroundings(json, scene, sender);
    })
}

fn review_event(scene: &Scene, change: &Change, act: Act, word: &str, head: CommitIx) -> String {
    let texts = &scene.shop.github;
    object(|json| {
        json.str("action", "submitted");
        json.object("review", |json| {
            json.num("id", 2_300_000_000 + scene.nth as i64);
            json.raw("user", texts.person(change.reviewer));
            json.null("body");
            json.str("commit_id", scene.world.repo.sha(head));
            json.str("submitted_at", &iso(scene.event.at));
            json.str("state", word);
            json.str("author_association", "MEMBER");
        });
        json.object("pull_request", |json| pull_request(json, scene, change, act, head));
        surroundings(json, scene, change.reviewer);
    })
}

fn conclusion(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Timeout => "timed_out",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped => "skipped",
    }
}

fn run_branch<'a>(scene: &Scene<'a>, run: &Run) -> &'a str {
    run.change.map_or("main", |change| &scene.world.changes[change].branch)
}

fn workflow_run_event(scene: &Scene, run: &Run, attempt: usize, moment: Moment) -> String {
    let (repo, texts) = (&scene.world.repo, &scene.shop.github);
    let commit = &repo.commits[run.commit];
    let done = moment == Moment::Finished;
    let this = &run.attempts[attempt];
    let workflow = 90_000_000 + scene.event.service as i64;
    object(|json| {
        json.str("action", if done { "completed" } else { "requested" });
        json.object("workflow_run", |json| {
            json.num("id", run.id);
            json.str("name", "ci");
            json.str("head_branch", run_branch(scene, run));
            json.str("head_sha", &commit.sha);
            json.str("path", ".github/workflows/ci.yml");
            json.str("display_title", commit.title());
            json.num("run_number", run.number);
            json.str("event", if run.change.is_some() { "pull_request" } else { "push" });
            json.str("status", if done { "completed" } else { "queued" });
            json.opt("conclusion", done.then(|| conclusion(this.outcome)));
            json.num("workflow_id", workflow);
            json.str("html_url", &format!("{}/actions/runs/{}", html(scene), run.id));
            json.array("pull_requests", |json| {
                if let Some(change) = run.change.map(|change| &scene.world.changes[change]) {
                    json.element(|json| {
                        json.num("id", 1_900_000_000 + scene.event.service as i64 * 100_000 + change.number);
                        json.num("number", change.number);
                    });
                }
            });
            json.str("created_at", &iso(run.created_at));
            json.str("updated_at", &iso(scene.event.at));
            json.str("run_started_at", &iso(this.started_at));
            json.num("run_attempt", attempt as i64 + 1);
            json.raw("actor", texts.person(run.by));
            json.object("head_commit", |json| {
                json.str("id", &commit.sha);
                json.str("tree_id", &commit.tree.to_string());
                json.str("message", &commit.message);
                json.str("timestamp", &iso_offset(commit.authored_at, commit.author.offset));
                json.object("author", |json| {
                    json.str("name", commit.author.name);
                    json.str("email", &commit.author.email());
                });
            });
            json.object("repository", |json| small_repository(json, scene));
            json.object("head_repository", |json| small_repository(json, scene));
        });
        json.object("workflow", |json| {
            json.num("id", workflow);
            json.str("name", "ci");
            json.str("path", ".github/workflows/ci.yml");
            json.str("state", "active");
        });
        surroundings(json, scene, run.by);
    })
}

fn small_repository(json: &mut Json, scene: &Scene) {
    json.num("id", repository_id(scene.event.service));
    json.str("name", scene.service.name);
    json.str("full_name", &scene.world.repo.path);
    json.bool("fork", false);
}

fn workflow_job_event(scene: &Scene, run: &Run, attempt: usize, job: &Job) -> String {
    object(|json| {
        json.str("action", "completed");
        json.object("workflow_job", |json| {
            json.num("id", job.id);
            json.num("run_id", run.id);
            json.str("workflow_name", "ci");
            json.str("head_branch", run_branch(scene, run));
            json.num("run_attempt", attempt as i64 + 1);
            json.str("head_sha", scene.world.repo.sha(run.commit));
            json.str("html_url", &format!("{}/actions/runs/{}/job/{}", html(scene), run.id, job.id));
            json.str("status", "completed");
            json.str("conclusion", conclusion(job.outcome));
            json.str("created_at", &iso(job.queued_at));
            json.opt("started_at", job.ran.map(|(from, _)| iso(from)).as_deref());
            json.opt("completed_at", job.ran.map(|(_, to)| iso(to)).as_deref());
            json.str("name", job.name);
            json.array("steps", |_| {});
            json.strings("labels", ["ubuntu-24.04"]);
            json.num("runner_id", job.runner);
            json.str("runner_name", &format!("GitHub Actions {}", job.runner));
            json.num("runner_group_id", 2);
            json.str("runner_group_name", "GitHub Actions");
        });
        surroundings(json, scene, run.by);
    })
}

fn deployment_event(scene: &Scene, deployment: usize, state: Option<State>) -> String {
    let texts = &scene.shop.github;
    let deployment = &scene.world.deployments[deployment];
    let (id, created_at) = deployment.told.as_ref().map_or((0, scene.event.at), |told| (told.id, told.created_at));
    let environment = ENVIRONMENTS[deployment.environment];
    let word = match (state, deployment.fails) {
        (Some(State::Ended), false) => "success",
        (Some(State::Ended), true) => "failure",
        (Some(State::Superseded), _) => "inactive",
        _ => "in_progress",
    };
    let url = format!("https://api.github.com/repos/{}/deployments/{id}", scene.world.repo.path);
    object(|json| {
        json.str("action", "created");
        if state.is_some() {
            let status = 3_000_000_000 + scene.nth as i64;
            json.object("deployment_status", |json| {
                json.str("url", &format!("{url}/statuses/{status}"));
                json.num("id", status);
                json.str("state", word);
                json.raw("creator", texts.person(deployment.by));
                json.str("description", "");
                json.str("environment", environment);
                json.str("target_url", "");
                json.str("created_at", &iso(scene.event.at));
                json.str("updated_at", &iso(scene.event.at));
                json.str("deployment_url", &url);
            });
        }
        json.object("deployment", |json| {
            json.str("url", &url);
            json.num("id", id);
            json.str("sha", scene.world.repo.sha(deployment.commit));
            json.str("ref", "main");
            json.str("task", "deploy");
            json.object("payload", |_| {});
            json.str("original_environment", environment);
            json.str("environment", environment);
            json.null("description");
            json.raw("creator", texts.person(deployment.by));
            json.str("created_at", &iso(created_at));
            json.str("updated_at", &iso(scene.event.at));
            json.bool("transient_environment", false);
            json.bool("production_environment", deployment.environment == PRODUCTION);
        });
        if state.is_none() {
            json.null("workflow");
            json.null("workflow_run");
        }
        surroundings(json, scene, deployment.by);
    })
}

/// GitHub's own number of an issue.
pub fn issue_id(service: usize, incident: &Incident) -> i64 {
    2_700_000_000 + service as i64 * 10_000 + incident.number
}

fn issue_event(scene: &Scene, incident: &Incident, step: Step) -> String {
    let texts = &scene.shop.github;
    let closed = step == Step::Resolved;
    // Issues and pull requests share their numbers; issues begin far above.
    let number = 20_000 + incident.number;
    object(|json| {
        json.str("action", if closed { "closed" } else { "opened" });
        json.object("issue", |json| {
            json.num("id", issue_id(scene.event.service, incident));
            json.num("number", number);
            json.str("html_url", &format!("{}/issues/{number}", html(scene)));
            json.str("title", &incident.title);
            json.raw("user", texts.person(incident.by));
            json.array("labels", |json| {
                json.element(|json| {
                    json.num("id", 5_100_000_900);
                    json.str("name", "incident");
                    json.str("color", "b60205");
                    json.bool("default", false);
                });
            });
            json.str("state", if closed { "closed" } else { "open" });
            json.opt("state_reason", closed.then_some("completed"));
            json.bool("locked", false);
            json.array("assignees", |_| {});
            json.null("milestone");
            json.num("comments", 0);
            json.str("created_at", &iso(incident.opened_at));
            json.str("updated_at", &iso(scene.event.at));
            json.opt("closed_at", closed.then(|| iso(scene.event.at)).as_deref());
            json.str("body", "Raised by the people on call.");
        });
        surroundings(json, scene, incident.by);
    })
}
