//! Reading streams: each pull is one index range per stream, in one snapshot.

use std::collections::BTreeSet;

use sqlx::FromRow;
use xiangyi_proto::exchange::StreamSum;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_sync::pull::{FeedRow, Scan};

use super::batch::{self, in_integers};
use super::dialect::Dual;
use super::keys;
use super::{StoreError, Tx, load, sealed};
use crate::accounts::seal::Sealer;
use crate::on;

/// Index: the primary key of `feed`.
const AFTER: &str = "SELECT seq, op, id, kind, rev, author, unit, village, occurred_at, \
     received_at, estimated_at, quality, body, sealed, sealed_for FROM feed \
     WHERE shard = $1 AND stream = $2 AND seq > $3 ORDER BY seq LIMIT $4";

#[derive(FromRow)]
struct StoredRow {
    seq: i64,
    op: i64,
    id: Vec<u8>,
    kind: i64,
    rev: i64,
    author: String,
    unit: String,
    village: Option<String>,
    occurred_at: i64,
    received_at: i64,
    estimated_at: i64,
    quality: i64,
    body: String,
    sealed: Option<Vec<u8>>,
    sealed_for: Option<String>,
}

/// Rows of a range, their sealed parts opened.
pub async fn after(tx: &mut Tx, sealer: &Sealer, scan: &Scan) -> Result<Vec<FeedRow>, StoreError> {
    let limit = i64::try_from(scan.limit).unwrap_or(i64::MAX);
    let rows: Vec<StoredRow> = on!(tx, |c| sqlx::query_as(AFTER)
        .bind(scan.shard)
        .bind(scan.stream)
        .bind(scan.after)
        .bind(limit)
        .fetch_all(c)
        .await)?;
    opened(tx, sealer, scan.shard, rows).await
}

async fn opened(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    rows: Vec<StoredRow>,
) -> Result<Vec<FeedRow>, StoreError> {
    let owners: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.sealed_for.as_deref())
        .collect();
    let keyring = keys::known(tx, sealer, shard, owners).await?;
    keyring.keep(sealer);
    let open = |row: StoredRow| {
        let id = load::id(&row.id)?;
        let part = row.sealed.as_deref().zip(row.sealed_for.as_deref());
        let body = match part {
            None => row.body,
            part => sealed::whole(&keyring, id, &row.body, part)?,
        };
        Ok(FeedRow {
            seq: row.seq,
            rm: row.op == 1,
            id,
            kind: row.kind,
            rev: row.rev,
            author: row.author,
            unit: row.unit,
            village: row.village,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            estimated_at: row.estimated_at,
            quality: row.quality,
            body,
        })
    };
    rows.into_iter().map(open).collect()
}

/// Index: the primary key of `stream_sum`.
const SUMS: Dual = in_integers!(
    "SELECT stream, kind, live, sum1, sum2, \
     (SELECT name FROM stream AS s WHERE s.shard = t.shard AND s.id = t.stream)",
    "stream_sum AS t WHERE shard = $1 AND stream = k0 ORDER BY kind"
);

/// What the server counts in these streams of a shard.
pub async fn sums(
    tx: &mut Tx,
    shard: Shard,
    streams: &BTreeSet<i64>,
) -> Result<Vec<StreamSum>, StoreError> {
    let streams: Vec<&i64> = streams.iter().collect();
    let (sql, keys) = (tx.text(&SUMS), batch::list(&streams));
    let rows: Vec<(i64, i64, i64, i64, i64, String)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard.0)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    Ok(rows
        .into_iter()
        .map(|(_, kind, live, sum1, sum2, stream)| StreamSum {
            shard: shard.0,
            stream,
            kind: Kind::of_number(kind).map_or("", Kind::name).to_owned(),
            live,
            sum1,
            sum2,
        })
        .collect())
}
