//! What a view needs from the tables: grants, mailboxes, the streams that exist.

use std::collections::BTreeMap;

use xiangyi_proto::exchange::StreamRef;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::role::Role;
use xiangyi_sync::pull::{ShardView, StreamView};
use xiangyi_sync::view;
use xiangyi_sync::world::Granted;

use super::shards::{self, StreamRow};
use super::{StoreError, Tx, broken};
use crate::on;

/// Index: `granted(person)`.
const GRANTS: &str = "SELECT role, unit, from_at, to_at FROM granted WHERE person = $1";

/// Every grant of a person, ended ones too.
pub async fn grants(tx: &mut Tx, person: &str) -> Result<Vec<Granted>, StoreError> {
    let rows: Vec<(String, String, i64, Option<i64>)> = on!(tx, |c| sqlx::query_as(GRANTS)
        .bind(person)
        .fetch_all(c)
        .await)?;
    let all = rows.into_iter();
    all.map(|(role, unit, from_at, to_at)| granted(&role, unit, from_at, to_at))
        .collect()
}

/// A grant as its row tells it.
pub(super) fn granted(
    role: &str,
    unit: String,
    from_at: i64,
    to_at: Option<i64>,
) -> Result<Granted, StoreError> {
    Ok(Granted {
        role: Role::parse(role).ok_or(broken("granted", "role"))?,
        unit,
        from_at,
        to_at,
    })
}

/// Index: the primary key of `person_shard`.
const MAILBOXES: &str = "SELECT shard FROM person_shard WHERE person = $1 ORDER BY shard";

/// Shards in which a person has a mailbox.
pub async fn mailboxes(tx: &mut Tx, person: &str) -> Result<Vec<Shard>, StoreError> {
    let rows: Vec<(i64,)> = on!(tx, |c| sqlx::query_as(MAILBOXES)
        .bind(person)
        .fetch_all(c)
        .await)?;
    Ok(rows.into_iter().map(|(shard,)| Shard(shard)).collect())
}

/// A view as the snapshot shows it.
#[derive(Debug)]
pub struct View {
    /// Streams a person may read, whether they exist yet or not.
    pub streams: Vec<StreamRef>,
    /// Those that exist, with the heads of their shards.
    pub shards: Vec<ShardView>,
}

/// The view of a person now. Grants are passed in, because the caller has just read them.
pub async fn of(
    tx: &mut Tx,
    person: &str,
    grants: &[Granted],
    now: i64,
) -> Result<View, StoreError> {
    let mailboxes = mailboxes(tx, person).await?;
    let mut stations: BTreeMap<Shard, Vec<String>> = BTreeMap::new();
    let hub = |grant: &&Granted| {
        matches!(
            grant.role,
            Role::HubOfficer | Role::HubReviewer | Role::CountyBureau
        )
    };
    for grant in grants
        .iter()
        .filter(hub)
        .filter(|grant| grant.holds_at(now))
    {
        if let Some(shard) = xiangyi_proto::region::shard_of(&grant.unit) {
            let rows = shards::all_streams(tx, shard).await?;
            let units = rows
                .iter()
                .filter_map(|row| row.name.strip_prefix("station:"));
            stations.insert(shard, units.map(str::to_owned).collect());
        }
    }
    let of_shard = |shard: Shard| stations.get(&shard).cloned().unwrap_or_default();
    let streams = view::view(person, grants, &mailboxes, of_shard, now);
    let heads = shards::heads(tx).await?;
    let mut views = Vec::new();
    for head in heads {
        let names: Vec<&str> = streams
            .iter()
            .filter(|stream| stream.shard == head.id)
            .map(|stream| stream.stream.as_str())
            .collect();
        if names.is_empty() {
            continue;
        }
        let rows = shards::streams(tx, Shard(head.id), &names).await?;
        views.push(ShardView {
            shard: head.id,
            epoch: head.epoch,
            head: head.head_seq,
            streams: in_order(&names, rows),
        });
    }
    Ok(View {
        streams,
        shards: views,
    })
}

/// Streams in the order of the view, which is the order in which a page is filled.
fn in_order(names: &[&str], rows: Vec<StreamRow>) -> Vec<StreamView> {
    let mut by_name: BTreeMap<String, StreamRow> = rows
        .into_iter()
        .map(|row| (row.name.clone(), row))
        .collect();
    let stream = |name: &&str| {
        let row = by_name.remove(*name)?;
        Some(StreamView {
            id: row.id,
            name: row.name,
            floor: row.floor_seq,
        })
    };
    names.iter().filter_map(stream).collect()
}
