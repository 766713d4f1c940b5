//! Signing in, refreshing, signing out, registering a phone, who am I.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use xiangyi_proto::account::{
    GrantCard, Me, MyCard, PersonCard, Refresh, Registered, RoleAt, SignIn, SignedIn, UnitCard,
};
use xiangyi_proto::limits::LIMITS;
use xiangyi_proto::problem;
use xiangyi_sync::world::Granted;

use super::body;
use crate::accounts::tokens::{ACCESS_MS, COOKIE_MS, Claims};
use crate::app::App;
use crate::caller::{COOKIE, Caller};
use crate::problem::ApiError;
use crate::store::people::PersonRow;
use crate::store::{Tx, keys, people, sessions, views};

/// A session that is not refreshed for so long ends: a phone in a drawer over the summer.
const SESSION_MS: i64 = 90 * 86_400_000;
/// Failures that cost nothing: gloves in winter.
const FREE_FAILURES: i64 = 4;
/// The longest delay between tries; an account is never locked.
const DELAY_MAX_MS: i64 = 5 * 60_000;

/// `POST /v1/sessions`.
///
/// # Errors
/// When telephone and password do not fit, or tries come too fast.
pub async fn sign_in(
    State(app): State<App>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let ask: SignIn = body::json(&headers, &bytes)?;
    let telephone = normal_telephone(&ask.telephone);
    let key = app.sealer.index("telephone", &telephone);
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let throttled = sessions::throttle(&mut tx, &key).await?;
    let person = people::by_telephone(&mut tx, &key).await?;
    drop(tx);
    if let Some((_, next_at)) = throttled.filter(|(_, next_at)| now < *next_at) {
        return Err(ApiError::new(problem::THROTTLED).retry(next_at - now));
    }
    let hash = person.as_ref().and_then(|person| person.password.clone());
    let fits = app.passwords.fits(ask.password, hash).await;
    let person = person.filter(|person| fits && person.state == "active");
    let mut tx = app.db.write().await?;
    let Some(person) = person else {
        let failures = throttled.map_or(0, |(failures, _)| failures) + 1;
        sessions::delay(&mut tx, &key, failures, now + delay_ms(failures)).await?;
        tx.commit().await?;
        return Err(ApiError::new(problem::SIGN_IN_FAILED));
    };
    if throttled.is_some_and(|(failures, _)| failures > 0) {
        sessions::delay(&mut tx, &key, 0, 0).await?;
    }
    let session = app.entropy.crockford(20);
    let device = format!("r-{}", app.entropy.crockford(8));
    let refresh = refresh_token(&app, &session);
    sessions::add_device(&mut tx, &device, &person.id, "rest", Some(&session), now).await?;
    let expires_at = now + SESSION_MS;
    sessions::add(
        &mut tx,
        &session,
        &person.id,
        &device,
        &hashed(&refresh),
        now,
        expires_at,
    )
    .await?;
    let answer = signed_in(&app, &mut tx, &person, &session, &device, refresh).await?;
    tx.commit().await?;
    let mut response = Json(answer).into_response();
    if ask.cookie {
        let cookie = cookie(&app, &person.id, &session, &device, now);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Doubles from one second after the free tries.
fn delay_ms(failures: i64) -> i64 {
    let beyond = (failures - FREE_FAILURES).clamp(0, 20);
    if beyond == 0 {
        0
    } else {
        (500 << beyond).min(DELAY_MAX_MS)
    }
}

/// `POST /v1/sessions/refresh`: the old token stays good until its successor is first used.
///
/// # Errors
/// When the token is neither; a token from before the last one ends the session.
pub async fn refresh(
    State(app): State<App>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<SignedIn>, ApiError> {
    let ask: Refresh = body::json(&headers, &bytes)?;
    let none = || ApiError::new(problem::UNAUTHORIZED);
    let (id, _) = ask.refresh_token.split_once('.').ok_or_else(none)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let session = sessions::by_id(&mut tx, id).await?.ok_or_else(none)?;
    if session.state != "active" || session.expires_at <= now {
        return Err(none());
    }
    let sent = hashed(&ask.refresh_token);
    if sent != session.refresh && session.successor.as_ref() != Some(&sent) {
        sessions::end(&mut tx, id, "revoked").await?;
        tx.commit().await?;
        return Err(ApiError::new(problem::REFRESH_REUSED));
    }
    let next = refresh_token(&app, id);
    sessions::rotate(&mut tx, id, &sent, &hashed(&next)).await?;
    let person = people::by_id(&mut tx, &session.person)
        .await?
        .ok_or_else(none)?;
    let answer = signed_in(&app, &mut tx, &person, id, &session.device, next).await?;
    tx.commit().await?;
    Ok(Json(answer))
}

/// `DELETE /v1/sessions`: ends the session that asks.
///
/// # Errors
/// When the database does not take it.
pub async fn sign_out(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let mut tx = app.db.write().await?;
    sessions::end(&mut tx, &caller.session, "signed-out").await?;
    tx.commit().await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    let gone = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    if let Ok(value) = HeaderValue::from_str(&gone) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

/// `POST /v1/devices`: registers a phone of the person who asks.
///
/// # Errors
/// When the database does not take it.
pub async fn register(
    State(app): State<App>,
    caller: Caller,
) -> Result<(StatusCode, Json<Registered>), ApiError> {
    let device = format!("d-{}", app.entropy.crockford(8));
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    sessions::add_device(&mut tx, &device, &caller.person, "phone", None, now).await?;
    tx.commit().await?;
    Ok((
        StatusCode::CREATED,
        Json(Registered {
            device,
            limits: LIMITS,
            server_time: now,
        }),
    ))
}

/// `GET /v1/me`.
///
/// # Errors
/// When the database does not answer.
pub async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let person = people::by_id(&mut tx, &caller.person).await?;
    let person = person.ok_or(ApiError::new(problem::UNAUTHORIZED))?;
    let name = name_of(&app, &mut tx, &person).await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, now).await?;
    let held: Vec<&Granted> = caller.grants.iter().filter(|g| g.holds_at(now)).collect();
    let mut units: Vec<UnitCard> = Vec::new();
    for grant in &held {
        if !units.iter().any(|unit| unit.code == grant.unit) {
            let name = app.regions.unit_name(&grant.unit);
            units.push(UnitCard {
                code: grant.unit.clone(),
                name,
            });
        }
    }
    let card = |grant: &Granted| GrantCard {
        role: grant.role,
        unit: grant.unit.clone(),
        from_at: grant.from_at,
        to_at: grant.to_at,
    };
    Ok(Json(Me {
        person: MyCard {
            id: person.id,
            name,
        },
        grants: caller.grants.iter().map(card).collect(),
        units,
        streams: view.streams,
    }))
}

async fn signed_in(
    app: &App,
    tx: &mut Tx,
    person: &PersonRow,
    session: &str,
    device: &str,
    refresh_token: String,
) -> Result<SignedIn, ApiError> {
    let now = app.clock.now();
    let name = name_of(app, tx, person).await?;
    let grants = views::grants(tx, &person.id).await?;
    let roles = grants
        .into_iter()
        .filter(|grant| grant.holds_at(now))
        .map(|grant| RoleAt {
            role: grant.role,
            unit: grant.unit,
        })
        .collect();
    let claims = claims(person, session, device, now, ACCESS_MS);
    Ok(SignedIn {
        person: PersonCard {
            id: person.id.clone(),
            name,
            roles,
        },
        access_token: app.tokens.sign(&claims),
        access_expires_at: claims.exp * 1_000,
        refresh_token,
        device: device.to_owned(),
    })
}

fn claims(person: &PersonRow, session: &str, device: &str, now: i64, for_ms: i64) -> Claims {
    Claims {
        sub: person.id.clone(),
        sid: session.to_owned(),
        dev: device.to_owned(),
        iat: now / 1_000,
        exp: (now + for_ms) / 1_000,
    }
}

fn cookie(app: &App, person: &str, session: &str, device: &str, now: i64) -> HeaderValue {
    let token = app.tokens.sign(&Claims {
        sub: person.to_owned(),
        sid: session.to_owned(),
        dev: device.to_owned(),
        iat: now / 1_000,
        exp: (now + COOKIE_MS) / 1_000,
    });
    let secure = if app.secure_cookies { "; Secure" } else { "" };
    let age = COOKIE_MS / 1_000;
    let text =
        format!("{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).expect("a token is ASCII")
}

/// Opens a person's name.
pub async fn name_of(app: &App, tx: &mut Tx, person: &PersonRow) -> Result<String, ApiError> {
    let keys = keys::known(tx, &app.sealer, keys::PEOPLE, [person.id.as_str()]).await?;
    let name = keys.open(&person.id, person.id.as_bytes(), &person.name);
    let fault = |_| ApiError::new(problem::SERVER_FAULT);
    String::from_utf8(name.map_err(fault)?).map_err(|_| ApiError::new(problem::SERVER_FAULT))
}

fn refresh_token(app: &App, session: &str) -> String {
    format!(
        "{session}.{}",
        URL_SAFE_NO_PAD.encode(app.entropy.bytes::<32>())
    )
}

fn hashed(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Digits only, without the country code.
pub fn normal_telephone(telephone: &str) -> String {
    let digits: String = telephone.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("86") {
        Some(rest) if rest.len() == 11 => rest.to_owned(),
        _ => digits,
    }
}
