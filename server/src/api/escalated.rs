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

use super::query::{self, Asked};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::reports::{self, Escalated};
use crate::store::{StoreError, Tx, shards};

/// Who decides.
const DECIDERS: &[Role] = &[Role::HubReviewer, Role::CountyBureau];
/// Who watches that somebody decides.
pub const WATCHERS: &[Role] = &[Role::CityViewer, Role::ProvinceAdmin];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    after: Option<String>,
    limit: Option<i64>,
}

/// Where a page ends: in which county, at which receipt, and how many of that very moment were
/// given. It names no item, because the city may not know of which there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    county: i64,
    since: i64,
    given: i64,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.').map(|part| part.parse::<i64>().ok());
        let mut next = || parts.next().flatten().filter(|number| *number >= 0);
        Some(Self {
            county: next()?,
            since: next()?,
            given: next().filter(|given| *given <= LIST_ROWS_MAX)?,
        })
    }

    fn written(self) -> String {
        format!("{}.{}.{}", self.county, self.since, self.given)
    }

    /// Behind one more row.
    const fn past(&mut self, received_at: i64) {
        self.given = if self.since == received_at {
            self.given + 1
        } else {
            1
        };
        self.since = received_at;
    }
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
    query::unit_of(unit, &[2, 4, region::COUNTY_DIGITS])?;
    let decides = unit.len() == region::COUNTY_DIGITS && caller.is_one_of(DECIDERS, unit, now);
    if !decides && !caller.is_one_of(WATCHERS, unit, now) {
        return Err(none);
    }
    let wrong = |at| ApiError::new(problem::INVALID_PARAMETER).at(at, "out-of-range");
    let limit = ask.limit.unwrap_or(LIST_ROWS_MAX);
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        return Err(wrong("/limit"));
    }
    let after = ask.after.as_deref();
    let after = after.map(|text| Place::read(text).ok_or(wrong("/after")));
    let after = after.transpose()?.unwrap_or_default();
    let mut tx = app.db.read().await?;
    let (rows, next) = page(&mut tx, unit, after, limit).await?;
    let items = rows.iter().map(|row| shown(&app, row, decides, now));
    let items: Vec<Value> = items.collect();
    let next = next.map(Place::written);
    Ok(Json(json!({ "unit": unit, "items": items, "next": next })))
}

/// The rows behind a place, county by county, and where the next page begins if there are more.
async fn page(
    tx: &mut Tx,
    unit: &str,
    after: Place,
    limit: i64,
) -> Result<(Vec<Escalated>, Option<Place>), StoreError> {
    let heads = shards::heads(tx).await?;
    let counties = heads.iter().map(|head| Shard(head.id));
    let counties = counties.filter(|county| county.0 >= after.county);
    let counties = counties.filter(|county| county.to_string().starts_with(unit));
    let mut items = Vec::new();
    for county in counties.collect::<Vec<_>>() {
        let mut place = match county.0 == after.county {
            true => after,
            false => Place {
                county: county.0,
                ..Place::default()
            },
        };
        let skip = usize::try_from(place.given).unwrap_or(0);
        let left = limit - items.len() as i64;
        let asked = left + place.given + 1;
        let rows = reports::escalated(tx, county, place.since, asked).await?;
        for row in rows.into_iter().skip(skip) {
            if items.len() as i64 == limit {
                return Ok((items, Some(place)));
            }
            place.past(row.received_at);
            items.push(row);
        }
    }
    Ok((items, None))
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
