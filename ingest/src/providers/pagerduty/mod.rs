//! PagerDuty, by its webhooks (v3).
//!
//! | event | table | from |
//! | --- | --- | --- |
//! | `incident.triggered` | `incidents` | id, service, priority or urgency, title; created = `created_at`, else `occurred_at` |
//! | `incident.acknowledged`, `incident.resolved` | `incidents` | the same; the time is the event's `occurred_at` |
//! | `incident.reopened`, `incident.unacknowledged` | `incidents` | the same; takes the resolution, the acknowledgement back |
//! | any other `incident.*` whose `data` is the incident | `incidents` | the same, as it stands now |
//! | `incident.*` about a note or a status update, `service.*`, `pagey.ping` | | known, says nothing for us |

mod normalise;
mod payload;
mod webhook;

use crate::provider::{NormaliseError, Provider, Rules};
use crate::providers::shared;
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::{Observation, RawEvent, Time};

pub use normalise::rest;

pub struct Pagerduty;

impl Provider for Pagerduty {
    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn title(&self) -> &'static str {
        "PagerDuty"
    }

    fn kept_headers(&self) -> &'static [&'static str] {
        &[]
    }

    fn events(&self) -> &'static [&'static str] {
        &[
            "incident.acknowledged",
            "incident.annotated",
            "incident.delegated",
            "incident.escalated",
            "incident.priority_updated",
            "incident.reassigned",
            "incident.reopened",
            "incident.resolved",
            "incident.service_updated",
            "incident.status_update_published",
            "incident.triggered",
            "incident.unacknowledged",
            "pagey.ping",
            "service.updated",
        ]
    }

    fn verify(&self, hook: Webhook<Unverified>, secrets: &Secrets, _now: Time) -> Result<Webhook<Verified>, Rejected> {
        webhook::verify(hook, secrets)
    }

    fn delivery_id(&self, hook: &Webhook<Verified>) -> Option<String> {
        webhook::delivery_id(hook)
    }

    fn event_name(&self, raw: &RawEvent) -> String {
        let message = shared::json::<payload::Message>(&raw.body).ok();
        shared::event_name(message.and_then(|message| message.event?.event_type).as_deref().unwrap_or("unknown"))
    }

    fn normalise(&self, raw: &RawEvent, _rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
        normalise::normalise(&raw.body)
    }
}
