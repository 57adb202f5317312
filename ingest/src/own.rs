//! Our own schema as a source: rows of a public table as one JSON object or NDJSON, all or nothing, with line and column in errors.

use crate::provider::{NormaliseError, Rules};
use bytes::Bytes;
use flowgauge_lake::model::{
    Cell, EventId, Observation, RawEvent, Row, RowError, Source, Table, Tenant, Time, canonical_json, row_from_json,
};

/// The kind of raw events that hold rows of our own schema.
pub const OWN_KIND: &str = "flowgauge";
const TABLE_HEADER: &str = "x-flowgauge-table";

#[derive(Debug, thiserror::Error, PartialEq)]
pub enum OwnSchemaError {
    #[error("line {line}, column {column}: {message}")]
    Json { line: usize, column: usize, message: String },
    #[error("line {line}: {error}")]
    Row { line: usize, error: RowError },
    #[error("the body holds no row")]
    Empty,
}

/// The raw event of rows sent to us: checked here, so that what is journalled can be read.
pub fn own_event(tenant: Tenant, source: Source, table: Table, body: Bytes, received_at: Time) -> Result<RawEvent, OwnSchemaError> {
    if rows(table, &body)?.is_empty() {
        return Err(OwnSchemaError::Empty);
    }
    let headers = vec![(TABLE_HEADER.to_owned(), table.name().to_owned())];
    Ok(RawEvent::new(tenant, source, OWN_KIND, None, received_at, headers, body))
}

/// Rows of one table as NDJSON of our own schema: what `own_event` reads. One line a row, names in order, nulls left out.
pub fn own_lines(rows: &[Observation]) -> Bytes {
    let mut lines = String::new();
    for row in rows {
        let spec = row.entity.table().spec();
        let row = Row {
            tenant: Tenant::default(),
            source: Source::new(""),
            ingested_at: Time::default(),
            raw_event_id: EventId::default(),
            updated_at: row.updated_at,
            cleared: row.cleared.clone(),
            cells: row.entity.clone().into_cells(),
        };
        lines.push_str(&canonical_json(spec, &row));
        lines.push('\n');
    }
    lines.into()
}

fn rows(table: Table, body: &[u8]) -> Result<Vec<Observation>, OwnSchemaError> {
    let mut rows = Vec::new();
    // A single object may be spread over lines; NDJSON is a stream of objects, one a line. Both are a stream of values.
    let mut stream = serde_json::Deserializer::from_slice(body).into_iter::<serde_json::Value>();
    loop {
        let before = stream.byte_offset();
        let Some(value) = stream.next() else { break };
        let start = before + body[before..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let value = value.map_err(|error| OwnSchemaError::Json {
            line: error.line(),
            column: error.column(),
            message: error.to_string().split(" at line ").next().unwrap_or("not JSON").to_owned(),
        })?;
        rows.push(row_from_json(table, &value).map_err(|error| OwnSchemaError::Row { line: line_of(body, start), error })?);
    }
    Ok(rows)
}

fn line_of(body: &[u8], offset: usize) -> usize {
    1 + body[..offset.min(body.len())].iter().filter(|&&b| b == b'\n').count()
}

/// Columns that name a person.
const PEOPLE: [&str; 4] = ["author", "actor", "initiated_by", "op_initiated_by"];

pub(crate) fn normalise(raw: &RawEvent, rules: &Rules) -> Result<Vec<Observation>, NormaliseError> {
    let name = raw.header(TABLE_HEADER).unwrap_or_default();
    let table = Table::parse(name).ok_or_else(|| NormaliseError::UnknownEvent(name.to_owned()))?;
    let mut rows = rows(table, &raw.body).map_err(|error| NormaliseError::Malformed(error.to_string()))?;
    let people: Vec<usize> = PEOPLE.iter().filter_map(|column| table.spec().column(column)).collect();
    if !people.is_empty() {
        rows.iter_mut().for_each(|row| name_people(row, table, &people, rules));
    }
    Ok(rows)
}

/// Rows are sent with clear names; they are kept as the owner wants them, like those of every provider.
fn name_people(row: &mut Observation, table: Table, columns: &[usize], rules: &Rules) {
    let mut cells = row.entity.clone().into_cells();
    for &column in columns {
        if let Cell::Text(person) = &cells[column] {
            cells[column] = Cell::Text(rules.people.name(person));
        }
    }
    if let Some(entity) = table.entity(&cells) {
        row.entity = entity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        rows(Table::Commit, body.as_bytes()).expect_err("must be refused").to_string()
    }

    #[test]
    fn errors_name_line_column_and_the_nearest_name() {
        assert_eq!(
            error("{\"repo\":\"h/a\",\"sha\":\"ab\"}\n\n{\"repo\":\"h/a\",\"shaa\":\"ab\"}"),
            "line 3: unknown column `shaa` in `commits`, did you mean `sha`?"
        );
        assert!(error("{\"repo\":\"h/a\",\n\"sha\":}").starts_with("line 2, column 7"), "{}", error("{\"repo\":\"h/a\",\n\"sha\":}"));
        assert_eq!(error("{\"repo\":\"h/a\"}"), "line 1: column `sha` of `commits` is missing: it is part of what a row must say");
    }

    #[test]
    fn a_name_is_there_and_has_an_end() {
        assert_eq!(error("{\"repo\":\"\",\"sha\":\"ab\"}"), "line 1: `repo` has 0 bytes; a name has 1 to 1024");
        assert_eq!(
            error(&format!("{{\"repo\":\"{}\",\"sha\":\"ab\"}}", "r".repeat(1025))),
            "line 1: `repo` has 1025 bytes; a name has 1 to 1024"
        );
        let longest = format!("{{\"repo\":\"{}\",\"sha\":\"ab\"}}", "r".repeat(1024));
        assert!(rows(Table::Commit, longest.as_bytes()).is_ok());
    }

    #[test]
    fn one_object_or_lines_of_them() {
        assert_eq!(rows(Table::Commit, b"{\"repo\":\"h/a\",\n \"sha\":\"AB\"}").expect("an object").len(), 1);
        assert_eq!(rows(Table::Commit, b"{\"repo\":\"h/a\",\"sha\":\"ab\"}\n{\"repo\":\"h/a\",\"sha\":\"ac\"}\n").expect("lines").len(), 2);
    }
}
