//! What providers' readers share: lenient serde readers, cleaning of ids and shas, signatures. Nothing here knows a provider.

use crate::provider::NormaliseError;
use flowgauge_lake::model::Time;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

/// The longest commit message that is kept, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 4096;

/// Reads a JSON body. A byte order mark is skipped; the error tells the place and never the content.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, NormaliseError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_data() { "not the shape of this event" } else { "not JSON" };
        NormaliseError::Malformed(format!("{what} at line {}, column {}", error.line(), error.column()))
    })
}

/// The value, or an error that names what is missing.
pub(crate) fn need<T>(value: Option<T>, field: &str) -> Result<T, NormaliseError> {
    value.ok_or_else(|| NormaliseError::Malformed(format!("`{field}` is missing")))
}

/// An id as text, whether it came as a text or as a whole number. Anything else, or nothing, is `None`.
pub(crate) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Unsigned(u64),
        Signed(i64),
        Other(IgnoredAny),
    }
    Ok(match Id::deserialize(from)? {
        Id::Text(text) => filled(text),
        Id::Unsigned(number) => Some(number.to_string()),
        Id::Signed(number) => Some(number.to_string()),
        Id::Other(_) => None,
    })
}

/// A moment as text (any form that `Time::parse` reads) or as whole seconds since 1970. What cannot be read is `None`.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Time>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment {
        Text(String),
        Seconds(i64),
        Other(IgnoredAny),
    }
    Ok(match Moment::deserialize(from)? {
        Moment::Text(text) => Time::parse(&text),
        Moment::Seconds(seconds) => Some(Time::from_seconds(seconds)),
        Moment::Other(_) => None,
    })
}

/// The text, unless it is blank.
pub(crate) fn filled(text: impl Into<String>) -> Option<String> {
    let text = text.into();
    (!text.trim().is_empty()).then_some(text)
}

/// The name of an event, no longer than counters want to see of an unknown one.
pub(crate) fn event_name(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A commit id as rows hold it: lower-case hex. 40 (or 64) zeros are no commit, and neither is anything else.
pub(crate) fn sha(text: &str) -> Option<String> {
    let sha = text.trim().to_ascii_lowercase();
    let is_hex = sha.len() >= 7 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    (is_hex && !sha.bytes().all(|b| b == b'0')).then_some(sha)
}

/// The start of a commit message, cut between characters.
pub(crate) fn message(text: &str) -> String {
    text[..text.floor_char_boundary(MESSAGE_BYTES)].to_owned()
}

/// 64 digits of lower-case hex as bytes: how HMAC-SHA256 signatures are written. Nothing else proves anything.
pub(crate) fn signature(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let is_lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (is_lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        #[serde(default, deserialize_with = "id")]
        id: Option<String>,
        #[serde(default, deserialize_with = "time")]
        at: Option<Time>,
    }

    #[test]
    fn ids_and_times_in_any_form() {
        for (body, id, at) in [
            (r#"{"id":7,"at":1000}"#, Some("7"), Some("1970-01-01T00:16:40Z")),
            (r#"{"id":"x","at":"2026-01-02T03:04:05+01:00"}"#, Some("x"), Some("2026-01-02T02:04:05Z")),
            (r#"{"id":-1,"at":"soon"}"#, Some("-1"), None),
            (r#"{"id":null,"at":null}"#, None, None),
            (r#"{"id":{"a":[1]},"at":1.5e300}"#, None, None),
            (r#"{}"#, None, None),
            ("\u{feff}{\"id\":\" \"}", None, None),
        ] {
            let sample: Sample = json(body.as_bytes()).expect(body);
            assert_eq!((sample.id.as_deref(), sample.at.map(|at| at.to_string()).as_deref()), (id, at), "{body}");
        }
    }

    #[test]
    fn errors_never_show_content() {
        let Err(error) = json::<Sample>(br#""alice@example.com""#) else { panic!("a text is no object") };
        assert_eq!(error.to_string(), "cannot read the event: not the shape of this event at line 1, column 19");
    }

    #[test]
    fn shas_and_messages_are_cleaned() {
        assert_eq!(sha("ABCDEF0123").as_deref(), Some("abcdef0123"));
        assert_eq!(sha(&"0".repeat(40)), None);
        assert_eq!(sha("main"), None);
        assert_eq!(message(&"é".repeat(3000)).len(), MESSAGE_BYTES);
        assert_eq!(message(&format!("a{}", "é".repeat(3000))).len(), MESSAGE_BYTES - 1);
    }

    #[test]
    fn only_lower_hex_is_a_signature() {
        assert!(signature(&"0a".repeat(32)).is_some());
        for wrong in ["0A".repeat(32), "0a".repeat(31), "0a".repeat(33), format!(" {}", "0a".repeat(32)), "zz".repeat(32)] {
            assert!(signature(&wrong).is_none(), "{wrong}");
        }
    }
}
