//! `/healthz` (the process answers) and `/readyz` (it can take events in and answer questions). Open to everybody: probes have no
//! token, and nothing of the data is told.

use super::endpoint::{Endpoint, answers, operation};
use super::format;
use crate::app::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing;
use serde_json::json;
use utoipa::openapi::Ref;

pub fn endpoints() -> Vec<Endpoint> {
    let open = |id: &str, summary: &str| operation(id, summary).securities(Some([Default::default()]));
    let health = open("getHealth", "The process answers.").response("200", answers("It does.", Ref::from_schema_name("Health")));
    let ready = open("getReadiness", "Events can be stored and questions answered.")
        .response("200", answers("Ready.", Ref::from_schema_name("Readiness")))
        .response("503", answers("Not ready; `checks` says what is wrong.", Ref::from_schema_name("Readiness")));
    vec![Endpoint::get("/healthz", routing::get(healthz), health), Endpoint::get("/readyz", routing::get(readyz), ready)]
}

async fn healthz() -> Response {
    format::json(&json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

async fn readyz(State(app): State<App>) -> Response {
    // An append of nothing goes all the way through the journal's writer.
    let journal = app.lake().append(Vec::new()).await.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
    let facts = if app.engine().facts(&app.tenant()).version > 0 { "ok" } else { "not read yet" };
    let is_ready = journal == "ok" && facts == "ok";
    let answer = format::json(&json!({"ready": is_ready, "checks": {"journal": journal, "facts": facts}}));
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, answer).into_response()
}
