//! The forms in which rows are given: JSON, CSV, Arrow IPC, Parquet. Asked for by `?format=` or by `Accept`.

use super::parameters::{Parameters, bad};
use crate::accept;
use crate::error::AppError;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::ipc::writer::StreamWriter;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use parquet::arrow::ArrowWriter;
use serde_json::{Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
    Arrow,
    Parquet,
    /// JSON as a flat array; has no media type of its own.
    Rows,
}

impl Format {
    pub const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Arrow => "arrow",
            Format::Parquet => "parquet",
            Format::Rows => "rows",
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Json | Format::Rows => "application/json",
            Format::Csv => "text/csv",
            Format::Arrow => "application/vnd.apache.arrow.stream",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// The form that a request wants, one of `offers`.
pub fn wanted(parameters: &mut Parameters, headers: &HeaderMap, offers: &[Format]) -> Result<Format, AppError> {
    if let Some(name) = parameters.take("format") {
        let names: Vec<&str> = offers.iter().map(|format| format.name()).collect();
        return offers.iter().copied().find(|format| format.name() == name).ok_or_else(|| bad("format", &name, &names.join(", ")));
    }
    let types: Vec<&str> = offers.iter().map(|format| format.media_type()).collect();
    let media_type = accept::preferred(headers, &types);
    Ok(offers.iter().copied().find(|format| format.media_type() == media_type).unwrap_or(offers[0]))
}

fn typed(body: impl IntoResponse, media_type: &'static str) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

pub fn json(value: &Value) -> Response {
    typed(value.to_string(), "application/json")
}

pub fn json_bytes(bytes: Vec<u8>) -> Response {
    typed(bytes, "application/json")
}

pub fn csv(columns: &[Column], rows: &[Map<String, Value>]) -> Response {
    typed(csv_text(columns, rows), "text/csv; charset=utf-8")
}

pub fn arrow_stream(batch: &RecordBatch) -> Result<Response, AppError> {
    let failed = |error: arrow::error::ArrowError| AppError::Internal(error.to_string());
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).map_err(failed)?;
    writer.write(batch).map_err(failed)?;
    Ok(typed(writer.into_inner().map_err(failed)?, Format::Arrow.media_type()))
}

pub fn parquet_file(batch: &RecordBatch) -> Result<Response, AppError> {
    let failed = |error: parquet::errors::ParquetError| AppError::Internal(error.to_string());
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).map_err(failed)?;
    writer.write(batch).map_err(failed)?;
    Ok(typed(writer.into_inner().map_err(failed)?, Format::Parquet.media_type()))
}

/// A column of a CSV file.
pub struct Column {
    pub name: String,
    pub is_number: bool,
}

impl Column {
    pub fn text(name: &str) -> Self {
        Column { name: name.to_owned(), is_number: false }
    }

    pub fn number(name: &str) -> Self {
        Column { name: name.to_owned(), is_number: true }
    }
}

pub fn columns_of(batch: &RecordBatch) -> Vec<Column> {
    let is_number = |kind: &DataType| kind.is_numeric();
    batch.schema().fields().iter().map(|field| Column { name: field.name().clone(), is_number: is_number(field.data_type()) }).collect()
}

/// Null is an empty cell, a list is JSON: what `import` reads back.
fn csv_text(columns: &[Column], rows: &[Map<String, Value>]) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    };
    line(columns.iter().map(|column| quoted(&column.name)).collect());
    for row in rows {
        line(columns.iter().map(|column| cell(column, row.get(&column.name).unwrap_or(&Value::Null))).collect());
    }
    text
}

fn cell(column: &Column, value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    // A spreadsheet would run what begins like a formula.
    let is_formula = !column.is_number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    quoted(&if is_formula { format!("'{text}") } else { text })
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_cell_is_a_formula() {
        let columns = [Column::text("title"), Column::number("value"), Column::text("labels")];
        let row = |title: &str| json!({"title": title, "value": -1.5, "labels": ["a", "b"]}).as_object().cloned().unwrap();
        let rows: Vec<_> = ["=1+1", "+1", "-1", "@a", "\t1", "\r1", "a,\"b\"", "plain"].map(row).into_iter().collect();
        let text = csv_text(&columns, &rows);
        let titles = ["'=1+1", "'+1", "'-1", "'@a", "'\t1", "\"'\r1\"", "\"a,\"\"b\"\"\"", "plain"];
        let lines: Vec<String> = titles.iter().map(|title| format!("{title},-1.5,\"[\"\"a\"\",\"\"b\"\"]\"\r\n")).collect();
        assert_eq!(text, format!("title,value,labels\r\n{}", lines.concat()));
    }
}
