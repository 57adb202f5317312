//! Rows as Arrow: the same columns for Parquet, for queries and for the API. Text is plain Utf8, times are `timestamp(us, UTC)`.

use super::cell::ColumnType;
use super::{Cell, Column, EventId, RawEvent, Row, Source, TableSpec, Tenant, Time};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    StructArray, TimestampMicrosecondBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use std::sync::Arc;

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text | ColumnType::Sha | ColumnType::Choice(_) => DataType::Utf8,
        ColumnType::Texts | ColumnType::Shas => DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
        ColumnType::Integer => DataType::Int64,
        ColumnType::Real => DataType::Float64,
        ColumnType::Flag => DataType::Boolean,
        ColumnType::Time => timestamp(),
        ColumnType::Records(fields) => DataType::List(Arc::new(Field::new("element", DataType::Struct(record_fields(fields)), true))),
    }
}

fn record_fields(fields: &[(&str, ColumnType)]) -> Fields {
    fields.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true)).collect()
}

fn fields(spec: &TableSpec) -> Vec<Field> {
    spec.columns.iter().map(|column| Field::new(column.name, data_type(column.kind), column.is_nullable())).collect()
}

/// The schema of an observation table: its columns, then who said it when.
pub fn observation_schema(spec: &TableSpec) -> SchemaRef {
    let mut all = vec![Field::new("tenant", DataType::Utf8, false)];
    all.extend(fields(spec));
    all.extend([
        Field::new("source", DataType::Utf8, false),
        Field::new("updated_at", timestamp(), true),
        Field::new("cleared", data_type(ColumnType::Texts), true),
        Field::new("ingested_at", timestamp(), false),
        Field::new("raw_event_id", DataType::Utf8, false),
    ]);
    Arc::new(Schema::new(all))
}

/// The schema of a fact table: the tenant and its columns.
pub fn fact_schema(spec: &TableSpec) -> SchemaRef {
    let mut all = vec![Field::new("tenant", DataType::Utf8, false)];
    all.extend(fields(spec));
    Arc::new(Schema::new(all))
}

/// The schema of `raw_events`, the log itself. `headers` is a JSON object; `body` the bytes as they came.
pub fn raw_event_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("tenant", DataType::Utf8, false),
        Field::new("event_id", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("delivery_id", DataType::Utf8, true),
        Field::new("received_at", timestamp(), false),
        Field::new("headers", DataType::Utf8, false),
        Field::new("body", DataType::Binary, false),
    ]))
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    values.for_each(|value| builder.append_option(value));
    Arc::new(builder.finish())
}

fn times(values: impl Iterator<Item = Option<Time>>) -> ArrayRef {
    let mut builder = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    values.for_each(|value| builder.append_option(value.map(Time::micros)));
    Arc::new(builder.finish())
}

fn lists<'a>(values: impl Iterator<Item = Option<&'a [String]>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for value in values {
        match value {
            Some(items) => {
                items.iter().for_each(|item| builder.values().append_value(item));
                builder.append(true);
            }
            None => builder.append(false),
        }
    }
    Arc::new(builder.finish())
}

fn records(fields: &[(&str, ColumnType)], cells: &mut dyn Iterator<Item = &Cell>) -> ArrayRef {
    let lists: Vec<Option<&Vec<Vec<Cell>>>> = cells.map(|cell| if let Cell::Records(list) = cell { Some(list) } else { None }).collect();
    let flat: Vec<&Vec<Cell>> = lists.iter().flatten().flat_map(|list| list.iter()).collect();
    let columns: Vec<ArrayRef> =
        fields.iter().enumerate().map(|(i, (_, kind))| array(*kind, &mut flat.iter().map(|record| &record[i]))).collect();
    let structs =
        StructArray::try_new_with_length(record_fields(fields), columns, None, flat.len()).expect("columns have the fields' types");
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, Vec::len)));
    let nulls = NullBuffer::from_iter(lists.iter().map(Option::is_some));
    let field = Arc::new(Field::new("element", structs.data_type().clone(), true));
    Arc::new(arrow::array::ListArray::new(field, offsets, Arc::new(structs), Some(nulls)))
}

fn array(kind: ColumnType, cells: &mut dyn Iterator<Item = &Cell>) -> ArrayRef {
    match kind {
        ColumnType::Text | ColumnType::Sha | ColumnType::Choice(_) => texts(cells.map(Cell::as_text)),
        ColumnType::Texts | ColumnType::Shas => {
            lists(cells.map(|cell| if let Cell::Texts(items) = cell { Some(items.as_slice()) } else { None }))
        }
        ColumnType::Integer => {
            let mut builder = Int64Builder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Integer(n) = cell { Some(*n) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnType::Real => {
            let mut builder = Float64Builder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Real(n) = cell { Some(*n) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnType::Flag => {
            let mut builder = BooleanBuilder::new();
            cells.for_each(|cell| builder.append_option(if let Cell::Flag(flag) = cell { Some(*flag) } else { None }));
            Arc::new(builder.finish())
        }
        ColumnType::Time => times(cells.map(|cell| if let Cell::Time(at) = cell { Some(*at) } else { None })),
        ColumnType::Records(fields) => records(fields, cells),
    }
}

/// Observation rows as one batch of `observation_schema`.
pub fn observation_batch(spec: &TableSpec, rows: &[Row]) -> RecordBatch {
    let mut columns = vec![texts(rows.iter().map(|row| Some(row.tenant.as_str())))];
    columns.extend(spec.columns.iter().enumerate().map(|(i, column)| array(column.kind, &mut rows.iter().map(|row| &row.cells[i]))));
    columns.push(texts(rows.iter().map(|row| Some(row.source.as_str()))));
    columns.push(times(rows.iter().map(|row| row.updated_at)));
    columns.push(lists(rows.iter().map(|row| (!row.cleared.is_empty()).then_some(row.cleared.as_slice()))));
    columns.push(times(rows.iter().map(|row| Some(row.ingested_at))));
    let ids: Vec<String> = rows.iter().map(|row| row.raw_event_id.to_string()).collect();
    columns.push(texts(ids.iter().map(|id| Some(id.as_str()))));
    RecordBatch::try_new(observation_schema(spec), columns).expect("rows have the table's columns")
}

/// Fact rows (a tenant and cells in the order of the columns) as one batch of `fact_schema`.
pub fn fact_batch<'a>(spec: &TableSpec, rows: &[(&'a Tenant, &'a [Cell])]) -> RecordBatch {
    let mut columns = vec![texts(rows.iter().map(|(tenant, _)| Some(tenant.as_str())))];
    columns.extend(spec.columns.iter().enumerate().map(|(i, column)| array(column.kind, &mut rows.iter().map(|(_, cells)| &cells[i]))));
    RecordBatch::try_new(fact_schema(spec), columns).expect("rows have the table's columns")
}

pub fn raw_event_batch(events: &[RawEvent]) -> RecordBatch {
    let mut bodies = BinaryBuilder::new();
    events.iter().for_each(|event| bodies.append_value(&event.body));
    let ids: Vec<String> = events.iter().map(|event| event.event_id.to_string()).collect();
    let headers: Vec<String> = events.iter().map(|event| headers_to_json(&event.headers)).collect();
    let columns: Vec<ArrayRef> = vec![
        texts(events.iter().map(|event| Some(event.tenant.as_str()))),
        texts(ids.iter().map(|id| Some(id.as_str()))),
        texts(events.iter().map(|event| Some(event.source.as_str()))),
        texts(events.iter().map(|event| Some(event.kind.as_str()))),
        texts(events.iter().map(|event| event.delivery_id.as_deref())),
        times(events.iter().map(|event| Some(event.received_at))),
        texts(headers.iter().map(|json| Some(json.as_str()))),
        Arc::new(bodies.finish()),
    ];
    RecordBatch::try_new(raw_event_schema(), columns).expect("columns have the schema's types")
}

pub(crate) fn headers_to_json(headers: &[(String, String)]) -> String {
    serde_json::Value::Object(headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()).to_string()
}

pub(crate) fn headers_from_json(json: &str) -> Vec<(String, String)> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    object.into_iter().filter_map(|(name, value)| value.as_str().map(|value| (name, value.to_owned()))).collect()
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch.column_by_name(name).ok_or_else(|| format!("column `{name}` is missing"))
}

fn text_at(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Some(array.as_string_view().value(row).to_owned()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).to_owned()),
        _ => None,
    }
}

fn time_at(array: &ArrayRef, row: usize) -> Option<Time> {
    (!array.is_null(row)).then(|| Time::from_micros(array.as_primitive::<TimestampMicrosecondType>().value(row)))
}

fn texts_at(array: &ArrayRef, row: usize) -> Option<Vec<String>> {
    if array.is_null(row) {
        return None;
    }
    let items = array.as_list::<i32>().value(row);
    Some((0..items.len()).filter_map(|i| text_at(&items, i)).collect())
}

fn cell_at(column: &Column, array: &ArrayRef, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match column.kind {
        ColumnType::Text | ColumnType::Sha | ColumnType::Choice(_) => text_at(array, row).map_or(Cell::Null, Cell::Text),
        ColumnType::Texts | ColumnType::Shas => texts_at(array, row).map_or(Cell::Null, Cell::Texts),
        ColumnType::Integer => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
        ColumnType::Real => Cell::Real(array.as_primitive::<Float64Type>().value(row)),
        ColumnType::Flag => Cell::Flag(array.as_boolean().value(row)),
        ColumnType::Time => time_at(array, row).map_or(Cell::Null, Cell::Time),
        ColumnType::Records(_) => Cell::Null,
    }
}

/// The rows of a batch of an observation table. Columns that an older file does not have are null.
pub fn observation_rows(spec: &TableSpec, batch: &RecordBatch) -> Result<Vec<Row>, String> {
    let (tenant, source) = (column(batch, "tenant")?, column(batch, "source")?);
    let (ingested, raw) = (column(batch, "ingested_at")?, column(batch, "raw_event_id")?);
    let (updated, cleared) = (batch.column_by_name("updated_at"), batch.column_by_name("cleared"));
    let columns: Vec<Option<&ArrayRef>> = spec.columns.iter().map(|column| batch.column_by_name(column.name)).collect();
    (0..batch.num_rows())
        .map(|row| {
            Ok(Row {
                tenant: Tenant::new(text_at(tenant, row).ok_or("a row has no tenant")?),
                source: Source::new(text_at(source, row).ok_or("a row has no source")?),
                ingested_at: time_at(ingested, row).ok_or("a row has no `ingested_at`")?,
                raw_event_id: text_at(raw, row).and_then(|id| EventId::parse(&id)).ok_or("a row has no `raw_event_id`")?,
                updated_at: updated.and_then(|array| time_at(array, row)),
                cleared: cleared.and_then(|array| texts_at(array, row)).unwrap_or_default(),
                cells: spec
                    .columns
                    .iter()
                    .zip(&columns)
                    .map(|(column, array)| array.map_or(Cell::Null, |array| cell_at(column, array, row)))
                    .collect(),
            })
        })
        .collect()
}

/// The raw events of a batch of `raw_events`.
pub fn raw_events(batch: &RecordBatch) -> Result<Vec<RawEvent>, String> {
    let get = |name| column(batch, name);
    let (tenant, id, source, kind) = (get("tenant")?, get("event_id")?, get("source")?, get("kind")?);
    let (delivery, received, headers, body) = (get("delivery_id")?, get("received_at")?, get("headers")?, get("body")?);
    (0..batch.num_rows())
        .map(|row| {
            let bytes = match body.data_type() {
                DataType::BinaryView => body.as_binary_view().value(row).to_vec(),
                _ => body.as_binary::<i32>().value(row).to_vec(),
            };
            Ok(RawEvent {
                event_id: text_at(id, row).and_then(|id| EventId::parse(&id)).ok_or("a raw event has no id")?,
                tenant: Tenant::new(text_at(tenant, row).ok_or("a raw event has no tenant")?),
                source: Source::new(text_at(source, row).ok_or("a raw event has no source")?),
                kind: text_at(kind, row).ok_or("a raw event has no kind")?,
                delivery_id: text_at(delivery, row),
                received_at: time_at(received, row).ok_or("a raw event has no `received_at`")?,
                headers: headers_from_json(&text_at(headers, row).unwrap_or_default()),
                body: bytes.into(),
            })
        })
        .collect()
}
