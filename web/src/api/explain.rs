//! `/api/v1/explain/{id}`: why a value is what it is.

use super::endpoint::{Endpoint, answers, in_path, integer, operation, query};
use super::format;
use super::parameters::{Parameters, bad};
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing;
use flowgauge_query::explain::{Page, PointId};
use utoipa::openapi::Ref;

/// Rows at once, and at most.
const ROWS: usize = 200;
const MAX_ROWS: usize = 1000;

pub fn endpoints() -> Vec<Endpoint> {
    let operation = operation(
        "explain",
        "A value with its definition, its statement, the rows that were counted and left out, and the raw events behind them.",
    )
    .parameter(in_path("id", "What stands as `explain` beside a value."))
    .parameter(query("offset", "The first row that is shown.", integer()))
    .parameter(query("limit", "Rows at most; 200 unless told, never more than 1000.", integer()))
    .response(
        "200",
        answers(
            "The explanation: the value as it is now, what it was when the id was made, and why.",
            Ref::from_schema_name("Explanation"),
        ),
    );
    vec![Endpoint::get("/api/v1/explain/{id}", routing::get(explain), operation)]
}

async fn explain(_: Reader, State(app): State<App>, Path(id): Path<String>, mut parameters: Parameters) -> Result<Response, AppError> {
    parameters.only(["offset", "limit", "format"])?;
    let page = page(&mut parameters)?;
    let explanation = app.engine().explain(&app.tenant(), &PointId::parse(&id)?, page, app.now()).await?;
    let text = serde_json::to_vec(&explanation).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(format::json_bytes(text))
}

/// `offset` and `limit`, taken out of the parameters.
pub fn page(parameters: &mut Parameters) -> Result<Page, AppError> {
    let mut number = |name: &str, default: usize| match parameters.take(name) {
        Some(text) => text.parse().map_err(|_| bad(name, &text, "a whole number")),
        None => Ok(default),
    };
    Ok(Page { offset: number("offset", 0)?, limit: number("limit", ROWS)?.clamp(1, MAX_ROWS) })
}
