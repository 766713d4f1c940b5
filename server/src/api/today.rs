//! `GET /v1/today`: the board's counts, and where the live feed goes on from.
//!
//! A number that is not known is null, never zero.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{day_number, day_start, day_text};
use xiangyi_sync::cursor::{Cursor, ShardPlace, person_check};
use xiangyi_sync::ledger::{self, Cell, Refused};

use super::query::{self, Asked};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::reports::{self, DayCount, RefusedToday};
use crate::store::{Tx, views};

/// Roles that see a county's board.
pub const HUB: &[Role] = &[Role::HubOfficer, Role::HubReviewer, Role::CountyBureau];
/// Days for which missing photographs are listed: after 15 the record locks, with two to spare.
const MISSING_DAYS: i64 = 17;
/// Class under which a client counts once a day.
const PERSON: &str = "person";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
}

/// `GET /v1/today?unit=`.
///
/// # Errors
/// When the caller has no hub role there: then the county does not exist for them.
pub async fn today(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<Ask>,
) -> Result<Json<Value>, ApiError> {
    let now = app.clock.now();
    let county = ask.unit.as_str();
    let shard = query::unit_of(county, &[region::COUNTY_DIGITS])?;
    if !caller.is_one_of(HUB, county, now) {
        return Err(ApiError::new(problem::NOT_FOUND));
    }
    let reviewer = caller.is_one_of(&[Role::HubReviewer, Role::CountyBureau], county, now);
    let day = day_number(now);
    // What was heard in this very second is on the board too.
    if let Err(error) = app.heard.write(&app.db).await {
        tracing::warn!(%error, "what phones said of themselves could not be written");
    }
    let mut tx = app.db.read().await?;
    let counts = reports::day(&mut tx, shard, day).await?;
    let cells = reports::refusals(&mut tx, shard, day_start(day)).await?;
    let missing = reports::missing(&mut tx, shard, day - MISSING_DAYS).await?;
    let heard = reports::heard(&mut tx, county, now).await?;
    let held = reports::held(&mut tx, shard).await?;
    let incidents = if reviewer {
        Some(reports::incidents(&mut tx, shard).await?)
    } else {
        None
    };
    let alerts = alerts(&app, &mut tx, shard, now).await?;
    let cursor = cursor(&mut tx, &caller, now).await?;
    let refused: i64 = cells.iter().map(|cell| cell.count).sum();
    let photos: i64 = missing.iter().map(|(_, count)| count).sum();
    let stations: Vec<Value> = heard
        .into_iter()
        .map(|station| {
            json!({
                "unit": station.unit,
                "name": app.regions.unit_name(&station.unit),
                "last_heard_at": station.last_seen_at,
                "waiting_records": station.waiting_records,
                "waiting_photos": station.waiting_photos,
                "oldest_waiting_ms": station.oldest_waiting_ms,
                "visits": visits_of(&counts, &station.unit),
            })
        })
        .collect();
    let photos_missing: Vec<Value> = missing
        .iter()
        .map(|(unit, count)| {
            let name = app.regions.unit_name(unit);
            json!({"station": unit, "station_name": name, "count": count})
        })
        .collect();
    Ok(Json(json!({
        "unit": county,
        "unit_name": app.regions.name(county).unwrap_or_else(|| county.to_owned()),
        "day": day_text(now),
        "server_time": now,
        "totals": totals(&counts, held, refused, photos, incidents),
        "villages": villages(&app, &counts),
        "refusals": refusals(&app, cells, reviewer),
        "photos_missing": photos_missing,
        "stations": stations,
        "alerts": alerts,
        "cursor": cursor,
    })))
}

fn visits_of(counts: &[DayCount], unit: &str) -> i64 {
    let visit = |count: &&DayCount| count.kind == Kind::Visit.number() && count.class != PERSON;
    counts
        .iter()
        .filter(visit)
        .filter(|c| c.unit == unit)
        .map(|c| c.count)
        .sum()
}

fn totals(
    counts: &[DayCount],
    held: i64,
    refused: i64,
    photos: i64,
    incidents: Option<i64>,
) -> Value {
    let of = |kind: Kind| move |count: &&DayCount| count.kind == kind.number();
    let people = || {
        counts
            .iter()
            .filter(of(Kind::Visit))
            .filter(|c| c.class == PERSON)
    };
    let visits = || {
        counts
            .iter()
            .filter(of(Kind::Visit))
            .filter(|c| c.class != PERSON)
    };
    let minutes = |class: &str| -> i64 {
        let work = counts.iter().filter(of(Kind::WorkTime));
        visits()
            .chain(work)
            .filter(|c| c.class == class)
            .map(|c| c.minutes)
            .sum()
    };
    let check_ins: i64 = counts
        .iter()
        .filter(of(Kind::CheckIn))
        .map(|c| c.count)
        .sum();
    json!({
        "check_ins": check_ins,
        "visits": visits().map(|c| c.count).sum::<i64>(),
        "professional_minutes": minutes("professional"),
        "assistive_minutes": minutes("assistive"),
        "administrative_minutes": minutes("administrative"),
        "clients_persons": people().filter(|c| c.count > 0).count(),
        "person_times": people().map(|c| c.count).sum::<i64>(),
        "held": held,
        "refused": refused,
        "photos_missing": photos,
        "incidents_open": incidents,
    })
}

fn villages(app: &App, counts: &[DayCount]) -> Vec<Value> {
    let visits = counts.iter().filter(|count| {
        count.kind == Kind::Visit.number()
            && count.class != PERSON
            && count.count > 0
            && !count.village.is_empty()
    });
    visits
        .map(|count| {
            json!({
                "code": count.village,
                "name": app.regions.name(&count.village).unwrap_or_else(|| count.village.clone()),
                "station": count.unit,
                "class": count.class,
                "visits": count.count,
                "minutes": count.minutes,
            })
        })
        .collect()
}

/// The day's refusals by rule and office. To others than reviewers they are a small ledger: cells
/// under three authors are merged, and a day with fewer authors shows none.
fn refusals(app: &App, rows: Vec<RefusedToday>, reviewer: bool) -> Vec<Value> {
    let rows: Vec<Refused> = rows.into_iter().map(refused).collect();
    let cells = if reviewer {
        ledger::exact(&rows)
    } else {
        ledger::published(&rows)
    };
    let packs = app.writer.packs();
    let shown = |cell: Cell| {
        let (rule, clause) = cell
            .clause
            .as_deref()
            .and_then(|key| key.split_once('\n'))
            .unzip();
        let (zh, en) = rule.and_then(|rule| packs.title(rule)).unzip();
        // An office that nobody named is null, one that was merged away is empty.
        let office = match cell.office {
            Some(office) => Some(office).filter(|office| !office.is_empty()),
            None => Some(String::new()),
        };
        json!({
            "rule": rule, "clause": clause, "title_zh": zh, "title_en": en,
            "ordering_office": office, "count": cell.count,
        })
    };
    cells.into_iter().map(shown).collect()
}

/// A row as the ledger merges it: the rule stands for the clause, and the county is one station.
fn refused(row: RefusedToday) -> Refused {
    Refused {
        clause: format!("{}\n{}", row.rule, row.clause),
        office: row.office.unwrap_or_default(),
        station: String::new(),
        author: row.author,
        count: row.count,
        minutes: 0,
    }
}

/// Trends that the packs ask the county to look at: how many people of which station, never who.
async fn alerts(app: &App, tx: &mut Tx, shard: Shard, now: i64) -> Result<Vec<Value>, ApiError> {
    let mut shown = Vec::new();
    for alert in app.writer.packs().alerts(&shard.to_string(), now) {
        let since = day_start(day_number(now) - alert.within_days + 1);
        let people = reports::office_days(tx, shard, since, alert.days).await?;
        for of_unit in people.chunk_by(|a, b| a.0 == b.0) {
            let (unit, rule) = (&of_unit[0].0, &alert.rule);
            shown.push(json!({
                "rule": rule.id, "clause": rule.clause, "title_zh": rule.title_zh,
                "title_en": rule.title_en, "message": rule.message_zh,
                "message_en": rule.message_en, "station": unit,
                "station_name": app.regions.unit_name(unit), "people": of_unit.len(),
                "days": alert.days, "within_days": alert.within_days,
            }));
        }
    }
    Ok(shown)
}

/// The cursor that says: everything up to now has been seen.
async fn cursor(tx: &mut Tx, caller: &Caller, now: i64) -> Result<String, ApiError> {
    let view = views::of(tx, &caller.person, &caller.grants, now).await?;
    let place = |shard: &xiangyi_sync::pull::ShardView| ShardPlace {
        shard: shard.shard,
        epoch: shard.epoch,
        seq: shard.head,
        streams: shard
            .streams
            .iter()
            .map(|stream| stream.id)
            .collect::<BTreeSet<i64>>()
            .into_iter()
            .collect(),
        lagging: Vec::new(),
    };
    let cursor = Cursor {
        person: person_check(&caller.person),
        kinds: Vec::new(),
        shards: view.shards.iter().map(place).collect(),
    };
    Ok(cursor.encode())
}
