//! The hub's page: static files inside the binary.

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::RustEmbed;
use xiangyi_proto::problem;

use crate::problem::ApiError;

#[derive(RustEmbed)]
#[folder = "assets/hub"]
struct Page;

/// Everything comes from this server; nothing inline.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
     form-action 'self'";

/// `GET /hub`.
pub async fn redirect() -> Redirect {
    Redirect::permanent("/hub/")
}

/// `GET /hub/`.
///
/// # Errors
/// When the page was not built in.
pub async fn index() -> Result<Response, ApiError> {
    file("index.html")
}

/// `GET /hub/{file}`.
///
/// # Errors
/// When there is no such file.
pub async fn asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    file(&name)
}

fn file(name: &str) -> Result<Response, ApiError> {
    let found = Page::get(name).ok_or(ApiError::new(problem::NOT_FOUND))?;
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let mut response = found.data.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
