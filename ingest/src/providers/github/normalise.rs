//! GitHub's events as observations. Pure.

use super::payload::*;
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared::{filled, json, message, need, sha};
use flowgauge_lake::model::{
    Artifact, Change, Commit, Deployment as DeploymentRow, Evidence, Incident, Job as JobRow, Observation, Outcome, PipelineRun,
    Push as PushRow, Review as ReviewRow, RunKind, Time, repo_name,
};

type Rows = Result<Vec<Observation>, NormaliseError>;

/// GitHub lists at most this many commits with a push; a longer list is cut.
const LISTED_COMMITS: usize = 2048;

/// What the event says, by its name. `None`: no event that we know.
pub fn normalise(event: &str, document: &[u8], rules: &Rules) -> Option<Rows> {
    Some(match event {
        "push" => json(document).and_then(|event| push(event, rules)),
        "pull_request" => json(document).and_then(|event| pull_request(event, rules)),
        "pull_request_review" => json(document).and_then(|event| review(event, rules)),
        "workflow_run" => json(document).and_then(workflow_run),
        "workflow_job" => json(document).and_then(workflow_job),
        "deployment" | "deployment_status" => json(document).and_then(|event| deployment(event, rules)),
        "issues" => json(document).and_then(|event| issue(event, rules)),
        "package" | "registry_package" => json(document).and_then(package),
        // Known, and silent: a ping; an alert, which is a state and no scan; a merge queue, whose runs and pushes tell all.
        "ping" | "dependabot_alert" | "merge_group" => Ok(Vec::new()),
        _ => return None,
    })
}

fn push(event: Push, rules: &Rules) -> Rows {
    let repository = need(event.repository, "repository")?;
    let repo = repository.repo()?;
    let reference = need(event.r#ref, "ref")?;
    let commits = event.commits.unwrap_or_default();
    // An annotated tag's `after` is the tag object; the head commit is what it points to.
    let head = event.head_commit.and_then(|commit| commit.id).filter(|_| reference.starts_with("refs/tags/"));
    let Some(after) = head.or(event.after).as_deref().and_then(sha).filter(|_| event.deleted != Some(true)) else {
        return Ok(Vec::new());
    };
    let before = event.before.as_deref().and_then(sha);
    let forced = event.forced.unwrap_or(false);
    let shas: Vec<String> = commits.iter().filter_map(|commit| commit.id.as_deref().and_then(sha)).collect();
    // Whole means: the history of `after` is that of `before` and this list. A new ref lists only what no other ref has.
    let complete = before.is_some()
        && !forced
        && event.created != Some(true)
        && shas.len() == commits.len()
        && shas.len() < LISTED_COMMITS
        && shas.last() == Some(&after);
    let branch = reference.strip_prefix("refs/heads/");
    let mut rows: Vec<Observation> =
        commits.iter().filter_map(|commit| pushed_commit(commit, &repo, branch, repository.pushed_at, rules)).collect();
    rows.push(Observation::new(PushRow {
        repo,
        r#ref: reference,
        after,
        before,
        commit_shas: Some(shas),
        complete: Some(complete),
        forced: Some(forced),
        pushed_at: repository.pushed_at,
    }));
    Ok(rows)
}

fn pushed_commit(commit: &PushedCommit, repo: &str, branch: Option<&str>, pushed_at: Option<Time>, rules: &Rules) -> Option<Observation> {
    // Only the push that first brought a commit says when it reached the server, and on which branch.
    let is_first = commit.distinct == Some(true);
    let files = match (&commit.added, &commit.modified, &commit.removed) {
        (None, None, None) => None,
        (added, modified, removed) => {
            let mut files: Vec<String> = [added, modified, removed].into_iter().flatten().flatten().cloned().collect();
            files.sort();
            files.dedup();
            Some(files)
        }
    };
    Some(Observation::new(Commit {
        repo: repo.to_owned(),
        sha: commit.id.as_deref().and_then(sha)?,
        committed_at: commit.timestamp,
        pushed_at: pushed_at.filter(|_| is_first),
        branch: branch.filter(|_| is_first).map(str::to_owned),
        author: commit.author.as_ref().and_then(GitPerson::id).map(|person| rules.people.name(person)),
        author_is_bot: commit.author.as_ref().map(GitPerson::is_bot),
        message: commit.message.as_deref().map(message),
        files,
        ..Commit::default()
    }))
}

fn pull_request(event: PullRequestEvent, rules: &Rules) -> Rows {
    let pull = need(event.pull_request, "pull_request")?;
    let repo = need(event.repository, "repository")?;
    let action = event.action.as_deref().unwrap_or_default();
    let is_merged = pull.merged_at.is_some();
    let head = pull.head.as_ref();
    // A fork's branch may have the name of one of ours, so it is told with its owner, as GitHub labels it.
    let is_fork = head.is_some_and(|head| !head.is_of(&repo));
    let source_branch = head.and_then(|head| if is_fork { head.label.clone() } else { head.r#ref.clone() });
    let row = Change {
        repo: repo.repo()?,
        change_id: need(pull.number, "pull_request.number")?,
        title: pull.title,
        author: pull.user.as_ref().and_then(|user| user.name(rules)),
        author_is_bot: pull.user.as_ref().map(Account::is_bot),
        labels: pull.labels.map(names),
        source_branch,
        target_branch: pull.base.as_ref().and_then(|base| base.r#ref.clone()),
        opened_at: pull.created_at,
        ready_at: pull.updated_at.filter(|_| action == "ready_for_review"),
        merged_at: pull.merged_at,
        closed_at: pull.closed_at.filter(|_| !is_merged),
        merge_sha: pull.merge_commit_sha.as_deref().and_then(sha).filter(|_| is_merged),
        additions: pull.additions,
        deletions: pull.deletions,
        files_changed: pull.changed_files,
        url: pull.html_url,
        ..Change::default()
    };
    let mut row = Observation::new(row).updated_at(pull.updated_at);
    if pull.state.as_deref() == Some("open") && action != "opened" {
        row = row.clearing("closed_at");
    }
    if action == "converted_to_draft" {
        row = row.clearing("ready_at");
    }
    Ok(vec![row])
}

fn review(event: ReviewEvent, rules: &Rules) -> Rows {
    let review = need(event.review, "review")?;
    let pull = need(event.pull_request, "pull_request")?;
    let row = ReviewRow {
        repo: need(event.repository, "repository")?.repo()?,
        change_id: need(pull.number, "pull_request.number")?,
        review_id: need(review.id, "review.id")?,
        actor: review.user.as_ref().and_then(|user| user.name(rules)),
        actor_is_bot: review.user.as_ref().map(Account::is_bot),
        state: review.state.map(|state| state.to_lowercase()),
        submitted_at: review.submitted_at,
    };
    // A dismissal leaves `submitted_at` as it was; the pull request's own time has moved on.
    Ok(vec![Observation::new(row).updated_at([review.submitted_at, review.updated_at, pull.updated_at].into_iter().flatten().max())])
}

fn workflow_run(event: RunEvent) -> Rows {
    let run = need(event.workflow_run, "workflow_run")?;
    let repository = need(event.repository.or(run.repository), "repository")?;
    let result = outcome(run.status.as_deref(), run.conclusion.as_deref());
    // A fork's branch may be called `main` too; a head repository that is gone was a fork's.
    let is_own = run.head_repository.as_ref().is_some_and(|head| head.is(&repository));
    let is_default_branch = match (&run.head_branch, &repository.default_branch) {
        _ if !is_own => Some(false),
        (Some(branch), Some(default)) => Some(branch == default),
        _ => None,
    };
    let pipeline = run.name.and_then(filled).or_else(|| workflow_file(run.path.as_deref()?));
    let change_id = match run.pull_requests.as_deref() {
        Some([pull]) if pull.base.as_ref().is_some_and(|base| base.is_of(&repository)) => pull.number.clone(),
        _ => None,
    };
    let is_over = result.is_some_and(Outcome::is_ended);
    let row = PipelineRun {
        pipeline: need(pipeline, "workflow_run.name")?,
        run_id: need(run.id, "workflow_run.id")?,
        attempt: run.run_attempt.unwrap_or(1),
        repo: Some(repository.repo()?),
        branch: run.head_branch.and_then(filled),
        is_default_branch,
        sha: run.head_sha.as_deref().and_then(sha),
        trigger: run.event.map(trigger),
        change_id,
        created_at: run.created_at,
        started_at: run.run_started_at.filter(|_| result != Some(Outcome::Queued)),
        finished_at: run.updated_at.filter(|_| is_over),
        result,
        template_ref: run.referenced_workflows.and_then(|used| used.into_iter().find_map(|workflow| workflow.path)),
        url: run.html_url,
        ..PipelineRun::default()
    };
    Ok(vec![Observation::new(row).updated_at(run.updated_at)])
}

fn workflow_job(event: JobEvent) -> Rows {
    let job = need(event.workflow_job, "workflow_job")?;
    let result = outcome(job.status.as_deref(), job.conclusion.as_deref());
    let runner = job.runner_name.and_then(filled);
    // `started_at` is filled for jobs that never ran, too: those that wait, are skipped or are cancelled before a runner took them.
    let ran = match result {
        Some(Outcome::Queued | Outcome::Skip) => false,
        Some(Outcome::Cancellation) => runner.is_some(),
        _ => true,
    };
    let is_over = result.is_some_and(Outcome::is_ended);
    let is_waiting = job.status.as_deref() == Some("waiting");
    let environment = event.deployment.and_then(|deployment| deployment.environment).and_then(filled);
    Ok(vec![Observation::new(JobRow {
        run_id: need(job.run_id, "workflow_job.run_id")?,
        job_id: need(job.id, "workflow_job.id")?,
        attempt: job.run_attempt.unwrap_or(1),
        name: job.name,
        runner,
        runner_class: job.labels.and_then(|labels| filled(labels.join(","))),
        created_at: job.created_at,
        queued_at: job.created_at.filter(|_| !is_waiting),
        started_at: job.started_at.filter(|_| ran),
        finished_at: job.completed_at.filter(|_| is_over),
        result,
        kind: environment.is_some().then_some(RunKind::Deployment),
        environment,
        ..JobRow::default()
    })])
}

fn deployment(event: DeploymentEvent, rules: &Rules) -> Rows {
    let deployment = need(event.deployment, "deployment")?;
    let repository = need(event.repository, "repository")?;
    let status = event.deployment_status;
    let link = status.as_ref().and_then(|status| status.log_url.clone().and_then(filled).or_else(|| status.target_url.clone().and_then(filled)));
    let run = event.workflow_run.as_ref();
    let run_id = run.and_then(|run| run.id.clone()).or_else(|| run_of(link.as_deref()?));
    let (outcome, said_at) = match &status {
        None => (Some(Outcome::Queued), deployment.created_at),
        Some(status) => (deployment_state(status.state.as_deref()), status.created_at),
    };
    let row = DeploymentRow {
        deployment_id: need(deployment.id, "deployment.id")?,
        service: need(repository.name.clone().and_then(filled), "repository.name")?,
        environment: need(deployment.environment.and_then(filled), "deployment.environment")?,
        branch: deployment.r#ref.and_then(filled).filter(|name| Some(name) != deployment.sha.as_ref()),
        sha: deployment.sha.as_deref().and_then(sha),
        repo: Some(repository.repo()?),
        created_at: deployment.created_at,
        started_at: said_at.filter(|_| outcome == Some(Outcome::InProgress)),
        finished_at: said_at.filter(|_| outcome.is_some_and(Outcome::is_ended)),
        outcome,
        evidence: Some(Evidence::Deployment),
        run_id,
        initiated_by: deployment.creator.as_ref().and_then(|creator| creator.name(rules)),
        automated: deployment.creator.as_ref().map(Account::is_bot),
        url: link.or_else(|| run.and_then(|run| run.html_url.clone())),
        ..DeploymentRow::default()
    };
    // Each status is dated by itself: the deployment's own `updated_at` moves again when the next one supersedes it.
    Ok(vec![Observation::new(row).updated_at(said_at)])
}

fn issue(event: IssueEvent, rules: &Rules) -> Rows {
    let issue = need(event.issue, "issue")?;
    let repository = need(event.repository, "repository")?;
    let is_incident = |label: &String| rules.incident_labels.iter().any(|wanted| wanted.to_lowercase() == label.to_lowercase());
    if !names(issue.labels.unwrap_or_default()).iter().any(is_incident) {
        return Ok(Vec::new());
    }
    let number = need(issue.number, "issue.number")?;
    let full_name = need(repository.full_name.clone(), "repository.full_name")?;
    let is_open = issue.state.as_deref() == Some("open");
    let row = Incident {
        incident_id: format!("{full_name}#{number}"),
        services: repository.name.and_then(filled).map(|name| vec![name]),
        title: issue.title,
        created_at: issue.created_at,
        resolved_at: issue.closed_at.filter(|_| !is_open),
        url: issue.html_url,
        ..Incident::default()
    };
    let row = Observation::new(row).updated_at(issue.updated_at);
    Ok(vec![if is_open && event.action.as_deref() != Some("opened") { row.clearing("resolved_at") } else { row }])
}

fn package(event: PackageEvent) -> Rows {
    let package = need(event.package, "package")?;
    let version = need(package.package_version, "package.package_version")?;
    let container = version.container_metadata;
    let (tag, labels, manifest) = match container {
        Some(Container { tag, labels, manifest }) => (tag, labels, manifest),
        None => (None, None, None),
    };
    let named = [tag.as_ref().and_then(|tag| tag.digest.clone()), manifest.as_ref().and_then(|m| m.digest.clone()), version.version];
    let Some(digest) = named.into_iter().flatten().find(|digest| is_digest(digest)) else {
        return Ok(Vec::new());
    };
    let source = labels.as_ref().and_then(|labels| labels.source.clone()).and_then(filled);
    let repo = source.as_deref().and_then(repo_name).or_else(|| event.repository.and_then(|repository| repository.repo().ok()));
    let revision = labels.and_then(|labels| labels.revision);
    let image = version.package_url.and_then(filled).map(|address| without_tag(&address).to_owned());
    Ok(vec![Observation::new(Artifact {
        digest,
        name: image.or(package.name),
        version: tag.and_then(|tag| tag.name).and_then(filled),
        repo,
        source_sha: revision.as_deref().and_then(sha).or_else(|| version.target_oid.as_deref().and_then(sha)),
        published_at: version.created_at.or(package.updated_at),
        size_bytes: manifest.and_then(|manifest| manifest.size()),
        ..Artifact::default()
    })])
}

/// How a run or job ended (`conclusion`), or how far it is (`status`). What GitHub may add later is unknown.
fn outcome(status: Option<&str>, conclusion: Option<&str>) -> Option<Outcome> {
    Some(match (status?, conclusion) {
        ("completed", Some("success")) => Outcome::Success,
        ("completed", Some("failure")) => Outcome::Failure,
        ("completed", Some("startup_failure")) => Outcome::Error,
        ("completed", Some("timed_out")) => Outcome::Timeout,
        // Stale is what GitHub gave up waiting for: how it would have ended nobody knows.
        ("completed", Some("cancelled" | "stale")) => Outcome::Cancellation,
        ("completed", Some("skipped" | "neutral")) => Outcome::Skip,
        // "Completed" only in name: a person has to let it run.
        ("completed", Some("action_required")) => Outcome::Queued,
        ("in_progress", _) => Outcome::InProgress,
        ("queued" | "requested" | "waiting" | "pending", _) => Outcome::Queued,
        _ => return None,
    })
}

/// `inactive` says that a later deployment took its place: nothing about how this one ended.
fn deployment_state(state: Option<&str>) -> Option<Outcome> {
    Some(match state? {
        "success" => Outcome::Success,
        "failure" => Outcome::Failure,
        "error" => Outcome::Error,
        "in_progress" => Outcome::InProgress,
        "queued" | "pending" | "waiting" => Outcome::Queued,
        _ => return None,
    })
}

/// GitHub's name of what started a run, in the words that all providers share; any other name stays.
fn trigger(event: String) -> String {
    match event.as_str() {
        "pull_request" | "pull_request_target" => "merge_request".to_owned(),
        "workflow_dispatch" => "manual".to_owned(),
        "repository_dispatch" => "api".to_owned(),
        _ => event,
    }
}

/// `ci` of `.github/workflows/ci.yml@main`.
fn workflow_file(path: &str) -> Option<String> {
    let path = path.split('@').next().unwrap_or(path);
    let file = path.rsplit('/').next().unwrap_or(path);
    filled(file.trim_end_matches(".yml").trim_end_matches(".yaml"))
}

/// The run in `https://github.com/acme/shop/actions/runs/17/job/23`.
fn run_of(link: &str) -> Option<String> {
    let (_, rest) = link.split_once("/actions/runs/")?;
    let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
    filled(id)
}

/// `algorithm:value`, as the OCI writes a digest.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, value)| !algorithm.is_empty() && value.len() >= 32 && !value.contains(['/', ':']))
}

/// `ghcr.io/acme/checkout` of `ghcr.io/acme/checkout:1.4.0`; a port stays.
fn without_tag(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => address,
    }
}

fn names(labels: Vec<Label>) -> Vec<String> {
    labels.into_iter().filter_map(|label| label.name).collect()
}

impl Repository {
    /// `host/owner/name`, also of a GitHub Enterprise Server.
    fn repo(&self) -> Result<String, NormaliseError> {
        let by_address = self.html_url.as_deref().and_then(repo_name);
        let by_name = || self.full_name.as_deref().and_then(filled).map(|name| format!("github.com/{name}"));
        need(by_address.or_else(by_name), "repository.full_name")
    }

    /// Whether two mentions are of one repository: by id where both have one, else by name.
    fn is(&self, other: &Repository) -> bool {
        match (&self.id, &other.id) {
            (Some(one), Some(another)) => one == another,
            _ => self.full_name.is_some() && self.full_name == other.full_name,
        }
    }
}

impl Side {
    fn is_of(&self, repository: &Repository) -> bool {
        self.repo.as_ref().is_some_and(|repo| repo.is(repository))
    }
}

impl Account {
    fn name(&self, rules: &Rules) -> Option<String> {
        self.login.as_deref().map(|login| rules.people.name(login))
    }
}

impl GitPerson {
    /// The e-mail, as the history of a clone tells it, so that hook and clone name one person alike.
    fn id(&self) -> Option<&str> {
        [&self.email, &self.username, &self.name].into_iter().flatten().map(String::as_str).find(|text| !text.trim().is_empty())
    }

    fn is_bot(&self) -> bool {
        [&self.name, &self.username].into_iter().flatten().any(|name| name.ends_with("[bot]"))
    }
}

impl Manifest {
    /// The bytes of an image: its configuration and its layers. `None` if they are not listed.
    fn size(&self) -> Option<i64> {
        let layers = self.layers.as_ref()?;
        let sizes = layers.iter().chain(self.config.as_ref()).filter_map(|blob| blob.size);
        sizes.map(|size| size.max(0)).try_fold(0i64, i64::checked_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_run() {
        for (status, conclusion, expected) in [
            ("completed", Some("success"), Some(Outcome::Success)),
            ("completed", Some("failure"), Some(Outcome::Failure)),
            ("completed", Some("startup_failure"), Some(Outcome::Error)),
            ("completed", Some("timed_out"), Some(Outcome::Timeout)),
            ("completed", Some("cancelled"), Some(Outcome::Cancellation)),
            ("completed", Some("stale"), Some(Outcome::Cancellation)),
            ("completed", Some("skipped"), Some(Outcome::Skip)),
            ("completed", Some("neutral"), Some(Outcome::Skip)),
            ("completed", Some("action_required"), Some(Outcome::Queued)),
            ("completed", Some("something_new"), None),
            ("completed", None, None),
            ("in_progress", None, Some(Outcome::InProgress)),
            ("waiting", None, Some(Outcome::Queued)),
            ("requested", None, Some(Outcome::Queued)),
            ("pending", None, Some(Outcome::Queued)),
            ("queued", None, Some(Outcome::Queued)),
            ("something_new", None, None),
        ] {
            assert_eq!(outcome(Some(status), conclusion), expected, "{status} {conclusion:?}");
        }
    }

    #[test]
    fn every_state_of_a_deployment() {
        for (state, expected) in [
            ("success", Some(Outcome::Success)),
            ("failure", Some(Outcome::Failure)),
            ("error", Some(Outcome::Error)),
            ("in_progress", Some(Outcome::InProgress)),
            ("queued", Some(Outcome::Queued)),
            ("pending", Some(Outcome::Queued)),
            ("waiting", Some(Outcome::Queued)),
            ("inactive", None),
        ] {
            assert_eq!(deployment_state(Some(state)), expected, "{state}");
        }
    }

    #[test]
    fn names_inside_of_texts() {
        assert_eq!(run_of("https://github.com/acme/shop/actions/runs/17/job/23").as_deref(), Some("17"));
        assert_eq!(run_of("https://ci.acme.io/runs/17"), None);
        assert_eq!(workflow_file(".github/workflows/release.yml@main").as_deref(), Some("release"));
        assert_eq!(without_tag("ghcr.io/acme/checkout:1.4.0"), "ghcr.io/acme/checkout");
        assert_eq!(without_tag("registry.acme.io:5000/checkout"), "registry.acme.io:5000/checkout");
    }
}
