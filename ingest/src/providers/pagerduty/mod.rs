//! PagerDuty.

use crate::provider::{NormaliseError, Provider, Rules};
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::{Observation, RawEvent, Time};

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
        &[]
    }
    fn verify(&self, hook: Webhook<Unverified>, _secrets: &Secrets, _now: Time) -> Result<Webhook<Verified>, Rejected> {
        Ok(hook.verified())
    }
    fn delivery_id(&self, _hook: &Webhook<Verified>) -> Option<String> {
        None
    }
    fn event_name(&self, raw: &RawEvent) -> String {
        raw.kind.clone()
    }
    fn normalise(&self, _raw: &RawEvent, _rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
        Ok(Vec::new())
    }
}
