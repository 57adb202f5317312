//! Raw events to observations: picks the reader by the event's kind. Pure but for the rules it was built with.

use crate::provider::{NormaliseError, Rules};
use crate::{own, providers};
use flowgauge_lake::model::{Observation, RawEvent};

/// Reads every kind of raw event that Flowgauge knows.
#[derive(Clone, Debug)]
pub struct Normaliser {
    rules: Rules,
}

impl Normaliser {
    pub fn new(rules: Rules) -> Self {
        Normaliser { rules }
    }

    pub fn normalise(&self, raw: &RawEvent) -> Result<Vec<Observation>, NormaliseError> {
        if raw.kind == own::OWN_KIND {
            return own::normalise(raw, &self.rules);
        }
        match providers::by_kind(&raw.kind) {
            Some(provider) => provider.normalise(raw, &self.rules),
            None => Err(NormaliseError::UnknownEvent(raw.kind.clone())),
        }
    }

    /// The event's name for counters: the provider's word, or the table of our own schema.
    pub fn event_name(&self, raw: &RawEvent) -> String {
        match providers::by_kind(&raw.kind) {
            Some(provider) => provider.event_name(raw),
            None => raw.header("x-flowgauge-table").unwrap_or(&raw.kind).to_owned(),
        }
    }
}
