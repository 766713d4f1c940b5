//! `GET /v1/audit`: who signed in, who moved whom, what was ordered at the server.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use xiangyi_proto::limits::LIST_ROWS_MAX;
use xiangyi_proto::{problem, region};

use super::query::{self, Asked};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::trail::Line;
use crate::trail;

/// Characters of a person and of a place to go on from.
const WORD_MAX: usize = 40;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    since: Option<i64>,
    person: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
}

/// `GET /v1/audit?unit=`: lines of a unit and of those below it, the oldest first. What belongs to
/// no unit is told to those who watch the province.
///
/// # Errors
/// When the caller does not watch there.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Value>, ApiError> {
    let digits = [2, 4, region::COUNTY_DIGITS, region::TOWNSHIP_DIGITS];
    query::unit_of(&ask.unit, &digits)?;
    if !caller.is_one_of(trail::WATCH, &ask.unit, app.clock.now()) {
        return Err(ApiError::new(problem::NOT_FOUND));
    }
    let wrong = |at| ApiError::new(problem::INVALID_PARAMETER).at(at, "out-of-range");
    let limit = ask.limit.unwrap_or(LIST_ROWS_MAX);
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        return Err(wrong("/limit"));
    }
    let since = trail::from(ask.since.unwrap_or(0));
    let after = ask.after.unwrap_or_default().max(since);
    let person = ask.person.unwrap_or_default();
    for (at, text) in [("/after", &after), ("/person", &person)] {
        if text.len() > WORD_MAX {
            return Err(wrong(at));
        }
    }
    let all = ask.unit.len() == 2;
    let unit = if all { "" } else { ask.unit.as_str() };
    let lines = trail::page(&app, (&after, unit, &person), limit).await?;
    let next = lines.last().filter(|_| lines.len() as i64 == limit);
    let next = next.map(|(line, _)| line.id.clone());
    let entries: Vec<Value> = lines.into_iter().map(shown).collect();
    Ok(Json(
        json!({ "unit": ask.unit, "entries": entries, "next": next }),
    ))
}

fn shown((line, reason): (Line, Option<String>)) -> Value {
    let mut told = json!({
        "id": line.id, "at": line.at, "actor": line.actor, "what": line.what,
    });
    let more = [
        ("person", line.person),
        ("unit", line.unit),
        ("target", line.target),
        ("reason", reason.unwrap_or_default()),
    ];
    for (name, text) in more.into_iter().filter(|(_, text)| !text.is_empty()) {
        told[name] = text.into();
    }
    told
}
