//! `/v1/webhooks`: where another system of the county hears that something changed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use xiangyi_proto::problem;
use xiangyi_proto::region;

use super::{body, query};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::webhooks::{self as rows, Webhook};
use crate::store::{Tx, shards};
use crate::webhooks::{self, CONNECT, OF_COUNTY_MAX, guard, unit_of};

/// Bytes of a secret.
const SECRET: usize = 32;

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// A county, whose shared records are told, or a station.
    unit: String,
    url: String,
}

/// Which county's webhooks.
#[derive(Debug, Deserialize)]
pub struct Of {
    unit: Option<String>,
}

/// A webhook as it is told.
#[derive(Debug, Serialize)]
pub struct Told {
    id: String,
    unit: String,
    url: String,
    state: String,
    position: i64,
    tries: i64,
    made_by: String,
    made_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
    /// Only once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl From<Webhook> for Told {
    fn from(hook: Webhook) -> Self {
        Self {
            unit: unit_of(&hook).to_owned(),
            id: hook.id,
            url: hook.url,
            state: hook.state,
            position: hook.position,
            tries: hook.tries,
            made_by: hook.made_by,
            made_at: hook.made_at,
            fault: hook.fault,
            secret: None,
        }
    }
}

/// `GET /v1/webhooks?unit=`.
///
/// # Errors
/// When the caller connects nothing there.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    query::Asked(of): query::Asked<Of>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let wrong = |code| ApiError::new(problem::INVALID_PARAMETER).at("/unit", code);
    let unit = of.unit.ok_or_else(|| wrong("required"))?;
    let shard = region::shard_of(&unit).ok_or_else(|| wrong("bad-region"))?;
    may(&app, &caller, &shard.0.to_string())?;
    let mut tx = app.db.read().await?;
    let hooks = rows::of(&mut tx, shard.0).await?;
    let told: Vec<Told> = hooks.into_iter().map(Told::from).collect();
    Ok(Json(serde_json::json!({ "webhooks": told })))
}

/// `POST /v1/webhooks`: 201 with the secret, which is told this once. It begins with what changes
/// from now on.
///
/// # Errors
/// When the caller connects nothing there, the address may not be asked, or there are enough.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Told>), ApiError> {
    let ask: Ask = body::json(&headers, &bytes)?;
    may(&app, &caller, &ask.unit)?;
    let wrong = |pointer, code| ApiError::new(problem::INVALID_ENVELOPE).at(pointer, code);
    let has_stream = matches!(
        ask.unit.len(),
        region::COUNTY_DIGITS | region::TOWNSHIP_DIGITS
    );
    let is_known = has_stream && app.regions.knows(&ask.unit);
    let shard = region::shard_of(&ask.unit).filter(|_| is_known);
    let shard = shard.ok_or_else(|| wrong("/unit", "unit-unknown"))?;
    guard::target(&ask.url, &webhooks::inside_of(&app, shard))
        .await
        .map_err(|_| wrong("/url", "bad-url"))?;
    let kind = if ask.unit.len() == 6 {
        "county"
    } else {
        "station"
    };
    let id = format!("w-{}", app.entropy.crockford(10));
    let secret = hex::encode(app.entropy.bytes::<SECRET>());
    let mut tx = app.db.write().await?;
    // Two at the same moment are counted one after the other.
    let counter = shards::lock(&mut tx, shard).await?;
    if rows::of(&mut tx, shard.0).await?.len() >= OF_COUNTY_MAX {
        return Err(wrong("/unit", "list-too-long"));
    }
    let place = (shard.0, id.as_str());
    let (sealed, keys) = webhooks::sealed(&app, &mut tx, place, secret.as_bytes()).await?;
    let hook = Webhook {
        id,
        shard: shard.0,
        stream: format!("{kind}:{}", ask.unit),
        url: ask.url,
        secret: sealed,
        made_by: caller.person,
        made_at: app.clock.now(),
        state: "active".to_owned(),
        position: counter.head_seq,
        tries: 0,
        due_at: app.clock.now(),
        fault: None,
        head: counter.head_seq,
    };
    rows::add(&mut tx, &hook).await?;
    tx.commit().await?;
    keys.keep(&app.sealer);
    let told = Told {
        secret: Some(secret),
        ..Told::from(hook)
    };
    Ok((StatusCode::CREATED, Json(told)))
}

/// `POST /v1/webhooks/{id}/resume`: tries again now, from where it stood, in the caller's name.
///
/// # Errors
/// When there is none for the caller.
pub async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Told>, ApiError> {
    let (mut tx, mut hook) = own(&app, &caller, &id).await?;
    "active".clone_into(&mut hook.state);
    (hook.tries, hook.due_at) = (0, app.clock.now());
    hook.made_by = caller.person;
    rows::resume(&mut tx, &hook).await?;
    tx.commit().await?;
    Ok(Json(hook.into()))
}

/// `DELETE /v1/webhooks/{id}`.
///
/// # Errors
/// When there is none for the caller.
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (mut tx, hook) = own(&app, &caller, &id).await?;
    rows::remove(&mut tx, &hook.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own(app: &App, caller: &Caller, id: &str) -> Result<(Tx, Webhook), ApiError> {
    let none = || ApiError::new(problem::NOT_FOUND);
    // One engine knows no text with a zero in it.
    if id.contains('\0') {
        return Err(none());
    }
    let mut tx = app.db.glance().await?;
    let hook = rows::by_id(&mut tx, id).await?.ok_or_else(none)?;
    may(app, caller, unit_of(&hook))?;
    drop(tx);
    // Nobody without a right here comes as far as the writer.
    let mut tx = app.db.write().await?;
    let hook = rows::by_id(&mut tx, id).await?.ok_or_else(none)?;
    Ok((tx, hook))
}

fn may(app: &App, caller: &Caller, unit: &str) -> Result<(), ApiError> {
    let is_on = app.webhooks.enabled;
    match is_on && caller.is_one_of(CONNECT, unit, app.clock.now()) {
        true => Ok(()),
        false => Err(ApiError::new(problem::NOT_FOUND)),
    }
}
