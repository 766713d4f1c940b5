//! `xiangyi pack`: is a rule pack sound; proposing and publishing one; the server's own key.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use xiangyi_sync::policy;
use xiangyi_sync::policy::{PackFault, Way};

use super::Place;
use super::judged;
use super::people::{open, person_of};
use crate::app::{App, StartError};
use crate::clock::Stopwatch;
use crate::law::propose::{self, NotDone, Person, Proposal};
use crate::law::report::Told;
use crate::law::what_if::{Broken, Period, WhatIf};
use crate::store::views;

#[derive(Debug, Subcommand)]
pub enum Pack {
    /// Read and compile a pack; every fault is listed with its rule, also what of a county's pack
    /// could loosen the province's.
    Check { file: PathBuf },
    /// What is different between two packs, and which way it goes.
    Diff {
        before: PathBuf,
        after: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// What the text signals of a pack are worth on notes: lines of `{id, text, group, hit}`, or
    /// `{id, text}` for ordinary ones.
    Score {
        file: PathBuf,
        notes: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Why a record gets its answer: `{kind, body}`, or the body of a visit. Repeats parts of it.
    Explain {
        file: PathBuf,
        record: PathBuf,
        #[arg(long)]
        json: bool,
    },
    /// Propose a pack for a second person to publish.
    Propose {
        #[command(flatten)]
        place: Place,
        file: PathBuf,
        /// Telephone number of whoever proposes it; a hub role of the region.
        #[arg(long)]
        by: String,
    },
    /// Publish a pack that somebody else proposed.
    Publish {
        #[command(flatten)]
        place: Place,
        region: String,
        version: i64,
        /// Telephone number of whoever publishes it; a reviewer of the region.
        #[arg(long)]
        by: String,
        /// SHA-256 of the draft that was read; needed where the number was another draft's before.
        #[arg(long)]
        digest: Option<String>,
    },
    /// Take a draft back; its number may be proposed again.
    Withdraw {
        #[command(flatten)]
        place: Place,
        region: String,
        version: i64,
        /// Telephone number of whoever takes it back; a hub role of the region.
        #[arg(long)]
        by: String,
    },
    /// Which stored records of a period would get another answer under a pack; no word of them.
    WhatIf {
        #[command(flatten)]
        place: Place,
        file: PathBuf,
        /// First day of the acts, such as 2026-01-01.
        #[arg(long)]
        from: String,
        /// Last day.
        #[arg(long)]
        to: String,
        /// As JSON, with the records' ids.
        #[arg(long)]
        json: bool,
    },
    /// Print the public key that signs this server's packs.
    Key {
        #[command(flatten)]
        place: Place,
    },
}

/// Runs a command about packs.
pub async fn run(pack: Pack) -> Result<(), StartError> {
    match pack {
        Pack::Check { file } => check(&file),
        Pack::Diff {
            before,
            after,
            json,
        } => differ(&before, &after, json),
        Pack::Score { file, notes, json } => judged::score(&file, &notes, json),
        Pack::Explain { file, record, json } => judged::explain(&file, &record, json),
        Pack::Propose { place, file, by } => proposed(&place, &file, &by).await,
        Pack::Publish {
            place,
            region,
            version,
            by,
            digest,
        } => published(&place, (&region, version), &by, digest.as_deref()).await,
        Pack::Withdraw {
            place,
            region,
            version,
            by,
        } => withdrawn(&place, &region, version, &by).await,
        Pack::WhatIf {
            place,
            file,
            from,
            to,
            json,
        } => what_if(&place, &file, (&from, &to), json).await,
        Pack::Key { place } => {
            let app = open(&place).await?;
            for key in app.law.keys().iter().filter(|key| key.region.is_none()) {
                println!("{}  {}", key.id, key.key);
            }
            Ok(())
        }
    }
}

pub(super) fn text(file: &Path) -> Result<String, StartError> {
    let text = std::fs::read_to_string(file);
    Ok(text.map_err(|error| format!("cannot read {}: {error}", file.display()))?)
}

pub(super) fn check(file: &Path) -> Result<(), StartError> {
    match policy::check(&text(file)?) {
        Ok(report) => {
            println!(
                "pack {} version {}: sound. {} rules, {} lexicons, {} phrases.",
                report.pack, report.version, report.rules, report.lexicons, report.phrases
            );
            Ok(())
        }
        Err(faults) => Err(unsound(file, &faults)),
    }
}

pub(super) fn unsound(file: &Path, faults: &[PackFault]) -> StartError {
    for fault in faults {
        eprintln!("{fault}");
    }
    format!("{} is not sound: {} faults", file.display(), faults.len()).into()
}

fn differ(before: &Path, after: &Path, json: bool) -> Result<(), StartError> {
    let read = |file: &Path| policy::read(&text(file)?).map_err(|faults| unsound(file, &faults));
    let all = policy::diff(&read(before)?, &read(after)?);
    if json {
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    for one in &all {
        let way = match one.way {
            Way::Tighter => "更严 tighter",
            Way::Looser => "更松 looser ",
            Way::Other => "其他 other  ",
        };
        let (what, member) = (&one.what, &one.member);
        if one.from.is_null() && one.to.is_null() {
            println!("{way}  {what}  {member}");
        } else {
            println!("{way}  {what}  {member}: {} -> {}", one.from, one.to);
        }
    }
    Ok(())
}

pub(super) async fn proposed(place: &Place, file: &Path, by: &str) -> Result<(), StartError> {
    let yaml = text(file)?;
    policy::check(&yaml).map_err(|faults| unsound(file, &faults))?;
    let doc = policy::read(&yaml).map_err(|faults| unsound(file, &faults))?;
    let (app, id, grants) = somebody(place, by).await?;
    let person = Person {
        id: &id,
        grants: &grants,
    };
    let proposal = Proposal {
        document: serde_json::to_value(&doc)?,
        signature: None,
        signer: None,
    };
    let done = propose::propose(&app, person, proposal).await;
    let (region, version) = done.map_err(words)?;
    println!("已提出 proposed: {region} version {version}; 由另一人发布 for another to publish");
    Ok(())
}

async fn withdrawn(place: &Place, region: &str, version: i64, by: &str) -> Result<(), StartError> {
    let (app, id, grants) = somebody(place, by).await?;
    let person = Person {
        id: &id,
        grants: &grants,
    };
    let done = propose::withdraw(&app, person, region, version).await;
    done.map_err(words)?;
    println!("已撤回 withdrawn: {region} version {version}");
    Ok(())
}

async fn published(
    place: &Place,
    (region, version): (&str, i64),
    by: &str,
    digest: Option<&str>,
) -> Result<(), StartError> {
    let (app, id, grants) = somebody(place, by).await?;
    let person = Person {
        id: &id,
        grants: &grants,
    };
    let done = propose::publish(&app, person, (region, version), digest).await;
    done.map_err(words)?;
    println!("已发布 published: {region} version {version}");
    Ok(())
}

async fn what_if(
    place: &Place,
    file: &Path,
    (from, to): (&str, &str),
    json: bool,
) -> Result<(), StartError> {
    let yaml = text(file)?;
    policy::check(&yaml).map_err(|faults| unsound(file, &faults))?;
    let doc = policy::read(&yaml).map_err(|faults| unsound(file, &faults))?;
    let draft = policy::sound(&doc).map_err(|faults| unsound(file, &faults))?;
    let period = Period::of(from, to).ok_or("日期不对，最多一年。name two days, at most a year")?;
    let app = open(place).await?;
    let mut trial = WhatIf::new(&app, &doc, draft, period);
    trial.beside_a_server = false;
    let watch = Stopwatch::start();
    let report = trial.run().await.map_err(|why| match why {
        Broken::Store(error) => StartError::from(error),
        Broken::Cancelled | Broken::Judge => "试算中断。the trial broke off".into(),
    })?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    for counted in &report.by_rule {
        let Told { rule, from, to } = &counted.change;
        println!("{:>8}  {rule}  {from} -> {to}", counted.records);
    }
    println!(
        "{} 条试算 judged, {} 条改变 would change; 未试算 not tried: {} held, {} refused; {} ms",
        report.judged,
        report.changed,
        report.held_not_tried,
        report.refused_not_tried,
        watch.elapsed_ms()
    );
    Ok(())
}

/// The database, and a person of it with all grants.
async fn somebody(
    place: &Place,
    telephone: &str,
) -> Result<(App, String, Vec<xiangyi_sync::world::Granted>), StartError> {
    let app = open(place).await?;
    let id = person_of(&app, telephone).await?;
    let mut tx = app.db.read().await?;
    let grants = views::grants(&mut tx, &id).await?;
    Ok((app, id, grants))
}

fn words(why: NotDone) -> StartError {
    match why {
        NotDone::NotThere => {
            "没有这份草案，或此人在那里没有这个权限。there is no such draft, or the \
             person has no right to do this there"
                .into()
        }
        NotDone::Unsound(faults) => {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            format!("规则包不可用。the pack is not sound:\n{}", lines.join("\n")).into()
        }
        NotDone::Version => {
            "版本号必须大于已发布的和已提出的；发布的须是读过的那一份（--digest）。the version must be \
             above those that are published or proposed, and what is published is what was read \
             (--digest)"
                .into()
        }
        NotDone::Untrusted(_) => "签名不可信。the signature is not trusted".into(),
        NotDone::SamePerson => "要由另一个人发布。another person must publish it".into(),
        NotDone::Store(error) => error.into(),
    }
}
