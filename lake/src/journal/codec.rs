//! A raw event as bytes in the journal. The first byte is the layout, so that a later one can be told apart.

use crate::model::{EventId, RawEvent, Source, Tenant, Time};
use bytes::Bytes;

const LAYOUT: u8 = 1;

pub(super) fn encode(event: &RawEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.body.len() + 256);
    out.push(LAYOUT);
    out.extend_from_slice(event.event_id.bytes());
    out.extend_from_slice(&event.received_at.micros().to_le_bytes());
    for text in [event.tenant.as_str(), event.source.as_str(), &event.kind] {
        put(&mut out, text.as_bytes());
    }
    out.push(u8::from(event.delivery_id.is_some()));
    if let Some(delivery) = &event.delivery_id {
        put(&mut out, delivery.as_bytes());
    }
    out.extend_from_slice(&(event.headers.len() as u32).to_le_bytes());
    for (name, value) in &event.headers {
        put(&mut out, name.as_bytes());
        put(&mut out, value.as_bytes());
    }
    out.extend_from_slice(&event.body);
    out
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// `None` if the bytes are not what `encode` writes.
pub(super) fn decode(bytes: &Bytes) -> Option<RawEvent> {
    let mut rest = Reader { bytes, at: 0 };
    if rest.take(1)? != [LAYOUT] {
        return None;
    }
    let event_id = EventId::from_bytes(rest.take(16)?.try_into().ok()?);
    let received_at = Time::from_micros(i64::from_le_bytes(rest.take(8)?.try_into().ok()?));
    let tenant = Tenant::new(rest.text()?);
    let source = Source::new(rest.text()?);
    let kind = rest.text()?.to_owned();
    let delivery_id = match rest.take(1)? {
        [0] => None,
        _ => Some(rest.text()?.to_owned()),
    };
    let count = rest.length()?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((rest.text()?.to_owned(), rest.text()?.to_owned()));
    }
    Some(RawEvent { event_id, tenant, source, kind, delivery_id, received_at, headers, body: bytes.slice(rest.at..) })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?) as usize)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            names in [".{0,8}", ".{0,8}", ".{0,8}"],
            delivery in proptest::option::of(".{0,40}"),
            headers in prop::collection::vec((".{0,8}", ".{0,8}"), 0..4),
            micros: i64,
            body: Vec<u8>,
        ) {
            let [tenant, source, kind] = names;
            let event = RawEvent::new(
                Tenant::new(tenant), Source::new(source), &kind, delivery, Time::from_micros(micros), headers, body.into(),
            );
            prop_assert_eq!(decode(&encode(&event).into()), Some(event));
        }

        #[test]
        fn spoiled_bytes_never_panic(mut bytes: Vec<u8>) {
            let _ = decode(&bytes.clone().into());
            bytes.insert(0, LAYOUT);
            let _ = decode(&bytes.into());
        }
    }
}
