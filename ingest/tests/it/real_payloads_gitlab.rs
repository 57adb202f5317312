//! Real payloads of GitLab.

use crate::real_payloads::{body, check, rows};
use crate::support::{normalise, raw};
use flowgauge_ingest::NormaliseError;
use flowgauge_ingest::providers::gitlab::Gitlab;
use flowgauge_lake::model::{Approval, Entity, Observation, Outcome, RunKind, Time};

/// File, event, tables.
const FILES: &[(&str, &str, &[&str])] = &[
    ("deployment.json", "Deployment Hook", &["deployments"]),
    ("deployment_approved.json", "Deployment Hook", &["deployments", "approvals"]),
    ("job.json", "Job Hook", &["jobs"]),
    ("merge_request.json", "Merge Request Hook", &["changes"]),
    ("pipeline.json", "Pipeline Hook", &["pipeline_runs", "jobs", "jobs", "jobs", "jobs", "jobs"]),
    ("push.json", "Push Hook", &["pushes", "commits", "commits"]),
    ("release.json", "Release Hook", &["commits"]),
    ("tag_push.json", "Tag Push Hook", &["pushes", "commits"]),
];
/// Answers of the REST API: no webhooks.
const REST: &[&str] = &["rest_pipeline_failed.json", "rest_pipeline_test_report.json"];

fn at(text: &str) -> Option<Time> {
    Some(Time::parse(text).expect(text))
}

fn of(file: &str) -> Option<Vec<Observation>> {
    rows(&Gitlab, file, Vec::new())
}

#[test]
fn every_file_gives_what_it_says_with_its_header_or_without() {
    let expected: Vec<(&str, &[&str])> = FILES.iter().map(|(file, _, tables)| (*file, *tables)).collect();
    check(&Gitlab, &expected, REST, |_| Vec::new());
    check(&Gitlab, &expected, REST, |name| {
        let event = FILES.iter().find(|(file, ..)| *file == name).map_or("", |(_, event, _)| event);
        vec![("x-gitlab-event".to_owned(), event.to_owned())]
    });
}

#[test]
fn answers_of_the_api_are_no_events() {
    for file in REST {
        let Some(body) = body("gitlab", file) else { return };
        assert_eq!(normalise(&Gitlab, &raw(&Gitlab, Vec::new(), body)), Err(NormaliseError::UnknownEvent("unknown".to_owned())), "{file}");
    }
}

#[test]
fn a_deployment_has_its_whole_sha_and_utc_times() {
    let Some(seen) = of("deployment.json") else { return };
    let Entity::Deployment(row) = &seen[0].entity else { panic!("a deployment") };
    assert_eq!((row.deployment_id.as_str(), row.run_id.as_deref()), ("15", Some("796")));
    assert_eq!((row.service.as_str(), row.environment.as_str()), ("test-deployment-webhooks", "staging"));
    assert_eq!(row.repo.as_deref(), Some("10.126.0.2/acme/test-deployment-webhooks"));
    assert_eq!(row.sha.as_deref(), Some("279484c09fbe69ededfced8c1bb6e6d24616b468"));
    assert_eq!((row.outcome, row.started_at, row.finished_at), (Some(Outcome::Success), None, at("2021-04-28T19:50:00Z")));
    assert_eq!((row.branch.as_deref(), row.initiated_by.as_deref()), (Some("1.0.0"), Some("user1")));
    assert_eq!(seen[0].updated_at, at("2021-04-28T19:50:00Z"));
}

#[test]
fn an_approval_lets_a_deployment_wait_on() {
    let Some(seen) = of("deployment_approved.json") else { return };
    let Entity::Deployment(row) = &seen[0].entity else { panic!("a deployment") };
    assert_eq!((row.deployment_id.as_str(), row.outcome, row.finished_at), ("1503250272", Some(Outcome::Queued), None));
    let Entity::Approval(Approval { approval_id, deployment_id, decision, decided_at, actor, .. }) = &seen[1].entity else {
        panic!("an approval")
    };
    assert_eq!((approval_id.as_str(), deployment_id.as_deref()), ("4218110", Some("1503250272")));
    assert_eq!((decision.as_deref(), *decided_at), (Some("approved"), at("2026-08-02T10:41:35.573Z")));
    assert_eq!(actor.as_deref(), Some("Pritesh-30"));
}

#[test]
fn a_retried_job_is_a_second_try_of_its_pipeline() {
    let Some(seen) = of("job.json") else { return };
    let Entity::Job(row) = &seen[0].entity else { panic!("a job") };
    assert_eq!((row.run_id.as_str(), row.job_id.as_str(), row.attempt), ("743121198", "3580121225", 2));
    assert_eq!((row.name.as_deref(), row.stage.as_deref()), (Some("auto_deploy:start"), Some("coordinated:tag")));
    assert_eq!((row.queued_at, row.started_at), (at("2023-01-10T13:50:04.806991Z"), at("2023-01-10T13:50:05Z")));
    assert_eq!((row.finished_at, row.result), (at("2023-01-10T13:50:54Z"), Some(Outcome::Success)));
    assert_eq!((row.kind, row.environment.as_deref()), (Some(RunKind::Deployment), Some("production")));
    assert_eq!(row.runner_class.as_deref(), Some("docker,linux"));
}

#[test]
fn a_merge_request_is_opened_by_nobody_it_names() {
    let Some(seen) = of("merge_request.json") else { return };
    let Entity::Change(row) = &seen[0].entity else { panic!("a change") };
    assert_eq!((row.repo.as_str(), row.change_id.as_str()), ("example.com/gitlabhq/gitlab-test", "1"));
    assert_eq!((row.title.as_deref(), row.author.as_deref()), (Some("MS-Viewport"), None));
    assert_eq!((row.source_branch.as_deref(), row.target_branch.as_deref()), (Some("ms-viewport"), Some("master")));
    assert_eq!((row.opened_at, row.merged_at, row.merge_sha.as_deref()), (at("2013-12-03T17:23:34Z"), None, None));
    assert_eq!(row.labels, Some(vec!["API".to_owned()]));
}

#[test]
fn a_pipeline_starts_with_its_first_job() {
    let Some(seen) = of("pipeline.json") else { return };
    let Entity::PipelineRun(row) = &seen[0].entity else { panic!("a run") };
    assert_eq!((row.pipeline.as_str(), row.run_id.as_str(), row.attempt), ("gitlab-org/gitlab-test", "31", 1));
    assert_eq!((row.created_at, row.started_at), (at("2016-08-12T15:23:28Z"), at("2016-08-12T15:24:56Z")));
    assert_eq!((row.finished_at, row.duration_seconds), (at("2016-08-12T15:26:29Z"), Some(63.0)));
    assert_eq!((row.trigger.as_deref(), row.change_id.as_deref()), (Some("merge_request"), Some("1")));
    assert_eq!((row.branch.as_deref(), row.is_default_branch), (Some("test"), Some(false)));
    assert_eq!((row.parent_run_id.as_deref(), row.result), (Some("30"), Some(Outcome::Success)));
    let Entity::Job(manual) = &seen[1].entity else { panic!("a job") };
    assert_eq!((manual.job_id.as_str(), manual.result, manual.started_at), ("380", Some(Outcome::Skip), None));
    assert_eq!((manual.environment.as_deref(), manual.allow_failure), (Some("production"), Some(true)));
    let Entity::Job(image) = &seen[4].entity else { panic!("a job") };
    assert_eq!((image.name.as_deref(), image.finished_at), (Some("build-image"), at("2016-08-12T15:25:26Z")));
    assert_eq!(image.queued_at, image.created_at, "a wait cannot begin before there is a job");
}

#[test]
fn a_cut_push_leaves_the_graph_open() {
    let Some(seen) = of("push.json") else { return };
    let Entity::Push(row) = &seen[0].entity else { panic!("a push") };
    assert_eq!((row.repo.as_str(), row.r#ref.as_str()), ("example.com/mike/diaspora", "refs/heads/master"));
    assert_eq!(row.before.as_deref(), Some("95790bf891e76fee5e1747ab589903a6a1f80f22"));
    assert_eq!((row.complete, row.forced), (Some(false), None), "two of four commits are listed");
    let Entity::Commit(row) = &seen[1].entity else { panic!("a commit") };
    assert_eq!((row.committed_at, row.authored_at), (at("2011-12-12T12:27:31Z"), None));
    assert_eq!(row.files.as_deref(), Some(&["CHANGELOG".to_owned(), "app/controller/application.rb".to_owned()][..]));
    assert_eq!((row.parents.as_ref(), row.branch.as_deref()), (None, Some("master")));
    assert_eq!(row.author.as_deref(), Some("jordi@softcatala.org"));
}

#[test]
fn a_tag_points_to_a_commit_and_tells_no_history() {
    let Some(seen) = of("tag_push.json") else { return };
    let Entity::Push(row) = &seen[0].entity else { panic!("a push") };
    assert_eq!((row.r#ref.as_str(), row.before.as_deref(), row.complete), ("refs/tags/v1.0.0", None, Some(false)));
    assert_eq!(row.after, "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7");
}
