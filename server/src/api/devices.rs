//! Devices: registrations of one person, minted by the server and never reused.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use xiangyi_proto::account::Registered;
use xiangyi_proto::limits::LIMITS;
use xiangyi_proto::problem;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::{Tx, sessions};

/// Ids tried before giving up; with 32⁸ of them a second try is rare and a third means a fault.
const TRIES: usize = 3;

/// `POST /v1/devices`: registers a phone of the person who asks.
///
/// # Errors
/// When the database does not take it.
pub async fn register(
    State(app): State<App>,
    caller: Caller,
) -> Result<(StatusCode, Json<Registered>), ApiError> {
    let mut tx = app.db.write().await?;
    let device = mint(&app, &mut tx, &caller.person, None).await?;
    tx.commit().await?;
    let server_time = app.clock.now();
    let made = Registered {
        device,
        limits: LIMITS,
        server_time,
        pack_keys: app.law.keys().to_vec(),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// A new device: a phone, or with a session the device of its REST writes.
///
/// # Errors
/// When the database does not take it.
pub async fn mint(
    app: &App,
    tx: &mut Tx,
    person: &str,
    session: Option<&str>,
) -> Result<String, ApiError> {
    let kind = if session.is_some() { "rest" } else { "phone" };
    for _ in 0..TRIES {
        let id = format!("d-{}", app.entropy.crockford(8));
        if sessions::add_device(tx, &id, person, kind, session, app.clock.now()).await? {
            return Ok(id);
        }
    }
    Err(ApiError::new(problem::SERVER_FAULT))
}
