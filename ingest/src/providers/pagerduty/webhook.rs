//! How a delivery of PagerDuty proves itself, and which event it is.

use super::payload::Message;
use crate::providers::shared;
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};

const SIGNATURES: &str = "x-pagerduty-signature";
const DELIVERY: &str = "x-webhook-id";

/// Two while a secret rotates. More than this is nobody who rotates, but someone who makes us hash.
const MOST_SIGNATURES: usize = 8;

/// `v1=<hex HMAC-SHA256 of the body>,v1=…`: any one of them may match. Other versions prove nothing.
pub fn verify(hook: Webhook<Unverified>, secrets: &Secrets) -> Result<Webhook<Verified>, Rejected> {
    if secrets.is_none() {
        return Ok(hook.verified());
    }
    let shown = hook.headers.get(SIGNATURES).ok_or(Rejected::MissingSignature)?;
    let signatures: Vec<&str> = shown.split(',').take(MOST_SIGNATURES + 1).collect();
    let is_signed = signatures.len() <= MOST_SIGNATURES
        && signatures
            .iter()
            .filter_map(|signature| signature.strip_prefix("v1="))
            .filter_map(shared::signature)
            .any(|signature| secrets.signed(&[&hook.body], &signature));
    if is_signed { Ok(hook.verified()) } else { Err(Rejected::BadSignature) }
}

/// The header is the same for every attempt; without it, the event's own id is.
pub fn delivery_id(hook: &Webhook<Verified>) -> Option<String> {
    let header = hook.headers.get(DELIVERY).filter(|id| !id.is_empty()).map(str::to_owned);
    header.or_else(|| shared::json::<Message>(&hook.body).ok()?.event?.id)
}
