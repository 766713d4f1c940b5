//! Regions: codes, names, from when to when, and what a code was merged into.

use std::collections::BTreeMap;

use xiangyi_proto::region::TOWNSHIP_DIGITS;

use super::Options;
use super::places::{code, days, inside};
use super::report::{Report, Why, Word, why};
use super::table::Row;
use crate::app::{App, StartError};
use crate::regions::{self, EDITION, Region};
use crate::store::places::{self, RegionRow};

/// Characters of a name.
const NAME_MAX: usize = 60;

pub(super) async fn import(
    app: &App,
    rows: &[Row],
    options: &Options,
    report: &mut Report,
) -> Result<(), StartError> {
    // What another node imported a moment ago counts.
    regions::load(app).await?;
    let named: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.text("code"), row)).collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fresh = Vec::new();
    for row in rows {
        let what = row.text("code");
        match region(app, row, &named, options) {
            Ok(_) if seen.contains_key(what) => {
                let first = seen[what];
                let zh = format!("与第 {first} 行重复");
                report.refuse(row.line, what, zh, format!("the same code as line {first}"));
            }
            Ok(region) => {
                seen.insert(what, row.line);
                let word = word(app, &region);
                report.add(row.line, word, what);
                if word != Word::Unchanged {
                    fresh.push(region);
                }
            }
            Err(why) => report.refuse_why(row.line, what, why),
        }
    }
    if options.dry_run || !report.may_go_on(options.skip_refused) || fresh.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    places::put_regions(&mut tx, &fresh).await?;
    places::next_edition(&mut tx, EDITION).await?;
    tx.commit().await?;
    report.is_written = true;
    Ok(regions::load(app).await?)
}

fn region(
    app: &App,
    row: &Row,
    named: &BTreeMap<&str, &Row>,
    options: &Options,
) -> Result<RegionRow, Why> {
    let code = code(row, "code")?;
    inside(code, options)?;
    let name = row.text("name");
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(why("名称是空的或太长", "the name is empty or too long"));
    }
    let knows = |code: &str| named.contains_key(code) || app.regions.get(code).is_some();
    let is_above =
        |parent: &str| parent.len() < code.len() && code.starts_with(parent) && knows(parent);
    if let Some(parent) = row.get("parent").filter(|parent| !is_above(parent)) {
        return Err(why(
            format!("{parent} 不是 {code} 的上级"),
            format!("{parent} is not above {code}"),
        ));
    }
    if let Some(township) = code.get(..TOWNSHIP_DIGITS)
        && code.len() > TOWNSHIP_DIGITS
        && !knows(township)
    {
        return Err(why(
            format!("没有它的乡镇（街道）{township}"),
            format!("its township {township} is not there"),
        ));
    }
    let (from_at, to_at) = days(row)?;
    let successor = successor(row, code, to_at, &knows, named)?;
    Ok(RegionRow {
        code: code.to_owned(),
        name: name.to_owned(),
        from_at,
        to_at,
        successor,
    })
}

/// What a code was merged into: another of its level that is there, and not back into it.
fn successor(
    row: &Row,
    code: &str,
    to_at: Option<i64>,
    knows: &dyn Fn(&str) -> bool,
    named: &BTreeMap<&str, &Row>,
) -> Result<Option<String>, Why> {
    let Some(successor) = row.get("successor") else {
        return Ok(None);
    };
    if to_at.is_none() {
        return Err(why(
            "并入别处的代码要写停用日期",
            "a code that was merged needs the day it ended",
        ));
    }
    if successor.len() != code.len() || !knows(successor) {
        return Err(why(
            format!("没有同级的代码 {successor}"),
            format!("there is no code {successor} of this level"),
        ));
    }
    let mut at = successor;
    for _ in 0..=named.len() {
        if at == code {
            return Err(why("并来并去成了一个圈", "the mergers go in a circle"));
        }
        match named.get(at).and_then(|row| row.get("successor")) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(Some(successor.to_owned()))
}

fn word(app: &App, row: &RegionRow) -> Word {
    let region = Region {
        name: row.name.clone(),
        from_at: row.from_at,
        to_at: row.to_at,
        successor: row.successor.clone(),
    };
    match app.regions.get(&row.code) {
        None => Word::New,
        Some(known) if known == region => Word::Unchanged,
        Some(_) => Word::Changed,
    }
}
