//! Where an application's manifests come from: git, or a chart.

use serde_json::Value;
use sha2::{Digest, Sha256};

#[derive(Debug, PartialEq)]
pub(super) struct Source {
    pub repo_url: String,
    pub chart: Option<String>,
}

impl Source {
    pub fn of(value: &Value) -> Source {
        let text = |key| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        Source { repo_url: text("repoURL").unwrap_or_default(), chart: text("chart") }
    }

    pub fn is_blank(&self) -> bool {
        self.repo_url.is_empty() && self.chart.is_none()
    }

    pub fn is_git(&self) -> bool {
        self.chart.is_none() && !self.repo_url.starts_with("oci://")
    }
}

/// A revision that will not change its meaning: a whole commit id, or a chart's or image's own version.
pub(super) fn is_resolved(revision: &str, source: Option<&Source>) -> bool {
    if source.is_none_or(Source::is_git) {
        return is_whole_sha(revision);
    }
    let version = revision.strip_prefix('v').unwrap_or(revision);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    revision.starts_with("sha256:") || (is_version && !version.contains(['*', 'x', 'X', ' ', ',', '|', '<', '>', '~', '^']))
}

pub(super) fn is_whole_sha(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The hash of the sources' parameters, so that another chart value or path shows as a change waiting to be synced.
/// `targetRevision` is left out: what it means is told by the revisions.
pub(super) fn hash(sources: &[Value]) -> Option<String> {
    if sources.is_empty() {
        return None;
    }
    let mut canonical = String::new();
    for source in sources {
        let mut source = source.clone();
        if let Some(fields) = source.as_object_mut() {
            fields.remove("targetRevision");
        }
        write_canonical(&source, &mut canonical);
        canonical.push('\n');
    }
    Some(hex::encode(Sha256::digest(canonical)))
}

/// JSON with sorted keys and no blanks: equal for equal values, in whatever order they came.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, value)) in fields.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        leaf => out.push_str(&leaf.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hash_knows_parameters_and_neither_order_nor_revision() {
        let hash = |value: Value| hash(&[value]).expect("a source");
        let one = hash(json!({"repoURL": "https://a/b", "path": "x", "targetRevision": "main", "helm": {"values": "a", "b": [1, 2]}}));
        let same = hash(json!({"helm": {"b": [1, 2], "values": "a"}, "path": "x", "repoURL": "https://a/b", "targetRevision": "v2"}));
        let other = hash(json!({"helm": {"b": [2, 1], "values": "a"}, "path": "x", "repoURL": "https://a/b"}));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(super::hash(&[]), None);
    }

    #[test]
    fn what_is_resolved() {
        let chart = Source::of(&json!({"repoURL": "ghcr.io/acme/charts", "chart": "cart"}));
        let git = Source::of(&json!({"repoURL": "https://gitlab.acme.io/shop/config.git", "path": "cart"}));
        let sha = "5be19b17a04adeffb3d1c3d8b2a1cf8c9d9e0011";
        for (revision, source, resolved) in [
            (sha, &git, true),
            ("main", &git, false),
            ("1.2.3", &git, false),
            ("1.2.3", &chart, true),
            ("v1.2.3-rc.1", &chart, true),
            ("1.2.*", &chart, false),
            (">=1.2", &chart, false),
            ("", &chart, false),
        ] {
            assert_eq!(is_resolved(revision, Some(source)), resolved, "{revision}");
        }
    }
}
