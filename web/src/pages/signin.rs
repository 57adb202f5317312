//! `/signin` and `/signout`: a reader's token in a cookie, for people. The cookie is HttpOnly and SameSite=Strict; forms are taken
//! only from pages of this server.

use super::address;
use super::failure::Stop;
use super::visit::{Shell, Visit};
use crate::app::App;
use crate::auth::{self, COOKIE};
use crate::config::Config;
use crate::error::AppError;
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

const HOURS: u64 = 12;

#[derive(Template)]
#[template(path = "signin.html")]
struct SigninPage {
    shell: Shell,
    next: String,
    message: Option<&'static str>,
    is_open: bool,
    is_signed_in: bool,
}

#[derive(Deserialize)]
pub struct Given {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

pub async fn page(State(app): State<App>, parts: Parts) -> Response {
    show(&app, &parts, None, None)
}

fn show(app: &App, parts: &Parts, next: Option<&str>, message: Option<&'static str>) -> Response {
    let visit = Visit::of_anybody(parts);
    let asked = url::form_urlencoded::parse(visit.query.as_bytes()).find(|(name, _)| name == "next").map(|(_, next)| next.into_owned());
    let page = SigninPage {
        shell: visit.shell("Sign in", None),
        next: led_back(next.or(asked.as_deref()).unwrap_or_default()).to_owned(),
        message,
        is_open: app.scope_of(None).is_some(),
        is_signed_in: app.scope_of(auth::token(&parts.headers).as_deref()).is_some(),
    };
    let status = if message.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => AppError::Internal(error.to_string()).into_response(),
    }
}

/// Where a sign-in leads back to: a page of ours, whatever the address says.
fn led_back(next: &str) -> &str {
    if address::is_local(next) && !next.starts_with("/signin") { next } else { "/" }
}

pub async fn sign_in(State(app): State<App>, parts: Parts, Form(given): Form<Given>) -> Response {
    if !auth::is_own(&app.config(), &parts.headers) {
        return foreign(&Visit::of_anybody(&parts));
    }
    let token = given.token.trim();
    if app.scope_of(Some(token)).is_none() {
        return show(&app, &parts, Some(&given.next), Some("No reader has this token."));
    }
    with_cookie(&app.config(), led_back(&given.next), &hex::encode(token), HOURS * 3600)
}

pub async fn sign_out(State(app): State<App>, parts: Parts) -> Response {
    if !auth::is_own(&app.config(), &parts.headers) {
        return foreign(&Visit::of_anybody(&parts));
    }
    with_cookie(&app.config(), "/signin", "", 0)
}

fn foreign(visit: &Visit) -> Response {
    Stop::from(AppError::BadRequest("the form was not sent by a page of this server".to_owned())).answer(visit)
}

fn with_cookie(config: &Config, next: &str, value: &str, seconds: u64) -> Response {
    let secure = if config.public_url.as_deref().is_some_and(|url| url.starts_with("https://")) { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    let mut response = Redirect::to(next).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_our_own_pages() {
        assert_eq!(led_back("/deployments?kind=hotfix"), "/deployments?kind=hotfix");
        assert_eq!(led_back("//evil.example"), "/");
        assert_eq!(led_back("/signin?next=/signin"), "/");
    }
}
