//! CSV with a header. An empty cell is null; a list is a JSON array or separated by `;`.

use super::{ImportError, Rows};
use crate::model::{ColumnType, TableSpec};
use arrow::array::{Array, AsArray};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Map, Value};
use std::io::Cursor;
use std::sync::Arc;

pub(super) fn read(rows: &mut Rows<'_>) -> Result<(), ImportError> {
    let bytes = rows.bytes()?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let (header, _) = Format::default().with_header(true).infer_schema(text, Some(0)).map_err(|error| rows.format(error))?;
    let names: Vec<&String> = header.fields().iter().map(|field| field.name()).collect();
    for (i, name) in names.iter().enumerate() {
        rows.column(name)?;
        if names[..i].contains(name) {
            return Err(rows.format(format!("column `{name}` is there twice")));
        }
    }
    let kinds: Vec<ColumnType> = names.iter().map(|name| kind_of(rows.table.spec(), name)).collect();
    let schema = Schema::new(names.iter().map(|name| Field::new(name.as_str(), DataType::Utf8, true)).collect::<Vec<_>>());
    let reader = ReaderBuilder::new(Arc::new(schema)).with_header(true).build(Cursor::new(text)).map_err(|error| rows.format(error))?;
    let mut line = 2;
    for batch in reader {
        let batch = batch.map_err(|error| rows.format(error))?;
        for i in 0..batch.num_rows() {
            let mut row = Map::new();
            let mut breaks = 0;
            for ((name, kind), column) in names.iter().zip(&kinds).zip(batch.columns()) {
                let column = column.as_string::<i32>();
                if column.is_valid(i) && !column.value(i).is_empty() {
                    breaks += column.value(i).matches('\n').count();
                    row.insert((*name).clone(), value_of(*kind, column.value(i)));
                }
            }
            rows.push(line, &Value::Object(row))?;
            line += 1 + breaks;
        }
    }
    Ok(())
}

fn kind_of(spec: &TableSpec, name: &str) -> ColumnType {
    match name {
        "updated_at" => ColumnType::Time,
        "cleared" => ColumnType::Texts,
        name => spec.column(name).map_or(ColumnType::Text, |i| spec.columns[i].kind),
    }
}

/// The cell as JSON; what does not look like its type stays a text, which the row's own check then names.
fn value_of(kind: ColumnType, text: &str) -> Value {
    let parsed = match kind {
        ColumnType::Integer => text.trim().parse::<i64>().ok().map(Value::from),
        ColumnType::Real => text.trim().parse::<f64>().ok().map(Value::from),
        ColumnType::Flag => text.trim().to_ascii_lowercase().parse::<bool>().ok().map(Value::from),
        ColumnType::Time => text.trim().parse::<i64>().ok().map(Value::from),
        ColumnType::Texts | ColumnType::Shas if text.trim_start().starts_with('[') => serde_json::from_str(text).ok(),
        ColumnType::Texts | ColumnType::Shas => {
            let items: Vec<&str> = text.split(';').map(str::trim).filter(|item| !item.is_empty()).collect();
            Some(Value::from(items))
        }
        ColumnType::Text | ColumnType::Sha | ColumnType::Choice(_) | ColumnType::Records(_) => None,
    };
    parsed.unwrap_or_else(|| text.into())
}
