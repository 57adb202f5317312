//! Files that never change: their address holds a hash of what is in them, so they may be kept for ever.

use crate::error::AppError;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

pub struct Asset {
    content: &'static [u8],
    media_type: &'static str,
    address: LazyLock<String>,
}

const FOLDER: &str = "/static/";

fn hashed(name: &str, extension: &str, content: &[u8]) -> String {
    let hash = hex::encode(Sha256::digest(content));
    format!("{FOLDER}{name}-{}.{extension}", &hash[..16])
}

const STYLESHEET: &[u8] = include_bytes!("../../static/style.css");
const SIGN: &[u8] = include_bytes!("../../static/icon.svg");

pub static STYLE: Asset =
    Asset { content: STYLESHEET, media_type: "text/css; charset=utf-8", address: LazyLock::new(|| hashed("style", "css", STYLESHEET)) };
pub static ICON: Asset = Asset { content: SIGN, media_type: "image/svg+xml", address: LazyLock::new(|| hashed("icon", "svg", SIGN)) };

impl Asset {
    pub fn address(&'static self) -> &'static str {
        &self.address
    }
}

/// `GET /static/{file}`.
pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = [&STYLE, &ICON].into_iter().find(|asset| asset.address().strip_prefix(FOLDER) == Some(&name)) else {
        return AppError::NotFound(format!("nothing is at {FOLDER}{name}")).into_response();
    };
    // The name holds the hash, so the name is the tag.
    let tag = format!("\"{name}\"");
    let is_known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).is_some_and(|known| known.contains(&tag));
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { asset.content.into_response() };
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
