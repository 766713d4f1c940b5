//! The hub's page and the reference of the interface: static files inside the binary.

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use xiangyi_proto::problem;

use crate::problem::ApiError;

#[derive(RustEmbed)]
#[folder = "assets/hub"]
struct Page;

#[derive(RustEmbed)]
#[folder = "assets/reference"]
struct Reference;

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
    file(Page::get("index.html"), "index.html")
}

/// `GET /hub/{file}`.
///
/// # Errors
/// When there is no such file.
pub async fn asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    file(Page::get(&name), &name)
}

/// `GET /reference/`: every operation of `/v1/openapi.json`, readable without any other server.
///
/// # Errors
/// When the page was not built in.
pub async fn reference() -> Result<Response, ApiError> {
    file(Reference::get("index.html"), "index.html")
}

/// `GET /reference/{file}`.
///
/// # Errors
/// When there is no such file.
pub async fn reference_asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    file(Reference::get(&name), &name)
}

fn file(found: Option<EmbeddedFile>, name: &str) -> Result<Response, ApiError> {
    let found = found.ok_or(ApiError::new(problem::NOT_FOUND))?;
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
