//! What a provider is. One folder under `providers/`, one line in its registry; `README.md` tells how in ten steps.

use crate::people::People;
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use flowgauge_lake::model::{Observation, RawEvent, Time};

/// A system that sends us events.
pub trait Provider: Send + Sync {
    /// The name in configuration and addresses: lower snake, `azure_devops`.
    fn kind(&self) -> &'static str;

    /// The name as the provider writes it.
    fn title(&self) -> &'static str;

    /// Names (lower case) of the headers that are needed to read a delivery later. Never one that carries a secret.
    fn kept_headers(&self) -> &'static [&'static str];

    /// The events that `normalise` understands, as `event_name` names them. Each has a pair of files under `fixtures/`.
    fn events(&self) -> &'static [&'static str];

    /// Checks that the delivery comes from who it says. `now` is for signatures that carry a time.
    fn verify(&self, hook: Webhook<Unverified>, secrets: &Secrets, now: Time) -> Result<Webhook<Verified>, Rejected>;

    /// What makes this delivery itself: the same for every repeat of it. `None`: its content does.
    fn delivery_id(&self, hook: &Webhook<Verified>) -> Option<String>;

    /// The event's name, from header or body: `workflow_run`, `Pipeline Hook`. For counters and `/sources`; unknown ones too.
    fn event_name(&self, raw: &RawEvent) -> String;

    /// What the event says, in our words. Pure: a replay gives equal observations. An event that is known and says nothing
    /// for us gives an empty list; one that is not known gives `UnknownEvent`.
    fn normalise(&self, raw: &RawEvent, rules: &Rules) -> Result<Vec<Observation>, NormaliseError>;
}

/// The mapping rules that normalising depends on, besides the raw event itself.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Turns a person into a pseudonym (or keeps the name, where the owner says so).
    pub people: People,
    /// An issue with one of these labels (any case) is an incident.
    pub incident_labels: Vec<String>,
}

/// Why an event gave no observations. The raw event is kept in any case.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum NormaliseError {
    #[error("unknown event `{0}`")]
    UnknownEvent(String),
    #[error("cannot read the event: {0}")]
    Malformed(String),
}
