//! REST for everything stored: list, read, and writes through the same gate as a push.
//!
//! `/v1/{collection}` for each kind in the plural. A session's REST writes are numbered under its
//! own device; the `Idempotency-Key` makes a repeat the same write.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::ids::{RecordId, spelled};
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::limits::{LIST_ROWS_MAX, RETRY_MS};
use xiangyi_proto::problem;
use xiangyi_proto::verdict::{Verdict, VerdictName};
use xiangyi_sync::admit::{self, Sender};
use xiangyi_sync::apply::Outcome;

use super::body;
use super::query::{self, Asked};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::lists::{self, Filter, Listed};
use crate::store::{reads, views};
use crate::writer::{Done, Work};

/// Collections and their kinds; what is not here has no list of its own.
pub const COLLECTIONS: &[(&str, Kind)] = &[
    ("check-ins", Kind::CheckIn),
    ("visits", Kind::Visit),
    ("work-times", Kind::WorkTime),
    ("clients", Kind::Client),
    ("activities", Kind::Activity),
    ("sign-ups", Kind::SignUp),
    ("needs", Kind::Need),
    ("resources", Kind::Resource),
    ("links", Kind::Link),
    ("reviews", Kind::Review),
    ("refusals", Kind::Refusal),
    ("held", Kind::Held),
    ("incidents", Kind::Incident),
    ("incident-steps", Kind::IncidentStep),
    ("order-reports", Kind::OrderReport),
    ("verdicts", Kind::Verdict),
];
/// Characters of an idempotency key.
const KEY_MAX: usize = 128;

fn kind_of(collection: &str) -> Result<Kind, ApiError> {
    let found = COLLECTIONS.iter().find(|(name, _)| *name == collection);
    found
        .map(|(_, kind)| *kind)
        .ok_or(ApiError::new(problem::NOT_FOUND))
}

/// Whether anybody may do this to records of a kind.
pub fn takes(kind: Kind, method: &str) -> bool {
    let spec = kind.spec();
    let ops: &[Op] = match method {
        "GET" => return true,
        "POST" => &[Op::Create, Op::Request],
        "PATCH" if spec.life == Life::Slot => &[Op::Request],
        "PATCH" => &[Op::Patch],
        _ => &[Op::Void],
    };
    spec.may.iter().any(|may| ops.contains(&may.op))
}

/// A method that a collection does not take, and which of the others of its path it does. Only for
/// what cannot be read as a write: a text that was sent is heard for danger by the gate, which then
/// refuses the operation.
fn not_taken(kind: Kind, others: &[&str]) -> Response {
    let taken = others.iter().filter(|method| takes(kind, method));
    let mut allowed = "GET, HEAD".to_owned();
    taken.for_each(|method| allowed.extend([", ", method]));
    let mut response = ApiError::new(problem::METHOD_NOT_ALLOWED).into_response();
    if let Ok(value) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

/// Parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    station: Option<String>,
    village: Option<String>,
    author: Option<String>,
    state: Option<String>,
    from: Option<i64>,
    to: Option<i64>,
    after: Option<i64>,
    limit: Option<i64>,
}

/// A record as REST shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: RecordId,
    kind: &'static str,
    rev: i64,
    seq: i64,
    author: String,
    unit: String,
    village: Option<String>,
    occurred_at: i64,
    received_at: i64,
    estimated_at: i64,
    body: Box<RawValue>,
}

/// A page of a list; `next` goes into `after`.
#[derive(Debug, Serialize)]
pub struct Listing {
    records: Vec<Shown>,
    next: Option<i64>,
}

/// `GET /v1/{collection}?unit=`.
///
/// # Errors
/// When the collection or the unit does not exist for the caller.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(collection): Path<String>,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Listing>, ApiError> {
    let kind = kind_of(&collection)?;
    let limit = ask.limit.unwrap_or(50);
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        return Err(ApiError::new(problem::INVALID_PARAMETER).at("/limit", "out-of-range"));
    }
    let shard = query::unit(&ask.unit)?;
    let mut tx = app.db.read().await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, app.clock.now()).await?;
    let streams = ranked(&view, shard.0);
    if streams.is_empty() {
        return Ok(Json(Listing {
            records: Vec::new(),
            next: None,
        }));
    }
    let filter = Filter {
        unit: ask.station.unwrap_or_default(),
        village: ask.village.unwrap_or_default(),
        author: ask.author.unwrap_or_default(),
        state: ask.state.unwrap_or_default(),
        from: ask.from.unwrap_or(0),
        to: ask.to.unwrap_or(i64::MAX),
        after: ask.after.unwrap_or(0),
        // A record shows in two of the caller's streams at most at one seq, plus one to know more.
        limit: limit * 2 + 2,
    };
    let ids: Vec<i64> = streams.keys().copied().collect();
    let rows = lists::list(&mut tx, &app.sealer, shard.0, &ids, kind, &filter).await?;
    let full = rows.len() as i64 == filter.limit;
    let mut best: BTreeMap<(i64, Uuid), Listed> = BTreeMap::new();
    for row in rows {
        let key = (row.seq, row.id);
        let better = best
            .get(&key)
            .is_none_or(|other| streams.get(&row.stream) < streams.get(&other.stream));
        if better {
            best.insert(key, row);
        }
    }
    let more = full || best.len() as i64 > limit;
    drop(tx);
    let best: Vec<Listed> = best.into_values().take(limit as usize).collect();
    note_restricted(&app, &caller, &view, shard.0, &best).await?;
    let records: Vec<Shown> = best.into_iter().map(shown).collect();
    let next = records.last().map(|record| record.seq).filter(|_| more);
    Ok(Json(Listing { records, next }))
}

/// Streams of a shard with their rank: a mailbox shows more than a station.
pub(super) fn ranked(view: &views::View, shard: i64) -> BTreeMap<i64, usize> {
    let rank = |name: &str| match name.split(':').next() {
        Some("person" | "restricted") => 0,
        Some("cards") => 1,
        _ => 2,
    };
    let here = view.shards.iter().filter(|view| view.shard == shard);
    here.flat_map(|view| &view.streams)
        .map(|stream| (stream.id, rank(&stream.name)))
        .collect()
}

/// Notes the readings of rows that came by a restricted stream.
pub(super) async fn note_restricted(
    app: &App,
    caller: &Caller,
    view: &views::View,
    shard: i64,
    rows: &[Listed],
) -> Result<(), ApiError> {
    let here = view.shards.iter().filter(|view| view.shard == shard);
    let mut streams = here.flat_map(|view| &view.streams);
    let restricted = streams.find(|stream| stream.name.starts_with("restricted:"));
    let ids = rows
        .iter()
        .filter(|row| restricted.is_some_and(|stream| stream.id == row.stream));
    let read: Vec<reads::Read> = ids.map(|row| (shard, row.id)).collect();
    let because = (reads::DELIVERED, app.clock.now());
    reads::note(&app.db, &app.entropy, &caller.person, because, &read).await?;
    Ok(())
}

pub(super) fn shown(row: Listed) -> Shown {
    Shown {
        id: row.id,
        kind: row.kind.name(),
        rev: row.rev,
        seq: row.seq,
        author: row.author,
        unit: row.unit,
        village: row.village,
        occurred_at: row.occurred_at,
        received_at: row.received_at,
        estimated_at: row.estimated_at,
        body: RawValue::from_string(row.body).expect("a stored body is JSON"),
    }
}

/// The unit whose county is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtUnit {
    pub(super) unit: String,
}

/// `GET /v1/{collection}/{id}?unit=`.
///
/// # Errors
/// When there is none that the caller may see.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((collection, id)): Path<(String, String)>,
    Asked(ask): Asked<AtUnit>,
) -> Result<Json<Shown>, ApiError> {
    let (kind, id) = (kind_of(&collection)?, query::id(&id)?);
    let none = || ApiError::new(problem::NOT_FOUND);
    let shard = query::unit(&ask.unit)?;
    let mut tx = app.db.read().await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, app.clock.now()).await?;
    let streams = ranked(&view, shard.0);
    let copies = lists::one(&mut tx, &app.sealer, shard.0, id).await?;
    let mine = copies.into_iter().filter(|row| row.kind == kind);
    let mine = mine.filter(|row| streams.contains_key(&row.stream));
    let best = mine.min_by_key(|row| streams.get(&row.stream).copied());
    let best = best.ok_or_else(none)?;
    drop(tx);
    note_restricted(&app, &caller, &view, shard.0, std::slice::from_ref(&best)).await?;
    Ok(Json(shown(best)))
}

/// What a write may say beside its body.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteAsk {
    unit: String,
    #[serde(default, deserialize_with = "spelled::maybe")]
    id: Option<Uuid>,
    #[serde(default)]
    occurred_at: Option<i64>,
    #[serde(default, deserialize_with = "spelled::list")]
    needs: Vec<Uuid>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    base: Option<i64>,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    unset: Vec<String>,
    #[serde(default)]
    add: Map<String, Value>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default, deserialize_with = "spelled::maybe")]
    refusal: Option<Uuid>,
    /// All of it as it came.
    #[serde(skip)]
    sent: String,
}

/// Reads a write, and keeps its text: of two members of one name only the last is read.
fn asked(headers: &HeaderMap, bytes: &Bytes) -> Result<WriteAsk, ApiError> {
    let text = body::text(headers, bytes)?;
    let mut ask: WriteAsk = body::parse(&text)?;
    ask.sent = text;
    Ok(ask)
}

/// `POST /v1/{collection}`: a new record, an intent on a slot, a review; with `refusal` beside
/// the body, an appeal.
///
/// # Errors
/// When the write does not end in an accepted or held record.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(collection): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let kind = kind_of(&collection)?;
    let ask = match asked(&headers, &bytes) {
        Err(_) if !takes(kind, "POST") => return Ok(not_taken(kind, &["POST"])),
        ask => ask?,
    };
    let op = match kind.spec().life {
        _ if ask.refusal.is_some() && kind != Kind::WorkTime => Op::Appeal,
        Life::Slot => Op::Request,
        _ if matches!(kind, Kind::Review | Kind::IncidentStep) => Op::Request,
        _ => Op::Create,
    };
    write(&app, &caller, &headers, kind, op, ask).await
}

/// `POST /v1/activities`, whose list is a route of its own.
///
/// # Errors
/// As of any other collection.
pub async fn create_activity(
    app: State<App>,
    caller: Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    create(app, caller, Path("activities".to_owned()), headers, bytes).await
}

/// `PATCH /v1/{collection}/{id}`.
///
/// # Errors
/// When the write does not end in an accepted, merged or held record.
pub async fn patch(
    State(app): State<App>,
    caller: Caller,
    Path((collection, id)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let (kind, id) = (kind_of(&collection)?, query::id(&id)?);
    let mut ask = match asked(&headers, &bytes) {
        Err(_) if !takes(kind, "PATCH") => return Ok(not_taken(kind, &["PATCH", "DELETE"])),
        ask => ask?,
    };
    ask.id = Some(id);
    let op = if kind.spec().life == Life::Slot {
        Op::Request
    } else {
        Op::Patch
    };
    let mut response = write(&app, &caller, &headers, kind, op, ask).await?;
    // A step of what is there already makes nothing new.
    if response.status() == StatusCode::CREATED {
        *response.status_mut() = StatusCode::OK;
    }
    Ok(response)
}

/// `DELETE /v1/{collection}/{id}`: voids it, with a reason.
///
/// # Errors
/// When it cannot be voided by the caller.
pub async fn void(
    State(app): State<App>,
    caller: Caller,
    Path((collection, id)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let (kind, id) = (kind_of(&collection)?, query::id(&id)?);
    let mut ask = match asked(&headers, &bytes) {
        Err(_) if !takes(kind, "DELETE") => return Ok(not_taken(kind, &["PATCH", "DELETE"])),
        ask => ask?,
    };
    ask.id = Some(id);
    write(&app, &caller, &headers, kind, Op::Void, ask).await
}

async fn write(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    kind: Kind,
    op: Op,
    ask: WriteAsk,
) -> Result<Response, ApiError> {
    let key = headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok());
    let key = key.filter(|key| !key.is_empty() && key.len() <= KEY_MAX);
    let key = key.ok_or(ApiError::new(problem::KEY_REQUIRED))?.to_owned();
    let now = app.clock.now();
    let given = ask.id;
    let mutation = Mutation {
        n: 0,
        op,
        kind: kind.name().to_owned(),
        unit: ask.unit,
        // Without an id of its own a repeat must name the same record: the key decides.
        id: given.unwrap_or_else(|| {
            let parts = [caller.device.as_bytes(), key.as_bytes()];
            xiangyi_sync::digest::derived_id("rest", &parts)
        }),
        base: ask.base,
        occurred_at: ask.occurred_at,
        monotonic_ms: None,
        boot: None,
        needs: ask.needs,
        body: ask.body,
        set: ask.set,
        unset: ask.unset,
        add: ask.add,
        reason: ask.reason,
        refusal: if op == Op::Appeal { ask.refusal } else { None },
    };
    let sender = Sender {
        person: caller.person.clone(),
        device: caller.device.clone(),
        clock: None,
        received_at: now,
    };
    let mut item = admit::admit_built(mutation, key, &ask.sent, &sender, &app.writer.packs());
    crate::units::settle(app, &caller.grants, &mut item);
    let shard = item.shard;
    let mut parts = app.writer.write(shard, Work::Items(vec![item])).await;
    match parts.pop() {
        Some(Ok(Done::Outcomes(mut outcomes, _))) => match outcomes.pop() {
            Some(Outcome::Verdict(verdict)) => answered(*verdict, op),
            Some(Outcome::KeyReused) => Err(ApiError::new(problem::KEY_REUSED)),
            Some(Outcome::NoRoom(_)) => Err(ApiError::new(problem::HELD_FULL).retry(RETRY_MS)),
            _ => Err(ApiError::new(problem::SERVER_FAULT)),
        },
        Some(Err(crate::writer::NoAnswer::Store)) => Err(ApiError::new(problem::BUSY).retry(2_000)),
        _ => Err(ApiError::new(problem::SERVER_FAULT)),
    }
}

/// The verdict as a status: stored, held, conflict, refused or not understood.
fn answered(verdict: Verdict, op: Op) -> Result<Response, ApiError> {
    let last = verdict.was.as_deref().unwrap_or(&verdict);
    let fresh = verdict.was.is_none() && matches!(op, Op::Create | Op::Request);
    let code = match last.verdict {
        VerdictName::Accepted | VerdictName::Merged | VerdictName::Duplicate => {
            let status = if fresh {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            return Ok((status, Json(verdict)).into_response());
        }
        VerdictName::Held => return Ok((StatusCode::ACCEPTED, Json(verdict)).into_response()),
        VerdictName::Conflict => problem::CONFLICT,
        VerdictName::Rejected => problem::RECORD_REJECTED,
        VerdictName::Invalid => problem::RECORD_INVALID,
    };
    let mut error = ApiError::new(code);
    error.errors.clone_from(&last.errors);
    error.verdict = serde_json::to_value(&verdict).ok();
    Err(error)
}
