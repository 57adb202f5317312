//! The token of a form that changes something. It is made for one page and one reader, with the tenant's key, and is good for 12 hours:
//! another site can neither read one nor use its own reader's (RELIABILITY: cross-site posts).

use crate::app::App;
use crate::auth;
use crate::error::AppError;
use axum::http::HeaderMap;
use flowgauge_lake::model::Time;
use hmac::{Hmac, Mac};
use sha2::Sha256;

const SECONDS: f64 = 12.0 * 3600.0;

/// A token for the form of the page at `path`.
pub fn issue(app: &App, headers: &HeaderMap, path: &str) -> Result<String, AppError> {
    let now = app.now();
    let mac = mac(app, headers, path, now)?;
    Ok(format!("{:x}.{}", now.micros(), hex::encode(mac.finalize().into_bytes())))
}

/// Whether a form carries a token of its own page and reader.
pub fn check(app: &App, headers: &HeaderMap, path: &str, token: &str) -> Result<(), AppError> {
    let (at, code) = token.split_once('.').ok_or(AppError::StaleForm)?;
    let at = i64::from_str_radix(at, 16).map(Time::from_micros).map_err(|_| AppError::StaleForm)?;
    let code = hex::decode(code).map_err(|_| AppError::StaleForm)?;
    mac(app, headers, path, at)?.verify_slice(&code).map_err(|_| AppError::StaleForm)?;
    let age = app.now().seconds_since(at);
    if (0.0..=SECONDS).contains(&age) { Ok(()) } else { Err(AppError::StaleForm) }
}

fn mac(app: &App, headers: &HeaderMap, path: &str, at: Time) -> Result<Hmac<Sha256>, AppError> {
    let key = app.lake().folder().tenant_key(&app.tenant())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|error| AppError::Internal(error.to_string()))?;
    // The length of each part stands before it: no two lists of parts are the same bytes.
    let reader = auth::token(headers).unwrap_or_default();
    for part in ["form", &at.to_string(), path, &reader] {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part.as_bytes());
    }
    Ok(mac)
}
