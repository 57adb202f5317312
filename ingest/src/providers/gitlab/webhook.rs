//! How a delivery proves itself, what makes it itself, and which event it is.

use crate::providers::shared;
use crate::secret::Secrets;
use crate::webhook::{Headers, Rejected, Unverified, Verified, Webhook};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowgauge_lake::model::{RawEvent, Time};
use serde::Deserialize;

pub(super) const EVENT_HEADER: &str = "x-gitlab-event";

pub(super) const EVENTS: &[&str] = &[
    "Deployment Hook",
    "Issue Hook",
    "Job Hook",
    "Merge Request Hook",
    "Note Hook",
    "Pipeline Hook",
    "Push Hook",
    "Release Hook",
    "Tag Push Hook",
];

/// A secret that begins so is a key for signatures and is never taken as a token.
const SIGNING_PREFIX: &[u8] = b"whsec_";

/// How far the signed time may be from ours.
const TOLERANCE_SECONDS: f64 = 300.0;

/// The longest name of an unknown event that counters get to see.
const NAME_CHARS: usize = 60;

/// `X-Gitlab-Token` shows the secret itself; a `whsec_…` secret asks for the signed form (Standard Webhooks) instead. Where a
/// source has one of each, while it moves from token to signature, either proof will do.
pub(super) fn verify(hook: Webhook<Unverified>, secrets: &Secrets, now: Time) -> Result<Webhook<Verified>, Rejected> {
    if secrets.is_none() {
        return Ok(hook.verified());
    }
    let (keys, tokens): (Vec<&[u8]>, Vec<&[u8]>) = secrets.iter().partition(|secret| secret.starts_with(SIGNING_PREFIX));
    let by_token = by_token(&hook.headers, tokens);
    if by_token == Ok(()) {
        return Ok(hook.verified());
    }
    match by_signature(&hook.headers, &hook.body, keys, now) {
        Ok(()) => Ok(hook.verified()),
        // What was shown and wrong says more than what is missing.
        Err(Rejected::MissingSignature) => Err(by_token.err().unwrap_or(Rejected::MissingSignature)),
        Err(rejected) => Err(rejected),
    }
}

fn by_token(headers: &Headers, tokens: Vec<&[u8]>) -> Result<(), Rejected> {
    let shown = headers.get("x-gitlab-token").ok_or(Rejected::MissingSignature)?;
    let tokens = Secrets::new(tokens.into_iter().map(<[u8]>::to_vec).collect()).ok_or(Rejected::BadSignature)?;
    if tokens.matches(shown.as_bytes()) { Ok(()) } else { Err(Rejected::BadSignature) }
}

/// HMAC-SHA256 over `{id}.{timestamp}.{body}`; the header holds one or several `v1,<base64>`, divided by blanks.
fn by_signature(headers: &Headers, body: &[u8], keys: Vec<&[u8]>, now: Time) -> Result<(), Rejected> {
    let header = |name| headers.get(name).ok_or(Rejected::MissingSignature);
    let (id, timestamp, signatures) = (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    let keys = keys.into_iter().filter_map(|key| STANDARD.decode(key.strip_prefix(SIGNING_PREFIX)?.trim_ascii()).ok());
    let keys = Secrets::new(keys.collect()).ok_or(Rejected::BadSignature)?;
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures = signatures.split_ascii_whitespace().filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok());
    if !signatures.fold(false, |found, signature| found | keys.signed(&parts, &signature)) {
        return Err(Rejected::BadSignature);
    }
    let signed_at = timestamp.parse().map(Time::from_seconds).map_err(|_| Rejected::BadSignature)?;
    if now.seconds_since(signed_at).abs() > TOLERANCE_SECONDS { Err(Rejected::Expired) } else { Ok(()) }
}

/// The same for every retry of one delivery. `X-Gitlab-Event-UUID` will not do: hooks that a hook sets off share it.
pub(super) fn delivery_id(hook: &Webhook<Verified>) -> Option<String> {
    ["idempotency-key", "webhook-id"].into_iter().find_map(|name| hook.headers.get(name)).map(str::to_owned)
}

/// The header's name of the event; without one, or in a system hook (which carries any event), the body tells.
pub(super) fn event_name(raw: &RawEvent) -> String {
    match raw.header(EVENT_HEADER) {
        Some("Confidential Issue Hook") => "Issue Hook".to_owned(),
        Some("Confidential Note Hook") => "Note Hook".to_owned(),
        None | Some("System Hook") => name_in_body(&raw.body),
        Some(name) => name.chars().take(NAME_CHARS).collect(),
    }
}

fn name_in_body(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Kind {
        object_kind: Option<String>,
        event_name: Option<String>,
    }
    let kind = shared::json::<Kind>(body).ok().and_then(|body| body.object_kind.or(body.event_name));
    let name = match kind.as_deref() {
        Some("build") => "Job Hook",
        Some("deployment") => "Deployment Hook",
        Some("issue" | "work_item") => "Issue Hook",
        Some("merge_request") => "Merge Request Hook",
        Some("note") => "Note Hook",
        Some("pipeline") => "Pipeline Hook",
        Some("push") => "Push Hook",
        Some("release") => "Release Hook",
        Some("tag_push") => "Tag Push Hook",
        Some(other) => other,
        None => "unknown",
    };
    name.chars().take(NAME_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hmac::{Hmac, Mac};
    use sha2::Sha256;

    const BODY: &[u8] = br#"{"object_kind":"push"}"#;
    const NOW: Time = Time::from_seconds(1_780_000_000);
    const KEY: &[u8] = b"a key of the shop";

    fn whsec() -> Vec<u8> {
        format!("whsec_{}", STANDARD.encode(KEY)).into_bytes()
    }

    fn signature(key: &[u8], id: &str, timestamp: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(BODY);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    fn check(secrets: &[&[u8]], headers: &[(&str, &str)]) -> Option<Rejected> {
        let headers = Headers::new(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let secrets = Secrets::new(secrets.iter().map(|secret| secret.to_vec()).collect()).unwrap_or_default();
        verify(Webhook::new(headers, Bytes::from_static(BODY)), &secrets, NOW).err()
    }

    #[test]
    fn the_token_is_compared_whole() {
        assert_eq!(check(&[b"old", b"new"], &[("X-Gitlab-Token", "new")]), None);
        assert_eq!(check(&[b"new"], &[("X-Gitlab-Token", "ne")]), Some(Rejected::BadSignature));
        assert_eq!(check(&[b"new"], &[]), Some(Rejected::MissingSignature));
        assert_eq!(check(&[b"new"], &[("X-Gitlab-Token", "new"), ("x-gitlab-token", "new")]), Some(Rejected::MissingSignature));
        assert_eq!(check(&[], &[]), None);
    }

    #[test]
    fn the_signed_form_binds_id_time_and_body() {
        let good = signature(KEY, "msg_1", "1780000100");
        let several = format!("v1,{} {good}", STANDARD.encode([0; 32]));
        let whsec = whsec();
        let signed = |id: &str, timestamp: &str, signature: &str| {
            check(&[&whsec], &[("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)])
        };
        assert_eq!(signed("msg_1", "1780000100", &good), None);
        assert_eq!(signed("msg_1", "1780000100", &several), None);
        assert_eq!(signed("msg_2", "1780000100", &good), Some(Rejected::BadSignature));
        assert_eq!(signed("msg_1", "1780000101", &good), Some(Rejected::BadSignature));
        assert_eq!(signed("msg_1", "1780000100", &good[3..]), Some(Rejected::BadSignature));
        assert_eq!(signed("msg_1", "1779999699", &signature(KEY, "msg_1", "1779999699")), Some(Rejected::Expired));
        assert_eq!(signed("msg_1", "1780000301", &signature(KEY, "msg_1", "1780000301")), Some(Rejected::Expired));
        assert_eq!(signed("msg_1", "soon", &signature(KEY, "msg_1", "soon")), Some(Rejected::BadSignature));
    }

    #[test]
    fn a_signing_key_is_no_token() {
        let whsec = whsec();
        let shown = String::from_utf8(whsec.clone()).expect("text");
        assert_eq!(check(&[&whsec], &[("X-Gitlab-Token", &shown)]), Some(Rejected::BadSignature));
        assert_eq!(check(&[&whsec, b"old"], &[("X-Gitlab-Token", "old")]), None);
        let good = signature(b"whsec_", "msg_1", "1780000000");
        let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", "1780000000"), ("webhook-signature", good.as_str())];
        assert_eq!(check(&[b"whsec_!"], &headers), Some(Rejected::BadSignature));
        assert_eq!(check(&[b"plain"], &headers), Some(Rejected::BadSignature));
    }

    #[test]
    fn a_delivery_is_known_by_its_key() {
        let id = |headers: &[(&str, &str)]| {
            let headers = Headers::new(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            delivery_id(&Webhook::new(headers, Bytes::new()).verified())
        };
        assert_eq!(id(&[("webhook-id", "w"), ("Idempotency-Key", "i"), ("X-Gitlab-Event-UUID", "u")]).as_deref(), Some("i"));
        assert_eq!(id(&[("webhook-id", "w")]).as_deref(), Some("w"));
        assert_eq!(id(&[("X-Gitlab-Event-UUID", "u")]), None);
    }

    #[test]
    fn the_body_names_what_the_header_does_not() {
        assert_eq!(name_in_body(br#"{"object_kind":"build"}"#), "Job Hook");
        assert_eq!(name_in_body(br#"{"event_name":"project_create"}"#), "project_create");
        assert_eq!(name_in_body(b"[]"), "unknown");
        assert_eq!(name_in_body(b"\xff"), "unknown");
    }
}
