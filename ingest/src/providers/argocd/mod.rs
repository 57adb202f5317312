//! Argo CD: notifications with our template, `{"app": <Application>, "context": …, "timestamp": …}`, or the bare Application.
//!
//! | what came | our table | fields used |
//! | --- | --- | --- |
//! | any Application | `gitops_observations` | `timestamp`, `status.{sync,health,operationState,history,resources,summary}`, `spec.source(s)` |
//! | with an operation that is a deployment | `deployments` | `status.operationState`, `spec`, `status.summary.images` |
//!
//! Identity: `app` is the application's name, with its namespace before it (`team-a/checkout`, as Argo CD writes it) where
//! that is not the controller's own. Service and environment are told by names, see `identity.rs`.
//!
//! `operationState` stays after the operation ended and comes along with every later notification: a deployment's id is
//! `app@operation start@revisions`, so all of them fold to one.

mod deployment;
mod identity;
mod image;
mod observation;
mod overrides;
mod payload;
mod source;
mod webhook;

use crate::provider::{NormaliseError, Provider, Rules};
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::{Observation, RawEvent, Time};
use payload::Notification;

/// The one event there is: which trigger sent it, a notification does not say.
const EVENT: &str = "application";

pub struct Argocd;

impl Provider for Argocd {
    fn kind(&self) -> &'static str {
        "argocd"
    }

    fn title(&self) -> &'static str {
        "Argo CD"
    }

    fn kept_headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn events(&self) -> &'static [&'static str] {
        &[EVENT]
    }

    fn verify(&self, hook: Webhook<Unverified>, secrets: &Secrets, _now: Time) -> Result<Webhook<Verified>, Rejected> {
        webhook::verify(hook, secrets)
    }

    /// Argo CD numbers nothing: a delivery is its content.
    fn delivery_id(&self, _hook: &Webhook<Verified>) -> Option<String> {
        None
    }

    fn event_name(&self, raw: &RawEvent) -> String {
        webhook::event_name(&raw.body)
    }

    fn normalise(&self, raw: &RawEvent, rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
        let event = webhook::event_name(&raw.body);
        if event != EVENT {
            return Err(NormaliseError::UnknownEvent(event));
        }
        let notification = Notification::read(&raw.body)?;
        let identity = identity::of(&notification.app)?;
        let observation = observation::row(&notification, &identity, rules)?;
        let observed_at = observation.observed_at;
        let deployment = deployment::row(&notification, &identity, rules);
        // What runs is known better by the later of two notifications of one operation, hence their order.
        let deployment = deployment.map(|row| Observation::new(row).updated_at(Some(observed_at)));
        Ok(std::iter::once(Observation::new(observation)).chain(deployment).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::People;
    use flowgauge_lake::model::{Source, Tenant};

    const CONFIG: &str = include_str!("../../../../docs/providers/argocd-notifications.yaml");
    const BARE: &str = include_str!("fixtures/application-bare.json");

    /// The lines of a block scalar, from the line that opens it to the first that is not indented deeper.
    fn block(opening: &str) -> String {
        let mut lines = CONFIG.lines().skip_while(|line| line.trim() != opening);
        let indent = lines.next().map(|line| line.len() - line.trim_start().len()).expect(opening);
        lines.take_while(|line| line.len() - line.trim_start().len() > indent).map(|line| format!("{}\n", line.trim())).collect()
    }

    #[test]
    fn what_our_template_sends_is_what_is_read() {
        let body = block("body: |")
            .replace(r#"{{ (call .time.Now).Format "2006-01-02T15:04:05.000000Z07:00" }}"#, "2026-05-04T09:40:00.250000Z")
            .replace("{{ toJson .context }}", r#"{"argocdUrl":"https://argocd.tidewater.example"}"#)
            .replace("{{ toJson .app }}", BARE);
        let raw = RawEvent::new(Tenant::default(), Source::new("a"), "argocd", None, Time::default(), Vec::new(), body.into());
        let rows = Argocd.normalise(&raw, &Rules { people: People::Clear, incident_labels: Vec::new() }).expect("it is read");
        let sent_at = Time::parse("2026-05-04T09:40:00.25Z");
        assert_eq!((rows.len(), rows[1].updated_at), (2, sent_at));
    }

    #[test]
    fn every_trigger_is_subscribed_and_sends_our_template() {
        let triggers: Vec<&str> = CONFIG.lines().filter_map(|line| line.trim().strip_prefix("trigger.")?.strip_suffix(": |")).collect();
        let subscribed = block("subscriptions: |");
        let subscribed: Vec<&str> = subscribed.lines().filter_map(|line| line.strip_prefix("- flowgauge-")).collect();
        assert_eq!(triggers.iter().filter_map(|name| name.strip_prefix("flowgauge-")).collect::<Vec<_>>(), subscribed);
        for trigger in &triggers {
            let conditions = block(&format!("trigger.{trigger}: |"));
            assert_eq!(conditions.matches("- when: ").count(), conditions.matches("send: [flowgauge]").count(), "{trigger}");
        }
        assert!(!CONFIG.contains('\t'), "YAML knows no tabs");
    }
}
