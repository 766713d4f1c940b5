//! Laws about records: what never changes, never comes back, and what sums count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use xiangyi_proto::kinds::Kind;
use xiangyi_sync::sums::Sum;

use super::{Commit, Ledger};
use crate::model::County;
use crate::story::{Check, holds};

/// 17: a voided record never comes back.
pub fn law_17_no_resurrection(ledger: &mut Ledger, county: &County, commit: &Commit) -> Check {
    for id in &commit.touched {
        let Some(record) = county.record(*id) else {
            continue;
        };
        // An item that is held again goes on in its own row.
        if record.kind == Kind::Held {
            continue;
        }
        let key = (commit.shard, *id);
        if record.void {
            ledger.void.insert(key);
            let none = record.placed.is_empty();
            holds("17", none, || format!("{id} is void and still placed"))?;
        }
        holds("17", record.void || !ledger.void.contains(&key), || {
            format!("{} {id} was void and lives", record.kind.name())
        })?;
    }
    Ok(())
}

/// 20: a check-in never changes.
pub fn law_20_check_ins_never_change(county: &County, commit: &Commit) -> Check {
    for before in commit
        .before
        .values()
        .filter(|record| record.kind == Kind::CheckIn)
    {
        let after = county.record(before.id);
        let same = after.is_some_and(|after| after.void || after.body == before.body);
        holds("20", same, || format!("check-in {} changed", before.id))?;
    }
    Ok(())
}

/// 21: nothing but what is derived changes after approval.
pub fn law_21_approved_is_locked(county: &County, commit: &Commit) -> Check {
    let approved = |record: &&xiangyi_sync::world::Record| {
        record.kind == Kind::Visit && record.text("/state") == Some("approved")
    };
    for before in commit.before.values().filter(approved) {
        let after = county.record(before.id);
        let same =
            after.is_some_and(|after| !after.void && said(&after.body) == said(&before.body));
        holds("21", same, || {
            format!("visit {} changed after approval", before.id)
        })?;
    }
    Ok(())
}

/// A body without what the server derives.
pub fn said(body: &Value) -> Value {
    let mut body = body.clone();
    if let Value::Object(members) = &mut body {
        members.remove("derived");
    }
    body
}

/// 26: sums equal a recount of the rows.
pub fn law_26_sums<'a>(county: &County, streams: impl IntoIterator<Item = &'a String>) -> Check {
    for name in streams {
        let Some(stream) = county.streams.get(name) else {
            continue;
        };
        let mut counted: BTreeMap<i64, Sum> = BTreeMap::new();
        for (id, row) in stream.rows.iter().filter(|(_, row)| !row.rm) {
            let sum = counted.entry(row.kind.number()).or_default();
            sum.add(*id, row.rev);
        }
        let kinds: BTreeSet<&i64> = counted.keys().chain(stream.sums.keys()).collect();
        for kind in kinds {
            let kept = stream.sums.get(kind).copied().unwrap_or_default();
            let sum = counted.get(kind).copied().unwrap_or_default();
            holds("26", kept == sum, || {
                format!("{name} kind {kind} keeps {kept:?}, its rows give {sum:?}")
            })?;
        }
    }
    Ok(())
}
