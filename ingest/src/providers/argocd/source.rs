//! Where an application's manifests come from: git, or a chart, or both.

use super::overrides;
use crate::manifests::Pin;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

#[derive(Debug, PartialEq)]
pub(super) struct Source {
    pub repo_url: String,
    pub chart: Option<String>,
    path: Option<String>,
    /// The name by which value files of other sources refer to its files.
    reference: Option<String>,
    value_files: Vec<String>,
    /// Images that the application sets itself.
    pub overrides: Vec<Pin>,
}

impl Source {
    pub fn of(value: &Value) -> Source {
        let text = |key| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
        let value_files = value.pointer("/helm/valueFiles").and_then(Value::as_array).into_iter().flatten();
        Source {
            repo_url: text("repoURL").unwrap_or_default(),
            chart: text("chart"),
            path: text("path"),
            reference: text("ref"),
            value_files: value_files.filter_map(Value::as_str).map(str::to_owned).collect(),
            overrides: overrides::of(value),
        }
    }

    pub fn is_blank(&self) -> bool {
        self.repo_url.is_empty() && self.chart.is_none()
    }

    pub fn is_git(&self) -> bool {
        self.chart.is_none() && !self.repo_url.starts_with("oci://")
    }
}

/// The source that configures the application: the one that value files are taken from by `$ref`, else the first that is git.
pub(super) fn configuring(sources: &[Source]) -> Option<usize> {
    let named = sources.iter().flat_map(|source| &source.value_files).filter_map(|file| file.strip_prefix('$')?.split('/').next());
    let mut referred =
        named.filter_map(|name| sources.iter().position(|source| source.is_git() && source.reference.as_deref() == Some(name)));
    referred.next().or_else(|| sources.iter().position(Source::is_git))
}

/// The files and folders of the configuring source that an application is made of, those that win first: of value files the last,
/// then the folder.
pub(super) fn paths(sources: &[Source], configuring: usize) -> Vec<String> {
    let repo = &sources[configuring];
    let mut paths = Vec::new();
    for source in sources {
        for file in source.value_files.iter().rev() {
            let path = match file.strip_prefix('$') {
                Some(file) => {
                    file.split_once('/').filter(|(name, _)| repo.reference.as_deref() == Some(*name)).map(|(_, path)| path.to_owned())
                }
                None if source.repo_url != repo.repo_url || !source.is_git() || file.contains("://") => None,
                None if file.starts_with('/') => Some(file.clone()),
                None => Some(format!("{}/{file}", source.path.as_deref().unwrap_or_default())),
            };
            paths.extend(path.and_then(|path| plain(&path)));
        }
    }
    let own = sources.iter().filter(|source| source.is_git() && source.repo_url == repo.repo_url);
    paths.extend(own.filter_map(|source| plain(source.path.as_deref()?)));
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

/// A path without `.` and `..`; the root is `.`. `None` if it leads out of the repository.
fn plain(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
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
    fn which_files_an_application_is_made_of() {
        let told = |sources: Value| -> Option<(usize, Vec<String>)> {
            let sources: Vec<Source> = sources.as_array().expect("sources").iter().map(Source::of).collect();
            configuring(&sources).map(|at| (at, paths(&sources, at)))
        };
        let (git, values) = ("https://git.acme.io/shop/deploy.git", "https://git.acme.io/shop/values.git");
        let some = |at: usize, paths: &[&str]| Some((at, paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()));
        for (sources, expected) in [
            (json!([{"repoURL": git, "path": "cart/overlays/prod"}]), some(0, &["cart/overlays/prod"])),
            (json!([{"repoURL": git, "path": "."}]), some(0, &["."])),
            (
                json!([{"repoURL": git, "path": "charts/cart", "helm": {"valueFiles": ["values.yaml", "../../envs/prod/cart.yaml", "/all.yaml"]}}]),
                some(0, &["all.yaml", "envs/prod/cart.yaml", "charts/cart/values.yaml", "charts/cart"]),
            ),
            (
                json!([{"repoURL": "ghcr.io/acme/charts", "chart": "cart", "helm": {"valueFiles": ["$v/cart/base.yaml", "$v/cart/prod.yaml"]}},
                    {"repoURL": values, "ref": "v"}]),
                some(1, &["cart/prod.yaml", "cart/base.yaml"]),
            ),
            (
                json!([{"repoURL": git, "path": "charts/cart", "helm": {"valueFiles": ["values-eu.yaml", "$v/cart/prod.yaml"]}},
                    {"repoURL": values, "ref": "v"}]),
                some(1, &["cart/prod.yaml"]),
            ),
            (json!([{"repoURL": git, "path": "../../etc"}]), some(0, &[])),
            (json!([{"repoURL": "oci://ghcr.io/acme/charts", "chart": "cart"}]), None),
        ] {
            assert_eq!(told(sources.clone()), expected, "{sources}");
        }
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
