//! When there is no page to show: the same errors as the API's, with a sentence and a way on.

use super::address;
use super::visit::{Shell, Visit};
use crate::app::App;
use crate::error::AppError;
use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use flowgauge_query::QueryError;

/// Why a page is not shown.
pub enum Stop {
    /// It is somewhere else.
    Elsewhere(String),
    /// A parameter is not understood.
    Parameter {
        name: String,
        message: String,
    },
    Failed(AppError),
}

impl From<QueryError> for Stop {
    fn from(error: QueryError) -> Self {
        let message = error.to_string();
        match error {
            QueryError::UnknownParameter { name, .. } | QueryError::BadParameter { name, .. } => Stop::Parameter { name, message },
            error => Stop::Failed(error.into()),
        }
    }
}

impl From<AppError> for Stop {
    fn from(error: AppError) -> Self {
        Stop::Failed(error)
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct FailurePage {
    shell: Shell,
    heading: &'static str,
    message: String,
    ways: Vec<(String, String)>,
}

impl Stop {
    pub fn answer(self, visit: &Visit) -> Response {
        let (status, heading, message, mut ways) = match self {
            Stop::Elsewhere(address) => return Redirect::to(&address).into_response(),
            Stop::Parameter { name, message } => {
                let without = address_without(visit, &name);
                let way = (without, format!("The same page without {name}"));
                (StatusCode::BAD_REQUEST, "The address is not understood", message, vec![way])
            }
            Stop::Failed(error) => {
                let status = error.status();
                if status.is_server_error() {
                    tracing::error!(%status, %error, path = visit.path, "a page failed");
                }
                let (heading, ways) = match status {
                    StatusCode::NOT_FOUND => ("There is no such page", Vec::new()),
                    StatusCode::FORBIDDEN => ("This was not done", Vec::new()),
                    StatusCode::CONFLICT => ("Which one is meant?", choices(&error, visit)),
                    StatusCode::BAD_REQUEST => ("The address is not understood", Vec::new()),
                    status if status.is_server_error() => {
                        ("This page cannot be shown now", vec![(visit.address(), "Try again".to_owned())])
                    }
                    _ => ("This page cannot be shown", Vec::new()),
                };
                (status, heading, error.to_string(), ways)
            }
        };
        let shell = visit.shell(heading, None);
        ways.push((shell.nav[0].href.clone(), "Overview".to_owned()));
        let page = FailurePage { shell, heading, message, ways };
        match page.render() {
            Ok(html) => (status, Html(html)).into_response(),
            Err(error) => AppError::Internal(error.to_string()).into_response(),
        }
    }
}

/// The same page for each of several things that have the id.
fn choices(error: &AppError, visit: &Visit) -> Vec<(String, String)> {
    let AppError::Ambiguous { parameter, choices, .. } = error else { return Vec::new() };
    let kept = || url::form_urlencoded::parse(visit.query.as_bytes()).filter(|(name, _)| name != parameter);
    let address = |choice: &String| {
        let pairs = kept().map(|(name, value)| (name.into_owned(), value.into_owned())).chain([((*parameter).to_owned(), choice.clone())]);
        address::with_query(&visit.path, pairs)
    };
    choices.iter().map(|choice| (address(choice), format!("{parameter} {choice}"))).collect()
}

/// The address with everything but one parameter.
fn address_without(visit: &Visit, name: &str) -> String {
    let pairs: Vec<_> = url::form_urlencoded::parse(visit.query.as_bytes()).filter(|(other, _)| other != name).collect();
    address::with_query(&visit.path, pairs)
}

/// `GET` of an address that nothing answers. Machines that ask below `/api` and the like get the machine's face.
pub async fn not_found(State(_): State<App>, parts: Parts) -> Response {
    let visit = Visit::of_anybody(&parts);
    let error = AppError::NotFound(format!("nothing is at {}", visit.path));
    if ["/api/", "/v1/", "/hooks/"].iter().any(|machines| visit.path.starts_with(machines)) {
        return error.into_response();
    }
    Stop::Failed(error).answer(&visit)
}
