//! Rules of this crate that the compiler cannot see: no vendor by name, a metric's three files together, no SQL put together from
//! text, no formula twice.

use super::slt::files;
use flowgauge_query::metric::ALL;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const VENDORS: [&str; 11] =
    ["github", "gitlab", "bitbucket", "azure", "argo cd", "argocd", "pagerduty", "jira", "jenkins", "airflow", "opsgenie"];
/// Statistics are functions (`src/functions`); SQL calls them and has none of its own.
const STATISTICS: [&str; 5] = ["percentile", "approx_", "median(", "sqrt(", "stddev"];
/// As many lines in a row are the same formula.
const SAME_LINES: usize = 8;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Files below a folder of the crate with their text.
fn texts(name: &str, extension: Option<&str>) -> Vec<(PathBuf, String)> {
    let wanted = |path: &PathBuf| extension.is_none_or(|extension| path.extension().is_some_and(|found| found == extension));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text file");
        (path, text)
    };
    files(&folder(name)).into_iter().filter(wanted).map(read).collect()
}

#[test]
fn no_vendor_is_named() {
    let mut found = Vec::new();
    for (path, text) in texts("src", None).into_iter().chain(texts("metrics", None)) {
        for (number, line) in text.to_lowercase().lines().enumerate() {
            let named = VENDORS.iter().filter(|vendor| line.contains(**vendor));
            found.extend(named.map(|vendor| format!("{}:{}: {vendor}", path.display(), number + 1)));
        }
    }
    assert!(found.is_empty(), "only `ingest` knows vendors:\n{}", found.join("\n"));
}

#[test]
fn a_metric_has_its_formula_its_page_and_its_numbers() {
    let ids: BTreeSet<&str> = ALL.iter().map(|metric| metric.id).collect();
    let mut stems: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for path in files(&folder("metrics")) {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_owned();
        stems.entry(path.with_extension("")).or_default().insert(extension);
    }
    let complete: BTreeSet<String> = ["md", "slt", "sql"].map(str::to_owned).into();
    let mut seen = BTreeSet::new();
    for (stem, extensions) in &stems {
        let id = stem.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        assert!(ids.contains(id), "{} belongs to no metric of the registry", stem.display());
        assert!(seen.insert(id), "{id} is in two folders");
        assert_eq!(*extensions, complete, "{} needs .sql, .md and .slt, and nothing else", stem.display());
    }
    assert_eq!(seen, ids, "every metric has its files");
}

#[test]
fn no_statement_is_put_together_from_text() {
    for (path, text) in texts("src", Some("rs")) {
        for call in text.split("format!(").skip(1) {
            let literal = call.trim_start().trim_start_matches(['r', '#']).strip_prefix('"').and_then(|rest| rest.split('"').next());
            let literal = literal.unwrap_or_default().to_lowercase();
            assert!(!literal.contains("select "), "{}: `{literal}`: statements are files or constants", path.display());
        }
    }
}

#[test]
fn statistics_are_functions() {
    for (path, text) in texts("metrics", Some("sql")) {
        let text = text.to_lowercase();
        for word in STATISTICS {
            assert!(!text.contains(word), "{}: `{word}` belongs in src/functions", path.display());
        }
    }
}

#[test]
fn no_formula_is_written_twice() {
    let mut known: BTreeMap<Vec<String>, PathBuf> = BTreeMap::new();
    for (path, text) in texts("metrics", Some("sql")) {
        let blank = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = text.lines().map(blank).filter(|line| !line.is_empty() && !line.starts_with("--")).collect();
        for run in lines.windows(SAME_LINES) {
            if let Some(other) = known.insert(run.to_vec(), path.clone()).filter(|other| *other != path) {
                panic!("{} and {} share {SAME_LINES} lines:\n{}", other.display(), path.display(), run.join("\n"));
            }
        }
    }
}
