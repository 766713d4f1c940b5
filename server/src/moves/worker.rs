//! A worker changes station: roles end and begin, clients stay with a colleague, phones follow.

use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_sync::moves::Handover;
use xiangyi_sync::world::Granted;

use super::{By, Checklist, Move, NotMoved, moment, open_unit, serves, write};
use crate::app::App;
use crate::store::people::NewGrant;
use crate::store::{Tx, accounts, lists, shards, views};
use crate::trail::Entry;
use crate::whole::{GrantEnd, Whole};

pub(super) async fn run(app: &App, by: By<'_>, what: &Move) -> Result<Checklist, NotMoved> {
    let Move::Worker {
        person,
        from,
        to,
        clients_to,
        on,
        reason,
        dry_run,
    } = what
    else {
        return Err(NotMoved::NotThere);
    };
    by.may(app, from)?;
    let at = moment(app, on.as_deref())?;
    let old = region::shard_of(from).ok_or(NotMoved::Fault("/from", "unit-unknown"))?;
    let new = open_unit(app, to, at, "/to")?;
    by.may(app, to)?;
    if from == to {
        return Err(NotMoved::Fault("/to", "same-unit"));
    }
    let mut tx = app.db.read().await?;
    let grants = views::grants(&mut tx, person).await?;
    let mut leaving = roles(app, person, &grants, from, to, at)?;
    let cards = clients(app, &mut tx, old, person, from).await?;
    leaving.handovers = match clients_to {
        Some(taker) => taken(&mut tx, cards, (person, taker), (from, at), reason).await?,
        None if cards.is_empty() => Vec::new(),
        None => return Err(NotMoved::Fault("/clients_to", "required")),
    };
    let phones = accounts::phones(&mut tx, person).await?;
    drop(tx);
    let mut list = Checklist {
        dry_run: *dry_run,
        ..Checklist::default()
    };
    list.count(
        "phones",
        phones
            .iter()
            .filter(|phone| phone.state == "active")
            .count() as u64,
    );
    leaving.trail = Some(
        Entry::of(by.name(), "move-worker")
            .about(person)
            .at(from)
            .target(to.as_str())
            .because(reason),
    );
    if old == new {
        write(app, old, &leaving, *dry_run, &mut list).await?;
        return Ok(list);
    }
    // Another county: what begins comes first, so that nobody is nowhere in between.
    let arriving = Whole {
        gives: std::mem::take(&mut leaving.gives),
        ..Whole::default()
    };
    write(app, new, &arriving, *dry_run, &mut list).await?;
    write(app, old, &leaving, *dry_run, &mut list).await?;
    Ok(list)
}

/// The roles that end at one station and begin at the other.
fn roles(
    app: &App,
    person: &str,
    grants: &[Granted],
    from: &str,
    to: &str,
    at: i64,
) -> Result<Whole, NotMoved> {
    let here = |grant: &&Granted| {
        let moves = matches!(grant.role, Role::Worker | Role::StationLead);
        moves && grant.unit == from && grant.to_at.is_none_or(|to_at| to_at > at)
    };
    let mut whole = Whole::default();
    for grant in grants.iter().filter(here) {
        whole.ends.push(GrantEnd {
            person: person.to_owned(),
            role: grant.role,
            unit: from.to_owned(),
            from_at: grant.from_at,
            at,
        });
        let has = grants
            .iter()
            .any(|other| other.role == grant.role && other.unit == to && other.holds_at(at));
        let is_given = whole.gives.iter().any(|give| give.role == grant.role);
        if !has && !is_given {
            whole.gives.push(NewGrant {
                id: format!("g-{}", app.entropy.crockford(10)),
                person: person.to_owned(),
                role: grant.role,
                unit: to.to_owned(),
                from_at: at.max(grant.from_at),
                to_at: grant.to_at,
            });
        }
    }
    if whole.ends.is_empty() {
        return Err(NotMoved::NotThere);
    }
    Ok(whole)
}

/// Cards of a unit that are in a person's mailbox: those assigned to them now.
async fn clients(
    app: &App,
    tx: &mut Tx,
    shard: Shard,
    person: &str,
    unit: &str,
) -> Result<Vec<Uuid>, NotMoved> {
    let mailbox = format!("person:{person}");
    let Some(stream) = shards::streams(tx, shard, &[&mailbox]).await?.pop() else {
        return Ok(Vec::new());
    };
    let all = lists::all(tx, &app.sealer, shard.0, stream.id, Kind::Client, unit).await?;
    Ok(all.into_iter().map(|card| card.id).collect())
}

async fn taken(
    tx: &mut Tx,
    cards: Vec<Uuid>,
    (person, taker): (&str, &str),
    (unit, at): (&str, i64),
    reason: &str,
) -> Result<Vec<Handover>, NotMoved> {
    let grants = views::grants(tx, taker).await?;
    if taker == person || !serves(&grants, unit, at) {
        return Err(NotMoved::Fault("/clients_to", "not-serving"));
    }
    let handover = |client: Uuid| Handover {
        client,
        from: person.to_owned(),
        to: taker.to_owned(),
        at,
        reason: reason.to_owned(),
    };
    Ok(cards.into_iter().map(handover).collect())
}
