//! Agencies: who runs which stations, from when to when; the manager gets a role at each station.

use std::collections::{BTreeMap, BTreeSet};

use xiangyi_proto::role::Role;
use xiangyi_proto::time::day_text;

use super::Options;
use super::people::tail;
use super::places::{days, unit};
use super::report::{Report, Why, Word, why};
use super::table::Row;
use crate::api::sessions::normal_telephone;
use crate::app::{App, StartError};
use crate::store::people::{self, NewGrant};
use crate::store::places::{self, AgencyRow};
use crate::store::views;
use crate::whole;

const NAME_MAX: usize = 80;
/// Digits and letters of a unified social credit code.
const LICENCE: usize = 18;

/// A line that may be written.
struct Plan {
    agency: AgencyRow,
    stations: BTreeSet<String>,
    grants: Vec<NewGrant>,
}

pub(super) async fn import(
    app: &App,
    rows: &[Row],
    options: &Options,
    report: &mut Report,
) -> Result<(), StartError> {
    let mut tx = app.db.read().await?;
    let known: BTreeMap<String, AgencyRow> = places::agencies(&mut tx)
        .await?
        .into_iter()
        .map(|row| (row.licence.clone(), row))
        .collect();
    let there: BTreeSet<(String, String)> = places::agency_stations(&mut tx)
        .await?
        .into_iter()
        .collect();
    drop(tx);
    let mut plans = Vec::new();
    let mut seen = BTreeSet::new();
    for row in rows {
        let what = row.text("licence");
        let plan = match read(app, row, options) {
            Ok(plan) if seen.insert(plan.agency.licence.clone()) => plan,
            Ok(_) => {
                report.refuse(
                    row.line,
                    what,
                    "前面已有同一家",
                    "the same licence as before",
                );
                continue;
            }
            Err(why) => {
                report.refuse_why(row.line, what, why);
                continue;
            }
        };
        let stored = known.get(&plan.agency.licence);
        let checked = match stored.filter(|stored| begins_again(app, stored, &plan.agency)) {
            Some(ended) => Err(over(ended)),
            None => manager(app, row, plan).await?,
        };
        let plan = match checked {
            Ok(plan) => plan,
            Err(why) => {
                report.refuse_why(row.line, what, why);
                continue;
            }
        };
        let has = |unit: &String| there.contains(&(plan.agency.licence.clone(), unit.clone()));
        let same = stored == Some(&plan.agency) && plan.stations.iter().all(has);
        let word = match stored {
            _ if same && plan.grants.is_empty() => Word::Unchanged,
            None => Word::New,
            Some(_) => Word::Changed,
        };
        report.add(row.line, word, what);
        plans.push(plan);
    }
    let goes_on = report.may_go_on(options.skip_refused) && report.has_news();
    if !options.dry_run && goes_on {
        write(app, &plans).await?;
        report.is_written = true;
    }
    Ok(())
}

/// Whether a line begins a contract again that has ended: an old file, most often. One that was
/// renewed has a first day of its own.
fn begins_again(app: &App, stored: &AgencyRow, line: &AgencyRow) -> bool {
    let has_ended = stored.to_at.filter(|to_at| *to_at <= app.clock.now());
    let is_later = |ended: i64| line.to_at.is_none_or(|to_at| to_at > ended);
    has_ended.is_some_and(is_later) && line.from_at == stored.from_at
}

fn over(ended: &AgencyRow) -> Why {
    let day = ended.to_at.map(day_text).unwrap_or_default();
    why(
        format!("合同已于 {day} 结束；续签的合同请填新的开始日期"),
        format!("the contract ended on {day}: a renewed one has a first day of its own"),
    )
}

fn read(app: &App, row: &Row, options: &Options) -> Result<Plan, Why> {
    let licence = row.text("licence").to_uppercase();
    if licence.len() != LICENCE || !licence.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(why(
            "统一社会信用代码应有 18 位",
            "a unified social credit code has 18 digits and letters",
        ));
    }
    let name = row.text("name");
    if name.is_empty() || name.chars().count() > NAME_MAX {
        return Err(why("名称是空的或太长", "the name is empty or too long"));
    }
    let (from_at, to_at) = days(row)?;
    let from_at = from_at.ok_or_else(|| why("缺合同开始日期", "the contract's first day"))?;
    let listed = row
        .text("stations")
        .split(['、', ';', '；', ' ', ',', '，']);
    let stations: BTreeSet<String> = listed
        .filter(|code| !code.is_empty())
        .map(str::to_owned)
        .collect();
    for code in &stations {
        unit(app, code, options)?;
    }
    Ok(Plan {
        agency: AgencyRow {
            licence,
            name: name.to_owned(),
            from_at,
            to_at,
        },
        stations,
        grants: Vec::new(),
    })
}

/// The manager's roles that are not there yet.
async fn manager(app: &App, row: &Row, mut plan: Plan) -> Result<Result<Plan, Why>, StartError> {
    let Some(telephone) = row.get("manager") else {
        return Ok(Ok(plan));
    };
    let telephone = normal_telephone(telephone);
    let key = app.sealer.index("telephone", &telephone);
    let mut tx = app.db.read().await?;
    let Some(person) = people::by_telephone(&mut tx, &key).await? else {
        let end = tail(&telephone);
        return Ok(Err(why(
            format!("没有人用负责人的号码 {end}，请先导入人员"),
            format!("nobody has the manager's number {end}: import people first"),
        )));
    };
    let grants = views::grants(&mut tx, &person.id).await?;
    for unit in &plan.stations {
        let has = grants.iter().any(|grant| {
            let here = grant.role == Role::AgencyManager && grant.unit == *unit;
            here && grant.from_at == plan.agency.from_at && grant.to_at == plan.agency.to_at
        });
        if !has {
            plan.grants.push(NewGrant {
                id: format!("g-{}", app.entropy.crockford(10)),
                person: person.id.clone(),
                role: Role::AgencyManager,
                unit: unit.clone(),
                from_at: plan.agency.from_at,
                to_at: plan.agency.to_at,
            });
        }
    }
    Ok(Ok(plan))
}

async fn write(app: &App, plans: &[Plan]) -> Result<(), StartError> {
    let mut tx = app.db.write().await?;
    for plan in plans {
        places::put_agency(&mut tx, &plan.agency).await?;
        for unit in &plan.stations {
            places::put_agency_station(&mut tx, &plan.agency.licence, unit).await?;
        }
        for grant in &plan.grants {
            people::grant(&mut tx, grant).await?;
        }
    }
    tx.commit().await?;
    for grant in plans.iter().flat_map(|plan| &plan.grants) {
        whole::tell_give(app, grant).await;
    }
    Ok(())
}
