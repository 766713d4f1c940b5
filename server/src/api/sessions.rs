//! Sessions: signing in, refreshing, signing out.
//!
//! A try to sign in is counted before the password is looked at. A refresh token is derived from
//! the one before it, so that repeating a request whose reply was lost gives the same reply; only
//! a token from before the last one ends the session.

use std::net::IpAddr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use xiangyi_proto::account::{PersonCard, Refresh, RoleAt, SignIn, SignedIn};
use xiangyi_proto::problem;
use xiangyi_proto::time::{DAY_MS, HOUR_MS};
use xiangyi_sync::world::Granted;

use super::{account, body, devices};
use crate::accounts::tokens::{ACCESS_MS, COOKIE_MS, Claims};
use crate::accounts::{addresses, second_factor};
use crate::app::App;
use crate::caller::{COOKIE, Caller};
use crate::lines::Peer;
use crate::problem::ApiError;
use crate::store::people::PersonRow;
use crate::store::throttle::{self, Try};
use crate::store::{Tx, accounts, keys, people, sessions, views};
use crate::tasks;
use crate::trail::{self, Entry};

/// A session that is not refreshed for so long ends: a phone in a drawer over the summer.
const SESSION_MS: i64 = 90 * DAY_MS;
/// Failures that cost nothing: gloves in winter.
const FREE_FAILURES: i64 = 4;
/// The longest delay between tries; an account is never locked.
const DELAY_MAX_MS: i64 = 5 * 60_000;
/// Failures are forgotten after a quiet hour.
const FORGET_MS: i64 = HOUR_MS;
/// Looks at the throttle, or at a session, that others change at the same moment.
const LOOKS: usize = 4;

/// `GET /.well-known/jwks.json`: by which keys access tokens are checked elsewhere; the next one is
/// there before it signs.
pub async fn jwks(State(app): State<App>) -> Response {
    let public = [(header::CACHE_CONTROL, "public, max-age=300")];
    let keys = serde_json::json!({ "keys": app.tokens.published() });
    (public, Json(keys)).into_response()
}

/// `POST /v1/sessions`.
///
/// # Errors
/// When telephone and password do not fit, or tries come too fast.
pub async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let ask: SignIn = body::json(&headers, &bytes)?;
    let key = app
        .sealer
        .index("telephone", &normal_telephone(&ask.telephone));
    let now = app.clock.now();
    let address = counted(&app, peer, &headers)?;
    let answer = signed_in_by(&app, &ask, &key, now, is_secure(&app, &headers)).await;
    let failed = matches!(&answer, Err(error) if error.code == problem::SIGN_IN_FAILED);
    // Whom a busy server sends away has guessed nothing.
    if let (Some(address), false) = (address, failed) {
        app.addresses.forget(address);
    }
    answer
}

/// Looks at the password and begins a session.
async fn signed_in_by(
    app: &App,
    ask: &SignIn,
    key: &[u8],
    now: i64,
    is_secure: bool,
) -> Result<Response, ApiError> {
    count_try(app, key, now).await?;
    let mut tx = app.db.read().await?;
    let person = people::by_telephone(&mut tx, key).await?;
    drop(tx);
    let hash = person.as_ref().and_then(|person| person.password.clone());
    let fits = app.passwords.fits(ask.password.clone(), hash).await;
    if let Some(known) = person.as_ref().filter(|_| !fits) {
        failed(app, &known.id, "password", now);
    }
    let person = person.filter(|person| fits && person.state == "active");
    let person = person.ok_or(ApiError::new(problem::SIGN_IN_FAILED))?;
    if has_factor(app, &person.id).await? {
        let code = ask.second_factor.as_deref();
        let code = code.ok_or(ApiError::new(problem::SECOND_FACTOR))?;
        let passed = account::check(app, &person.id, code, false).await;
        // Who comes too fast, or to a busy server, has shown no code.
        if matches!(&passed, Err(error) if error.code == problem::SECOND_FACTOR) {
            failed(app, &person.id, "second-factor", now);
        }
        passed?;
    }
    begin(app, &person, ask.cookie.then_some(is_secure), Some(key)).await
}

/// Notes that somebody who is known here was not let in; beside the answer, which may not tell by
/// its time or its kind that they are known.
fn failed(app: &App, person: &str, by: &str, at: i64) {
    let entry = Entry::of(person, "sign-in-failed").about(person).target(by);
    let app = app.clone();
    tasks::spawn("sign-in-failed", async move {
        if let Err(error) = trail::tell_at(&app, at, &entry).await {
            tracing::warn!(error = error.told(), "a failed sign-in is not in the trail");
        }
    });
}

/// Begins a session of a person who has shown who they are; tries under a key are forgotten. With
/// a cookie too where one is asked for, and whether that is for TLS only.
///
/// # Errors
/// When the database does not take it.
pub async fn begin(
    app: &App,
    person: &PersonRow,
    cookie_for_tls: Option<bool>,
    tries: Option<&[u8]>,
) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if let Some(key) = tries {
        throttle::forget(&mut tx, key).await?;
    }
    let session = app.entropy.crockford(20);
    let device = devices::mint(app, &mut tx, &person.id, Some(&session)).await?;
    let first = URL_SAFE_NO_PAD.encode(app.entropy.bytes::<32>());
    let refresh = format!("{session}.{first}");
    let (hash, ends) = (hashed(&refresh), now + SESSION_MS);
    sessions::add(&mut tx, &session, &person.id, &device, &hash, now, ends).await?;
    let (answer, limited) = signed_in(app, &mut tx, person, &session, &device, refresh).await?;
    let by = if tries.is_some() {
        "password"
    } else {
        "wechat"
    };
    let unit = answer.person.roles.first().map_or("", |role| &role.unit);
    let entry = Entry::of(&person.id, "sign-in").about(&person.id).at(unit);
    trail::put(app, &mut tx, &entry.target(by)).await?;
    tx.commit().await?;
    let mut response = Json(answer).into_response();
    if let Some(is_secure) = cookie_for_tls {
        let mut claims = claims(&person.id, &session, &device, now, true);
        claims.limited = limited;
        let cookie = cookie(is_secure, &app.tokens.sign(&claims), COOKIE_MS);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Whether a person signs in with a second factor.
///
/// # Errors
/// When the database does not answer.
pub async fn has_factor(app: &App, person: &str) -> Result<bool, ApiError> {
    let mut tx = app.db.read().await?;
    let factor = accounts::factor(&mut tx, person).await?;
    Ok(factor.is_some_and(|factor| factor.second_factor_at.is_some()))
}

/// Counts a try against where it comes from, until it is forgotten; nothing where that is not
/// counted.
///
/// # Errors
/// `throttled` when there were too many failures.
pub fn counted(
    app: &App,
    peer: Option<Extension<Peer>>,
    headers: &HeaderMap,
) -> Result<Option<IpAddr>, ApiError> {
    let address = address(peer, headers);
    match address.and_then(|address| app.addresses.count(address, app.clock.now())) {
        Some(wait) => Err(ApiError::new(problem::THROTTLED).retry(wait)),
        None => Ok(address),
    }
}

/// Where a try comes from, if that is counted.
pub fn address(peer: Option<Extension<Peer>>, headers: &HeaderMap) -> Option<IpAddr> {
    // A proxy adds a line or continues one; either way its word comes last.
    let said = headers.get_all("x-forwarded-for").iter().next_back();
    let said = said.and_then(|value| value.to_str().ok());
    peer.and_then(|Extension(Peer(peer))| addresses::counted(peer, said))
}

/// Counts a try under a key before it is looked at.
///
/// # Errors
/// `throttled` when tries come too fast.
pub async fn count_try(app: &App, key: &[u8], now: i64) -> Result<(), ApiError> {
    for _ in 0..LOOKS {
        let mut tx = app.db.write().await?;
        let after = |failures| now + delay_ms(failures);
        match throttle::count(&mut tx, key, now, now - FORGET_MS, after).await? {
            Try::Counted => return Ok(tx.commit().await?),
            Try::Wait(until) => return Err(ApiError::new(problem::THROTTLED).retry(until - now)),
            Try::Lost => {}
        }
    }
    Err(ApiError::new(problem::THROTTLED).retry(1_000))
}

/// Forgets the tries under a key: one was right.
///
/// # Errors
/// When the database does not take it.
pub async fn forget_tries(app: &App, key: &[u8]) -> Result<(), ApiError> {
    let mut tx = app.db.write().await?;
    throttle::forget(&mut tx, key).await?;
    Ok(tx.commit().await?)
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
    let sent = ask.refresh_token.as_str();
    let none = || ApiError::new(problem::UNAUTHORIZED);
    let (id, _) = sent.split_once('.').ok_or_else(none)?;
    let next = format!(
        "{id}.{}",
        URL_SAFE_NO_PAD.encode(app.sealer.index("refresh", sent))
    );
    let (was_sent, comes_next) = (hashed(sent), hashed(&next));
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    for _ in 0..LOOKS {
        let session = sessions::by_id(&mut tx, id).await?.ok_or_else(none)?;
        if session.state != "active" || session.expires_at <= now {
            return Err(none());
        }
        if was_sent != session.refresh && session.successor.as_ref() != Some(&was_sent) {
            sessions::end(&mut tx, id, "revoked").await?;
            let entry = Entry::of(&session.person, "session-ended").about(&session.person);
            trail::put(&app, &mut tx, &entry.target("refresh-reused")).await?;
            tx.commit().await?;
            return Err(ApiError::new(problem::REFRESH_REUSED));
        }
        let ends = now + SESSION_MS;
        if !sessions::rotate(&mut tx, &session, &was_sent, &comes_next, ends).await? {
            continue;
        }
        let person = people::by_id(&mut tx, &session.person).await?;
        let person = person
            .filter(|person| person.state == "active")
            .ok_or_else(none)?;
        let (answer, _) = signed_in(&app, &mut tx, &person, id, &session.device, next).await?;
        tx.commit().await?;
        return Ok(Json(answer));
    }
    Err(ApiError::new(problem::BUSY).retry(1_000))
}

/// `DELETE /v1/sessions`: ends the session that asks.
///
/// # Errors
/// When the database does not take it.
pub async fn sign_out(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut tx = app.db.write().await?;
    sessions::end(&mut tx, &caller.session, "signed-out").await?;
    let entry = Entry::of(&caller.person, "sign-out").about(&caller.person);
    trail::put(&app, &mut tx, &entry).await?;
    tx.commit().await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, cookie(is_secure(&app, &headers), "", 0));
    Ok(response)
}

/// The answer to signing in, and whether the session is limited to the account.
async fn signed_in(
    app: &App,
    tx: &mut Tx,
    person: &PersonRow,
    session: &str,
    device: &str,
    refresh_token: String,
) -> Result<(SignedIn, bool), ApiError> {
    let now = app.clock.now();
    let name = name_of(app, tx, person).await?;
    let grants = views::grants(tx, &person.id).await?;
    let held = grants.into_iter().filter(|grant| grant.holds_at(now));
    let held: Vec<Granted> = held.collect();
    let limited = lacks_factor(app, tx, &person.id, &held).await?;
    let held = held.into_iter();
    let roles = held
        .map(|grant| RoleAt {
            role: grant.role,
            unit: grant.unit,
        })
        .collect();
    let mut claims = claims(&person.id, session, device, now, false);
    claims.limited = limited;
    let answer = SignedIn {
        person: PersonCard {
            id: person.id.clone(),
            name,
            roles,
            formerly: people::formerly(tx, &person.id).await?,
        },
        access_token: app.tokens.sign(&claims),
        access_expires_at: claims.exp * 1_000,
        refresh_token,
        device: device.to_owned(),
    };
    Ok((answer, limited))
}

/// Whether somebody with a role beyond a station has no second factor where one is required.
async fn lacks_factor(
    app: &App,
    tx: &mut Tx,
    person: &str,
    held: &[Granted],
) -> Result<bool, ApiError> {
    let is_wide = held.iter().any(|grant| second_factor::is_wide(grant.role));
    if !app.second_factor_required || !is_wide {
        return Ok(false);
    }
    let factor = accounts::factor(tx, person).await?;
    Ok(factor.is_none_or(|factor| factor.second_factor_at.is_none()))
}

fn claims(person: &str, session: &str, device: &str, now: i64, cookie: bool) -> Claims {
    let for_ms = if cookie { COOKIE_MS } else { ACCESS_MS };
    Claims {
        sub: person.to_owned(),
        sid: session.to_owned(),
        dev: device.to_owned(),
        cookie,
        limited: false,
        iat: now / 1_000,
        exp: (now + for_ms) / 1_000,
    }
}

/// Whether a cookie is for TLS only: always but on loopback, and there too behind a proxy that
/// speaks TLS. Who forges the header loses the use of their own cookie.
fn is_secure(app: &App, headers: &HeaderMap) -> bool {
    let said = headers.get("x-forwarded-proto");
    app.secure_cookies || said.is_some_and(|value| value.as_bytes() == b"https")
}

fn cookie(is_secure: bool, token: &str, for_ms: i64) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let age = for_ms / 1_000;
    let text =
        format!("{COOKIE}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).expect("a token is ASCII")
}

/// Opens a person's name.
///
/// # Errors
/// When the database does not answer or the name does not open.
pub async fn name_of(app: &App, tx: &mut Tx, person: &PersonRow) -> Result<String, ApiError> {
    let keys = keys::known(tx, &app.sealer, keys::PEOPLE, [person.id.as_str()]).await?;
    let name = keys.open(&person.id, person.id.as_bytes(), &person.name);
    let fault = |_| ApiError::new(problem::SERVER_FAULT);
    String::from_utf8(name.map_err(fault)?).map_err(|_| ApiError::new(problem::SERVER_FAULT))
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
