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
