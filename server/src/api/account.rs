//! One's own account: what is signed in, which phones are registered, password, second factor.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use xiangyi_proto::account::{
    Code, DeviceCard, Devices, NewPassword, Password, SecondFactor, SessionCard, Sessions,
};
use xiangyi_proto::problem;

use super::{body, sessions};
use crate::accounts::{password, second_factor};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::{accounts, keys, people, wechat};
use crate::trail::{self, Entry};

/// `GET /v1/me/sessions`: what is signed in as the person who asks.
///
/// # Errors
/// When the database does not answer.
pub async fn list_sessions(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Sessions>, ApiError> {
    let mut tx = app.db.read().await?;
    let rows = accounts::sessions(&mut tx, &caller.person, app.clock.now()).await?;
    let card = |row: accounts::Session| SessionCard {
        current: row.id == caller.session,
        id: row.id,
        created_at: row.created_at,
        expires_at: row.expires_at,
    };
    let sessions = rows.into_iter().map(card).collect();
    Ok(Json(Sessions { sessions }))
}

/// `DELETE /v1/me/sessions/{id}`: ends a session of one's own.
///
/// # Errors
/// When there is none of this id.
pub async fn end_session(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let mut tx = app.db.write().await?;
    // One engine knows no text with a zero in it, and no session has such an id.
    let is_one = !id.contains('\0') && accounts::end_session(&mut tx, &caller.person, &id).await?;
    if is_one {
        let entry = Entry::of(&caller.person, "session-ended").about(&caller.person);
        trail::put(&app, &mut tx, &entry).await?;
    }
    tx.commit().await?;
    ended(is_one)
}

/// `GET /v1/me/devices`: the phones of the person who asks.
///
/// # Errors
/// When the database does not answer.
pub async fn list_devices(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Devices>, ApiError> {
    let mut tx = app.db.read().await?;
    let rows = accounts::phones(&mut tx, &caller.person).await?;
    let card = |row: accounts::Phone| DeviceCard {
        id: row.id,
        state: row.state,
        registered_at: row.registered_at,
        last_seen_at: row.last_seen_at,
        waiting_records: row.waiting_records,
        waiting_photos: row.waiting_photos,
    };
    let devices = rows.into_iter().map(card).collect();
    Ok(Json(Devices { devices }))
}

/// `DELETE /v1/me/devices/{id}`: a phone that was lost. It pulls nothing more; what it still hands
/// over goes before a reviewer. Every other session of the person ends: whoever has the phone has
/// one of them, and could register another phone with it.
///
/// # Errors
/// When there is none of this id.
pub async fn end_device(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let mut tx = app.db.write().await?;
    let is_one = !id.contains('\0') && accounts::end_phone(&mut tx, &caller.person, &id).await?;
    if is_one {
        accounts::end_others(&mut tx, &caller.person, &caller.session).await?;
        let entry = Entry::of(&caller.person, "device-ended")
            .about(&caller.person)
            .target(id.as_str());
        trail::put(&app, &mut tx, &entry).await?;
    }
    tx.commit().await?;
    ended(is_one)
}

fn ended(is_one: bool) -> Result<StatusCode, ApiError> {
    if is_one {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::new(problem::NOT_FOUND))
    }
}

/// `POST /v1/me/password`: another password; every other session of the person ends, and what was
/// bound to WeChat is bound no longer.
///
/// # Errors
/// When the old one does not fit, or the new one is too short or easily guessed.
pub async fn set_password(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let ask: NewPassword = body::json(&headers, &bytes)?;
    confirm(&app, &caller, ask.password).await?;
    if let Some(code) = password::fault(&ask.new_password) {
        return Err(ApiError::new(problem::INVALID_ENVELOPE).at("/new_password", code));
    }
    let hash = app
        .passwords
        .hash(ask.new_password, app.entropy.clone())
        .await;
    let hash = hash.ok_or(ApiError::new(problem::SERVER_FAULT))?;
    let mut tx = app.db.write().await?;
    accounts::set_password(&mut tx, &caller.person, &hash).await?;
    accounts::end_others(&mut tx, &caller.person, &caller.session).await?;
    wechat::unbind(&mut tx, &caller.person).await?;
    let entry = Entry::of(&caller.person, "password-changed").about(&caller.person);
    trail::put(&app, &mut tx, &entry).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks the password of whoever asks, slowed down like signing in.
///
/// # Errors
/// `sign-in-failed` when it does not fit, `throttled` when it is tried too fast.
pub async fn confirm(app: &App, caller: &Caller, given: String) -> Result<(), ApiError> {
    let key = app.sealer.index("password of", &caller.person);
    sessions::count_try(app, &key, app.clock.now()).await?;
    let mut tx = app.db.read().await?;
    let person = people::by_id(&mut tx, &caller.person).await?;
    drop(tx);
    let hash = person.and_then(|person| person.password);
    if !app.passwords.fits(given, hash).await {
        return Err(ApiError::new(problem::SIGN_IN_FAILED));
    }
    sessions::forget_tries(app, &key).await
}

/// `POST /v1/me/second-factor`: a new secret. It guards the account once a code of it was sent.
///
/// # Errors
/// When there is a second factor already.
pub async fn start_factor(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<SecondFactor>, ApiError> {
    // A session that was stolen must not shut its person out.
    let ask: Password = body::json(&headers, &bytes)?;
    confirm(&app, &caller, ask.password).await?;
    let secret = second_factor::secret(&app.entropy);
    let shown = second_factor::shown(&secret, &caller.person);
    let (text, uri) = shown.ok_or(ApiError::new(problem::SERVER_FAULT))?;
    let mut tx = app.db.write().await?;
    let known = accounts::factor(&mut tx, &caller.person).await?;
    if known.is_some_and(|factor| factor.second_factor_at.is_some()) {
        return Err(ApiError::new(problem::SECOND_FACTOR_SET));
    }
    let owner = [caller.person.as_str()];
    let keyring = keys::of(&mut tx, &app.sealer, keys::PEOPLE, owner, &app.entropy).await?;
    let key = keyring.key(&caller.person);
    let key = key.ok_or(ApiError::new(problem::SERVER_FAULT))?;
    let sealed = key.seal(&app.entropy, &place(&caller.person), &secret);
    accounts::set_factor(&mut tx, &caller.person, Some(&sealed)).await?;
    tx.commit().await?;
    keyring.keep(&app.sealer);
    Ok(Json(SecondFactor { secret: text, uri }))
}

/// `POST /v1/me/second-factor/confirm`: a code of the new secret; from now on signing in asks.
///
/// # Errors
/// When no secret was made, or the code is not of this minute.
pub async fn confirm_factor(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let ask: Code = body::json(&headers, &bytes)?;
    check(&app, &caller.person, &ask.code, true).await?;
    let entry = Entry::of(&caller.person, "second-factor-set").about(&caller.person);
    trail::tell(&app, &entry).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/me/second-factor`: takes it away, by one of its codes.
///
/// # Errors
/// When there is none, or the code is not of this minute.
pub async fn end_factor(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let ask: Code = body::json(&headers, &bytes)?;
    check(&app, &caller.person, &ask.code, false).await?;
    let mut tx = app.db.write().await?;
    accounts::set_factor(&mut tx, &caller.person, None).await?;
    let entry = Entry::of(&caller.person, "second-factor-ended").about(&caller.person);
    trail::put(&app, &mut tx, &entry).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Uses a code of somebody's second factor, which may still be to confirm.
///
/// # Errors
/// `second-factor` when it is none; `throttled` when codes are tried too fast.
pub async fn check(
    app: &App,
    person: &str,
    code: &str,
    unconfirmed_too: bool,
) -> Result<(), ApiError> {
    let (now, wrong) = (app.clock.now(), || ApiError::new(problem::SECOND_FACTOR));
    let tries = app.sealer.index("second factor of", person);
    sessions::count_try(app, &tries, now).await?;
    let mut tx = app.db.write().await?;
    let factor = accounts::factor(&mut tx, person).await?.ok_or_else(wrong)?;
    let is_meant = unconfirmed_too || factor.second_factor_at.is_some();
    let sealed = factor
        .second_factor
        .filter(|_| is_meant)
        .ok_or_else(wrong)?;
    let keyring = keys::known(&mut tx, &app.sealer, keys::PEOPLE, [person]).await?;
    let secret = keyring.open(person, &place(person), &sealed);
    let secret = secret.map_err(|_| ApiError::new(problem::SERVER_FAULT))?;
    let step = second_factor::step(&secret, code, now, factor.second_factor_step);
    let step = step.ok_or_else(wrong)?;
    if !accounts::use_step(&mut tx, person, step, now).await? {
        return Err(wrong());
    }
    tx.commit().await?;
    sessions::forget_tries(app, &tries).await
}

/// Binds a sealed secret to its place.
fn place(person: &str) -> Vec<u8> {
    format!("second factor of {person}").into_bytes()
}
