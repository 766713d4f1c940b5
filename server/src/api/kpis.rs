//! `GET /v1/kpi`: KPI 5, professional minutes ÷ all working minutes, with both denominators.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{day_start, day_text};
use xiangyi_sync::kpi::{self, Days, Minutes};

use super::escalated::WATCHERS;
use super::query::{self, Asked};
use super::today::HUB;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::reports::{self, Post, UnitMinutes};

/// Years for which there is something to ask: the programme began in 2021.
pub(super) const YEARS: std::ops::RangeInclusive<i64> = 2021..=2099;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    year: i64,
    month: Option<i64>,
}

/// `GET /v1/kpi?unit=&year=&month=`: of a county for its hub, of a station for its lead too.
///
/// # Errors
/// When the unit does not exist for the caller, or there is no such period.
pub async fn kpi(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Value>, ApiError> {
    let (now, unit) = (app.clock.now(), ask.unit.as_str());
    let none = || ApiError::new(problem::NOT_FOUND);
    let shard = counted(&caller, unit, now)?;
    let wrong = |at| ApiError::new(problem::INVALID_PARAMETER).at(at, "out-of-range");
    if !YEARS.contains(&ask.year) {
        return Err(wrong("/year"));
    }
    if ask.month.is_some_and(|month| !(1..=12).contains(&month)) {
        return Err(wrong("/month"));
    }
    let year = kpi::period(ask.year, None).ok_or_else(none)?;
    let whole = kpi::period(ask.year, ask.month).ok_or_else(none)?;
    let days = kpi::until_now(whole, now);
    let mut tx = app.db.read().await?;
    let rows = reports::minutes(&mut tx, shard, days).await?;
    let bounds = (day_start(days.0), day_start(days.1));
    let posts = reports::posts(&mut tx, unit, bounds).await?;
    let count = Count {
        rows,
        posts,
        days,
        year_days: year.1 - year.0,
    };
    let mut answer = count.of(unit);
    answer["unit"] = json!(unit);
    answer["unit_name"] = json!(app.regions.unit_name(unit));
    answer["year"] = json!(ask.year);
    answer["month"] = json!(ask.month);
    answer["from"] = json!(day_text(day_start(whole.0)));
    answer["to"] = json!(day_text(day_start(days.1.max(whole.0 + 1) - 1)));
    answer["target_percent"] = json!(kpi::target_percent(ask.year));
    if unit.len() == region::COUNTY_DIGITS {
        answer["stations"] = count.stations(&app);
    }
    Ok(Json(answer))
}

/// The county of a unit whose numbers the caller may see: of a county for its hub and the city, of
/// a station for its lead too.
///
/// # Errors
/// When the unit is none, or does not exist for the caller.
pub(super) fn counted(caller: &Caller, unit: &str, now: i64) -> Result<Shard, ApiError> {
    let levels = [region::COUNTY_DIGITS, region::TOWNSHIP_DIGITS];
    let shard = query::unit_of(unit, &levels)?;
    let leads = caller.is_one_of(&[Role::StationLead], unit, now);
    let may = leads || caller.is_one_of(HUB, unit, now) || caller.is_one_of(WATCHERS, unit, now);
    if may {
        Ok(shard)
    } else {
        Err(ApiError::new(problem::NOT_FOUND))
    }
}

/// What a period's numbers come from.
struct Count {
    rows: Vec<UnitMinutes>,
    posts: Vec<Post>,
    days: Days,
    year_days: i64,
}

impl Count {
    /// Numerator and denominators of a unit and all below it.
    fn of(&self, unit: &str) -> Value {
        let mut minutes = Minutes::default();
        let work = [Kind::Visit.number(), Kind::WorkTime.number()];
        for row in &self.rows {
            // Clients are counted in rows of their own, without minutes.
            if row.unit.starts_with(unit) && work.contains(&row.kind) && row.class != "person" {
                minutes.add(&row.class, row.minutes);
            }
        }
        let mut people: BTreeMap<&str, Vec<(i64, Option<i64>)>> = BTreeMap::new();
        for (person, at, from, to) in &self.posts {
            if at.starts_with(unit) {
                people.entry(person).or_default().push((*from, *to));
            }
        }
        let days = |posts: &Vec<(i64, Option<i64>)>| kpi::days_in_post(posts, self.days);
        let worker_days: i64 = people.values().map(days).sum();
        let planned = kpi::planned(worker_days, self.year_days);
        let (professional, working) = (minutes.professional(), minutes.working());
        let by_class: Map<String, Value> = minutes
            .classes()
            .map(|(class, minutes)| (class.to_owned(), minutes.into()))
            .collect();
        json!({
            "professional_minutes": professional,
            "logged": { "minutes": working, "by_class": by_class,
                        "share": kpi::share(professional, working) },
            "planned": { "minutes": planned, "workers": people.len(),
                         "worker_days": worker_days, "year_minutes": kpi::PLAN_YEAR_MINUTES,
                         "share": kpi::share(professional, planned) },
        })
    }

    /// The same for every station that has people or minutes.
    fn stations(&self, app: &App) -> Value {
        let worked = self.rows.iter().map(|row| row.unit.as_str());
        let manned = self.posts.iter().map(|(_, unit, ..)| unit.as_str());
        let units: BTreeSet<&str> = worked
            .chain(manned)
            .filter(|unit| unit.len() == region::TOWNSHIP_DIGITS)
            .collect();
        let station = |unit: &str| {
            let mut station = self.of(unit);
            station["unit"] = json!(unit);
            station["unit_name"] = json!(app.regions.unit_name(unit));
            station
        };
        units.into_iter().map(station).collect()
    }
}
