//! Reads payloads as providers really sent them, where a folder of them lies beside this workspace; without it, nothing.

use crate::support::{normalise, raw, tables};
use flowgauge_ingest::Provider;
use flowgauge_lake::model::Observation;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/payloads").join(kind)
}

pub fn body(kind: &str, file: &str) -> Option<Vec<u8>> {
    fs::read(folder(kind).join(file)).ok()
}

/// Checks that each file gives rows of the tables beside it, and that no file of the folder is left out.
/// `headers_of` says which headers the file came with.
pub fn check(provider: &dyn Provider, expected: &[(&str, &[&str])], other: &[&str], headers_of: impl Fn(&str) -> Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder(provider.kind())) else { return };
    for entry in entries {
        let name = entry.expect("a folder entry").file_name().into_string().expect("a plain name");
        let is_known = expected.iter().any(|(file, _)| *file == name) || other.contains(&name.as_str()) || name.ends_with(".headers.json");
        assert!(is_known, "{name} is not in the table");
    }
    for (file, expected) in expected {
        assert_eq!(tables(&rows(provider, file, headers_of(file)).unwrap_or_default()), *expected, "{file}");
    }
}

/// The rows of one file; `None` without the folder.
pub fn rows(provider: &dyn Provider, file: &str, headers: Vec<(String, String)>) -> Option<Vec<Observation>> {
    let event = raw(provider, headers, body(provider.kind(), file)?);
    Some(normalise(provider, &event).unwrap_or_else(|error| panic!("{file}: {error}")))
}
