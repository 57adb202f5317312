//! `/api/v1/compare`: the figures of delivery before and after, with effects, intervals and verdicts.

use super::endpoint::{Endpoint, answers, operation, query, text};
use super::format::{self, Format};
use super::parameters::Parameters;
use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing;
use flowgauge_query::compare::Comparison;
use utoipa::openapi::{Ref, Required};

pub fn endpoints() -> Vec<Endpoint> {
    let span = |name: &str, description: &str| {
        let mut parameter = query(name, description, text());
        parameter.required = Required::True;
        parameter
    };
    let compare = operation("compare", "The figures of delivery in two windows, and whether a change is more than chance.")
        .parameter(span("before", "`A..B`: two moments in any form that `from` and `to` take."))
        .parameter(span("after", "`C..D`, from the end of `before` on."))
        .parameter(query("team", "Only this one; several are alternatives.", text()))
        .parameter(query("service", "Only this one; several are alternatives.", text()))
        .response("200", answers("Each figure before and after.", Ref::from_schema_name("Comparison")));
    vec![Endpoint::get("/api/v1/compare", routing::get(compared), compare)]
}

async fn compared(_: Reader, State(app): State<App>, headers: HeaderMap, mut parameters: Parameters) -> Result<Response, AppError> {
    format::wanted(&mut parameters, &headers, &[Format::Json])?;
    let now = app.now();
    let comparison = Comparison::parse(parameters.pairs(), now, app.engine().rules().display)?;
    let answer = app.engine().compare(&app.tenant(), &comparison, now).await?;
    Ok(format::json_bytes(serde_json::to_vec(&answer).map_err(|error| AppError::Internal(error.to_string()))?))
}
