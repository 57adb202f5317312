//! Addresses of our own pages: names from outside become one path segment or one query value, whatever they hold.

/// Percent-encodes everything but letters, digits and what never means anything in an address.
fn encode(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

pub fn service(name: &str) -> String {
    format!("/services/{}", encode(name, b""))
}

pub fn team(name: &str) -> String {
    format!("/teams/{}", encode(name, b""))
}

/// The page of one deployment; `source` tells those of one id apart.
pub fn deployment(id: &str, source: &str) -> String {
    with_query(&format!("/deployments/{}", encode(id, b"")), [("source", source)])
}

pub fn incident(id: &str, source: &str) -> String {
    with_query(&format!("/incidents/{}", encode(id, b"")), [("source", source)])
}

/// An item of the API: `/api/v1/{list}/{id}`.
pub fn item(list: &str, id: &str) -> String {
    format!("/api/v1/{list}/{}", encode(id, b""))
}

/// Where a value is explained to people: the page of what the API answers at `address`.
pub fn explanation(address: &str) -> Option<String> {
    address.strip_prefix("/api/v1").map(str::to_owned)
}

/// `path?name=value&…`; just the path without parameters.
pub fn with_query<N: AsRef<str>, V: AsRef<str>>(path: &str, pairs: impl IntoIterator<Item = (N, V)>) -> String {
    let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name.as_ref(), b""), encode(value.as_ref(), b":,/")));
    let query = pairs.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// An address from outside, if a link to it is only a link: no `javascript:`.
pub fn external(address: &str) -> Option<&str> {
    let parsed = url::Url::parse(address).ok()?;
    matches!(parsed.scheme(), "http" | "https").then_some(address)
}

/// A path of this server: where a sign-in may lead back to. Browsers read `\` as `/` and skip control characters.
pub fn is_local(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//") && !address.contains(|c: char| c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_part_of_the_address() {
        assert_eq!(service("shop/check out?#"), "/services/shop%2Fcheck%20out%3F%23");
        assert_eq!(team("\"><é"), "/teams/%22%3E%3C%C3%A9");
        assert_eq!(with_query("/", [("team", "a&b=c")]), "/?team=a%26b%3Dc");
        assert_eq!(with_query("/", Vec::<(&str, &str)>::new()), "/");
    }

    #[test]
    fn only_local_paths_are_led_back_to() {
        for good in ["/", "/services/a%2Fb?from=now-30d"] {
            assert!(is_local(good), "{good}");
        }
        for bad in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:alert(1)"] {
            assert!(!is_local(bad), "{bad}");
        }
    }

    #[test]
    fn only_web_addresses_are_linked() {
        assert_eq!(external("https://ci.example/1"), Some("https://ci.example/1"));
        assert_eq!(external("javascript:alert(1)"), None);
        assert_eq!(external("/relative"), None);
    }
}
