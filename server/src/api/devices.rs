//! Devices: registrations of one person, minted by the server and never reused.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use xiangyi_proto::account::{Registered, Reregister};
use xiangyi_proto::limits::LIMITS;
use xiangyi_proto::problem;
use xiangyi_sync::stamp::Whose;

use super::body;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::{Tx, sessions};

/// Ids tried before giving up; with 32⁸ of them a second try is rare and a third means a fault.
const TRIES: usize = 3;

/// `POST /v1/devices`: registers a phone of the person who asks; under its former name where that
/// was lost with a restore, and an answer it was given shows that it was theirs.
///
/// # Errors
/// When the database does not take it.
pub async fn register(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Registered>), ApiError> {
    // Whatever else was sent asks for a new registration.
    let former = body::json::<Reregister>(&headers, &bytes).ok();
    let former = former.filter(|former| is_theirs(&app, &caller.person, former));
    let mut tx = app.db.write().await?;
    let again = match &former {
        Some(former) => comes_back(&app, &mut tx, &caller.person, &former.device).await?,
        None => false,
    };
    let device = match former.filter(|_| again) {
        Some(former) => former.device,
        None => mint(&app, &mut tx, &caller.person, None).await?,
    };
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

/// Whether a proof is of an answer that this device of this person was given.
fn is_theirs(app: &App, person: &str, former: &Reregister) -> bool {
    let mut digest = [0; 32];
    if hex::decode_to_slice(&former.digest, &mut digest).is_err() {
        return false;
    }
    let whose = Whose {
        shard: former.shard,
        person,
        device: &former.device,
        n: former.proof.n,
        digest: &digest,
    };
    app.stamps.fits(&whose, &former.proof)
}

/// Registers a lost device under its former name; false where that is somebody's already.
async fn comes_back(app: &App, tx: &mut Tx, person: &str, id: &str) -> Result<bool, ApiError> {
    Ok(sessions::add_device(tx, id, person, "phone", None, app.clock.now()).await?)
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
