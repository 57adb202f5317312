//! Incidents as recoveries: where a definition measures them instead of failed deployments (semantics, 2.2 and 7.56).

use super::{Builder, ScopeRow, Subject};
use crate::definitions::{RecoveryStart, RecoveryWindow};
use crate::facts::deployments::Classified;
use crate::facts::failures::Link;
use flowgauge_lake::model::Time;

impl Builder<'_> {
    /// A row for each incident: from when to when it took to recover, in the bucket of the definition's choice.
    pub(super) fn recoveries(&mut self) {
        if !self.facts.definitions.recovers_incidents() {
            return;
        }
        let known = |link: &&Link| self.exists(link.started_at) && link.repeats_from.is_none_or(|from| !self.exists(from));
        for link in self.facts.links.iter().filter(known).collect::<Vec<_>>() {
            let deployment = self.charged(link);
            let finished_at = deployment.and_then(Classified::finished_at);
            let Some(since) = self.begins(link, finished_at) else { continue };
            let Some(bucket) = self.place(link, since, finished_at).and_then(|place| self.bucket(place)) else { continue };
            let id = self.next_id;
            self.next_id += 1;
            for key in self.incident_series(link) {
                let row = ScopeRow {
                    what: "recovery",
                    bucket: Some(bucket),
                    id: Some(id),
                    at: Some(link.started_at),
                    since: Some(since),
                    until: link.incident.resolved_at,
                    is_incident: Some(true),
                    ..ScopeRow::default()
                };
                self.push(&key, row, || std::iter::once(Subject::of_link(link)).chain(deployment.map(Subject::deployment)).collect());
            }
        }
    }

    /// Since when an incident is there, and the moment whose bucket its time to restore belongs to. Needs no deployment.
    pub(super) fn restored(&self, link: &Link) -> (Time, Option<Time>) {
        let definitions = &self.facts.definitions;
        let begins_with_deployment = definitions.recovery_start == RecoveryStart::Deploy;
        let finished_at = self.charged(link).and_then(Classified::finished_at).filter(|_| !begins_with_deployment);
        let since = if begins_with_deployment { None } else { self.begins(link, finished_at) };
        let since = since.unwrap_or(link.started_at);
        match definitions.recovery_window {
            RecoveryWindow::Deployed | RecoveryWindow::DeployAndResolved => (since, Some(link.started_at)),
            _ => (since, self.place(link, since, finished_at)),
        }
    }

    fn begins(&self, link: &Link, finished_at: Option<Time>) -> Option<Time> {
        let incident = &link.incident;
        let created_at = incident.created_at.unwrap_or(link.started_at);
        match self.facts.definitions.recovery_start {
            RecoveryStart::Deploy => finished_at,
            RecoveryStart::Created => Some(created_at),
            RecoveryStart::Detected => Some(incident.detected_at.unwrap_or(link.started_at)),
            RecoveryStart::MinDeployCreated => Some(finished_at.map_or(created_at, |finished| finished.min(created_at))),
        }
    }

    fn place(&self, link: &Link, since: Time, finished_at: Option<Time>) -> Option<Time> {
        let incident = &link.incident;
        let resolved_at = incident.resolved_at.filter(|at| self.exists(*at));
        match self.facts.definitions.recovery_window {
            RecoveryWindow::Deployed => finished_at,
            RecoveryWindow::DeployAndResolved => {
                finished_at.filter(|_| resolved_at.is_some_and(|at| self.question.from <= at && at < self.question.to))
            }
            RecoveryWindow::Created => Some(since.min(incident.created_at.unwrap_or(link.started_at))),
            RecoveryWindow::Resolved => resolved_at,
            RecoveryWindow::Detected => Some(incident.detected_at.unwrap_or(link.started_at)),
        }
    }
}
