//! Somebody who was entered twice becomes one: rights, clients, places and the way in.
//!
//! What was reported keeps its author. See `server/decisions/0025-one-person-entered-twice.md`.

use std::collections::BTreeSet;

use serde_json::Value;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_sync::merging::Merging;
use xiangyi_sync::world::Granted;

use super::{By, Checklist, Move, NotMoved, write};
use crate::app::App;
use crate::store::people::{self, NewGrant};
use crate::store::{StoreError, Tx, accounts, keys, lists, shards, views, webhooks, wechat};
use crate::trail::{self, Entry};
use crate::wechat::openid::place;
use crate::whole::{GrantEnd, Whole};

/// Roles that an officer may bring together. Others decide over people, and whoever could merge
/// them could give them: that is for whoever holds the machine.
const FIELD: [Role; 5] = [
    Role::Worker,
    Role::StationLead,
    Role::AgencyManager,
    Role::Volunteer,
    Role::ActivityLeader,
];

/// Who becomes whom.
struct Pair<'a> {
    from: &'a str,
    into: &'a str,
    theirs: Vec<Granted>,
    own: Vec<Granted>,
}

pub(super) async fn run(app: &App, by: By<'_>, what: &Move) -> Result<Checklist, NotMoved> {
    let Move::Person {
        person,
        into,
        reason,
        dry_run,
    } = what
    else {
        return Err(NotMoved::NotThere);
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    for id in BTreeSet::from([person, into]) {
        people::in_turn(&mut tx, id).await?;
    }
    let pair = Pair {
        from: person,
        into,
        theirs: views::grants(&mut tx, person).await?,
        own: views::grants(&mut tx, into).await?,
    };
    let was = people::merged_into(&mut tx, person).await?;
    let other = people::merged_into(&mut tx, into).await?;
    let (Some(was), Some(other)) = (was, other) else {
        return Err(NotMoved::NotThere);
    };
    let counties = counties(&mut tx, &pair).await?;
    allowed(app, by, &pair, &counties)?;
    if person == into {
        return Err(NotMoved::Fault("/into", "same-person"));
    }
    if reason.trim().is_empty() {
        return Err(NotMoved::Fault("/reason", "required"));
    }
    if was.as_ref().is_some_and(|was| was != into) {
        return Err(NotMoved::Fault("/person", "merged-already"));
    }
    if other.is_some() {
        return Err(NotMoved::Fault("/into", "merged-already"));
    }
    let mut list = Checklist {
        dry_run: *dry_run,
        ..Checklist::default()
    };
    list.count("merged_already", u64::from(was.is_some()));
    account(app, &mut tx, &pair, now, &mut list).await?;
    let mut lasting = pair
        .theirs
        .iter()
        .chain(&pair.own)
        .map(|grant| grant.unit.as_str());
    let entry = Entry::of(by.name(), "move-person")
        .about(person)
        .at(lasting.next().unwrap_or_default())
        .target(into.as_str());
    trail::put(app, &mut tx, &entry.because(reason)).await?;
    if *dry_run {
        drop(tx);
    } else {
        tx.commit().await?;
    }
    let wholes = wholes(app, &pair, &counties, reason, now).await?;
    for (shard, whole) in &wholes {
        write(app, *shard, whole, *dry_run, &mut list).await?;
    }
    Ok(list)
}

/// Counties that know the entry: it has, or once had, a role, a mailbox or a webhook there.
async fn counties(tx: &mut Tx, pair: &Pair<'_>) -> Result<BTreeSet<Shard>, StoreError> {
    let mailboxes = views::mailboxes(tx, pair.from).await?.into_iter();
    let units = pair.theirs.iter();
    let once = units.filter_map(|grant| region::shard_of(&grant.unit));
    let hooks = webhooks::made_by(tx, pair.from).await?;
    let hooks = hooks.into_iter().map(Shard);
    Ok(mailboxes.chain(once).chain(hooks).collect())
}

/// An officer needs every unit of both and every county that is written into, and may bring
/// together only who works in the field.
fn allowed(
    app: &App,
    by: By<'_>,
    pair: &Pair<'_>,
    counties: &BTreeSet<Shard>,
) -> Result<(), NotMoved> {
    if matches!(by, By::Operator) {
        return Ok(());
    }
    for county in counties {
        by.may(app, &county.to_string())?;
    }
    let now = app.clock.now();
    for grants in [&pair.theirs, &pair.own] {
        let lasts = |grant: &&Granted| grant.to_at.is_none_or(|to_at| to_at > now);
        let lasting: Vec<&Granted> = grants.iter().filter(lasts).collect();
        // Who has nothing any more was where their last roles were.
        let asked = match lasting.is_empty() {
            true => grants.iter().collect(),
            false => lasting,
        };
        if asked.is_empty() {
            return Err(NotMoved::NotThere);
        }
        for grant in asked {
            by.may(app, &grant.unit)?;
            if !FIELD.contains(&grant.role) {
                return Err(NotMoved::NotThere);
            }
        }
    }
    Ok(())
}

/// The way in: what is signed in ends, the telephone and WeChat lead to the person, phones may hand
/// over what is on them. Roles beyond a county change hands here too.
async fn account(
    app: &App,
    tx: &mut Tx,
    pair: &Pair<'_>,
    now: i64,
    list: &mut Checklist,
) -> Result<(), NotMoved> {
    let (from, into) = (pair.from, pair.into);
    people::merge(tx, from, into).await?;
    list.count("sessions", accounts::end_others(tx, from, "").await?);
    list.count("phones", accounts::give_phones(tx, from, into).await?);
    list.count("wechat", u64::from(bound(app, tx, from, into, now).await?));
    wechat::give_messages(tx, from, into).await?;
    let wide = rights(app, pair, now, |unit| region::shard_of(unit).is_none());
    for end in &wide.ends {
        let ended = people::revoke(tx, from, end.role, &end.unit, now).await?;
        list.count("grants_ended", ended);
    }
    for give in &wide.gives {
        let given = people::grant(tx, give).await?;
        list.count("grants_given", u64::from(given));
    }
    Ok(())
}

/// Gives the mini-program's user to the person who has none, and forgets it otherwise; says
/// whether it was given.
async fn bound(
    app: &App,
    tx: &mut Tx,
    from: &str,
    into: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let Some(sealed) = wechat::openid_of(tx, from).await? else {
        return Ok(false);
    };
    let has = wechat::openid_of(tx, into).await?.is_some();
    wechat::unbind(tx, from).await?;
    if has {
        return Ok(false);
    }
    let both = [from, into];
    let keyring = keys::of(tx, &app.sealer, keys::PEOPLE, both, &app.entropy).await?;
    let opened = keyring.open(from, &place(from), &sealed).ok();
    let openid = opened.and_then(|bytes| String::from_utf8(bytes).ok());
    let (Some(openid), Some(key)) = (openid, keyring.key(into)) else {
        return Ok(false);
    };
    let sealed = key.seal(&app.entropy, &place(into), openid.as_bytes());
    let index = app.sealer.index("openid", &openid);
    wechat::give_credits(tx, from, into).await?;
    wechat::bind(tx, &index, into, &sealed, now).await
}

/// Roles of some units that end, and those that the person has not: with the same bounds.
fn rights(app: &App, pair: &Pair<'_>, now: i64, of: impl Fn(&str) -> bool) -> Whole {
    let lasts = |grant: &&Granted| grant.to_at.is_none_or(|to_at| to_at > now);
    let mut whole = Whole::default();
    for grant in pair
        .theirs
        .iter()
        .filter(lasts)
        .filter(|grant| of(&grant.unit))
    {
        whole.ends.push(GrantEnd {
            person: pair.from.to_owned(),
            role: grant.role,
            unit: grant.unit.clone(),
            from_at: grant.from_at,
            at: now,
        });
        let until = |to_at: Option<i64>| to_at.unwrap_or(i64::MAX);
        let covers = |own: &Granted| {
            let same = own.role == grant.role && own.unit == grant.unit;
            same && own.from_at <= grant.from_at.max(now) && until(own.to_at) >= until(grant.to_at)
        };
        if !pair.own.iter().any(covers) {
            whole.gives.push(NewGrant {
                id: format!("g-{}", app.entropy.crockford(10)),
                person: pair.into.to_owned(),
                role: grant.role,
                unit: grant.unit.clone(),
                from_at: grant.from_at,
                to_at: grant.to_at,
            });
        }
    }
    whole
}

/// What is written into each county that knows the entry.
async fn wholes(
    app: &App,
    pair: &Pair<'_>,
    counties: &BTreeSet<Shard>,
    reason: &str,
    now: i64,
) -> Result<Vec<(Shard, Whole)>, NotMoved> {
    let mut tx = app.db.read().await?;
    let mut wholes = Vec::new();
    for &shard in counties {
        let mut whole = rights(app, pair, now, |unit| region::shard_of(unit) == Some(shard));
        whole.merging = Some(Merging {
            from: pair.from.to_owned(),
            to: pair.into.to_owned(),
            at: now,
            reason: reason.to_owned(),
            cards: cards(app, &mut tx, shard, pair.from, now).await?,
            ..Merging::default()
        });
        wholes.push((shard, whole));
    }
    Ok(wholes)
}

/// Cards of a county that name a person now or later: all of the vault is looked through, because
/// what is assigned later stands in no mailbox yet.
async fn cards(
    app: &App,
    tx: &mut Tx,
    shard: Shard,
    person: &str,
    now: i64,
) -> Result<Vec<uuid::Uuid>, StoreError> {
    let vault = format!("vault:{shard}");
    let Some(stream) = shards::streams(tx, shard, &[&vault]).await?.pop() else {
        return Ok(Vec::new());
    };
    let all = lists::all(tx, &app.sealer, shard.0, stream.id, Kind::Client, "").await?;
    let names = |card: &lists::Listed| {
        let body: Value = serde_json::from_str(&card.body).unwrap_or_default();
        let workers = body.get("workers").and_then(Value::as_array);
        workers.into_iter().flatten().any(|entry| {
            let to = entry.get("to").and_then(Value::as_i64);
            entry["person"] == *person && to.is_none_or(|to| to > now)
        })
    };
    Ok(all
        .iter()
        .filter(|card| names(card))
        .map(|card| card.id)
        .collect())
}
