//! `POST /v1/sync`: the push is committed first, then the pull reads a snapshot that includes it.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use xiangyi_proto::exchange::{
    Answer, Exchange, Form, Next, PROTOCOL, Position, PullAsk, PushAnswer, Unanswered, Unsent,
};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::limits::{
    LIMITS, PAGE_BYTES_MAX, POLL_MS, PUSH_BYTES_MAX, PUSH_ITEMS_MAX, RETRY_MS,
};
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::time::{DAY_MS, MINUTE_MS};
use xiangyi_sync::admit::{self, Sender};
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::columns;
use xiangyi_sync::cursor::Cursor;
use xiangyi_sync::echo;
use xiangyi_sync::world::{Admitted, Granted};

use super::today::HUB;
use super::{body, stamps};
use crate::app::App;
use crate::caller::{Caller, Signed};
use crate::live::Ring;
use crate::problem::ApiError;
use crate::pulls::{self, Knows, Page};
use crate::store::sessions::{DeviceRow, Seen};
use crate::store::{Tx, reads, views};
use crate::units;
use crate::writer::{Done, NoAnswer, Work};

/// Most that a phone is believed to hold; years of the busiest worker are a hundredth of it.
const UNSENT_MAX: i64 = 1_000_000;
/// Longest that something is believed to wait on a phone: ten years.
const OLDEST_MAX_MS: i64 = 3_650 * DAY_MS;

/// `POST /v1/sync`.
///
/// # Errors
/// When the envelope is not understood, or no shard could commit.
pub async fn exchange(
    State(app): State<App>,
    signed: Signed,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Answer>, ApiError> {
    let received_at = app.clock.now();
    let text = body::text(&headers, &bytes)?;
    let ask: Exchange = parsed(&text)?;
    let wanted = ask.pull.as_ref().and_then(|pull| pull.max_bytes);
    if wanted.is_some_and(|bytes| !(1..=PAGE_BYTES_MAX).contains(&bytes)) {
        let wrong = ApiError::new(problem::INVALID_ENVELOPE);
        return Err(wrong.at("/pull/max_bytes", "out-of-range"));
    }
    let (person, device) = signed.with_device(&app, &ask.device).await?;
    let device = device.ok_or(ApiError::new(problem::DEVICE_UNKNOWN))?;
    if device.state != "active" && ask.pull.is_some() && ask.push.is_none() {
        return Err(ApiError::new(problem::DEVICE_REVOKED));
    }
    let mut answer = Answer {
        protocol: PROTOCOL,
        server_time: received_at,
        push: None,
        pull: None,
        durable: BTreeMap::new(),
        limits: None,
        next: None,
    };
    if let Some(push) = &ask.push {
        let mut items = admitted(&app, &device, &ask, &push.mutations, received_at)?;
        stamps::prove(&app, &mut items, &push.proofs);
        let early = stamps::too_early(&app, &mut items, &ask);
        place_strays(&app, &person, &mut items).await?;
        let asked = stamps::asked(&items);
        let (mut pushed, at) = pushed(&app, items).await?;
        stamps::put(&app, &device, &asked, &at, &mut pushed, received_at);
        pushed.unanswered.extend(early);
        answer.push = Some(pushed);
    }
    answer.durable = app.durable.news(&ask.journal);
    heard(&app, &device, &ask, received_at);
    if ask.pull.is_some() {
        pulled(&app, &ask, &device, &mut answer).await?;
    }
    Ok(Json(answer))
}

fn parsed(text: &str) -> Result<Exchange, ApiError> {
    let ask: Exchange = body::parse(text)?;
    if ask.protocol != PROTOCOL {
        return Err(ApiError::new(problem::UNSUPPORTED_PROTOCOL).at("/protocol", "unknown-code"));
    }
    if let Some(push) = &ask.push {
        if push.mutations.len() > PUSH_ITEMS_MAX {
            let error = ApiError::new(problem::TOO_MANY_ITEMS);
            return Err(error.at("/push/mutations", "list-too-long"));
        }
        let bytes: usize = push.mutations.iter().map(|raw| raw.get().len()).sum();
        if bytes > PUSH_BYTES_MAX {
            return Err(ApiError::new(problem::TOO_LARGE).at("/push/mutations", "too-long"));
        }
    }
    Ok(ask)
}

fn admitted(
    app: &App,
    device: &DeviceRow,
    ask: &Exchange,
    mutations: &[Box<serde_json::value::RawValue>],
    received_at: i64,
) -> Result<Vec<Admitted>, ApiError> {
    let packs = app.writer.packs();
    let sender = Sender {
        person: device.person.clone(),
        device: device.id.clone(),
        clock: ask.clock.as_ref(),
        received_at,
    };
    let mut numbers = BTreeSet::new();
    let mut items = Vec::with_capacity(mutations.len());
    for (index, raw) in mutations.iter().enumerate() {
        let mut item = admit::admit(raw, &sender, &packs).map_err(|_| {
            let pointer = format!("/push/mutations/{index}/n");
            ApiError::new(problem::INVALID_ENVELOPE).at(&pointer, "required")
        })?;
        item.revoked = device.state != "active";
        if !numbers.insert(item.mutation.n) {
            let pointer = format!("/push/mutations/{index}/n");
            return Err(ApiError::new(problem::INVALID_ENVELOPE).at(&pointer, "duplicate-number"));
        }
        items.push(item);
    }
    Ok(items)
}

/// Gives items of units that nobody knows a county in which they are answered.
async fn place_strays(app: &App, person: &str, items: &mut [Admitted]) -> Result<(), ApiError> {
    if items.iter().all(|item| units::is_known(app, item)) {
        return Ok(());
    }
    let grants = views::grants(&mut app.db.glance().await?, person).await?;
    items
        .iter_mut()
        .for_each(|item| units::settle(app, &grants, item));
    Ok(())
}

/// Writes items shard by shard; a shard that cannot commit leaves its items unanswered.
async fn pushed(
    app: &App,
    items: Vec<Admitted>,
) -> Result<(PushAnswer, BTreeMap<i64, Position>), ApiError> {
    let order: Vec<i64> = items.iter().map(|item| item.mutation.n).collect();
    let mut by_shard: BTreeMap<Shard, Vec<Admitted>> = BTreeMap::new();
    for item in items {
        by_shard.entry(item.shard).or_default().push(item);
    }
    let mut answer = PushAnswer::default();
    let mut stamps = BTreeMap::new();
    let shards = by_shard.into_iter().map(|(shard, items)| async move {
        let numbers: Vec<i64> = items.iter().map(|item| item.mutation.n).collect();
        let parts = app.writer.write(shard, Work::Items(items)).await;
        (shard, numbers, parts)
    });
    for (shard, numbers, parts) in futures::future::join_all(shards).await {
        // Of parts the last is the farthest.
        let last = parts.iter().rev().find_map(|part| match part {
            Ok(Done::Outcomes(_, at)) => Some(*at),
            _ => None,
        });
        stamps.extend(last.map(|at| (shard.0, at)));
        gather(numbers, parts, &mut answer)?;
    }
    if answer.verdicts.is_empty()
        && !answer.unanswered.is_empty()
        && answer
            .unanswered
            .iter()
            .all(|left| left.code == problem::BUSY.name)
    {
        return Err(ApiError::new(problem::BUSY).retry(2_000));
    }
    let place = |n: i64| order.iter().position(|other| *other == n);
    answer.verdicts.sort_by_key(|verdict| place(verdict.n));
    for verdict in &answer.verdicts {
        let name = verdict.verdict.name();
        metrics::counter!("xiangyi_push_items_total", "verdict" => name).increment(1);
    }
    Ok((answer, stamps))
}

fn gather(
    numbers: Vec<i64>,
    parts: Vec<Result<Done, NoAnswer>>,
    answer: &mut PushAnswer,
) -> Result<(), ApiError> {
    let mut answered = BTreeSet::new();
    let mut code = problem::BUSY.name;
    let mut full = BTreeSet::new();
    for part in parts {
        match part {
            Ok(Done::Forked) => return Err(ApiError::new(problem::DEVICE_FORKED)),
            Ok(Done::Outcomes(outcomes, _)) => {
                for outcome in outcomes {
                    match outcome {
                        Outcome::Verdict(verdict) => {
                            answered.insert(verdict.n);
                            answer.verdicts.push(*verdict);
                        }
                        Outcome::Forked => return Err(ApiError::new(problem::DEVICE_FORKED)),
                        Outcome::KeyReused => {
                            return Err(ApiError::new(problem::KEY_REUSED));
                        }
                        Outcome::NoRoom(n) => drop(full.insert(n)),
                    }
                }
            }
            Ok(Done::Nothing) | Err(NoAnswer::Store) => {}
            Err(NoAnswer::Poison) => code = problem::SERVER_FAULT.name,
        }
    }
    let left = numbers.into_iter().filter(|n| !answered.contains(n));
    answer.unanswered.extend(left.map(|n| {
        let code = match full.contains(&n) {
            true => problem::HELD_FULL.name,
            false => code,
        };
        Unanswered {
            n,
            code: code.to_owned(),
            retry_ms: RETRY_MS,
        }
    }));
    Ok(())
}

/// Notes what a phone said of itself: at most once a minute, unless what waits has changed.
fn heard(app: &App, device: &DeviceRow, ask: &Exchange, now: i64) {
    let lately = device.last_seen_at.is_some_and(|at| now - at < MINUTE_MS);
    let same = ask.unsent.as_ref().is_none_or(|unsent| {
        device.waiting_records == Some(unsent.records)
            && device.waiting_photos == Some(unsent.photos)
    });
    if lately && same {
        return;
    }
    // What a phone says of itself is added up over a county.
    let bounded = |count: i64| count.clamp(0, UNSENT_MAX);
    let tell = |of: fn(&Unsent) -> i64| ask.unsent.as_ref().map(of).map(bounded);
    let seen = Seen {
        at: now,
        saved_below: ask.push.as_ref().map_or(0, |push| push.saved_below),
        records: tell(|unsent| unsent.records),
        photos: tell(|unsent| unsent.photos),
        oldest_ms: ask
            .unsent
            .as_ref()
            .map(|unsent| unsent.oldest_ms.clamp(0, OLDEST_MAX_MS)),
    };
    app.heard.note(&device.id, seen);
}

async fn pulled(
    app: &App,
    ask: &Exchange,
    device: &DeviceRow,
    answer: &mut Answer,
) -> Result<(), ApiError> {
    let Some(pull) = ask.pull.as_ref().filter(|_| device.state == "active") else {
        return Ok(());
    };
    let mut tx = app.db.read().await?;
    // Grants are read again in the snapshot of the pull: one may have ended during the push.
    let person = device.person.as_str();
    let grants = views::grants(&mut tx, person).await?;
    let view = views::of(&mut tx, person, &grants, app.clock.now()).await?;
    let verdicts = answer.push.as_ref().map(|push| push.verdicts.as_slice());
    let mutations = ask.push.as_ref().map(|push| push.mutations.as_slice());
    let knows = Knows {
        kinds: pulls::kinds_of(ask.client.as_ref().map(|client| &client.schemas)),
        said: echo::said(mutations.unwrap_or_default(), verdicts.unwrap_or_default()),
    };
    match pulls::page(&mut tx, &app.sealer, person, &view, pull, knows).await? {
        Page::NotACursor => return Err(ApiError::new(problem::CURSOR_INVALID)),
        Page::Ready(page) => answer.pull = Some(*page),
    }
    drop(tx);
    let restricted = answer
        .pull
        .iter()
        .flat_map(reads::delivered)
        .collect::<Vec<_>>();
    let because = (reads::DELIVERED, app.clock.now());
    reads::note(&app.db, &app.entropy, person, because, &restricted).await?;
    if let Some(page) = answer
        .pull
        .as_mut()
        .filter(|_| pull.form == Some(Form::Columns))
    {
        columns::fold(page);
    }
    if pull.cursor.is_none() {
        answer.limits = Some(LIMITS);
        answer.next = Some(Next {
            min_ms: 0,
            poll_ms: POLL_MS,
        });
    }
    Ok(())
}

/// What a long poll may say.
#[derive(Debug, Default, serde::Deserialize)]
pub struct WaitAsk {
    /// Where the phone stands; a change that came before the wait then answers at once.
    #[serde(default)]
    cursor: Option<String>,
}

/// `POST /v1/sync/wait`: answers when something in the view changes, or after 25 seconds.
///
/// # Errors
/// When the cursor is none or the database does not answer.
pub async fn wait(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let ask: WaitAsk = match bytes.is_empty() {
        true => WaitAsk::default(),
        false => body::json(&headers, &bytes)?,
    };
    let seat = app.live.seat(&caller.person);
    let _seat = seat.ok_or_else(|| ApiError::new(problem::THROTTLED).retry(RETRY_MS))?;
    let mut rings = app.live.listen();
    let mut tx = app.db.read().await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, app.clock.now()).await?;
    if ask.cursor.is_some() && is_behind(&app, &caller, &mut tx, &view, ask.cursor).await? {
        return Ok(poke());
    }
    drop(tx);
    let streams: BTreeSet<(i64, String)> = view
        .streams
        .into_iter()
        .map(|stream| (stream.shard, stream.stream))
        .collect();
    let hubs = hubs(&caller.grants, app.clock.now());
    Ok(
        match tokio::time::timeout(app.lines.wait, rung(&mut rings, &streams, &hubs)).await {
            Ok(()) => poke(),
            Err(_) => StatusCode::NO_CONTENT.into_response(),
        },
    )
}

fn poke() -> Response {
    Json(serde_json::json!({ "poke": true })).into_response()
}

/// Whether a pull from this cursor would bring anything.
async fn is_behind(
    app: &App,
    caller: &Caller,
    tx: &mut Tx,
    view: &views::View,
    cursor: Option<String>,
) -> Result<bool, ApiError> {
    // The cursor says which kinds the phone asks for; others are no news to it.
    let stands = cursor
        .as_deref()
        .map(|text| Cursor::decode(text, &caller.person));
    let kinds = match stands {
        Some(Ok(cursor)) => cursor.kinds.into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let ask = PullAsk {
        cursor,
        max_bytes: Some(1),
        form: None,
        sums: false,
    };
    let knows = Knows {
        kinds,
        ..Knows::default()
    };
    match pulls::page(tx, &app.sealer, &caller.person, view, &ask, knows).await? {
        Page::NotACursor => Err(ApiError::new(problem::CURSOR_INVALID)),
        Page::Ready(page) => Ok(!page.changes.is_empty() || !page.leave.is_empty()),
    }
}

/// Counties whose hub somebody reads now, with every station in it.
fn hubs(grants: &[Granted], now: i64) -> BTreeSet<i64> {
    let held = grants
        .iter()
        .filter(|grant| HUB.contains(&grant.role) && grant.holds_at(now));
    held.filter_map(|grant| region::shard_of(&grant.unit))
        .map(|shard| shard.0)
        .collect()
}

/// Waits for a commit that touches one of these streams, or may: what another node wrote into one
/// of their shards.
async fn rung(
    rings: &mut tokio::sync::broadcast::Receiver<std::sync::Arc<Ring>>,
    streams: &BTreeSet<(i64, String)>,
    hubs: &BTreeSet<i64>,
) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match rings.recv().await {
            Ok(ring) => {
                let shard = ring.shard.0;
                let touched = match &ring.streams {
                    None => streams.iter().any(|(own, _)| *own == shard),
                    Some(names) => {
                        // A station that files for the first time is news to its hub.
                        let hub = hubs.contains(&shard);
                        let mine = |name: &String| {
                            let own = streams.contains(&(shard, name.clone()));
                            own || (hub && name.starts_with("station:"))
                        };
                        names.iter().any(mine)
                    }
                };
                if touched {
                    return;
                }
            }
            Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}
