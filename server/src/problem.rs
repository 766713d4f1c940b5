//! Failed requests: every error leaves the server through here, as a problem with words.
//!
//! What caused a fault is logged once, here, and only for faults of ours; it never leaves.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use xiangyi_proto::problem::{self, Code, Problem};
use xiangyi_proto::verdict::FieldError;

use crate::store::StoreError;

/// An error with its code; what may be told rides along.
#[derive(Debug)]
pub struct ApiError {
    pub code: Code,
    pub errors: Vec<FieldError>,
    pub retry_ms: Option<i64>,
    pub verdict: Option<serde_json::Value>,
}

impl ApiError {
    /// An error that its code says all about.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            errors: Vec::new(),
            retry_ms: None,
            verdict: None,
        }
    }

    /// Points at a field.
    #[must_use]
    pub fn at(mut self, pointer: &str, field_code: &str) -> Self {
        let (zh, en) = problem::field_words(field_code);
        self.errors.push(FieldError {
            pointer: pointer.to_owned(),
            code: field_code.to_owned(),
            detail: zh.to_owned(),
            detail_en: en.to_owned(),
        });
        self
    }

    /// Says when to come again.
    #[must_use]
    pub const fn retry(mut self, ms: i64) -> Self {
        self.retry_ms = Some(ms);
        self
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            tracing::warn!(%error, "the database is busy");
            return Self::new(problem::BUSY).retry(2_000);
        }
        tracing::error!(error = error.told(), "a request failed");
        Self::new(problem::SERVER_FAULT)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("urn:xiangyi:problem:{}", self.code.name),
            title: self.code.zh.to_owned(),
            status: self.code.status,
            code: self.code.name.to_owned(),
            detail: self.code.zh.to_owned(),
            detail_en: self.code.en.to_owned(),
            errors: self.errors,
            retry_ms: self.retry_ms.or(self.code.retry.then_some(5_000)),
            verdict: self.verdict,
            request_id: String::new(),
        };
        let status = StatusCode::from_u16(self.code.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = status.into_response();
        response.extensions_mut().insert(problem);
        response
    }
}

/// Writes the body of a problem; the last layer does this, when the request's id is known.
pub fn written(mut response: Response, request_id: &str) -> Response {
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    request_id.clone_into(&mut problem.request_id);
    let retry = problem.retry_ms.map(|ms| (ms + 999) / 1_000);
    let body = serde_json::to_vec(&problem).expect("a problem can be written");
    let mut written = Response::new(axum::body::Body::from(body));
    *written.status_mut() = response.status();
    *written.headers_mut() = std::mem::take(response.headers_mut());
    let headers = written.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if problem.status == 401 {
        // RFC 6750: what is wrong with a token is told only to who sent one.
        let challenge = match problem.code.as_str() {
            "token-expired" => "Bearer error=\"invalid_token\"",
            _ => "Bearer",
        };
        let challenge = HeaderValue::from_static(challenge);
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = retry.and_then(|s| HeaderValue::from_str(&s.to_string()).ok()) {
        headers.insert(header::RETRY_AFTER, seconds);
    }
    written
}
