//! Real payloads of GitHub.

use crate::real_payloads::{body, check, rows};
use crate::support::{normalise, raw};
use flowgauge_ingest::providers::github::Github;
use flowgauge_lake::model::{Entity, Outcome, Time};

/// File, event, tables.
const FILES: &[(&str, &str, &[&str])] = &[
    ("dependabot_alert_fixed.json", "dependabot_alert", &[]),
    ("deployment.json", "deployment", &["deployments"]),
    ("deployment_status.json", "deployment_status", &["deployments"]),
    ("merge_group_destroyed.json", "merge_group", &[]),
    ("package_published.json", "package", &["artifacts"]),
    ("pull_request_closed.json", "pull_request", &["changes"]),
    ("push_with-new-branch.json", "push", &["commits", "pushes"]),
    ("workflow_job_completed.json", "workflow_job", &["jobs"]),
    ("workflow_job_waiting.json", "workflow_job", &["jobs"]),
    ("workflow_run_completed.json", "workflow_run", &["pipeline_runs"]),
];

fn at(text: &str) -> Option<Time> {
    Some(Time::parse(text).expect(text))
}

#[test]
fn every_file_gives_what_it_says_with_its_headers_or_without() {
    let expected: Vec<(&str, &[&str])> = FILES.iter().map(|(file, _, tables)| (*file, *tables)).collect();
    check(&Github, &expected, &[], |_| Vec::new());
    check(&Github, &expected, &[], |name| {
        let event = FILES.iter().find(|(file, ..)| *file == name).map_or("", |(_, event, _)| event);
        vec![("x-github-event".to_owned(), event.to_owned())]
    });
}

#[test]
fn a_form_says_the_same_as_json() {
    for (file, event, _) in FILES {
        let Some(json) = body("github", file) else { return };
        let form: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &String::from_utf8_lossy(&json)).finish();
        let form = raw(&Github, vec![("x-github-event".to_owned(), (*event).to_owned())], form);
        assert_eq!(normalise(&Github, &form).ok(), rows(&Github, file, Vec::new()), "{file}");
    }
}

#[test]
fn a_deployment_ends_with_its_status() {
    let Some(seen) = rows(&Github, "deployment_status.json", Vec::new()) else { return };
    let Entity::Deployment(row) = &seen[0].entity else { panic!("a deployment") };
    assert_eq!(row.deployment_id, "145988746");
    assert_eq!((row.service.as_str(), row.environment.as_str()), ("Hello-World", "production"));
    assert_eq!(row.repo.as_deref(), Some("github.com/Codertocat/Hello-World"));
    assert_eq!(row.sha.as_deref(), Some("f95f852bd8fca8fcc58a9a2d6c842781e32a215e"));
    assert_eq!((row.outcome, row.finished_at), (Some(Outcome::Success), at("2019-05-15T15:20:55Z")));
    assert_eq!((row.branch.as_deref(), row.automated), (Some("master"), Some(false)));
}

#[test]
fn a_run_ends_when_it_was_last_updated() {
    let Some(seen) = rows(&Github, "workflow_run_completed.json", Vec::new()) else { return };
    let Entity::PipelineRun(row) = &seen[0].entity else { panic!("a run") };
    assert_eq!((row.pipeline.as_str(), row.run_id.as_str(), row.attempt), ("aa", "11111111111", 1));
    // Asked for at 19:01:00 and over at 19:03:50: 170 s. When a runner took it the run does not say.
    assert_eq!((row.queued_at, row.started_at, row.finished_at), (at("2025-01-22T19:01:00Z"), None, at("2025-01-22T19:03:50Z")));
    assert_eq!(row.duration_seconds, Some(170.0));
    assert_eq!((row.branch.as_deref(), row.is_default_branch), (Some("fix-1"), Some(false)));
    assert_eq!((row.trigger.as_deref(), row.change_id.as_deref()), (Some("merge_request"), Some("35")));
}

#[test]
fn a_job_that_waits_has_not_started() {
    let Some(seen) = rows(&Github, "workflow_job_waiting.json", Vec::new()) else { return };
    let Entity::Job(row) = &seen[0].entity else { panic!("a job") };
    assert_eq!((row.result, row.started_at, row.queued_at), (Some(Outcome::Queued), None, None));
    assert_eq!(row.runner_class.as_deref(), Some("self-hosted,k8s"));
}

#[test]
fn a_pull_request_closed_without_a_merge_landed_nowhere() {
    let Some(seen) = rows(&Github, "pull_request_closed.json", Vec::new()) else { return };
    let Entity::Change(row) = &seen[0].entity else { panic!("a change") };
    assert_eq!((row.merged_at, row.merge_sha.as_deref()), (None, None));
    assert_eq!(row.closed_at, at("2019-05-15T15:21:18Z"));
    assert_eq!(row.labels, Some(vec!["bug".to_owned()]));
}

#[test]
fn a_push_of_a_new_branch_has_nothing_before() {
    let Some(seen) = rows(&Github, "push_with-new-branch.json", Vec::new()) else { return };
    let Entity::Push(row) = &seen[1].entity else { panic!("a push") };
    assert_eq!((row.before.as_deref(), row.complete), (None, Some(false)));
    assert_eq!(row.pushed_at, Some(Time::from_seconds(1_557_933_657)));
    let Entity::Commit(row) = &seen[0].entity else { panic!("a commit") };
    assert_eq!((row.parents.as_ref(), row.files.as_deref()), (None, Some(&["README.md".to_owned()][..])));
}
