//! The pages for people: rendered whole on the server, all state in the address, nothing that needs a script. One module and one
//! template a page; numbers come from the engine and are the API's.

mod address;
mod assets;
mod chart;
mod deployment;
mod deployments;
mod explain;
mod failure;
mod filters;
mod form;
mod format;
mod home;
mod incident;
mod incidents;
mod item;
mod numbers;
mod service;
mod signin;
mod sources;
mod team;
mod verdict;
mod visit;

use crate::app::App;
use axum::Router;
use axum::routing::{get, post};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home::page))
        .route("/services/{service}", get(service::page))
        .route("/teams/{team}", get(team::page))
        .route("/deployments", get(deployments::page))
        .route("/deployments/{id}", get(deployment::page).post(deployment::judge))
        .route("/incidents", get(incidents::page))
        .route("/incidents/{id}", get(incident::page).post(incident::judge))
        .route("/explain/{id}", get(explain::page))
        .route("/sources", get(sources::page))
        .route("/signin", get(signin::page).post(signin::sign_in))
        .route("/signout", post(signin::sign_out))
        .route("/static/{file}", get(assets::file))
        .fallback(failure::not_found)
}
