//! The raw event: the bytes as they came, and what is needed to read them again. Never changed.

use super::{EventId, Source, Tenant, Time};
use bytes::Bytes;

/// The headers that matter for reading a delivery, names in lower case. Secrets are never among them.
pub type RawHeaders = Vec<(String, String)>;

#[derive(Clone, Debug, PartialEq)]
pub struct RawEvent {
    pub event_id: EventId,
    pub tenant: Tenant,
    pub source: Source,
    /// Which reader understands the bytes: a provider's kind, or `flowgauge` for our own schema.
    pub kind: String,
    pub delivery_id: Option<String>,
    pub received_at: Time,
    pub headers: RawHeaders,
    pub body: Bytes,
}

impl RawEvent {
    pub fn new(
        tenant: Tenant,
        source: Source,
        kind: &str,
        delivery_id: Option<String>,
        received_at: Time,
        headers: RawHeaders,
        body: Bytes,
    ) -> Self {
        let event_id = match &delivery_id {
            Some(delivery) => EventId::of(&tenant, &source, &[b"delivery", delivery.as_bytes()]),
            None => {
                let mut parts: Vec<&[u8]> = vec![b"content", kind.as_bytes()];
                for (name, value) in &headers {
                    parts.extend([name.as_bytes(), value.as_bytes()]);
                }
                parts.push(&body);
                EventId::of(&tenant, &source, &parts)
            }
        };
        RawEvent { event_id, tenant, source, kind: kind.to_owned(), delivery_id, received_at, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
