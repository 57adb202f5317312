//! Rules between the crates that the compiler cannot see.

use std::path::{Path, PathBuf};

const VENDORS: [&str; 11] =
    ["github", "gitlab", "bitbucket", "azure", "argo cd", "argocd", "pagerduty", "jira", "jenkins", "airflow", "opsgenie"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder with what is not their tests.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.is_file() && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                found.push((path, code));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} is empty");
    found
}

/// Lines of these folders that hold one of the words, but for files whose path ends so.
fn lines_with(folders: &[&str], words: &[&str], but: &[&str]) -> Vec<String> {
    let all = folders.iter().flat_map(|folder| sources(folder));
    let looked_at = all.filter(|(path, _)| !but.iter().any(|end| path.ends_with(end)));
    let mut found = Vec::new();
    for (path, text) in looked_at {
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            if words.iter().any(|word| lower.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    found
}

fn assert_none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

const CRATES: [&str; 5] = ["lake/src", "ingest/src", "query/src", "web/src", "src"];

#[test]
fn no_vendor_is_named_on_the_surfaces() {
    assert_none(lines_with(&["web/src", "web/templates", "web/static"], &VENDORS, &[]), "only `ingest` knows vendors");
}

#[test]
fn only_the_pages_know_html() {
    let words = ["<html", "</div", "</p>", "</table", "</td", "</span"];
    assert_none(lines_with(&["lake/src", "ingest/src", "query/src", "src"], &words, &[]), "HTML lives in `web`");
}

#[test]
fn one_file_asks_the_time_and_one_reads_the_environment() {
    assert_none(lines_with(&CRATES, &["utc::now(", "local::now(", "systemtime::now("], &["lake/src/clock.rs"]), "ask `clock::now`");
    assert_none(lines_with(&CRATES, &["env::var"], &["web/src/config.rs"]), "only the configuration reads the environment");
}

#[test]
fn the_model_does_no_io() {
    let words = ["std::fs", "std::net", "tokio", "async fn", "std::time::instant"];
    assert_none(lines_with(&["lake/src/model"], &words, &[]), "the model is pure");
}

/// What a crate needs outside its tests.
fn needs(manifest: &str) -> String {
    let text = std::fs::read_to_string(root().join(manifest)).expect("a manifest");
    text.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("dependencies").to_owned()
}

#[test]
fn dependencies_point_one_way() {
    for (manifest, never) in [
        ("lake/Cargo.toml", &["flowgauge-", "datafusion", "axum"][..]),
        ("ingest/Cargo.toml", &["flowgauge-query", "flowgauge-web", "datafusion", "axum", "tokio"]),
        ("query/Cargo.toml", &["flowgauge-ingest", "flowgauge-web", "axum", "askama", "reqwest"]),
        ("tests/oracle/Cargo.toml", &["flowgauge-", "datafusion", "arrow"]),
    ] {
        let needs = needs(manifest);
        for word in never {
            assert!(!needs.lines().any(|line| line.starts_with(word)), "{manifest} needs {word}");
        }
    }
}
