//! Laws of a quiet world: everything is sent, answered, read, counted.

use std::collections::{BTreeMap, BTreeSet};

use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::verdict::{HeldFor, Verdict};
use xiangyi_sync::effects::{FINAL, RollupDelta, RollupKey};
use xiangyi_sync::kinds;
use xiangyi_sync::phone::{Phone, Place};
use xiangyi_sync::policy::{Fact, facts_made};
use xiangyi_sync::world::{ClaimState, Held, World};
use xiangyi_sync::{decide, hold, keep};

use super::records::law_26_sums;
use crate::core::Core;
use crate::handset::Handset;
use crate::model::{County, Store};
use crate::server::POISON;
use crate::story::{Check, broken, holds};

/// 1: what a phone saw stored is in the store, with its verdict.
pub fn law_1_nothing_lost(store: &Store, phone: &Phone) -> Check {
    for entry in phone.entries.values() {
        if entry.place != Place::Committed {
            continue;
        }
        let Some(verdict) = &entry.verdict else {
            return broken("1", format!("{} {} has no verdict", phone.device, entry.n));
        };
        let stored = verdict.was.as_deref().unwrap_or(verdict);
        let device = &phone.device;
        let kept = store.counties.values().any(|county| {
            let logged = [device.clone(), format!("{FINAL}{device}")]
                .into_iter()
                .any(|device| county.log.contains_key(&(device, entry.n)));
            let record = county.record(stored.id);
            logged && record.is_some_and(|record| Some(record.rev) >= stored.rev)
        });
        holds("1", kept, || {
            format!("{device} {} was stored and is lost: {verdict:?}", entry.n)
        })?;
    }
    Ok(())
}

/// 1: what a phone saw stored is stored, or before a reviewer, through every restore.
pub fn law_1_nothing_turned_away(hand: &Handset) -> Check {
    let phone = &hand.phone;
    for n in &hand.stored {
        let Some(entry) = phone.entries.get(n) else {
            return broken("1", format!("{} forgot {n}", phone.device));
        };
        let rule = entry.verdict.as_ref().and_then(|verdict| {
            let last = verdict.was.as_deref().unwrap_or(verdict);
            last.rule.as_ref()
        });
        let by_review = rule.is_some_and(|rule| rule.pack == "review");
        // Or it came back as held, and a person let it go on to where it could not.
        let by_itself = ["hold-expired", "dependency-refused"];
        let by_itself = rule.is_some_and(|rule| by_itself.contains(&rule.id.as_str()));
        let held = hand.held_again.contains(n) && !by_itself;
        let by_review = by_review || held || hand.reviewed.contains(n);
        let fine = matches!(entry.place, Place::Committed | Place::Held) || by_review;
        holds("1", fine, || {
            format!("{} {n} was stored and is now {entry:?}", phone.device)
        })?;
        holds("1", !phone.is_lost(entry), || {
            format!("{} {n} was never sent once more", phone.device)
        })?;
    }
    Ok(())
}

/// 5: each mutation that was written down is in exactly one place.
pub fn law_5_each_in_one_place(phone: &Phone, created: &BTreeSet<i64>) -> Check {
    let here: BTreeSet<i64> = phone.entries.keys().copied().collect();
    holds("5", here == *created, || {
        let lost: Vec<_> = created.symmetric_difference(&here).collect();
        format!("{} does not account for {lost:?}", phone.device)
    })?;
    for entry in phone.entries.values() {
        let answered = entry.place == Place::Outbox || entry.verdict.is_some();
        holds("5", answered, || {
            format!("{} {} moved unanswered", phone.device, entry.n)
        })?;
    }
    Ok(())
}

/// 7: with a working link the outbox empties.
pub fn law_7_outbox_empties(phone: &Phone) -> Check {
    let waits = |entry: &&xiangyi_sync::phone::Entry| {
        entry.place == Place::Outbox && !entry.raw.contains(POISON)
    };
    let left = phone.entries.values().find(waits);
    holds("7", left.is_none(), || {
        format!("{} still holds {left:?}", phone.device)
    })
}

/// 24: what a phone takes for held is held, and what is final has reached its author.
pub fn law_24_finals_arrive(store: &Store, phone: &Phone) -> Check {
    for entry in phone
        .entries
        .values()
        .filter(|entry| entry.place == Place::Held)
    {
        let ended = (format!("{FINAL}{}", phone.device), entry.n);
        let ended = |county: &County| county.log.contains_key(&ended);
        let known = store.counties.values().any(ended);
        holds("24", !known, || {
            format!("{} {} is final and its author waits", phone.device, entry.n)
        })?;
        let same = |verdict: &Verdict| verdict.was.as_deref().map_or(verdict.id, |was| was.id);
        let record = entry.verdict.as_ref().map(same);
        let held = |county: &County| county.held.values().any(|row| Some(row.record) == record);
        let held = store.counties.values().any(held);
        holds("24", held, || {
            format!("{} {} waits for nothing", phone.device, entry.n)
        })?;
    }
    Ok(())
}

/// 24: nothing waits for a record beyond its days, and what a person must decide escalates.
pub fn law_24_holds_end(county: &County, now: i64) -> Check {
    for (id, row) in &county.held {
        let fine = match row.reason {
            HeldFor::Missing => row.until_at.is_some_and(|until| until > now),
            HeldFor::Review => {
                let waits = county
                    .timers
                    .contains_key(&("hold-escalates".to_owned(), id.to_string()));
                row.escalated || waits
            }
        };
        holds("24", fine, || {
            format!("{id} is held for {:?} for ever", row.reason)
        })?;
    }
    Ok(())
}

/// Whether an item names a record that was voided.
fn names_a_void(county: &County, held: &Held) -> bool {
    let mutation = &held.item.mutation;
    let kind = held.item.kind;
    let body = mutation.body.as_ref();
    let named = kind.zip(body).map(|(kind, body)| decide::named(kind, body));
    let mut all = mutation
        .needs
        .iter()
        .copied()
        .chain(named.unwrap_or_default());
    all.any(|id| county.record(id).is_some_and(|record| record.void))
}

/// 24: what waits for a record would still wait if it were judged now.
pub fn law_24_waits_for_a_reason(core: &Core, shard: i64, now: i64) -> Check {
    let county = &core.store.counties[&shard];
    let waiting = county
        .held
        .iter()
        .filter(|(_, row)| row.reason == HeldFor::Missing);
    for (id, row) in waiting {
        let mut world = World::new(Shard(shard), county.head);
        core.store.load_all(county, &mut world);
        let env = core.env(now);
        let held = hold::take(&mut world, *id, &env);
        let void = held.as_ref().is_some_and(|held| names_a_void(county, held));
        let verdict = held.map(|held| hold::rejudge(&mut world, held, &env, None));
        let waits = verdict.as_ref().is_some_and(|verdict| !verdict.is_final());
        // What else it names may have been voided meanwhile; that comes out when its wait ends.
        let waits = waits || void;
        holds("24", waits, || {
            format!(
                "{id} waits for {:?} and could be {verdict:?}: {}",
                row.needs, row.item
            )
        })?;
    }
    Ok(())
}

/// 26 over every stream; F and R: facts and counts equal a recount; P: rows stand where they
/// belong.
pub fn recounts(store: &Store, county: &County, now: i64) -> Check {
    law_26_sums(county, county.streams.keys())?;
    law_f_facts(county)?;
    law_r_counts(county)?;
    law_p_placements(store, county, now)?;
    law_p_needs(county)?;
    law_p_evidence(store, county)?;
    law_18_nothing_lies_idle(county, now)
}

fn law_f_facts(county: &County) -> Check {
    let mut made: Vec<Fact> = Vec::new();
    for record in county.records().filter(|record| !record.void) {
        made.extend(kinds::rules(record.kind).facts(&record));
        made.extend(facts_made(&keep::asked_of(&record), record.id));
    }
    let print = |facts: &[Fact]| {
        let mut lines: Vec<String> = facts.iter().map(|fact| format!("{fact:?}")).collect();
        lines.sort();
        lines
    };
    let (kept, made) = (print(&county.facts), print(&made));
    let extra = kept.iter().find(|fact| !made.contains(fact));
    let lacks = made.iter().find(|fact| !kept.contains(fact));
    holds("F", kept == made, || {
        format!("facts: {extra:?} too many, {lacks:?} missing")
    })
}

fn law_r_counts(county: &County) -> Check {
    let mut counted: BTreeMap<RollupKey, RollupDelta> = BTreeMap::new();
    for record in county.records().filter(|record| !record.void) {
        for (key, delta) in kinds::rules(record.kind).measure(&record) {
            counted.entry(key).or_default().shift(delta, 1);
        }
    }
    for (key, kept) in &county.rollups {
        let sum = counted.remove(key).unwrap_or_default();
        holds("R", *kept == sum, || {
            format!("{key:?} keeps {kept:?}, is {sum:?}")
        })?;
    }
    let left = counted
        .iter()
        .find(|(_, sum)| **sum != RollupDelta::default());
    holds("R", left.is_none(), || format!("{left:?} is not kept"))
}

/// P: a record stands in exactly the streams that follow from everything that is stored.
fn law_p_placements(store: &Store, county: &County, now: i64) -> Check {
    let mut world = World::new(Shard(county.shard.0), county.head);
    store.load_all(county, &mut world);
    for record in county.records().filter(|record| !record.void) {
        let due = world.streams(&record, now);
        let placed: BTreeSet<String> = record.placed.keys().cloned().collect();
        holds("P", due == placed, || {
            format!(
                "{} {} stands in {placed:?}, belongs in {due:?}",
                record.kind.name(),
                record.id
            )
        })?;
    }
    Ok(())
}

/// P: a visit shows as many of its photographs as are complete.
fn law_p_evidence(store: &Store, county: &County) -> Check {
    for visit in county.live(Kind::Visit) {
        let declared = kinds::photos_in(visit.body.get("photos"));
        let here = |sha: &&String| {
            store
                .photos
                .contains(&((*sha).clone(), visit.author.clone()))
        };
        let (here, shown) = (
            declared.iter().filter(here).count(),
            visit.int("/derived/photos_here"),
        );
        holds("P", shown == Some(here as i64), || {
            format!("visit {} shows {shown:?} of {here} photographs", visit.id)
        })?;
    }
    Ok(())
}

/// 18: of an open lot nothing is free that somebody in line could take whole.
fn law_18_nothing_lies_idle(county: &County, now: i64) -> Check {
    let lots = county
        .slots
        .iter()
        .filter(|((_, name), _)| name == kinds::LOT);
    for ((owner, name), slot) in lots {
        let open = county.record(*owner).is_some_and(|record| !record.void);
        let free = slot.capacity - slot.confirmed - slot.offered;
        let fits = |claim: &&xiangyi_sync::world::Claim| {
            let here = claim.slot == *owner && claim.name == *name;
            here && claim.state == ClaimState::Waiting && claim.quantity <= free
        };
        let waits = county.claims.values().find(fits);
        let idle = open && now < slot.starts_at && waits.is_some();
        holds("18", !idle, || {
            format!("{free} of {owner} lie idle beside {waits:?}")
        })?;
    }
    Ok(())
}

/// P: a need counts what links have promised it.
fn law_p_needs(county: &County) -> Check {
    for need in county.live(Kind::Need) {
        let about = |link: &xiangyi_sync::world::Record| {
            link.text("/need") == Some(need.id.to_string().as_str())
        };
        let links = county.live(Kind::Link).filter(about);
        let claims = links.filter_map(|link| county.claims.get(&link.id));
        let promised: i64 = claims.map(xiangyi_sync::world::Claim::promised).sum();
        let linked = need.int("/derived/linked").unwrap_or(0);
        holds("P", linked == promised, || {
            format!("need {} counts {linked}, links promise {promised}", need.id)
        })?;
    }
    Ok(())
}
