//! The JSON API: addresses, parameters, forms of answers. Computes nothing; figures come from the engine.

mod compare;
mod endpoint;
mod explain;
mod format;
mod health;
mod items;
mod lists;
mod metrics;
mod openapi;
mod parameters;
mod raw;
mod scorecard;
mod sources;
mod sql;

use crate::app::App;
use crate::auth::Reader;
use crate::error::AppError;
use axum::Router;
use axum::http::{Method, Uri};
use axum::routing::any;
use endpoint::Endpoint;
pub use explain::page as explain_page;
pub use items::item;
pub use parameters::Parameters;

/// Every address of the API.
fn endpoints() -> Vec<Endpoint> {
    let all = [
        metrics::endpoints(),
        scorecard::endpoints(),
        compare::endpoints(),
        lists::endpoints(),
        items::endpoints(),
        sources::endpoints(),
        raw::endpoints(),
        explain::endpoints(),
        sql::endpoints(),
        openapi::endpoints(),
        health::endpoints(),
    ];
    all.into_iter().flatten().collect()
}

pub fn routes() -> Router<App> {
    let router = endpoints().into_iter().fold(Router::new(), |router, endpoint| router.route(&endpoint.path, endpoint.handler));
    router.route("/api/{*rest}", any(unknown)).method_not_allowed_fallback(wrong_method)
}

async fn unknown(_: Reader, uri: Uri) -> AppError {
    AppError::NotFound(format!("there is nothing at `{}`; /openapi.json lists what there is", uri.path()))
}

async fn wrong_method(method: Method) -> AppError {
    AppError::MethodNotAllowed(method.to_string())
}
