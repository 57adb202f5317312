//! `/api/v1/raw/{event_id}`: the bytes as they came.

use super::endpoint::{Endpoint, answers, binary, choice, in_path, operation, query};
use super::format;
use super::parameters::{Parameters, bad};
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowgauge_lake::model::{EventId, RawEvent};
use serde_json::{Map, Value, json};
use utoipa::openapi::{ContentBuilder, Ref};

pub fn endpoints() -> Vec<Endpoint> {
    let mut answer = answers("The event.", Ref::from_schema_name("RawEvent"));
    answer.content.insert("application/octet-stream".to_owned(), ContentBuilder::new().schema(Some(binary())).build().into());
    let operation = operation("getRawEvent", "A delivery as it came, with the headers that were kept.")
        .parameter(in_path("event_id", "32 hex digits."))
        .parameter(query("format", "`bytes`: the body alone.", choice(["json", "bytes"])))
        .response("200", answer);
    vec![Endpoint::get("/api/v1/raw/{event_id}", routing::get(raw), operation)]
}

async fn raw(_: Reader, State(app): State<App>, Path(id): Path<String>, mut parameters: Parameters) -> Result<Response, AppError> {
    parameters.only(["format"])?;
    let as_bytes = match parameters.take("format").as_deref() {
        None | Some("json") => false,
        Some("bytes") => true,
        Some(other) => return Err(bad("format", other, "json or bytes")),
    };
    let event_id = EventId::parse(&id).ok_or_else(|| AppError::NotFound(format!("`{id}` is no event id: these have 32 hex digits")))?;
    let event =
        app.lake().raw_event(&app.tenant(), event_id).await?.ok_or_else(|| AppError::NotFound(format!("there is no event `{id}`")))?;
    if !as_bytes {
        return Ok(format::json(&shown(&event)));
    }
    // Never shown by a browser as what its sender would like it to be.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{event_id}\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, event.body).into_response())
}

fn shown(event: &RawEvent) -> Value {
    let headers: Map<String, Value> = event.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let (body, encoding) = match std::str::from_utf8(&event.body) {
        Ok(text) => (text.to_owned(), "utf-8"),
        Err(_) => (STANDARD.encode(&event.body), "base64"),
    };
    json!({
        "event_id": event.event_id.to_string(),
        "source": event.source.as_str(),
        "kind": event.kind,
        "delivery_id": event.delivery_id,
        "received_at": event.received_at.to_string(),
        "headers": headers,
        "body": body,
        "body_encoding": encoding,
    })
}
