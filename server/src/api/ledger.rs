//! `GET /v1/refusals/ledger`: what is refused most, and by whose order; never by worker.
//!
//! Reviewers see the cells as they are. Others get whole months that are over, merged by
//! `xiangyi_sync::ledger`, so that no cell, nor a difference of cells of one answer, points at one
//! or two people. A refusal counts in the month in which it was refused, whenever the record came:
//! a published month never changes.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xiangyi_proto::limits::LEDGER_MONTHS_MAX;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{MINUTE_MS, day_of_text, day_start, day_text};
use xiangyi_sync::kpi;
use xiangyi_sync::ledger::{self, Cell, Refused};

use super::escalated::WATCHERS;
use super::kpis::YEARS;
use super::query::{self, Asked};
use super::today::HUB;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::reports::{self, RefusedRow};

/// A month is over when its last commits are: one that began in its last moments may take until
/// here.
const SETTLES_MS: i64 = 10 * MINUTE_MS;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    from: String,
    to: String,
}

/// `GET /v1/refusals/ledger?unit=&from=&to=`: the months from and to, both included.
///
/// # Errors
/// When the county does not exist for the caller, or the months are none.
pub async fn ledger(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Value>, ApiError> {
    let now = app.clock.now();
    let county = ask.unit.as_str();
    let none = || ApiError::new(problem::NOT_FOUND);
    let shard = query::unit_of(county, &[region::COUNTY_DIGITS])?;
    if !caller.is_one_of(HUB, county, now) && !caller.is_one_of(WATCHERS, county, now) {
        return Err(none());
    }
    let exact = caller.is_one_of(&[Role::HubReviewer, Role::CountyBureau], county, now);
    let (first, last) = (month(&ask.from, "/from")?, month(&ask.to, "/to")?);
    if last < first || last - first >= LEDGER_MONTHS_MAX {
        return Err(ApiError::new(problem::INVALID_PARAMETER).at("/to", "out-of-range"));
    }
    let mut tx = app.db.read().await?;
    let mut months = Vec::new();
    for month in first..=last {
        let (year, number) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        let days = kpi::period(year, Some(number)).ok_or_else(none)?;
        let bounds = (day_start(days.0), day_start(days.1));
        let over = bounds.1 + SETTLES_MS <= now;
        let rows = match over || exact {
            true => reports::refused_in(&mut tx, shard, bounds).await?,
            false => Vec::new(),
        };
        let rows: Vec<Refused> = rows.into_iter().map(refused).collect();
        let cells = if exact {
            ledger::exact(&rows)
        } else {
            ledger::published(&rows)
        };
        let cells: Vec<Value> = cells.into_iter().map(|cell| shown(&app, cell)).collect();
        let name = &day_text(bounds.0)[..7];
        months.push(json!({ "month": name, "over": over, "cells": cells }));
    }
    Ok(Json(
        json!({ "unit": county, "exact": exact, "months": months }),
    ))
}

/// The number of a month, counted from the year 0.
fn month(text: &str, at: &str) -> Result<i64, ApiError> {
    let bad = || ApiError::new(problem::INVALID_PARAMETER).at(at, "bad-date");
    day_of_text(&format!("{text}-01")).ok_or_else(bad)?;
    let (year, month) = text.split_once('-').ok_or_else(bad)?;
    let number = |part: &str| part.parse::<i64>().map_err(|_| bad());
    let (year, month) = (number(year)?, number(month)?);
    if !YEARS.contains(&year) {
        return Err(ApiError::new(problem::INVALID_PARAMETER).at(at, "out-of-range"));
    }
    Ok(year * 12 + month - 1)
}

fn refused(row: RefusedRow) -> Refused {
    Refused {
        clause: row.clause,
        office: row.office.unwrap_or_default(),
        station: row.unit,
        author: row.author,
        count: row.count,
        minutes: row.minutes,
    }
}

/// A member that was merged away is absent; an office that nobody named is null.
fn shown(app: &App, cell: Cell) -> Value {
    let mut shown = Map::new();
    if let Some(clause) = cell.clause {
        shown.insert("clause".to_owned(), clause.into());
    }
    if let Some(office) = cell.office {
        let named = Some(office).filter(|office| !office.is_empty());
        shown.insert("ordering_office".to_owned(), named.into());
    }
    if let Some(station) = cell.station {
        let name = app.regions.unit_name(&station);
        shown.insert("station_name".to_owned(), name.into());
        shown.insert("station".to_owned(), station.into());
    }
    shown.insert("count".to_owned(), cell.count.into());
    shown.insert("minutes".to_owned(), cell.minutes.into());
    Value::Object(shown)
}
