//! What the tests share: fixtures from the providers' folders, raw events around bodies, rows as JSON.

use bytes::Bytes;
use flowgauge_ingest::{NormaliseError, People, Provider, Rules, own_lines};
use flowgauge_lake::model::{Observation, RawEvent, Source, Table, Tenant, Time, row_from_json};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Clear names, so that fixtures can be read.
pub fn rules() -> Rules {
    Rules { people: People::Clear, incident_labels: vec!["incident".to_owned()] }
}

pub fn folder(provider: &dyn Provider) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers").join(provider.kind())
}

pub fn raw(provider: &dyn Provider, headers: Vec<(String, String)>, body: impl Into<Bytes>) -> RawEvent {
    RawEvent::new(Tenant::default(), Source::new("test"), provider.kind(), None, Time::default(), headers, body.into())
}

pub fn normalise(provider: &dyn Provider, raw: &RawEvent) -> Result<Vec<Observation>, NormaliseError> {
    provider.normalise(raw, &rules())
}

/// `<name>.json` with `<name>.observations.json` and, where the headers matter, `<name>.headers.json`.
pub struct Fixture {
    pub name: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub expected: Vec<Observation>,
}

pub fn fixtures(provider: &dyn Provider) -> Vec<Fixture> {
    let folder = folder(provider).join("fixtures");
    // A folder that is missing holds no fixture, which one test says; the others stay silent.
    let mut names: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.expect("a folder entry").file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .filter(|name| !name.ends_with(".observations") && !name.ends_with(".headers"))
        .collect();
    names.sort();
    let read = |name: &str, kind: &str| fs::read_to_string(folder.join(format!("{name}{kind}.json")));
    names
        .into_iter()
        .map(|name| {
            let headers = read(&name, ".headers").map(|text| headers(&text)).unwrap_or_default();
            let body = read(&name, "").expect("it was listed");
            let expected = read(&name, ".observations").unwrap_or_else(|error| panic!("{name}.observations.json: {error}"));
            Fixture { expected: expected_rows(&name, &expected), name, headers, body }
        })
        .collect()
}

fn headers(text: &str) -> Vec<(String, String)> {
    let pairs: serde_json::Map<String, Value> = serde_json::from_str(text).expect("headers are a JSON object");
    pairs.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().expect("header values are text").to_owned())).collect()
}

/// Expected rows are strict: a slip in a column's name fails the test that holds it.
fn expected_rows(name: &str, text: &str) -> Vec<Observation> {
    let rows: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    rows.into_iter()
        .map(|mut row| {
            let table = row.as_object_mut().and_then(|row| row.remove("table")).expect("a row names its table");
            let table = Table::parse(table.as_str().unwrap_or_default()).unwrap_or_else(|| panic!("{name}: no table {table}"));
            row_from_json(table, &row).unwrap_or_else(|error| panic!("{name}: {error}"))
        })
        .collect()
}

/// One line a row, for messages.
pub fn shown(rows: &[Observation]) -> String {
    rows.iter()
        .map(|row| {
            let line = own_lines(std::slice::from_ref(row));
            format!("{} {}", row.entity.table().name(), String::from_utf8_lossy(&line))
        })
        .collect()
}

pub fn tables(rows: &[Observation]) -> Vec<&'static str> {
    rows.iter().map(|row| row.entity.table().name()).collect()
}
