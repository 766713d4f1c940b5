//! `GET /v1/escalated`: holds and appeals that nobody decided in time, for whoever should act.
//!
//! The county's reviewers and bureau see which they are; the city and the province only how many,
//! where and for how long. No words of a record and no author are told to anybody here.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::LIST_ROWS_MAX;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::DAY_MS;

use super::query::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::reports::{self, Escalated};
use crate::store::shards;

/// Who decides.
const DECIDERS: &[Role] = &[Role::HubReviewer, Role::CountyBureau];
/// Who watches that somebody decides.
pub const WATCHERS: &[Role] = &[Role::CityViewer, Role::ProvinceAdmin];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
}

/// `GET /v1/escalated?unit=`: of a county, or of all counties of a city.
///
/// # Errors
/// When the caller has neither to decide nor to watch there.
pub async fn escalated(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Value>, ApiError> {
    let now = app.clock.now();
    let none = ApiError::new(problem::NOT_FOUND);
    let unit = ask.unit.as_str();
    if !region::is_code(unit) || unit.len() > region::COUNTY_DIGITS {
        return Err(none);
    }
    let decides = unit.len() == region::COUNTY_DIGITS && caller.is_one_of(DECIDERS, unit, now);
    if !decides && !caller.is_one_of(WATCHERS, unit, now) {
        return Err(none);
    }
    let mut tx = app.db.read().await?;
    let heads = shards::heads(&mut tx).await?;
    let counties = heads.iter().map(|head| Shard(head.id));
    let counties = counties.filter(|county| county.to_string().starts_with(unit));
    let mut items = Vec::new();
    for county in counties.collect::<Vec<_>>() {
        let left = LIST_ROWS_MAX - items.len() as i64;
        if left == 0 {
            break;
        }
        let rows = reports::escalated(&mut tx, county, left).await?;
        items.extend(rows.into_iter().map(|row| shown(&app, &row, decides, now)));
    }
    Ok(Json(json!({ "unit": unit, "items": items })))
}

fn shown(app: &App, row: &Escalated, decides: bool, now: i64) -> Value {
    let mut item = json!({
        "kind": Kind::of_number(row.kind).map(Kind::name),
        "appeal": row.rule.as_deref() == Some("appeal"),
        "unit": row.unit,
        "unit_name": app.regions.unit_name(&row.unit),
        "since": row.received_at,
        "days": (now - row.received_at) / DAY_MS,
    });
    if decides {
        item["held"] = json!(Uuid::from_slice(&row.id).ok());
        item["record"] = json!(Uuid::from_slice(&row.record).ok());
        item["rule"] = json!(row.rule);
    }
    item
}
