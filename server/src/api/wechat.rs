//! Signing in by a mini-program, and consents to its messages.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use xiangyi_proto::account::{Consent, WeChatCode, WeChatSignIn};
use xiangyi_proto::problem;

use super::{account, body, sessions};
use crate::app::App;
use crate::caller::Caller;
use crate::cards::check;
use crate::lines::Peer;
use crate::problem::ApiError;
use crate::store::people::{self, PersonRow};
use crate::store::wechat as rows;
use crate::store::{Tx, keys};
use crate::trail::{self, Entry};
use crate::wechat::messages::{CREDITS_MAX, KINDS};
use crate::wechat::openid::place;
use crate::wechat::{Fault, WeChat};

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Passing(what) => {
                tracing::warn!(what, "WeChat does not answer");
                Self::new(problem::WECHAT_SILENT).retry(5_000)
            }
            Fault::Token => Self::new(problem::WECHAT_SILENT).retry(5_000),
            Fault::Refused(40_226) => Self::new(problem::WECHAT_BLOCKED),
            Fault::Refused(_) => Self::new(problem::WECHAT_CODE),
            Fault::Setup(code) => {
                tracing::error!(code, "the mini-program is not set up for this");
                Self::new(problem::SERVER_FAULT)
            }
        }
    }
}

fn wechat(app: &App) -> Result<&WeChat, ApiError> {
    app.wechat.as_ref().ok_or(ApiError::new(problem::NOT_FOUND))
}

/// `POST /v1/sessions/wechat`: signs in who got this code; with the code of a telephone number, a
/// person of that number is bound first.
///
/// # Errors
/// When a code is none, nobody is bound, or WeChat is silent.
pub async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let ask: WeChatSignIn = body::json(&headers, &bytes)?;
    let address = sessions::counted(&app, peer, &headers)?;
    let answer = signed_in(&app, &ask).await;
    let failed = matches!(&answer, Err(error) if error.code == problem::WECHAT_CODE);
    if let (Some(address), false) = (address, failed) {
        app.addresses.forget(address);
    }
    answer
}

async fn signed_in(app: &App, ask: &WeChatSignIn) -> Result<Response, ApiError> {
    let opened = wechat(app)?.opened_by(&ask.code).await?;
    let index = app.sealer.index("openid", &opened.openid);
    let mut tx = app.db.read().await?;
    let known = rows::person_of(&mut tx, &index).await?;
    drop(tx);
    let (person, is_new) = match (known, &ask.phone_code) {
        (Some(person), _) => (person, false),
        (None, None) => return Err(ApiError::new(problem::WECHAT_UNBOUND)),
        (None, Some(code)) => {
            let telephone = wechat(app)?.telephone_of(code).await?;
            (by_telephone(app, &telephone).await?, true)
        }
    };
    let mut tx = app.db.read().await?;
    let person = people::by_id(&mut tx, &person).await?;
    drop(tx);
    let active = person.filter(|person| person.state == "active");
    let person = active.ok_or(ApiError::new(problem::WECHAT_UNBOUND))?;
    second_factor(app, &person, ask.second_factor.as_deref()).await?;
    if is_new {
        let mut tx = app.db.write().await?;
        bind_to(app, &mut tx, &person.id, &opened.openid).await?;
        tx.commit().await?;
    }
    check::wake(app, &person.id).await?;
    sessions::begin(app, &person, None, None).await
}

async fn second_factor(app: &App, person: &PersonRow, code: Option<&str>) -> Result<(), ApiError> {
    if !sessions::has_factor(app, &person.id).await? {
        return Ok(());
    }
    let code = code.ok_or(ApiError::new(problem::SECOND_FACTOR))?;
    account::check(app, &person.id, code, false).await
}

/// The person of a telephone number that WeChat vouches for.
async fn by_telephone(app: &App, telephone: &str) -> Result<String, ApiError> {
    let key = app.sealer.index("telephone", telephone);
    let mut tx = app.db.read().await?;
    let person = people::by_telephone(&mut tx, &key).await?;
    let person = person.ok_or(ApiError::new(problem::WECHAT_UNBOUND))?;
    Ok(person.id)
}

async fn bind_to(app: &App, tx: &mut Tx, person: &str, openid: &str) -> Result<(), ApiError> {
    let keyring = keys::of(tx, &app.sealer, keys::PEOPLE, [person], &app.entropy).await?;
    let key = keyring
        .key(person)
        .ok_or(ApiError::new(problem::SERVER_FAULT))?;
    let sealed = key.seal(&app.entropy, &place(person), openid.as_bytes());
    let index = app.sealer.index("openid", openid);
    if rows::bind(tx, &index, person, &sealed, app.clock.now()).await? {
        return Ok(());
    }
    let same = rows::person_of(tx, &index).await?;
    if same.as_deref() == Some(person) {
        return Ok(());
    }
    Err(ApiError::new(problem::WECHAT_BOUND))
}

/// `POST /v1/me/wechat`: binds the mini-program's user to the person who asks.
///
/// # Errors
/// When the code is none, or either is bound to another.
pub async fn bind(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<StatusCode, ApiError> {
    let ask: WeChatCode = body::json(&headers, &bytes)?;
    wechat(&app)?;
    // A session that was stolen must not become a sign-in for good.
    account::confirm(&app, &caller, ask.password).await?;
    let opened = wechat(&app)?.opened_by(&ask.code).await?;
    let mut tx = app.db.write().await?;
    bind_to(&app, &mut tx, &caller.person, &opened.openid).await?;
    let entry = Entry::of(&caller.person, "wechat-bound").about(&caller.person);
    trail::put(&app, &mut tx, &entry).await?;
    tx.commit().await?;
    check::wake(&app, &caller.person).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/me/wechat`: forgets the binding.
///
/// # Errors
/// When there is none.
pub async fn unbind(State(app): State<App>, caller: Caller) -> Result<StatusCode, ApiError> {
    let mut tx = app.db.write().await?;
    let was = rows::unbind(&mut tx, &caller.person).await?;
    if was {
        let entry = Entry::of(&caller.person, "wechat-ended").about(&caller.person);
        trail::put(&app, &mut tx, &entry).await?;
    }
    tx.commit().await?;
    if was {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::new(problem::NOT_FOUND))
    }
}

/// `POST /v1/me/messages`: the person has just agreed to one message of a kind.
///
/// # Errors
/// When there is no such kind of message.
pub async fn consent(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Consent>, ApiError> {
    let ask: Consent = body::json(&headers, &bytes)?;
    wechat(&app)?;
    if !KINDS.contains(&ask.what.as_str()) {
        return Err(ApiError::new(problem::INVALID_ENVELOPE).at("/what", "unknown-code"));
    }
    let mut tx = app.db.write().await?;
    rows::earn(&mut tx, &caller.person, &ask.what, CREDITS_MAX).await?;
    let credits = rows::credits(&mut tx, &caller.person, &ask.what).await?;
    tx.commit().await?;
    Ok(Json(Consent {
        what: ask.what,
        credits: Some(credits),
    }))
}
