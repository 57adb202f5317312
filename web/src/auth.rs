//! Who may do what: a bearer token for machines, the same token in a cookie for people.

use crate::app::App;
use crate::config::{Config, Scope};
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

/// Whether a form or a script of a page of this server sent this, or no browser at all. Browsers say where a request comes from; whoever is no browser has no cookies
/// that another site could use.
pub fn is_own(config: &Config, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = text("origin") else { return true };
    let same_as = |own: &str| url::Url::parse(own).is_ok_and(|own| own.origin().ascii_serialization() == origin);
    let of_host = text("host").is_some_and(|host| origin.split_once("://").is_some_and(|(_, authority)| authority == host));
    of_host || config.public_url.as_deref().is_some_and(same_as)
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
        // A cookie comes along, and a loopback address is open, for whatever page a browser shows; a bearer's token only where it is put.
        if !parts.headers.contains_key(header::AUTHORIZATION) && !is_own(&app.config(), &parts.headers) {
            return Err(AppError::Foreign);
        }
        match app.scope_of(token(&parts.headers).as_deref()) {
            Some(Scope::Write) => Ok(Writer),
            Some(Scope::Read) => Err(AppError::Forbidden),
            None => Err(AppError::Unauthorised),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;
    use axum::http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_what_our_own_pages_send_is_ours() {
        let config = Config::load(&Overrides::default()).expect("defaults");
        for own in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "http://localhost:8080"), ("host", "localhost:8080")],
            &[("host", "localhost:8080")],
        ] {
            assert!(is_own(&config, &headers(own)), "{own:?}");
        }
        for foreign in [
            &[("sec-fetch-site", "cross-site"), ("origin", "http://localhost:8080"), ("host", "localhost:8080")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://evil.example"), ("host", "localhost:8080")],
            &[("origin", "null"), ("host", "localhost:8080")],
        ] {
            assert!(!is_own(&config, &headers(foreign)), "{foreign:?}");
        }
    }
}
