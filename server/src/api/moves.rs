//! `POST /v1/moves`: a worker to another station, a client to another worker, an agency's end.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use xiangyi_proto::problem;

use super::body;
use crate::app::App;
use crate::caller::Caller;
use crate::moves::{self, By, Checklist, Move, NotMoved};
use crate::problem::ApiError;

impl From<NotMoved> for ApiError {
    fn from(why: NotMoved) -> Self {
        match why {
            NotMoved::NotThere => Self::new(problem::NOT_FOUND),
            NotMoved::Fault(pointer, code) => {
                Self::new(problem::INVALID_ENVELOPE).at(pointer, code)
            }
            NotMoved::Meanwhile => Self::new(problem::CONFLICT),
            NotMoved::Store(error) => error.into(),
        }
    }
}

/// Moves, and answers with what moved.
///
/// # Errors
/// When the caller may not move anybody there, or the move does not fit.
pub async fn run(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Checklist>, ApiError> {
    let ask: Move = body::json(&headers, &bytes)?;
    let list = moves::run(&app, By::Person(&caller.person, &caller.grants), &ask).await?;
    Ok(Json(list))
}
