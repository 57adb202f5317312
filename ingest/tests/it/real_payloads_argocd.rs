//! Real payloads of Argo CD.

use crate::real_payloads::{check, rows};
use flowgauge_ingest::providers::argocd::Argocd;
use flowgauge_lake::model::{Deployment, Entity, GitopsObservation, Outcome, SyncStatus, Time};

const FILES: &[(&str, &[&str])] = &[
    ("application_plugin_source.json", &["gitops_observations", "deployments"]),
    ("notification_002.json", &["gitops_observations", "deployments"]),
    ("notification_003.json", &["gitops_observations"]),
    ("notification_007_sync_podinfo_1_1.json", &["gitops_observations"]),
    ("notification_008_sync_podinfo_1_2.json", &["gitops_observations"]),
    ("notification_010_sync_podinfo_1_4.json", &["gitops_observations", "deployments"]),
    ("notification_016_sync_podinfo_3_3.json", &["gitops_observations"]),
];

fn at(text: &str) -> Option<Time> {
    Some(Time::parse(text).expect(text))
}

fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// What a file says of the application, and of a deployment if it tells of one; `None` without the folder.
fn of(file: &str) -> Option<(GitopsObservation, Option<Deployment>)> {
    let mut seen = rows(&Argocd, file, Vec::new())?.into_iter().map(|row| row.entity);
    let Some(Entity::GitopsObservation(observation)) = seen.next() else { panic!("{file}: an observation") };
    let deployment = seen.next().map(|entity| if let Entity::Deployment(row) = entity { row } else { panic!("{file}: a deployment") });
    Some((observation, deployment))
}

#[test]
fn every_file_gives_what_it_says() {
    check(&Argocd, FILES, &[], |_| Vec::new());
}

#[test]
fn several_sources_are_a_chart_and_its_configuration() {
    let Some((seen, Some(row))) = of("notification_002.json") else { return };
    assert_eq!((seen.app.as_str(), seen.observed_at), ("aaaaaaaa-aaaaaaa", at("2025-10-02T16:06:22.517138Z").expect("a time")));
    assert_eq!(seen.compared_revisions, texts(&["0.6.3", "744ef414bc4880d1ac71b8296dc01ebc35f4f97c"]));
    assert_eq!(seen.synced_revisions, texts(&["0.6.3", "90460e57069cadc1332ca8137268028bf3f12765"]));
    assert_eq!((seen.op_automated, seen.op_initiated_by.as_deref()), (Some(false), Some("aaaaa")));
    assert_eq!((seen.out_of_sync, seen.reconciled_at, seen.healthy_at), (Some(0), None, at("2025-10-01T09:41:47Z")));
    assert_eq!(row.deployment_id, "aaaaaaaa-aaaaaaa@2025-10-02T15:21:07Z@0.6.3,90460e57069cadc1332ca8137268028bf3f12765");
    assert_eq!((row.version.as_deref(), row.digest.as_deref(), row.sha.as_deref()), (Some("0.6.3"), None, None));
    assert_eq!(row.config_repo.as_deref(), Some("github.com/cdviz-dev/demo-cluster"));
    assert_eq!(row.config_sha.as_deref(), Some("90460e57069cadc1332ca8137268028bf3f12765"));
    assert_eq!((row.outcome, row.automated), (Some(Outcome::Success), Some(false)));
    assert_eq!(row.url.as_deref(), Some("https://demo.cdviz.dev/applications/argocd/aaaaaaaa-aaaaaaa"));
}

#[test]
fn an_invalid_application_is_unknown() {
    let Some((seen, deployment)) = of("notification_003.json") else { return };
    assert_eq!((seen.sync_status, seen.health.as_deref()), (Some(SyncStatus::Unknown), Some("Unknown")));
    assert_eq!((seen.compared_revisions, seen.op_phase, deployment), (None, None, None));
    assert_eq!((seen.service.as_deref(), seen.environment.as_deref()), (Some("aaaaaaa"), Some("aaaaaaa")));
}

#[test]
fn an_application_of_applications_deploys_nothing_itself() {
    let Some((running, None)) = of("notification_007_sync_podinfo_1_1.json") else { return };
    let Some((ended, None)) = of("notification_008_sync_podinfo_1_2.json") else { panic!("no deployment") };
    assert_eq!((running.op_phase.as_deref(), running.op_finished_at), (Some("Running"), None));
    assert_eq!(running.synced_revisions, texts(&["744ef414bc4880d1ac71b8296dc01ebc35f4f97c"]));
    assert_eq!(running.op_revisions, texts(&["94fcc5e8673e0d2d7fbca6b1c6c455ba308314fc"]));
    assert_eq!((ended.op_phase.as_deref(), ended.op_finished_at), (Some("Succeeded"), at("2025-10-02T16:20:59Z")));
    assert_eq!((ended.op_started_at, ended.synced_revisions), (running.op_started_at, running.op_revisions));
    assert_eq!(ended.source_hash, running.source_hash);
    assert_eq!((ended.op_automated, ended.op_self_heal, ended.op_partial), (Some(true), Some(false), Some(false)));
}

#[test]
fn what_degrades_later_was_deployed_well() {
    let Some((seen, Some(row))) = of("notification_010_sync_podinfo_1_4.json") else { return };
    assert_eq!((seen.health.as_deref(), seen.healthy_at, seen.hooks), (Some("Degraded"), None, None));
    assert_eq!(row.deployment_id, "aaaaaaa@2025-10-02T16:21:00Z@6.9.0");
    assert_eq!((row.outcome, row.finished_at), (Some(Outcome::Success), at("2025-10-02T16:21:03Z")));
    assert_eq!((row.version.as_deref(), row.config_repo.as_deref()), (Some("6.9.0"), None), "a chart's version is no commit");
}

#[test]
fn a_bare_application_is_as_old_as_the_last_thing_in_it() {
    let Some((seen, Some(row))) = of("application_plugin_source.json") else { return };
    assert_eq!((seen.app.as_str(), Some(seen.observed_at)), ("velero-test", at("2024-03-05T07:33:04Z")));
    assert_eq!((seen.service.as_deref(), seen.environment.as_deref()), (Some("velero"), Some("test")));
    assert_eq!((seen.compared_revisions, seen.synced_revisions), (texts(&["rev1"]), texts(&["ea8759964626a583667a2bfd08f334ec2070040a"])));
    assert_eq!((row.version.as_deref(), row.config_repo.as_deref()), (Some("latest"), Some("github.com/foo/manifests-velero")));
    assert_eq!(row.config_sha.as_deref(), Some("ea8759964626a583667a2bfd08f334ec2070040a"));
    assert_eq!((row.initiated_by.as_deref(), row.automated, row.url), (Some("foo@example.com"), Some(false), None));
}
