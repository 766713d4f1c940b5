//! `GET /v1/activities`: cards for whoever has not signed in, by setting; the collection for
//! whoever has. `GET /v1/activities/{id}/card`: what became of a card, for who answers for it.

use axum::Json;
use axum::extract::{Extension, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xiangyi_proto::limits::LIST_ROWS_MAX;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::Millis;

use super::query::{self, Asked};
use super::records::{self, AtUnit};
use crate::accounts::addresses;
use crate::app::App;
use crate::caller::{self, Caller};
use crate::cards::board::{self, Card, KEPT_MS};
use crate::cards::{Texts, check};
use crate::lines::Peer;
use crate::problem::ApiError;
use crate::store::{cards, lists, views};

/// Under this name all addresses together are counted.
const EVERYBODY: &str = "everybody";
/// How to sign up where the settings have no words of their own.
const SIGN_UP: (&str, &str) = (
    "登录乡驿应用或小程序后报名。",
    "Sign in to the app or the mini-program to sign up.",
);
/// Who sees what became of a card, beside who made the activity.
const ANSWER_FOR_IT: &[Role] = &[
    Role::StationLead,
    Role::HubOfficer,
    Role::HubReviewer,
    Role::CountyBureau,
];

/// Parameters for whoever has not signed in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    unit: Option<String>,
    station: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
}

/// A page of cards; `next` goes into `after`.
#[derive(Debug, Serialize)]
struct Page<'a> {
    activities: Vec<&'a Card>,
    sign_up: &'a str,
    sign_up_en: &'a str,
    next: Option<String>,
}

/// `GET /v1/activities`.
///
/// # Errors
/// When the caller is not signed in and the setting is off, or a parameter does not fit.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    let mut response = if caller::says_who(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        let asked = Asked::from_request_parts(&mut parts, &app).await?;
        let name = Path("activities".to_owned());
        records::list(State(app), caller, name, asked)
            .await?
            .into_response()
    } else {
        shown(&app, &mut parts).await?
    };
    let vary = HeaderValue::from_static("authorization, cookie");
    response.headers_mut().append(header::VARY, vary);
    Ok(response)
}

async fn shown(app: &App, parts: &mut Parts) -> Result<Response, ApiError> {
    if !app.public.activities {
        return Err(ApiError::new(problem::NOT_FOUND));
    }
    let peer = parts.extensions.get::<Peer>().copied().map(Extension);
    if let Some(address) = super::sessions::address(peer, &parts.headers) {
        let now = app.clock.now();
        if let Some(block) = addresses::block(address) {
            app.board.blocks.of_session(&block.to_string(), now)?;
        }
        app.board
            .asked
            .count(&addresses::net(address).to_string(), EVERYBODY, now)?;
    }
    let Asked(ask) = Asked::<Ask>::from_request_parts(parts, app).await?;
    let (after, limit) = checked(&ask)?;
    let cards = board::cards(app).await?;
    let county = ask.unit.as_deref().unwrap_or_default();
    let county = &county[..county.len().min(region::COUNTY_DIGITS)];
    let station = ask.station.as_deref();
    let wanted = cards.iter().filter(|card| {
        card.unit.starts_with(county)
            && station.is_none_or(|station| card.unit == station)
            && after.is_none_or(|after| card.place() > after)
    });
    let mut activities: Vec<&Card> = wanted.take(limit + 1).collect();
    let is_more = activities.len() > limit;
    activities.truncate(limit);
    let last = activities.last().filter(|_| is_more);
    let next = last.map(|card| format!("{}_{}", card.starts_at, card.id));
    let own = app.public.sign_up.as_deref();
    let page = Page {
        activities,
        sign_up: own.unwrap_or(SIGN_UP.0),
        sign_up_en: own.unwrap_or(SIGN_UP.1),
        next,
    };
    let body = serde_json::to_string(&page).map_err(|_| ApiError::new(problem::SERVER_FAULT))?;
    Ok(tagged(&parts.headers, body))
}

/// The body, or nothing where the asker has it already; for other pages' scripts too, because there
/// is nothing here that a cookie would add.
fn tagged(asked: &HeaderMap, body: String) -> Response {
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&body)[..12]));
    let known = asked.get_all(header::IF_NONE_MATCH).iter();
    let known = known.filter_map(|value| value.to_str().ok());
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let is_known = known
        .flat_map(|list| list.split(','))
        .any(|one| bare(one) == tag || one.trim() == "*");
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    let headers = response.headers_mut();
    let age = format!("public, max-age={}", KEPT_MS / 1_000);
    for (name, value) in [(header::ETAG, tag), (header::CACHE_CONTROL, age)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    let anybody = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    let told = HeaderValue::from_static("etag");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, told);
    response
}

/// Where a page begins, and how many cards it has.
type Place = (Option<(Millis, Uuid)>, usize);

fn checked(ask: &Ask) -> Result<Place, ApiError> {
    let wrong = |name, code| Err(ApiError::new(problem::INVALID_PARAMETER).at(name, code));
    for (name, code) in [("/unit", &ask.unit), ("/station", &ask.station)] {
        if code.as_ref().is_some_and(|code| !region::is_code(code)) {
            return wrong(name, "bad-region");
        }
    }
    let limit = ask.limit.unwrap_or(50);
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        return wrong("/limit", "out-of-range");
    }
    let Some(after) = &ask.after else {
        return Ok((None, limit as usize));
    };
    let place = after
        .split_once('_')
        .and_then(|(at, id)| Some((at.parse::<Millis>().ok()?, query::id(id).ok()?)));
    match place {
        Some(place) => Ok((Some(place), limit as usize)),
        None => wrong("/after", "bad-id"),
    }
}

/// What became of an activity's card.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// `shown`, `off`, `over`, `unchecked`, `waiting`, `review`, `risky` or `parked`.
    state: &'static str,
    detail: &'static str,
    detail_en: &'static str,
}

/// `GET /v1/activities/{id}/card?unit=`.
///
/// # Errors
/// When the caller does not answer for such an activity.
pub async fn card(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(ask): Asked<AtUnit>,
) -> Result<Json<Standing>, ApiError> {
    let (id, shard) = (query::id(&id)?, query::unit(&ask.unit)?);
    let none = || ApiError::new(problem::NOT_FOUND);
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, now).await?;
    let streams = records::ranked(&view, shard.0);
    let copies = lists::one(&mut tx, &app.sealer, shard.0, id).await?;
    let mut mine = copies.into_iter().filter(|row| {
        let is_kind = row.kind == xiangyi_proto::kinds::Kind::Activity;
        is_kind && streams.contains_key(&row.stream)
    });
    let row = mine.next().ok_or_else(none)?;
    if row.author != caller.person && !caller.is_one_of(ANSWER_FOR_IT, &row.unit, now) {
        return Err(none());
    }
    let card = cards::one(&mut tx, shard.0, id).await?;
    let body: serde_json::Value = serde_json::from_str(&row.body).unwrap_or_default();
    Ok(Json(worded(standing(&app, card.as_ref(), &body, now))))
}

fn standing(
    app: &App,
    card: Option<&cards::Card>,
    body: &serde_json::Value,
    now: Millis,
) -> &'static str {
    let open = card.filter(|card| card.until_at > now && body["state"] == "open");
    match open {
        _ if !app.public.activities => "off",
        None => "over",
        Some(card) if board::may_show(app, &card.state, &card.digest, &Texts::of(body)) => "shown",
        Some(card) => match card.state.as_str() {
            "review" => "review",
            "risky" => "risky",
            "parked" => "parked",
            _ if card.fault.as_deref() == Some(check::WAITS) => "waiting",
            _ => "unchecked",
        },
    }
}

/// What a state means for whoever made the activity.
fn worded(state: &'static str) -> Standing {
    let (detail, detail_en) = match state {
        "shown" => (
            "未登录的人也能看到这个活动。",
            "Everybody can see this activity.",
        ),
        "off" => (
            "本服务器不向未登录的人展示活动。",
            "This server shows no activities to those who have not signed in.",
        ),
        "over" => (
            "活动已开始、已结束或已取消，不再公开展示。",
            "The activity has begun, is over or was cancelled, and is not shown any more.",
        ),
        "waiting" => (
            "文字还没有经过微信检查，暂不公开。请您打开一次小程序并登录，检查随后自动进行。",
            "WeChat has not checked the texts, so they are not public yet. Sign in to the \
             mini-program once; the check follows by itself.",
        ),
        "review" => (
            "微信不能确定标题、简介等文字是否合适，暂不公开。换一种说法，会自动重新检查。报名不受影响。",
            "WeChat is not sure of the title, the summary or another text, so the activity is not \
             public. Say it in other words and it is checked again. Sign-ups go on.",
        ),
        "risky" => (
            "微信认为标题、简介等文字不适合公开，因此不公开展示。换一种说法，会自动重新检查。报名不受影响。",
            "WeChat holds the title, the summary or another text unfit for the public, so the \
             activity is not public. Say it in other words, and it is checked again. Sign-ups \
             go on.",
        ),
        "parked" => (
            "文字检查没有成功，暂不公开。管理员已能看到，会处理。报名不受影响。",
            "The texts could not be checked, so the activity is not public. The operator can see \
             it. Sign-ups go on.",
        ),
        _ => (
            "文字正在检查，通过后公开。",
            "The texts are being checked; the activity becomes public when they pass.",
        ),
    };
    Standing {
        state,
        detail,
        detail_en,
    }
}
