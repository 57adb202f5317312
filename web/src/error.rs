//! The only place with status codes: one error, two faces. Machines get RFC 9457 problem JSON, people a page.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use flowgauge_lake::LakeError;
use flowgauge_query::QueryError;

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{0}")]
    BadRequest(String),
    #[error("sign in, or send a token as `Authorization: Bearer …`")]
    Unauthorised,
    #[error("a page of another site sent this: send it from a page of this server, or with `Authorization: Bearer TOKEN`")]
    Foreign,
    #[error("this form was not shown to you in the last 12 hours: open the page again and send it from there")]
    StaleForm,
    /// Alike for an unknown source and a bad signature.
    #[error("this delivery is not taken: check the hook's address, the source's name in it, and its secret")]
    Unverified,
    #[error("this token may read, but not write")]
    Forbidden,
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    /// Several things have the id; the parameter tells them apart.
    #[error("several have the id `{id}`: add `?{parameter}=` with one of {}", choices.join(", "))]
    Ambiguous { id: String, parameter: &'static str, choices: Vec<String> },
    #[error("this address does not take the method `{0}`")]
    MethodNotAllowed(String),
    #[error("the body is longer than 26,214,400 bytes")]
    TooLarge,
    #[error("send the body uncompressed: signatures are over the bytes as they come")]
    Compressed,
    #[error("the server is busy, try again")]
    Busy,
    #[error("the server cannot store anything: {0}")]
    Unavailable(String),
    #[error("something went wrong on our side: {0}")]
    Internal(String),
}

impl AppError {
    pub const fn status(&self) -> StatusCode {
        match self {
            AppError::BadRequest(_) => StatusCode::BAD_REQUEST,
            AppError::Unauthorised | AppError::Unverified => StatusCode::UNAUTHORIZED,
            AppError::Forbidden | AppError::Foreign | AppError::StaleForm => StatusCode::FORBIDDEN,
            AppError::NotFound(_) => StatusCode::NOT_FOUND,
            AppError::Conflict(_) | AppError::Ambiguous { .. } => StatusCode::CONFLICT,
            AppError::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            AppError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            AppError::Compressed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            AppError::Busy | AppError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            AppError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<QueryError> for AppError {
    fn from(error: QueryError) -> Self {
        match &error {
            QueryError::UnknownMetric { .. } => AppError::NotFound(error.to_string()),
            error if error.is_askers() => AppError::BadRequest(error.to_string()),
            error => AppError::Internal(error.to_string()),
        }
    }
}

impl From<LakeError> for AppError {
    fn from(error: LakeError) -> Self {
        match error {
            LakeError::Busy => AppError::Busy,
            error => AppError::Unavailable(error.to_string()),
        }
    }
}

/// The face for machines.
impl IntoResponse for AppError {
    fn into_response(self) -> Response<Body> {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(%status, error = %self, "a request failed");
        }
        let mut problem = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        if let AppError::Ambiguous { parameter, choices, .. } = &self {
            problem["parameter"] = (*parameter).into();
            problem["choices"] = choices.clone().into();
        }
        let mut response = (status, problem.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
