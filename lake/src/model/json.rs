//! Rows as JSON: how our own schema is read (strictly, with the nearest name for a slip) and written.

use super::{Cell, Column, ColumnType, EventId, Observation, Row, Source, Table, TableSpec, Time};
use serde_json::{Map, Value};

/// Bytes of what names something.
const LONGEST_NAME: usize = 1024;

#[derive(Debug, thiserror::Error, PartialEq)]
pub enum RowError {
    #[error("`{column}` has {length} bytes; a name has 1 to {}", LONGEST_NAME)]
    Name { column: &'static str, length: usize },
    #[error("unknown column `{name}` in `{table}`{}", nearest.map(|n| format!(", did you mean `{n}`?")).unwrap_or_default())]
    UnknownColumn { table: &'static str, name: String, nearest: Option<&'static str> },
    #[error("column `{0}` is set by Flowgauge and cannot be sent")]
    Reserved(String),
    #[error("column `{column}` of `{table}` is missing: it is part of what a row must say")]
    Missing { table: &'static str, column: &'static str },
    #[error("column `{column}`: expected {expected}, found {found}")]
    WrongType { column: String, expected: String, found: String },
    #[error("expected a JSON object for a row of `{0}`")]
    NotAnObject(&'static str),
}

/// The name among `names` that is closest to a slip, if one is near enough to be meant.
pub fn nearest<'a>(slip: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(slip, name), name))
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .min()
        .map(|(_, name)| name)
}

/// Reads one row of our own schema.
pub fn row_from_json(table: Table, value: &Value) -> Result<Observation, RowError> {
    let spec = table.spec();
    let object = value.as_object().ok_or(RowError::NotAnObject(spec.name))?;
    let mut source = None;
    let mut updated_at = None;
    let mut cleared = Vec::new();
    for (name, value) in object {
        match name.as_str() {
            _ if spec.column(name).is_some() => {}
            "source" => source = read_text(name, value)?.map(Source::new),
            "updated_at" => updated_at = read_time(name, value)?,
            "cleared" => cleared = read_texts(name, value)?.unwrap_or_default(),
            "tenant" | "ingested_at" | "raw_event_id" => return Err(RowError::Reserved(name.clone())),
            _ => {
                let names = spec.columns.iter().map(|c| c.name).chain(["source", "updated_at", "cleared"]);
                return Err(RowError::UnknownColumn { table: spec.name, name: name.clone(), nearest: nearest(name, names) });
            }
        }
    }
    for name in &cleared {
        if spec.column(name).is_none() {
            let nearest = nearest(name, spec.columns.iter().map(|c| c.name));
            return Err(RowError::UnknownColumn { table: spec.name, name: name.clone(), nearest });
        }
    }
    let cells = spec
        .columns
        .iter()
        .map(|column| {
            let cell = object.get(column.name).map_or(Ok(Cell::Null), |value| cell_from_json(column.name, column.kind, value))?;
            if cell.is_null() && !column.is_nullable() {
                return default_of(spec, column).ok_or(RowError::Missing { table: spec.name, column: column.name });
            }
            // A name stands in keys, labels and series: it has to be one.
            if let Cell::Text(text) = &cell
                && !column.is_nullable()
                && !(1..=LONGEST_NAME).contains(&text.len())
            {
                return Err(RowError::Name { column: column.name, length: text.len() });
            }
            Ok(cell)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Observation { entity: table.entity(&cells).ok_or(RowError::NotAnObject(spec.name))?, updated_at, cleared, source })
}

/// `attempt` is the one key column that may be left out: the first try.
fn default_of(_spec: &TableSpec, column: &Column) -> Option<Cell> {
    (column.name == "attempt").then_some(Cell::Integer(1))
}

fn wrong(column: &str, kind: ColumnType, found: &Value) -> RowError {
    let found = match found {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(n) => n.to_string(),
        Value::String(s) if s.chars().count() <= 60 => format!("`{s}`"),
        Value::String(_) => "a long text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    RowError::WrongType { column: column.to_owned(), expected: kind.name().replace("\\|", "|"), found }
}

fn read_text(name: &str, value: &Value) -> Result<Option<String>, RowError> {
    match cell_from_json(name, ColumnType::Text, value)? {
        Cell::Text(text) => Ok(Some(text)),
        _ => Ok(None),
    }
}

fn read_texts(name: &str, value: &Value) -> Result<Option<Vec<String>>, RowError> {
    match cell_from_json(name, ColumnType::Texts, value)? {
        Cell::Texts(texts) => Ok(Some(texts)),
        _ => Ok(None),
    }
}

fn read_time(name: &str, value: &Value) -> Result<Option<Time>, RowError> {
    match cell_from_json(name, ColumnType::Time, value)? {
        Cell::Time(at) => Ok(Some(at)),
        _ => Ok(None),
    }
}

/// A commit id as we keep it: lower-case hex; 40 (or 64) zeros are no commit.
fn normal_sha(text: &str) -> Option<String> {
    let sha = text.trim().to_ascii_lowercase();
    (!sha.is_empty() && !sha.bytes().all(|b| b == b'0')).then_some(sha)
}

pub(super) fn cell_from_json(name: &str, kind: ColumnType, value: &Value) -> Result<Cell, RowError> {
    let fail = || wrong(name, kind, value);
    Ok(match (kind, value) {
        (_, Value::Null) => Cell::Null,
        // Ids are text, but people write numbers.
        (ColumnType::Text, Value::Number(number)) if number.is_i64() || number.is_u64() => Cell::Text(number.to_string()),
        (ColumnType::Text, Value::String(text)) => Cell::Text(text.clone()),
        (ColumnType::Sha, Value::String(text)) => normal_sha(text).map_or(Cell::Null, Cell::Text),
        (ColumnType::Choice(choices), Value::String(text)) if choices.contains(&text.as_str()) => Cell::Text(text.clone()),
        (ColumnType::Texts, Value::Array(items)) => {
            Cell::Texts(items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(fail)).collect::<Result<_, _>>()?)
        }
        (ColumnType::Shas, Value::Array(items)) => {
            let shas: Vec<Option<String>> =
                items.iter().map(|item| item.as_str().map(normal_sha).ok_or_else(fail)).collect::<Result<_, _>>()?;
            Cell::Texts(shas.into_iter().flatten().collect())
        }
        (ColumnType::Integer, Value::Number(number)) => Cell::Integer(number.as_i64().ok_or_else(fail)?),
        (ColumnType::Real, Value::Number(number)) => Cell::Real(number.as_f64().ok_or_else(fail)?),
        (ColumnType::Flag, Value::Bool(flag)) => Cell::Flag(*flag),
        (ColumnType::Time, Value::String(text)) => Cell::Time(Time::parse(text).ok_or_else(fail)?),
        (ColumnType::Time, Value::Number(number)) => Cell::Time(Time::from_micros(number.as_i64().ok_or_else(fail)?)),
        _ => return Err(fail()),
    })
}

pub(super) fn cell_to_json(cell: &Cell, kind: ColumnType) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => text.as_str().into(),
        Cell::Texts(texts) => texts.clone().into(),
        Cell::Integer(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        Cell::Flag(flag) => (*flag).into(),
        Cell::Time(at) => at.to_string().into(),
        Cell::Records(records) => {
            let ColumnType::Records(fields) = kind else { return Value::Null };
            let records = records.iter().map(|record| {
                let pairs = fields.iter().zip(record).map(|((name, kind), cell)| ((*name).to_owned(), cell_to_json(cell, *kind)));
                Value::Object(pairs.collect())
            });
            Value::Array(records.collect())
        }
    }
}

/// A row as the public schema shows it: its columns, and who said it when.
pub fn row_to_json(spec: &TableSpec, row: &Row) -> Map<String, Value> {
    let columns = spec.columns.iter().zip(&row.cells).map(|(column, cell)| (column.name.to_owned(), cell_to_json(cell, column.kind)));
    let mut object: Map<String, Value> = columns.collect();
    object.insert("source".into(), row.source.as_str().into());
    object.insert("updated_at".into(), row.updated_at.map_or(Value::Null, |at| at.to_string().into()));
    object.insert("ingested_at".into(), row.ingested_at.to_string().into());
    if row.raw_event_id != EventId::default() {
        object.insert("raw_event_id".into(), row.raw_event_id.to_string().into());
    }
    object
}
