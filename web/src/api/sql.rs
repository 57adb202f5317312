//! `POST /api/v1/sql`: one statement that only reads, behind the gate of the SQL port.

use super::endpoint::{Endpoint, answers, operation};
use super::format;
use super::parameters::Parameters;
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use crate::rows::json_text;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing;
use serde::Deserialize;
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Required};

/// More than any statement that the gate lets through.
const MAX_BODY: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    query: String,
}

pub fn endpoints() -> Vec<Endpoint> {
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some("One `select`."));
    let statement = ObjectBuilder::new().property("query", text).required("query").build();
    let body = RequestBodyBuilder::new().content("application/json", ContentBuilder::new().schema(Some(statement)).build());
    let rows = ArrayBuilder::new().items(ObjectBuilder::new().build()).build();
    let operation = operation("postSql", "Asks the public tables in SQL. Read only; at most 100,000 rows and 30 seconds.")
        .request_body(Some(body.required(Some(Required::True)).build()))
        .response("200", answers("One object a row.", rows));
    vec![Endpoint::post("/api/v1/sql", routing::post(query), operation)]
}

async fn query(_: Reader, State(app): State<App>, parameters: Parameters, body: Body) -> Result<Response, AppError> {
    parameters.only([])?;
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| AppError::BadRequest(format!("the body is longer than {MAX_BODY} bytes")))?;
    let statement: Statement = serde_json::from_slice(&body)
        .map_err(|error| AppError::BadRequest(format!("the body must be {{\"query\": \"select …\"}}: {error}")))?;
    let batches = app.sql().query(&app.tenant(), &statement.query, app.now()).await?;
    let text =
        json_text(&batches).map_err(|error| AppError::BadRequest(format!("a column of the result has no JSON form, cast it: {error}")))?;
    Ok(format::json_bytes(text))
}
