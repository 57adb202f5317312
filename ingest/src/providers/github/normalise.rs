//! GitHub's events as observations, one file for each kind of thing. Pure. Here: which event goes where, and what they share.

mod change;
mod deployment;
mod issue;
mod package;
mod push;
mod run;

use super::payload::{Account, Label, Repository, Side};
use crate::provider::{NormaliseError, Rules};
use crate::providers::shared::{filled, json, need};
use flowgauge_lake::model::{Observation, repo_name};

type Rows = Result<Vec<Observation>, NormaliseError>;

/// What the event says, by its name. `None`: no event that we know.
pub fn normalise(event: &str, document: &[u8], rules: &Rules) -> Option<Rows> {
    Some(match event {
        "push" => json(document).and_then(|event| push::push(event, rules)),
        "pull_request" => json(document).and_then(|event| change::pull_request(event, rules)),
        "pull_request_review" => json(document).and_then(|event| change::review(event, rules)),
        "workflow_run" => json(document).and_then(run::workflow_run),
        "workflow_job" => json(document).and_then(run::workflow_job),
        "deployment" | "deployment_status" => json(document).and_then(|event| deployment::deployment(event, rules)),
        "issues" => json(document).and_then(|event| issue::issue(event, rules)),
        "package" | "registry_package" => json(document).and_then(package::package),
        // Known, and silent: a ping; an alert, which is a state and no scan; a merge queue, whose runs and pushes tell all.
        "ping" | "dependabot_alert" | "merge_group" => Ok(Vec::new()),
        _ => return None,
    })
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
