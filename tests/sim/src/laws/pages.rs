//! Laws about pages: who sees what, where a cursor stands, what a phone holds afterwards.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xiangyi_proto::exchange::{PullAnswer, Row, StreamRef};
use xiangyi_proto::ids::RecordId;
use xiangyi_proto::region::shard_of;
use xiangyi_proto::role::Role;
use xiangyi_proto::verdict::VerdictName;
use xiangyi_sync::apply::Outcome;
use xiangyi_sync::cursor::Cursor;
use xiangyi_sync::effects::RowWrite;
use xiangyi_sync::phone::{Phone, Place};
use xiangyi_sync::project;
use xiangyi_sync::world::{Admitted, Granted};

use super::Ledger;
use crate::model::{self, County, Store};
use crate::story::{Check, broken, holds};

/// Whether a person may read a stream: the table of streams, told again.
pub fn may_read(grants: &[Granted], person: &str, stream: &str, now: i64) -> bool {
    let (sort, of) = stream.split_once(':').unwrap_or((stream, ""));
    let as_one_of = |roles: &[Role]| {
        grants.iter().any(|grant| {
            let there = grant.unit == of || grant.unit.len() == 6 && of.starts_with(&grant.unit);
            roles.contains(&grant.role) && grant.holds_at(now) && there
        })
    };
    let county = || {
        grants.iter().any(|grant| {
            let in_county = shard_of(&grant.unit).is_some_and(|shard| shard.to_string() == of);
            grant.holds_at(now) && in_county
        })
    };
    match sort {
        "person" => of == person,
        "rules" | "reference" => true,
        "county" => county(),
        "station" => as_one_of(&[
            Role::Worker,
            Role::StationLead,
            Role::HubOfficer,
            Role::HubReviewer,
        ]),
        "cards" => as_one_of(&[Role::StationLead]),
        "hub" => as_one_of(&[Role::HubOfficer, Role::HubReviewer]),
        "restricted" => as_one_of(&[Role::HubReviewer]),
        _ => false,
    }
}

/// 14: nothing outside the view is sent, and shared copies say nothing confidential.
pub fn law_14_view_only(store: &Store, person: &str, page: &PullAnswer, now: i64) -> Check {
    let grants = store.grants.get(person).map_or(&[][..], Vec::as_slice);
    let named = page.enter.iter().chain(&page.reset).chain(&page.swept);
    let named = named.map(|stream| stream.stream.as_str());
    let changed = page.changes.iter().map(|changes| changes.stream.as_str());
    let summed = page.sums.iter().map(|sum| sum.stream.as_str());
    for stream in named.chain(changed).chain(summed) {
        holds("14", may_read(grants, person, stream, now), || {
            format!("{person} was sent something of {stream}")
        })?;
    }
    for changes in &page.changes {
        let shared = ["station:", "county:", "hub:"];
        if !shared.iter().any(|sort| changes.stream.starts_with(sort)) {
            continue;
        }
        for row in &changes.rows {
            let spec = xiangyi_proto::kinds::Kind::parse(&row.kind).map(|kind| kind.spec());
            let body: Option<Value> = row
                .body
                .as_ref()
                .and_then(|body| serde_json::from_str(body.get()).ok());
            let starred = spec
                .iter()
                .flat_map(|spec| spec.fields)
                .filter(|f| f.starred);
            for field in starred {
                let said = body.as_ref().and_then(|body| body.pointer(field.path));
                holds("14", said.is_none(), || {
                    format!(
                        "{} of a {} stands in {}",
                        field.path, row.kind, changes.stream
                    )
                })?;
            }
        }
    }
    Ok(())
}

/// 14: a conflict shows no more of the stored record than the person reads.
pub fn law_14_conflict(
    store: &Store,
    county: &County,
    item: &Admitted,
    outcome: &Outcome,
    now: i64,
) -> Check {
    let Outcome::Verdict(verdict) = outcome else {
        return Ok(());
    };
    let Some(current) = &verdict.current else {
        return Ok(());
    };
    if verdict.verdict != VerdictName::Conflict {
        return Ok(());
    }
    let grants = store
        .grants
        .get(&item.person)
        .map_or(&[][..], Vec::as_slice);
    let mut seen = BTreeSet::new();
    for stream in county.placed.get(&verdict.id).into_iter().flatten() {
        let row = county.streams[stream].rows.get(&verdict.id);
        if let Some(row) = row.filter(|_| may_read(grants, &item.person, stream, now)) {
            leaves(&model::body(row), "", &mut seen);
        }
    }
    let mut told = BTreeSet::new();
    leaves(current, "", &mut told);
    let leaked = told.iter().find(|leaf| !seen.contains(*leaf));
    // What the same commit changed afterwards is no longer there to compare with.
    let record = county.record(verdict.id);
    let same = record.is_some_and(|record| !record.void && Some(record.rev) == verdict.rev);
    holds("14", leaked.is_none() || !same, || {
        format!("{} was told {leaked:?} of {}", item.person, verdict.id)
    })
}

fn leaves(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                leaves(value, &format!("{at}/{name}"), into);
            }
        }
        _ => drop(into.insert(at.to_owned())),
    }
}

/// Where a cursor stands in every stream of a shard.
fn places(cursor: &Cursor) -> BTreeMap<(i64, i64), i64> {
    let mut places = BTreeMap::new();
    for place in &cursor.shards {
        for stream in &place.streams {
            let lag =
                |lag: &&xiangyi_sync::cursor::Lag| lag.stream == *stream && lag.kinds.is_empty();
            let at = place
                .lagging
                .iter()
                .find(lag)
                .map_or(place.seq, |lag| lag.position);
            places.insert((place.shard, *stream), at);
        }
    }
    places
}

/// 9: a cursor never goes back, but for streams that are read again; 13: each page moves on.
pub fn law_9_and_13(
    store: &Store,
    person: &str,
    old: Option<&str>,
    page: &PullAnswer,
    enters_anew: bool,
) -> Check {
    let Some(new) = page.cursor.as_deref() else {
        return holds("13", !page.more, || "more, and no cursor".to_owned());
    };
    let read = |text: &str| Cursor::decode(text, person);
    let Ok(new) = read(new) else {
        return broken("9", "the cursor of a reply cannot be read");
    };
    let Some(old) = old.and_then(|old| read(old).ok()) else {
        return Ok(());
    };
    let (before, after) = (places(&old), places(&new));
    let again = |shard: i64, id: i64| {
        let names = page.reset.iter().chain(&page.enter);
        let mut names = names.filter(|name| name.shard == shard);
        names.any(|name| {
            store.counties[&shard]
                .streams
                .get(&name.stream)
                .map(|s| s.id)
                == Some(id)
        })
    };
    for ((shard, id), was) in &before {
        let Some(is) = after.get(&(*shard, *id)) else {
            continue;
        };
        holds("9", is >= was || again(*shard, *id), || {
            format!("stream {id} of {shard} went back from {was} to {is}")
        })?;
    }
    let moved = old != new || enters_anew;
    holds("13", !page.more || moved, || {
        "a page that goes nowhere".to_owned()
    })
}

/// 15: rows of streams that are not in the view are gone. 17: no voided record is put again.
pub fn law_15_and_17(
    phone: &Phone,
    view: &[StreamRef],
    ledger: &Ledger,
    page: &PullAnswer,
) -> Check {
    let view: BTreeSet<(i64, &str)> = view.iter().map(|s| (s.shard, s.stream.as_str())).collect();
    let strange = phone
        .rows
        .keys()
        .find(|(shard, stream, _)| !view.contains(&(*shard, stream)));
    holds("15", strange.is_none(), || {
        format!("{} still holds {strange:?}", phone.device)
    })?;
    for changes in &page.changes {
        for row in changes
            .rows
            .iter()
            .filter(|row| !row.rm && row.kind != "held")
        {
            let void = ledger.void.contains(&(changes.shard, row.id));
            holds("17", !void, || format!("{} is void and was sent", row.id))?;
        }
    }
    Ok(())
}

/// 10 and 11: nothing more to read means that the phone holds every row of its view, and no other.
pub fn law_10_and_11(
    phone: &Phone,
    store: &Store,
    view: &[StreamRef],
    kinds: &BTreeSet<u64>,
) -> Check {
    let mut theirs: BTreeMap<(i64, String, RecordId), &RowWrite> = BTreeMap::new();
    for name in view {
        let county = store.counties.get(&name.shard);
        let stream = county.and_then(|county| county.streams.get(&name.stream));
        for (id, row) in stream.iter().flat_map(|stream| &stream.rows) {
            if !row.rm && kinds.contains(&(row.kind.number() as u64)) {
                theirs.insert((name.shard, name.stream.clone(), *id), row);
            }
        }
    }
    let is_here = |(key, row): &(&(i64, String, RecordId), &&RowWrite)| {
        let held = phone.rows.get(*key).map(|held| &held.row);
        held.is_some_and(|own| own.rev == row.rev && own.seq == row.seq && says(own, row))
    };
    let missing = theirs.iter().find(|entry| !is_here(entry));
    holds("10", missing.is_none(), || {
        let own = missing.and_then(|(key, _)| phone.rows.get(key));
        format!("{} lacks {missing:?}, has {own:?}", phone.device)
    })?;
    let mut ours = phone.rows.keys();
    let extra = ours.find(|key| !theirs.contains_key(*key));
    holds("11", extra.is_none(), || {
        format!("{} has {extra:?} too many", phone.device)
    })
}

/// Whether a phone's row says what the server's does. Most are the same letter for letter; only
/// the others are read.
fn says(own: &Row, row: &RowWrite) -> bool {
    let text = project::join(&row.open, row.sealed.as_deref());
    let same = own.body.as_ref().is_some_and(|body| body.get() == text);
    same || said(own) == model::body(row)
}

fn said(row: &Row) -> Value {
    let body = row.body.as_ref();
    body.map_or(Value::Null, |body| {
        serde_json::from_str(body.get()).expect("a body is JSON")
    })
}

/// 12: an exchange that is repeated leaves the phone as it was left.
pub fn law_12_same_phone(once: &Phone, again: &Phone) -> Check {
    let places = |phone: &Phone| -> Vec<_> {
        let entries = phone.entries.values();
        entries.map(|entry| (entry.n, entry.place)).collect()
    };
    // What became final in the commit that held it is said to be final the second time.
    let places_fit = || {
        let pairs = places(once).into_iter().zip(places(again));
        pairs
            .into_iter()
            .all(|(once, again)| once == again || once.1 == Place::Held)
    };
    let rows = |phone: &Phone| -> Vec<_> {
        let rows = phone.rows.iter();
        rows.map(|(key, held)| {
            let row = &held.row;
            (key.clone(), row.rev, row.seq, held.marked, said(row))
        })
        .collect()
    };
    let same = places_fit()
        && rows(once) == rows(again)
        && once.cursor == again.cursor
        && once.streams == again.streams;
    holds("12", same, || {
        format!(
            "{} repeated: {:?} {:?}",
            once.device,
            places(once),
            places(again)
        )
    })
}
