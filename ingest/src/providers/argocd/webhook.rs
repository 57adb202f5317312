//! How a notification proves itself: `Authorization: Bearer <token>`, set in `argocd-notifications-cm`. There is no signature.

use super::EVENT;
use crate::providers::shared;
use crate::secret::Secrets;
use crate::webhook::{Rejected, Unverified, Verified, Webhook};
use serde::Deserialize;

/// The longest name of an unknown event that counters get to see.
const NAME_CHARS: usize = 60;

pub(super) fn verify(hook: Webhook<Unverified>, secrets: &Secrets) -> Result<Webhook<Verified>, Rejected> {
    if secrets.is_none() {
        return Ok(hook.verified());
    }
    let shown = hook.headers.get("authorization").ok_or(Rejected::MissingSignature)?;
    let (scheme, token) = shown.split_once(' ').ok_or(Rejected::BadSignature)?;
    if scheme.eq_ignore_ascii_case("bearer") && secrets.matches(token.as_bytes()) {
        Ok(hook.verified())
    } else {
        Err(Rejected::BadSignature)
    }
}

/// `application`, or the kind of whatever else was sent.
pub(super) fn event_name(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Object {
        kind: Option<String>,
    }
    #[derive(Deserialize)]
    struct Body {
        app: Option<Object>,
        kind: Option<String>,
    }
    let Ok(body) = shared::json::<Body>(body) else { return "unknown".to_owned() };
    match (body.app, body.kind) {
        // A template of somebody's own may leave the kind out.
        (Some(Object { kind: None }), _) => EVENT.to_owned(),
        (Some(Object { kind }), _) | (None, kind) if kind.as_deref() == Some("Application") => EVENT.to_owned(),
        (Some(Object { kind: Some(kind) }), _) | (None, Some(kind)) => kind.chars().take(NAME_CHARS).collect(),
        (None, None) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Headers;
    use bytes::Bytes;

    #[test]
    fn the_bearer_token_is_compared_whole() {
        let check = |headers: &[&str]| {
            let headers = Headers::new(headers.iter().map(|value| ("Authorization".to_owned(), (*value).to_owned())));
            let secrets = Secrets::new(vec![b"old".to_vec(), b"new".to_vec()]).expect("two secrets");
            verify(Webhook::new(headers, Bytes::new()), &secrets).err()
        };
        assert_eq!(check(&["Bearer new"]), None);
        assert_eq!(check(&["bearer old"]), None);
        for wrong in ["Bearer ne", "Bearer ", "Bearer", "new", "Basic new", "Bearer new new"] {
            assert_eq!(check(&[wrong]), Some(Rejected::BadSignature), "{wrong}");
        }
        assert_eq!(check(&[]), Some(Rejected::MissingSignature));
        assert_eq!(check(&["Bearer new", "Bearer new"]), Some(Rejected::MissingSignature));
    }

    #[test]
    fn only_applications_are_known() {
        for (body, name) in [
            (r#"{"app":{"kind":"Application"}}"#, "application"),
            (r#"{"app":{}}"#, "application"),
            (r#"{"kind":"Application"}"#, "application"),
            (r#"{"kind":"AppProject"}"#, "AppProject"),
            (r#"{"app":{"kind":"AppProject"}}"#, "AppProject"),
            (r#"{"text":"hello"}"#, "unknown"),
            ("[", "unknown"),
        ] {
            assert_eq!(event_name(body.as_bytes()), name, "{body}");
        }
    }
}
