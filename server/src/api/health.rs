//! Is the process there, and can it serve.

use axum::extract::State;
use axum::http::StatusCode;

use crate::app::App;
use crate::problem::ApiError;
use crate::store::shards;

/// `GET /healthz`: the process answers.
pub async fn healthz() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database answers.
///
/// # Errors
/// When it does not.
pub async fn readyz(State(app): State<App>) -> Result<(StatusCode, &'static str), ApiError> {
    let mut tx = app.db.read().await?;
    shards::heads(&mut tx).await?;
    Ok((StatusCode::OK, "ready"))
}
