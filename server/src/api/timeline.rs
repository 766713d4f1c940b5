//! `GET /v1/clients/{id}/timeline`: the visits to a client that the caller may see, newest first.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xiangyi_proto::ids::record_id;
use xiangyi_proto::problem;

use super::query::{self, Asked};
use super::records::{self, Shown};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::{lists, reports, views};

/// Visits of a page at most: each is read by its id.
const VISITS_MAX: i64 = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    before: Option<String>,
    limit: Option<i64>,
}

/// A page of a timeline; `next` goes into `before`.
#[derive(Debug, Serialize)]
pub struct Timeline {
    visits: Vec<Shown>,
    next: Option<String>,
}

/// `GET /v1/clients/{id}/timeline?unit=`.
///
/// # Errors
/// When the caller may see no such client.
pub async fn timeline(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Timeline>, ApiError> {
    let (id, limit) = (query::id(&id)?, ask.limit.unwrap_or(20));
    if !(1..=VISITS_MAX).contains(&limit) {
        return Err(ApiError::new(problem::INVALID_PARAMETER).at("/limit", "out-of-range"));
    }
    let none = || ApiError::new(problem::NOT_FOUND);
    let shard = query::unit(&ask.unit)?;
    let mut tx = app.db.read().await?;
    let view = views::of(&mut tx, &caller.person, &caller.grants, app.clock.now()).await?;
    let streams = records::ranked(&view, shard.0);
    let copies = lists::one(&mut tx, &app.sealer, shard.0, id).await?;
    if !copies.iter().any(|row| streams.contains_key(&row.stream)) {
        return Err(none());
    }
    let before = place(ask.before.as_deref())?;
    let made = reports::visits_of(&mut tx, shard, &id.to_string(), before, limit).await?;
    let next = made.last().map(|(visit, began)| format!("{began}_{visit}"));
    let next = next.filter(|_| made.len() as i64 == limit);
    let mut visits = Vec::with_capacity(made.len());
    for (visit, _) in made {
        let copies = lists::one(&mut tx, &app.sealer, shard.0, visit).await?;
        let mine = copies
            .into_iter()
            .filter(|row| streams.contains_key(&row.stream));
        visits.extend(mine.min_by_key(|row| streams.get(&row.stream).copied()));
    }
    drop(tx);
    records::note_restricted(&app, &caller, &view, shard.0, &visits).await?;
    let visits = visits.into_iter().map(records::shown).collect();
    Ok(Json(Timeline { visits, next }))
}

/// Where a page begins: before a visit, by its moment and its id.
fn place(before: Option<&str>) -> Result<(i64, Uuid), ApiError> {
    let Some(before) = before else {
        return Ok((i64::MAX, Uuid::max()));
    };
    let wrong = || ApiError::new(problem::INVALID_PARAMETER).at("/before", "bad-id");
    let (began, visit) = before.split_once('_').ok_or_else(wrong)?;
    let began = began.parse().map_err(|_| wrong())?;
    Ok((began, record_id(visit).ok_or_else(wrong)?))
}
