//! `GET /v1/units` and `/v1/units/{id}`: the counties, stations and villages that somebody's
//! roles reach, with what imports told of them; village points as GeoJSON.
//!
//! Everything comes from the table in memory (`regions.rs`), so a list costs no query.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use xiangyi_proto::limits::LIST_ROWS_MAX;
use xiangyi_proto::problem;
use xiangyi_proto::region::{self, COUNTY_DIGITS, TOWNSHIP_DIGITS, VILLAGE_DIGITS};
use xiangyi_proto::time::{DAY_MS, day_text};
use xiangyi_sync::geo::{Wgs84, wgs84_to_gcj02};

use super::query::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::regions::Listed;

/// The media type of RFC 7946.
const GEOJSON: &str = "application/geo+json";
/// Letters of a name that is looked for.
const QUERY_CHARS_MAX: usize = 40;

/// Parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    kind: Option<UnitKind>,
    county: Option<String>,
    parent: Option<String>,
    region: Option<String>,
    q: Option<String>,
    after: Option<String>,
    limit: Option<i64>,
    #[serde(rename = "as")]
    form: Option<Form>,
    #[serde(default)]
    system: System,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum UnitKind {
    County,
    Station,
    Village,
}

impl UnitKind {
    fn of(code: &str) -> Option<Self> {
        match code.len() {
            COUNTY_DIGITS => Some(Self::County),
            TOWNSHIP_DIGITS => Some(Self::Station),
            VILLAGE_DIGITS => Some(Self::Village),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Json,
    Geojson,
}

/// Systems in which points are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum System {
    #[default]
    Wgs84,
    Gcj02,
}

/// A county, a station or a village.
#[derive(Debug, Serialize)]
pub struct Unit {
    code: String,
    kind: UnitKind,
    name: String,
    parent: String,
    parent_name: String,
    /// None that is known: null.
    address: Option<String>,
    opened_on: Option<String>,
    closed_on: Option<String>,
    successor: Option<String>,
    point: Option<Point>,
}

/// Where a village is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Point {
    lat_e7: i64,
    lng_e7: i64,
    system: System,
    /// Made up for the demo, and the place of nothing.
    invented: bool,
}

/// A page of a list; `next` goes into `after`.
#[derive(Debug, Serialize)]
pub struct Listing {
    units: Vec<Unit>,
    next: Option<String>,
}

/// How a unit is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct One {
    #[serde(default)]
    system: System,
}

fn wrong(name: &str, code: &str) -> ApiError {
    ApiError::new(problem::INVALID_PARAMETER).at(name, code)
}

/// `GET /v1/units`.
///
/// # Errors
/// When a parameter does not fit.
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Asked(ask): Asked<Ask>,
) -> Result<Response, ApiError> {
    let is_geo = ask
        .form
        .map_or_else(|| accepts_geojson(&headers), |form| form == Form::Geojson);
    let limit = checked(&ask, is_geo)?;
    let kind = if is_geo {
        Some(UnitKind::Village)
    } else {
        ask.kind
    };
    let (county, parent) = (ask.county.as_deref(), ask.parent.as_deref());
    let sought = ask.q.as_deref().unwrap_or_default();
    let is_wanted = |code: &str| {
        let is_kind = match (kind, UnitKind::of(code)) {
            (Some(kind), Some(is)) => kind == is,
            (None, Some(is)) => is != UnitKind::Village,
            (_, None) => false,
        };
        is_kind
            && parent.is_none_or(|parent| parent_of(code) == parent)
            && (!is_geo || app.writer.place_of(code).is_some())
    };
    let narrowed = [county, parent, ask.region.as_deref()];
    let reach = reach(&caller, app.clock.now(), narrowed.into_iter().flatten());
    let after = ask.after.as_deref().unwrap_or_default();
    let mut found = app
        .regions
        .page(&reach, (sought, after), limit + 1, is_wanted);
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|unit| unit.code.clone());
    let next = next.filter(|_| is_more);
    let units = found
        .into_iter()
        .filter_map(|unit| shown(&app, unit, ask.system));
    let mut response = if is_geo {
        geojson(units, next.as_deref(), ask.system)
    } else {
        let units = units.collect();
        Json(Listing { units, next }).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// `GET /v1/units/{id}`.
///
/// # Errors
/// When the code is none, or the caller's roles do not reach it.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(code): Path<String>,
    Asked(ask): Asked<One>,
) -> Result<Json<Unit>, ApiError> {
    if !region::is_code(&code) {
        return Err(wrong("/id", "bad-region"));
    }
    let within = reach(&caller, app.clock.now(), std::iter::empty());
    let is_reached = within.iter().any(|within| region::within(&code, within));
    let found = app.regions.listed(&code).filter(|_| is_reached);
    let unit = found.and_then(|unit| shown(&app, unit, ask.system));
    unit.map(Json).ok_or(ApiError::new(problem::NOT_FOUND))
}

/// Checks what serde cannot; gives the units of a page.
fn checked(ask: &Ask, is_geo: bool) -> Result<usize, ApiError> {
    let codes = [
        ("/county", &ask.county),
        ("/parent", &ask.parent),
        ("/region", &ask.region),
        ("/after", &ask.after),
    ];
    for (name, code) in codes {
        let is_county = |code: &str| name != "/county" || code.len() == COUNTY_DIGITS;
        let is_one = |code: &String| region::is_code(code) && is_county(code);
        if !code.as_ref().is_none_or(is_one) {
            return Err(wrong(name, "bad-region"));
        }
    }
    // Stations have an address and no point.
    if is_geo && ask.kind.is_some_and(|kind| kind != UnitKind::Village) {
        return Err(wrong("/kind", "unknown-code"));
    }
    let sought = ask.q.as_deref().unwrap_or_default();
    if sought.chars().count() > QUERY_CHARS_MAX {
        return Err(wrong("/q", "too-long"));
    }
    let limit = ask.limit.unwrap_or(50);
    if !(1..=LIST_ROWS_MAX).contains(&limit) {
        return Err(wrong("/limit", "out-of-range"));
    }
    Ok(limit as usize)
}

fn accepts_geojson(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut kinds = accepted.filter_map(|value| value.to_str().ok());
    kinds.any(|value| {
        let mut kinds = value.split(',');
        kinds.any(|kind| {
            kind.split(';')
                .next()
                .is_some_and(|kind| kind.trim() == GEOJSON)
        })
    })
}

/// The regions that the caller's roles reach, each county whole, narrowed to what is asked for; in
/// order, and none within another.
fn reach<'a>(caller: &Caller, now: i64, narrowed: impl Iterator<Item = &'a str>) -> Vec<String> {
    let held = caller.grants.iter().filter(|grant| grant.holds_at(now));
    let mut reach: Vec<String> = held
        .map(|grant| grant.unit[..grant.unit.len().min(COUNTY_DIGITS)].to_owned())
        .collect();
    for code in narrowed {
        reach = reach
            .into_iter()
            .filter_map(|within| narrower(within, code))
            .collect();
    }
    reach.sort_unstable();
    let mut apart: Vec<String> = Vec::with_capacity(reach.len());
    for code in reach {
        if !apart.last().is_some_and(|wider| code.starts_with(wider)) {
            apart.push(code);
        }
    }
    apart
}

/// What two regions have in common.
fn narrower(one: String, other: &str) -> Option<String> {
    if one.starts_with(other) {
        Some(one)
    } else {
        other.starts_with(&one).then(|| other.to_owned())
    }
}

fn parent_of(code: &str) -> &str {
    match code.len() {
        VILLAGE_DIGITS => &code[..TOWNSHIP_DIGITS],
        TOWNSHIP_DIGITS => &code[..COUNTY_DIGITS],
        _ => &code[..code.len().min(4)],
    }
}

fn shown(app: &App, unit: Listed, system: System) -> Option<Unit> {
    let kind = UnitKind::of(&unit.code)?;
    let parent = parent_of(&unit.code).to_owned();
    let region = unit.region.unwrap_or_default();
    let opened_at = match (&unit.told, kind) {
        (Some(told), _) if told.opened_at.is_some() => told.opened_at,
        (_, UnitKind::Village) => region.from_at,
        _ => None,
    };
    let address = unit.told.map(|told| told.address);
    Some(Unit {
        kind,
        name: unit.name,
        parent_name: app.regions.unit_name(&parent),
        parent,
        address: address.filter(|address| !address.is_empty()),
        opened_on: opened_at.map(day_text),
        // The last day on which the code held.
        closed_on: region.to_at.map(|to_at| day_text(to_at - DAY_MS)),
        successor: region.successor,
        point: point(app, &unit.code, unit.is_surveyed, system),
        code: unit.code,
    })
}

fn point(app: &App, code: &str, is_surveyed: bool, system: System) -> Option<Point> {
    let (lat_e7, lng_e7) = app.writer.place_of(code)?;
    let (lat_e7, lng_e7) = match system {
        System::Wgs84 => (lat_e7, lng_e7),
        System::Gcj02 => {
            let real = Wgs84 {
                lat: lat_e7 as f64 / 1e7,
                lng: lng_e7 as f64 / 1e7,
            };
            let moved = wgs84_to_gcj02(real);
            let e7 = |degrees: f64| (degrees * 1e7).round() as i64;
            (e7(moved.lat), e7(moved.lng))
        }
    };
    Some(Point {
        lat_e7,
        lng_e7,
        system,
        invented: !is_surveyed,
    })
}

/// A FeatureCollection; `next` and `system` are foreign members, as RFC 7946 allows them.
fn geojson(units: impl Iterator<Item = Unit>, next: Option<&str>, system: System) -> Response {
    let features: Vec<Value> = units
        .filter_map(|unit| {
            let point = unit.point?;
            Some(json!({
                "type": "Feature",
                "id": unit.code,
                "geometry": { "type": "Point", "coordinates":
                    [point.lng_e7 as f64 / 1e7, point.lat_e7 as f64 / 1e7] },
                "properties": {
                    "code": unit.code, "name": unit.name, "station": unit.parent,
                    "station_name": unit.parent_name, "closed_on": unit.closed_on,
                    "invented": point.invented,
                },
            }))
        })
        .collect();
    let body = json!({ "type": "FeatureCollection", "features": features, "next": next,
                       "system": system });
    let kind = HeaderValue::from_static(GEOJSON);
    ([(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
