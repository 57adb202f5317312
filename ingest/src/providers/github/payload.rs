//! What GitHub sends, as far as we read it. Everything that GitHub leaves out now and then is optional.

use crate::providers::shared::{id, time};
use flowgauge_lake::model::Time;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Repository {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub name: Option<String>,
    pub full_name: Option<String>,
    pub html_url: Option<String>,
    pub default_branch: Option<String>,
    /// In push events, and only there, the moment of this very push (epoch seconds).
    #[serde(default, deserialize_with = "time")]
    pub pushed_at: Option<Time>,
}

/// A user or an app.
#[derive(Debug, Deserialize)]
pub struct Account {
    pub login: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

impl Account {
    pub fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot") || self.login.as_deref().is_some_and(|login| login.ends_with("[bot]"))
    }
}

#[derive(Debug, Deserialize)]
pub struct Push {
    pub r#ref: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
    pub created: Option<bool>,
    pub deleted: Option<bool>,
    pub forced: Option<bool>,
    pub commits: Option<Vec<PushedCommit>>,
    pub head_commit: Option<PushedCommit>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct PushedCommit {
    pub id: Option<String>,
    /// False for a commit that an earlier push brought already.
    pub distinct: Option<bool>,
    pub message: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub timestamp: Option<Time>,
    pub author: Option<GitPerson>,
    pub added: Option<Vec<String>>,
    pub removed: Option<Vec<String>>,
    pub modified: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub struct GitPerson {
    pub name: Option<String>,
    pub email: Option<String>,
    pub username: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PullRequestEvent {
    pub action: Option<String>,
    pub pull_request: Option<PullRequest>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct PullRequest {
    /// How it is to land once it may, if somebody asked for that: the only place where the method is said.
    pub auto_merge: Option<AutoMerge>,
    #[serde(default, deserialize_with = "id")]
    pub number: Option<String>,
    pub state: Option<String>,
    pub title: Option<String>,
    pub user: Option<Account>,
    pub labels: Option<Vec<Label>>,
    pub head: Option<Side>,
    pub base: Option<Side>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub closed_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub merged_at: Option<Time>,
    /// The commit that landed it; before the merge, a test merge that is no part of any branch.
    pub merge_commit_sha: Option<String>,
    pub additions: Option<i64>,
    pub deletions: Option<i64>,
    pub changed_files: Option<i64>,
    pub html_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Label {
    pub name: Option<String>,
}

/// The head or base of a pull request.
#[derive(Debug, Deserialize)]
pub struct Side {
    /// `owner:branch`.
    pub label: Option<String>,
    pub r#ref: Option<String>,
    /// `None` when the fork it came from is gone.
    pub repo: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct ReviewEvent {
    pub review: Option<Review>,
    pub pull_request: Option<PullRequest>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct Review {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub user: Option<Account>,
    pub state: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub submitted_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Time>,
}

#[derive(Debug, Deserialize)]
pub struct RunEvent {
    pub workflow_run: Option<Run>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct Run {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub run_attempt: Option<i64>,
    pub name: Option<String>,
    /// `.github/workflows/ci.yml`, in some answers with `@ref`.
    pub path: Option<String>,
    pub event: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub head_sha: Option<String>,
    pub head_branch: Option<String>,
    pub head_repository: Option<Repository>,
    pub pull_requests: Option<Vec<RunPullRequest>>,
    pub referenced_workflows: Option<Vec<ReferencedWorkflow>>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub run_started_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Time>,
    pub html_url: Option<String>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct RunPullRequest {
    #[serde(default, deserialize_with = "id")]
    pub number: Option<String>,
    pub base: Option<Side>,
}

#[derive(Debug, Deserialize)]
pub struct ReferencedWorkflow {
    /// `acme/templates/.github/workflows/build.yml@v3`.
    pub path: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct JobEvent {
    pub workflow_job: Option<Job>,
    /// Only where the job names an environment.
    pub deployment: Option<Deployment>,
}

#[derive(Debug, Deserialize)]
pub struct Job {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "id")]
    pub run_id: Option<String>,
    pub run_attempt: Option<i64>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub conclusion: Option<String>,
    pub labels: Option<Vec<String>>,
    pub runner_name: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub started_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub completed_at: Option<Time>,
}

#[derive(Debug, Deserialize)]
pub struct DeploymentEvent {
    pub deployment: Option<Deployment>,
    /// Only in `deployment_status`.
    pub deployment_status: Option<DeploymentStatus>,
    /// Only where a workflow of GitHub Actions made it.
    pub workflow_run: Option<RunReference>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct Deployment {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub sha: Option<String>,
    pub r#ref: Option<String>,
    pub environment: Option<String>,
    pub creator: Option<Account>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
}

#[derive(Debug, Deserialize)]
pub struct DeploymentStatus {
    pub state: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    pub log_url: Option<String>,
    pub target_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct RunReference {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub html_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct IssueEvent {
    pub action: Option<String>,
    pub issue: Option<Issue>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct Issue {
    #[serde(default, deserialize_with = "id")]
    pub number: Option<String>,
    pub title: Option<String>,
    pub state: Option<String>,
    pub labels: Option<Vec<Label>>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub closed_at: Option<Time>,
    pub html_url: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct PackageEvent {
    #[serde(alias = "registry_package")]
    pub package: Option<Package>,
    pub repository: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub struct Package {
    pub name: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Time>,
    pub package_version: Option<PackageVersion>,
}

#[derive(Debug, Deserialize)]
pub struct PackageVersion {
    pub version: Option<String>,
    pub target_oid: Option<String>,
    /// `ghcr.io/acme/checkout:1.4.0`.
    pub package_url: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    pub container_metadata: Option<Container>,
}

#[derive(Debug, Deserialize)]
pub struct Container {
    pub tag: Option<Tag>,
    pub labels: Option<ImageLabels>,
    pub manifest: Option<Manifest>,
}

#[derive(Debug, Deserialize)]
pub struct Tag {
    pub name: Option<String>,
    pub digest: Option<String>,
}

/// The labels of an image as the OCI names them.
#[derive(Debug, Deserialize)]
pub struct ImageLabels {
    pub source: Option<String>,
    pub revision: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Manifest {
    pub digest: Option<String>,
    pub config: Option<Blob>,
    pub layers: Option<Vec<Blob>>,
}

#[derive(Debug, Deserialize)]
pub struct Blob {
    pub size: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub struct AutoMerge {
    pub merge_method: Option<String>,
}
