//! Units: stations and hubs with their addresses, and where the villages are that they serve.
//!
//! A line is a unit, a village point, or both; the same unit may stand in many lines.

use std::collections::BTreeMap;

use serde_json::json;
use xiangyi_proto::region::{self, VILLAGE_DIGITS};
use xiangyi_sync::geo;

use super::Options;
use super::places::{begins, code, unit};
use super::report::{Report, Why, Word, why};
use super::table::Row;
use crate::app::{App, StartError};
use crate::regions::{self, EDITION};
use crate::store::places::{self, PointRow, UnitRow};

const TEXT_MAX: usize = 120;
/// Degrees × 10⁷ between which China lies.
const LAT: std::ops::RangeInclusive<f64> = 18.0..=54.0;
const LNG: std::ops::RangeInclusive<f64> = 73.0..=136.0;

pub(super) async fn import(
    app: &App,
    rows: &[Row],
    options: &Options,
    report: &mut Report,
) -> Result<(), StartError> {
    regions::load(app).await?;
    let mut tx = app.db.read().await?;
    let known: BTreeMap<String, UnitRow> = places::units(&mut tx)
        .await?
        .into_iter()
        .map(|row| (row.code.clone(), row))
        .collect();
    let there: BTreeMap<String, PointRow> = places::points(&mut tx)
        .await?
        .into_iter()
        .map(|row| (row.code.clone(), row))
        .collect();
    drop(tx);
    let (mut units, mut points) = (BTreeMap::new(), BTreeMap::new());
    for row in rows {
        let what = row.get("village").unwrap_or_else(|| row.text("unit"));
        let read = read(app, row, options).and_then(|(unit, point)| {
            let unit = unit.map_or(Ok(Word::Unchanged), |unit| put(&mut units, &known, unit))?;
            let point = point.map_or(Ok(Word::Unchanged), |p| put(&mut points, &there, p))?;
            Ok(if unit == Word::Unchanged { point } else { unit })
        });
        match read {
            Ok(word) => report.add(row.line, word, what),
            Err(why) => report.refuse_why(row.line, what, why),
        }
    }
    let goes_on = report.may_go_on(options.skip_refused) && report.has_news();
    if options.dry_run || !goes_on {
        return Ok(());
    }
    let units: Vec<UnitRow> = units.into_values().collect();
    let points: Vec<PointRow> = points.into_values().collect();
    let mut tx = app.db.write().await?;
    places::put_units(&mut tx, &units).await?;
    places::put_points(&mut tx, &points).await?;
    places::next_edition(&mut tx, EDITION).await?;
    tx.commit().await?;
    report.is_written = true;
    Ok(regions::load(app).await?)
}

trait Coded: PartialEq + Clone {
    fn code(&self) -> &str;
}

impl Coded for UnitRow {
    fn code(&self) -> &str {
        &self.code
    }
}

impl Coded for PointRow {
    fn code(&self) -> &str {
        &self.code
    }
}

/// Puts a row among those to write; two lines may say the same and not two things.
fn put<T: Coded>(
    fresh: &mut BTreeMap<String, T>,
    known: &BTreeMap<String, T>,
    row: T,
) -> Result<Word, Why> {
    let code = row.code().to_owned();
    if let Some(before) = fresh.get(&code) {
        if *before == row {
            return Ok(Word::Unchanged);
        }
        return Err(why(
            format!("{code} 在前面的行里写得不一样"),
            format!("{code} was told otherwise in a line before"),
        ));
    }
    let word = match known.get(&code) {
        Some(stored) if *stored == row => return Ok(Word::Unchanged),
        Some(_) => Word::Changed,
        None => Word::New,
    };
    fresh.insert(code, row);
    Ok(word)
}

type Read = (Option<UnitRow>, Option<PointRow>);

fn read(app: &App, row: &Row, options: &Options) -> Result<Read, Why> {
    let of_unit = code(row, "unit")?;
    unit(app, of_unit, options)?;
    let text = |name: &str| {
        let text = row.text(name);
        let is_long = text.chars().count() > TEXT_MAX;
        if is_long {
            return Err(why("文字太长", format!("{name} is too long")));
        }
        Ok(text.to_owned())
    };
    let told = ["name", "address", "opened"];
    let names_unit = told.iter().any(|name| row.get(name).is_some());
    let named = UnitRow {
        code: of_unit.to_owned(),
        name: text("name")?,
        address: text("address")?,
        opened_at: begins(row, "opened")?,
    };
    let point = point(app, row, of_unit)?;
    if !names_unit && point.is_none() {
        return Err(why(
            "这一行什么也没有说",
            "the line says nothing of the unit",
        ));
    }
    Ok((names_unit.then_some(named), point))
}

fn point(app: &App, row: &Row, of_unit: &str) -> Result<Option<PointRow>, Why> {
    let told = ["village", "lat", "lng", "system"];
    let told: Vec<bool> = told.iter().map(|name| row.get(name).is_some()).collect();
    if told.iter().all(|told| !told) {
        return Ok(None);
    }
    if told.iter().any(|told| !told) {
        return Err(why(
            "村的位置要写全：村代码、纬度、经度、坐标系",
            "a point needs village, lat, lng and system",
        ));
    }
    let village = code(row, "village")?;
    let is_there = village.len() == VILLAGE_DIGITS && app.regions.get(village).is_some();
    if !is_there || !region::within(village, of_unit) {
        return Err(why(
            format!("{of_unit} 没有这个村 {village}"),
            format!("{of_unit} has no village {village}"),
        ));
    }
    let (lat, lng) = (degrees(row, "lat")?, degrees(row, "lng")?);
    if LAT.contains(&lng) && LNG.contains(&lat) {
        return Err(why("经度和纬度写反了", "lat and lng are swapped"));
    }
    if !LAT.contains(&lat) || !LNG.contains(&lng) {
        return Err(why("这个位置不在中国", "the point is not in China"));
    }
    let (lat, lng) = wgs84(row.text("system"), lat, lng)?;
    Ok(Some(PointRow {
        code: village.to_owned(),
        lat,
        lng,
    }))
}

fn degrees(row: &Row, column: &str) -> Result<f64, Why> {
    let text = row.text(column);
    text.parse().map_err(|_| {
        why(
            format!("“{text}”不是度数，请写成 28.2282"),
            format!("{column} is no degrees such as 28.2282"),
        )
    })
}

/// Degrees × 10⁷ in WGS-84. What Chinese maps show is converted; what Baidu shows is not known
/// well enough.
fn wgs84(system: &str, lat: f64, lng: f64) -> Result<(i64, i64), Why> {
    let plain: String = system.chars().filter(char::is_ascii_alphanumeric).collect();
    let e7 = |degrees: f64| (degrees * 1e7).round() as i64;
    let name = match plain.to_ascii_lowercase().as_str() {
        "wgs84" | "gps" | "cgcs2000" => return Ok((e7(lat), e7(lng))),
        "gcj02" => "gcj02",
        _ if system.contains("高德") || system.contains("腾讯") || system.contains("火星") => {
            "gcj02"
        }
        _ => {
            return Err(why(
                format!("坐标系“{system}”不能用，请给 WGS-84 或 GCJ-02"),
                format!("the system {system} cannot be used: give WGS-84 or GCJ-02"),
            ));
        }
    };
    let body = json!({ "fix": { "lat_e7": e7(lat), "lng_e7": e7(lng), "system": name } });
    let (real, _) = geo::fix_of(&body).ok_or_else(|| why("位置算不出来", "no such point"))?;
    Ok((e7(real.lat), e7(real.lng)))
}
