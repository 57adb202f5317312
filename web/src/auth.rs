//! Who may do what: a bearer token for machines, the same token in a cookie for people.

use crate::app::App;
use crate::config::Scope;
use crate::error::AppError;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;

/// The cookie that holds a signed-in person's token. HttpOnly and SameSite=Strict: no script and no other site can use it.
pub const COOKIE: &str = "flowgauge_token";

/// Proof that the request may read.
pub struct Reader;

/// Proof that the request may write.
pub struct Writer;

/// Whether a browser sends this for a page of another site: it then says whose (RFC 6454), and may bring a cookie of ours along.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(host)) = (text(header::ORIGIN), text(header::HOST)) else { return false };
    origin.split_once("://").is_none_or(|(_, site)| site != host)
}

/// The token of a request: the bearer's, else the cookie's.
pub fn token(headers: &HeaderMap) -> Option<String> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    if let Some(token) = bearer {
        return Some(token.trim().to_owned());
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let mut tokens = cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    tokens.next().and_then(|hex| String::from_utf8(hex::decode(hex).ok()?).ok())
}

impl FromRequestParts<App> for Reader {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        app.scope_of(token(&parts.headers).as_deref()).map(|_| Reader).ok_or(AppError::Unauthorised)
    }
}

impl FromRequestParts<App> for Writer {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        if is_foreign(&parts.headers) {
            return Err(AppError::Forbidden);
        }
        match app.scope_of(token(&parts.headers).as_deref()) {
            Some(Scope::Write) => Ok(Writer),
            Some(Scope::Read) => Err(AppError::Forbidden),
            None => Err(AppError::Unauthorised),
        }
    }
}
