//! An agency's contract ends: the roles at its stations end on the day. Records stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use xiangyi_proto::ids::Shard;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;

use super::{By, Checklist, Move, NotMoved, moment, write};
use crate::app::App;
use crate::store::{people, places};
use crate::trail::{self, Entry};
use crate::whole::{GrantEnd, Whole};

/// Roles of those who work at a station under a contract.
const UNDER_CONTRACT: [Role; 3] = [Role::Worker, Role::StationLead, Role::AgencyManager];

pub(super) async fn run(app: &App, by: By<'_>, what: &Move) -> Result<Checklist, NotMoved> {
    let Move::Agency {
        licence,
        on,
        dry_run,
    } = what
    else {
        return Err(NotMoved::NotThere);
    };
    let at = moment(app, on.as_deref())?;
    let mut tx = app.db.read().await?;
    let agencies = places::agencies(&mut tx).await?;
    let mut agency = agencies
        .into_iter()
        .find(|agency| agency.licence == *licence);
    let agency = agency.as_mut().ok_or(NotMoved::NotThere)?;
    // Its stations may be another's by now: what has ended is ended once.
    let is_over = agency.to_at.is_some_and(|to_at| to_at <= at);
    let stations = places::agency_stations(&mut tx).await?.into_iter();
    let mine = stations.filter(|(of, _)| of == licence);
    let stations: BTreeSet<String> = mine.map(|(_, unit)| unit).collect();
    if stations.is_empty() && matches!(by, By::Person(..)) {
        return Err(NotMoved::NotThere);
    }
    let mut by_shard: BTreeMap<Shard, Whole> = BTreeMap::new();
    let mut who = BTreeSet::new();
    for unit in &stations {
        by.may(app, unit)?;
        let whole = by_shard
            .entry(region::shard_of(unit).unwrap_or(Shard(0)))
            .or_default();
        if is_over {
            continue;
        }
        for role in UNDER_CONTRACT {
            for (person, from_at) in people::holders(&mut tx, role, unit, at).await? {
                who.insert(person.clone());
                whole.ends.push(GrantEnd {
                    person,
                    role,
                    unit: unit.clone(),
                    from_at,
                    at,
                });
            }
        }
    }
    drop(tx);
    let mut list = Checklist {
        dry_run: *dry_run,
        ..Checklist::default()
    };
    list.count("people", who.len() as u64);
    list.count("stations", stations.len() as u64);
    for (shard, whole) in &by_shard {
        write(app, *shard, whole, *dry_run, &mut list).await?;
    }
    if !dry_run && !is_over {
        agency.to_at = Some(at);
        let mut tx = app.db.write().await?;
        places::put_agency(&mut tx, agency).await?;
        for unit in &stations {
            let entry = Entry::of(by.name(), "move-agency").at(unit);
            trail::put(app, &mut tx, &entry.target(licence.as_str())).await?;
        }
        tx.commit().await?;
    }
    Ok(list)
}
