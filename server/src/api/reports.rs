//! `GET /v1/reports/{period}`: persons and person-times of a month, a quarter or a year, as JSON,
//! CSV or XLSX.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::pack::ClientCategoryDoc;
use xiangyi_proto::problem;
use xiangyi_proto::time::{day_start, day_text};
use xiangyi_sync::kpi::{self, Days};
use xiangyi_sync::policy;
use xiangyi_sync::report::{self, Count, Report, UNKNOWN, Visited};
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::World;

use super::kpis::counted;
use super::query::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::store::{Tx, load, reports};

/// Clients of one read: their cards are opened one by one.
const PAGE: usize = 500;
/// Years for which there is something to ask.
const YEARS: std::ops::RangeInclusive<i64> = 2021..=2099;
/// Stands for the categories that nobody may read from a table.
const RESTRICTED: &str = "restricted";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    #[default]
    Json,
    Csv,
    Xlsx,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    unit: String,
    #[serde(default)]
    format: Form,
}

/// `GET /v1/reports/{period}?unit=&format=`: `2026-05`, `2026-Q2` or `2026`; of a county for its
/// hub, of a station for its lead too.
///
/// # Errors
/// When the unit does not exist for the caller, or there is no such period.
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(period): Path<String>,
    Asked(ask): Asked<Ask>,
) -> Result<Response, ApiError> {
    let (now, unit) = (app.clock.now(), ask.unit.as_str());
    let shard = counted(&caller, unit, now)?;
    let wrong = || ApiError::new(problem::INVALID_PARAMETER).at("/period", "bad-date");
    let whole = days_of(&period).ok_or_else(wrong)?;
    let days = kpi::until_now(whole, now);
    let end = day_start(days.1.max(days.0 + 1)) - 1;
    let mut tx = app.db.read().await?;
    let visited = visited(&app, &mut tx, shard, unit, days).await?;
    drop(tx);
    let report = report::count(&visited, end);
    let (from, to) = (day_text(day_start(days.0)), day_text(end));
    let name = format!("{unit}-{period}");
    Ok(match ask.format {
        Form::Json => {
            let mut answer = as_json(&report);
            answer["unit"] = json!(unit);
            answer["unit_name"] = json!(app.regions.unit_name(unit));
            answer["period"] = json!(period);
            answer["from"] = json!(from);
            answer["to"] = json!(to);
            Json(answer).into_response()
        }
        Form::Csv => file(&name, "csv", "text/csv; charset=utf-8", csv(&rows(&report))),
        Form::Xlsx => {
            let title = format!("{} {from} - {to}", app.regions.unit_name(unit));
            let bytes = xlsx(&title, &rows(&report));
            let bytes = bytes.map_err(|_| ApiError::new(problem::SERVER_FAULT))?;
            let mime = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
            file(&name, "xlsx", mime, bytes)
        }
    })
}

/// First day and the day after the last of `2026`, `2026-Q2` or `2026-05`.
fn days_of(period: &str) -> Option<Days> {
    let (year, part) = period
        .split_once('-')
        .map_or((period, None), |(y, p)| (y, Some(p)));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let year = (year.len() == 4 && digits(year)).then(|| year.parse().ok())??;
    if !YEARS.contains(&year) {
        return None;
    }
    let month = |month: i64| kpi::period(year, Some(month));
    match part {
        None => kpi::period(year, None),
        Some(part) => match part.strip_prefix('Q') {
            Some(quarter) => {
                if !digits(quarter) {
                    return None;
                }
                let quarter: i64 = quarter.parse().ok().filter(|q| (1..=4).contains(q))?;
                let (first, last) = (month(quarter * 3 - 2)?, month(quarter * 3)?);
                Some((first.0, last.1))
            }
            None if part.len() == 2 && digits(part) => {
                let number: i64 = part.parse().ok()?;
                (1..=12).contains(&number).then(|| month(number))?
            }
            None => None,
        },
    }
}

/// Everybody who was visited in the unit, with what their card says.
async fn visited(
    app: &App,
    tx: &mut Tx,
    shard: Shard,
    unit: &str,
    days: Days,
) -> Result<Vec<Visited>, ApiError> {
    let span = (day_start(days.0), day_start(days.1));
    let visits = reports::visits_by_client(tx, shard, unit, span).await?;
    let visits: Vec<(Uuid, i64)> = visits
        .into_iter()
        .filter_map(|(client, count)| Some((Uuid::try_parse(&client).ok()?, count)))
        .collect();
    let restricted: BTreeSet<&str> = policy::catalogue()
        .client_categories
        .iter()
        .filter(|category| category.restricted)
        .map(|category| category.code.as_str())
        .collect();
    let mut all = Vec::with_capacity(visits.len());
    for page in visits.chunks(PAGE) {
        let records: BTreeSet<Uuid> = page.iter().map(|(client, _)| *client).collect();
        let wants = Wants {
            records,
            ..Wants::default()
        };
        let mut world = World::new(shard, 0);
        load::load(tx, &app.sealer, &mut world, wants).await?;
        for (client, visits) in page {
            let card = world.records.get(client);
            let text = |at: &str| card.and_then(|card| card.text(at)).map(str::to_owned);
            let list = card.and_then(|card| card.body.get("categories")?.as_array().cloned());
            let categories = list.unwrap_or_default().into_iter().filter_map(|category| {
                let code = category.as_str()?;
                let told = if restricted.contains(code) {
                    RESTRICTED
                } else {
                    code
                };
                Some(told.to_owned())
            });
            all.push(Visited {
                sex: text("/sex"),
                born_on: text("/born_on"),
                categories: categories
                    .collect::<BTreeSet<String>>()
                    .into_iter()
                    .collect(),
                visits: *visits,
            });
        }
    }
    Ok(all)
}

fn as_json(report: &Report) -> Value {
    let count =
        |count: &Count| json!({ "persons": count.persons, "person_times": count.person_times });
    let table = |cells: Vec<(&str, &Count)>| -> Value {
        let cells = cells
            .into_iter()
            .map(|(name, cell)| (name.to_owned(), count(cell)));
        Value::Object(cells.collect())
    };
    json!({
        "total": count(&report.total),
        "by_category": table(report.by_category.iter().map(|(k, v)| (k.as_str(), v)).collect()),
        "by_age": table(report.by_age.iter().map(|(k, v)| (*k, v)).collect()),
        "by_sex": table(report.by_sex.iter().map(|(k, v)| (k.as_str(), v)).collect()),
    })
}

/// A line of a table: what is divided by, which part, persons, person-times.
type Line = (&'static str, String, Count);
const HEADERS: [&str; 4] = ["分类", "项目", "人数", "人次"];

fn rows(report: &Report) -> Vec<Line> {
    let names: BTreeMap<&str, &ClientCategoryDoc> = policy::catalogue()
        .client_categories
        .iter()
        .map(|category| (category.code.as_str(), category))
        .collect();
    let category = |code: &str| match (names.get(code), code) {
        (Some(known), _) => known.zh.clone(),
        (None, RESTRICTED) => "不公开的类别".to_owned(),
        (None, UNKNOWN) => "未填写".to_owned(),
        (None, other) => other.to_owned(),
    };
    let age = |band: &str| match band {
        UNKNOWN => "未填写".to_owned(),
        "80+" => "80岁及以上".to_owned(),
        band => format!("{band}岁"),
    };
    let sex = |code: &str| match code {
        "female" => "女".to_owned(),
        "male" => "男".to_owned(),
        _ => "未填写".to_owned(),
    };
    let mut rows = vec![("合计", "合计".to_owned(), report.total)];
    let categories = report.by_category.iter();
    rows.extend(categories.map(|(code, count)| ("对象类别", category(code), *count)));
    rows.extend(
        report
            .by_age
            .iter()
            .map(|(band, count)| ("年龄", age(band), *count)),
    );
    rows.extend(
        report
            .by_sex
            .iter()
            .map(|(code, count)| ("性别", sex(code), *count)),
    );
    rows
}

/// With a byte-order mark, because the spreadsheet of most offices takes it for GBK otherwise.
fn csv(rows: &[Line]) -> Vec<u8> {
    let mut text = format!("\u{feff}{}\r\n", HEADERS.join(","));
    for (part, name, count) in rows {
        let (persons, times) = (count.persons, count.person_times);
        text.push_str(&format!("{part},{},{persons},{times}\r\n", guarded(name)));
    }
    text.into_bytes()
}

/// A cell that no spreadsheet takes for a formula, quoted where it must be.
fn guarded(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    };
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

fn xlsx(title: &str, rows: &[Line]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    let sheet = book.add_worksheet();
    sheet.set_name("服务统计")?;
    sheet.write_string(0, 0, title)?;
    for (column, header) in (0..).zip(HEADERS) {
        sheet.write_string_with_format(1, column, header, &bold)?;
    }
    for (row, (part, name, count)) in (2..).zip(rows) {
        sheet.write_string(row, 0, *part)?;
        // Written as text: no cell of it is ever a formula.
        sheet.write_string(row, 1, name)?;
        sheet.write_number(row, 2, count.persons as f64)?;
        sheet.write_number(row, 3, count.person_times as f64)?;
    }
    book.save_to_buffer()
}

fn file(name: &str, end: &str, mime: &'static str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}.{end}\"");
    let headers = [
        (header::CONTENT_TYPE, mime.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_nothing_else() {
        let told = |period: &str| {
            days_of(period)
                .map(|(from, to)| (day_text(day_start(from)), day_text(day_start(to) - 1)))
        };
        let days = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(told("2026"), days("2026-01-01", "2026-12-31"));
        assert_eq!(told("2026-Q1"), days("2026-01-01", "2026-03-31"));
        assert_eq!(told("2024-02"), days("2024-02-01", "2024-02-29"));
        for wrong in [
            "", "26", "2026-", "2026-13", "2026-Q5", "2026-Q", "2026-1", "1999", "x",
        ] {
            assert_eq!(told(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(guarded("=1+1"), "'=1+1");
        assert_eq!(guarded("@x,\"y\""), "\"'@x,\"\"y\"\"\"");
        assert_eq!(guarded("老人"), "老人");
    }
}
