//! Files for `flowgauge import`: named by table, in NDJSON, JSON, CSV or Parquet. Every row is read as our own schema reads it
//! before anything is stored, and comes out in one form whatever the file was, so that importing the same rows again changes nothing.

mod csv;
mod json;
mod parquet;

use crate::model::{EventId, Observation, Row, RowError, Source, Table, Tenant, Time, nearest, row_from_json, row_to_json};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("`{}` cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("`{}` is not named by a table{}; a file is named like `deployments.ndjson` (or .json, .csv, .parquet)", path.display(), meant(*nearest))]
    UnknownFile { path: PathBuf, nearest: Option<&'static str> },
    #[error("`{}` has no file named by a table, such as `deployments.ndjson`{}", path.display(), meant(*nearest))]
    NoKnownFile { path: PathBuf, nearest: Option<&'static str> },
    #[error("`{}`, line {line}: {source}", path.display())]
    Row { path: PathBuf, line: usize, source: RowError },
    #[error("`{}`: {source}", path.display())]
    Column { path: PathBuf, source: RowError },
    #[error("`{}`, line {line}, column {column}: {reason}", path.display())]
    Syntax { path: PathBuf, line: usize, column: usize, reason: String },
    #[error("`{}`: {reason}", path.display())]
    Format { path: PathBuf, reason: String },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// Bytes that go into one event.
const CHUNK: usize = 4 << 20;

/// The files that `path` stands for: itself, or what a folder has that is named by a table, in the order of the tables.
pub fn import_files(path: &Path) -> Result<Vec<(Table, PathBuf)>, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return match named(path) {
            Name::Table(table) => Ok(vec![(table, path.to_owned())]),
            Name::Slip(name) => Err(ImportError::UnknownFile { path: path.to_owned(), nearest: Some(name) }),
            Name::Other => Err(ImportError::UnknownFile { path: path.to_owned(), nearest: None }),
        };
    }
    let mut files = Vec::new();
    let mut slip = None;
    let mut names: Vec<PathBuf> =
        fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()).map_err(unreadable)?;
    names.sort();
    for file in names {
        match named(&file) {
            Name::Table(table) => files.push((table, file)),
            Name::Slip(name) => slip = slip.or(Some((file, name))),
            Name::Other => {}
        }
    }
    match slip {
        _ if files.is_empty() => Err(ImportError::NoKnownFile { path: path.to_owned(), nearest: slip.map(|(_, name)| name) }),
        // Left out in silence, its rows would be missed much later.
        Some((path, name)) => Err(ImportError::UnknownFile { path, nearest: Some(name) }),
        None => {
            files.sort();
            Ok(files)
        }
    }
}

/// The rows of a file, or of all files of a folder, as NDJSON in parts of at most 4 MiB (a longer row is a part of its own).
pub fn read_file(path: &Path) -> Result<Vec<(Table, Vec<u8>)>, ImportError> {
    let mut chunks = Vec::new();
    for (table, path) in import_files(path)? {
        let mut rows = Rows { table, path: &path, chunks: Vec::new() };
        match extension(&path).as_str() {
            "csv" => csv::read(&mut rows)?,
            "parquet" => parquet::read(&mut rows)?,
            _ => json::read(&mut rows)?,
        }
        chunks.extend(rows.chunks.into_iter().map(|chunk| (table, chunk)));
    }
    Ok(chunks)
}

enum Name {
    Table(Table),
    /// Ends like a file of rows and begins almost like a table.
    Slip(&'static str),
    Other,
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn named(path: &Path) -> Name {
    if !["ndjson", "jsonl", "json", "csv", "parquet"].contains(&extension(path).as_str()) {
        return Name::Other;
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match Table::parse(&stem) {
        Some(table) => Name::Table(table),
        None => nearest(&stem, Table::ALL.iter().map(|table| table.name())).map_or(Name::Other, Name::Slip),
    }
}

/// A file that is being read, and its rows so far.
struct Rows<'a> {
    table: Table,
    path: &'a Path,
    chunks: Vec<Vec<u8>>,
}

impl Rows<'_> {
    fn bytes(&self) -> Result<Vec<u8>, ImportError> {
        fs::read(self.path).map_err(|source| ImportError::Unreadable { path: self.path.to_owned(), source })
    }

    fn format(&self, reason: impl ToString) -> ImportError {
        ImportError::Format { path: self.path.to_owned(), reason: reason.to_string() }
    }

    /// Checks the name of a column before any row is read.
    fn column(&self, name: &str) -> Result<(), ImportError> {
        let alone = Value::Object(Map::from_iter([(name.to_owned(), Value::Null)]));
        match row_from_json(self.table, &alone) {
            Err(source @ (RowError::UnknownColumn { .. } | RowError::Reserved(_))) => {
                Err(ImportError::Column { path: self.path.to_owned(), source })
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, line: usize, row: &Value) -> Result<(), ImportError> {
        let row = row_from_json(self.table, row).map_err(|source| ImportError::Row { path: self.path.to_owned(), line, source })?;
        let json = canonical(self.table, row).to_string();
        let full = self.chunks.last().is_none_or(|chunk| chunk.len() + json.len() + 1 > CHUNK);
        if full {
            self.chunks.push(Vec::new());
        }
        let chunk = self.chunks.last_mut().expect("there is one now");
        chunk.extend_from_slice(json.as_bytes());
        chunk.push(b'\n');
        Ok(())
    }
}

/// The row with its columns in order, without nulls and without what is set on arrival.
fn canonical(table: Table, observation: Observation) -> Value {
    let source = observation.source.clone();
    let row = Row {
        tenant: Tenant::default(),
        source: source.clone().unwrap_or_else(|| Source::new("")),
        ingested_at: Time::default(),
        raw_event_id: EventId::default(),
        updated_at: observation.updated_at,
        cleared: observation.cleared,
        cells: observation.entity.into_cells(),
    };
    let mut object = row_to_json(table.spec(), &row);
    object.retain(|name, value| !value.is_null() && name != "ingested_at" && (name != "source" || source.is_some()));
    if !row.cleared.is_empty() {
        object.insert("cleared".into(), row.cleared.into());
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
