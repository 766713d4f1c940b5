//! What several tables ask of their cells: days, codes, and whether a unit is one of this import.

use xiangyi_proto::region;
use xiangyi_proto::time::{DAY_MS, day_start};

use super::Options;
use super::report::{Why, why};
use super::table::{self, Row};
use crate::app::App;

/// The first moment of a day in a cell.
pub(super) fn begins(row: &Row, column: &str) -> Result<Option<i64>, Why> {
    let Some(text) = row.get(column) else {
        return Ok(None);
    };
    let day = table::day(text).ok_or_else(|| {
        why(
            format!("日期“{text}”看不懂，请写成 2026-01-05"),
            format!("{column} is not a day such as 2026-01-05"),
        )
    })?;
    Ok(Some(day_start(day)))
}

/// The first moment after a day in a cell.
pub(super) fn ends(row: &Row, column: &str) -> Result<Option<i64>, Why> {
    Ok(begins(row, column)?.map(|at| at + DAY_MS))
}

/// The days of a row, which must run forwards.
pub(super) fn days(row: &Row) -> Result<(Option<i64>, Option<i64>), Why> {
    let (from, to) = (begins(row, "from")?, ends(row, "to")?);
    if from.zip(to).is_some_and(|(from, to)| to <= from) {
        return Err(why("结束早于开始", "it ends before it begins"));
    }
    Ok((from, to))
}

/// A code as digits; spreadsheets like to write long ones as 4.30E+11.
pub(super) fn code<'a>(row: &'a Row, column: &str) -> Result<&'a str, Why> {
    let text = row.text(column);
    if region::is_code(text) {
        return Ok(text);
    }
    if text.contains(['E', 'e']) && text.contains('+') {
        return Err(why(
            format!("代码“{text}”被表格软件写成了科学计数，请把这一列设为文本"),
            format!("a spreadsheet rounded the code {text}: make the column text"),
        ));
    }
    Err(why(
        format!("“{text}”不是代码，应为 2、4、6、9 或 12 位数字"),
        format!("{text} is no code of 2, 4, 6, 9 or 12 digits"),
    ))
}

/// Whether a code lies in what may be imported.
pub(super) fn inside(code: &str, options: &Options) -> Result<(), Why> {
    match &options.unit {
        Some(unit) if !region::within(code, unit) => Err(why(
            format!("{code} 不在 {unit} 之内"),
            format!("{code} lies outside {unit}"),
        )),
        _ => Ok(()),
    }
}

/// A unit that exists now and lies in what may be imported.
pub(super) fn unit(app: &App, code: &str, options: &Options) -> Result<(), Why> {
    if region::shard_of(code).is_none() || !app.regions.knows(code) {
        return Err(why(
            format!("没有这个单位 {code}"),
            format!("there is no unit {code}"),
        ));
    }
    if let Some(successor) = app.regions.closed_at(code, app.clock.now()) {
        let successor = successor.unwrap_or_else(|| "-".to_owned());
        return Err(why(
            format!("{code} 已并入 {successor}"),
            format!("{code} was merged into {successor}"),
        ));
    }
    inside(code, options)
}
