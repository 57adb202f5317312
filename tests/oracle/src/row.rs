//! A row as it was imported: a JSON object, and the few ways in which it is read.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::time::parse_time;

pub type Row = Map<String, Value>;

/// A text; null, missing and the empty text are none.
pub fn text(row: &Row, column: &str) -> Option<String> {
    match row.get(column) {
        Some(Value::String(s)) if !s.is_empty() => Some(s.clone()),
        _ => None,
    }
}

/// A sha; 40 zeros is no commit (rule 33).
pub fn sha(row: &Row, column: &str) -> Option<String> {
    text(row, column).map(|s| s.to_lowercase()).filter(|s| !s.chars().all(|c| c == '0'))
}

/// A list of texts; null and missing are none, which is not the empty list.
pub fn list(row: &Row, column: &str) -> Option<Vec<String>> {
    match row.get(column) {
        Some(Value::Array(a)) => Some(a.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()),
        _ => None,
    }
}

pub fn time(row: &Row, column: &str) -> Option<DateTime<Utc>> {
    row.get(column).and_then(parse_time)
}

pub fn flag(row: &Row, column: &str) -> Option<bool> {
    row.get(column).and_then(Value::as_bool)
}

pub fn number(row: &Row, column: &str) -> Option<f64> {
    row.get(column).and_then(Value::as_f64)
}

/// The source of a row; an imported row that names none is of `import` (DESIGN section 4).
pub fn source(row: &Row) -> String {
    text(row, "source").unwrap_or_else(|| "import".to_owned())
}
