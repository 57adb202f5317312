//! The lists: rows of a public table, filtered by any of its columns, sorted and paged.

use super::endpoint::{Endpoint, answers_as, choice, format_parameter, integer, operation, query, text, window};
use super::format::{self, Format};
use super::openapi::{list_schema, nullable_schema};
use super::parameters::{Parameters, bad};
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use crate::rows::{json_rows, json_text};
use arrow::datatypes::SchemaRef;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing;
use flowgauge_lake::model::TableSpec;
use flowgauge_lake::model::arrow::{fact_schema, observation_schema};
use flowgauge_query::list::{LISTS, ListQuery, ListSource, ListSpec, list};
use flowgauge_query::question::time;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::openapi::path::Parameter;

const FORMATS: &[Format] = &[Format::Json, Format::Csv, Format::Arrow, Format::Parquet];
const RESERVED: [&str; 7] = ["from", "to", "sort", "order", "limit", "cursor", "format"];
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

pub fn endpoints() -> Vec<Endpoint> {
    LISTS.iter().map(endpoint).collect()
}

fn endpoint(spec: &'static ListSpec) -> Endpoint {
    let table = table(spec);
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let filters = table.columns.iter().filter(|column| !RESERVED.contains(&column.name)).map(|column| {
        query(
            column.name,
            &format!("Filter: {}. Several values are alternatives; of a list, one of its items.", column.doc),
            nullable_schema(column.kind, false),
        )
    });
    let paging: [Parameter; 5] = [
        query("sort", &format!("The column to sort by; default `{}`.", spec.time), choice(columns)),
        query("order", "Default: desc.", choice(["asc", "desc"])),
        query("limit", "Rows of one page: 1 to 1000, default 100.", integer()),
        query(
            "cursor",
            "`next_cursor` of the page before, with the same other parameters. Rows that arrive meanwhile may shift pages.",
            text(),
        ),
        format_parameter(FORMATS),
    ];
    let operation = operation(&format!("list_{}", spec.name), &format!("The {}: {}", spec.name, table.doc.trim()))
        .parameters(Some(window(&format!("`{}`; without it everything is shown", spec.time))))
        .parameters(Some(paging))
        .parameters(Some(filters))
        .response("200", answers_as("A page. The next one's address is also in the header `Link`.", list_schema(table), FORMATS));
    let handler = routing::get(move |_: Reader, State(app): State<App>, headers: HeaderMap, parameters: Parameters| {
        page(app, spec, headers, parameters)
    });
    Endpoint::get(format!("/api/v1/{}", spec.name), handler, operation)
}

pub fn table(spec: &ListSpec) -> &'static TableSpec {
    match spec.source {
        ListSource::Entities(table) => table.spec(),
        ListSource::Facts(table) => table.spec(),
    }
}

fn schema(spec: &ListSpec) -> SchemaRef {
    match spec.source {
        ListSource::Entities(table) => observation_schema(table.spec()),
        ListSource::Facts(table) => fact_schema(table.spec()),
    }
}

async fn page(app: App, spec: &'static ListSpec, headers: HeaderMap, mut parameters: Parameters) -> Result<Response, AppError> {
    let schema = schema(spec);
    // The tenant comes from the token; nobody may ask for another.
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != "tenant").collect();
    parameters.only(RESERVED.into_iter().chain(columns.iter().copied()))?;
    let (format, cursor) = (format::wanted(&mut parameters, &headers, FORMATS)?, parameters.take("cursor"));
    let others = parameters.pairs().to_vec();
    let check = fingerprint(spec, &others);
    let offset = cursor.map_or(Ok(0), |cursor| {
        offset_of(&cursor, &check).ok_or_else(|| bad("cursor", &cursor, "`next_cursor` of an answer to the same question"))
    })?;
    let question = read(&mut parameters, &columns, app.now(), offset)?;
    let page = list(app.engine(), &app.tenant(), spec, &question).await?;
    let next = page.has_more.then(|| format!("{}.{check}", offset + question.limit));
    let failed = |error: arrow::error::ArrowError| AppError::Internal(error.to_string());
    let mut response = match format {
        Format::Csv => {
            let rows = match json_rows(std::slice::from_ref(&page.rows)).map_err(failed)? {
                Value::Array(rows) => {
                    rows.into_iter().filter_map(|row| if let Value::Object(row) = row { Some(row) } else { None }).collect()
                }
                _ => Vec::new(),
            };
            format::csv(&format::columns_of(&page.rows), &rows)
        }
        Format::Arrow => format::arrow_stream(&page.rows)?,
        Format::Parquet => format::parquet_file(&page.rows)?,
        Format::Json | Format::Rows => {
            let mut text = b"{\"data\":".to_vec();
            text.extend(json_text(std::slice::from_ref(&page.rows)).map_err(failed)?);
            text.extend(format!(",\"next_cursor\":{}}}", Value::from(next.clone())).into_bytes());
            format::json_bytes(text)
        }
    };
    if let Some(link) = next.and_then(|cursor| next_link(spec, &others, format, &cursor)) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn read(parameters: &mut Parameters, columns: &[&str], now: flowgauge_lake::model::Time, offset: usize) -> Result<ListQuery, AppError> {
    let mut moment = |name: &str| {
        let text = parameters.take(name);
        text.map(|text| time(&text, now).ok_or_else(|| bad(name, &text, "RFC 3339, a date, epoch milliseconds or `now-30d`"))).transpose()
    };
    let (from, to) = (moment("from")?, moment("to")?);
    let limit = match parameters.take("limit") {
        None => DEFAULT_LIMIT,
        Some(text) => text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| bad("limit", &text, "1 to 1000"))?,
    };
    let ascending = match parameters.take("order").as_deref() {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(other) => return Err(bad("order", other, "asc or desc")),
    };
    let sort = parameters.take("sort");
    if let Some(sort) = sort.as_deref().filter(|sort| !columns.contains(sort)) {
        let hint = flowgauge_lake::model::nearest(sort, columns.iter().copied())
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default();
        return Err(bad("sort", sort, &format!("a column of the list{hint}")));
    }
    let filters = std::mem::take(parameters).rest();
    Ok(ListQuery { from, to, filters, sort, ascending, limit, offset })
}

/// What a cursor belongs to: the list and all parameters but itself.
fn fingerprint(spec: &ListSpec, others: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    hash.update(spec.name);
    for (name, value) in others {
        hash.update([0]);
        hash.update(name);
        hash.update([0]);
        hash.update(value);
    }
    hex::encode(&hash.finalize()[..6])
}

fn offset_of(cursor: &str, check: &str) -> Option<usize> {
    let (offset, of) = cursor.split_once('.')?;
    offset.parse::<u32>().ok().filter(|_| of == check).map(|offset| offset as usize)
}

fn next_link(spec: &ListSpec, others: &[(String, String)], format: Format, cursor: &str) -> Option<HeaderValue> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(others).append_pair("format", format.name()).append_pair("cursor", cursor);
    format!("</api/v1/{}?{}>; rel=\"next\"", spec.name, query.finish()).parse().ok()
}
