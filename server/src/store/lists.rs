//! Lists and single records for REST: rows of the caller's own streams, by keyset.

use sqlx::FromRow;
use uuid::Uuid;
use xiangyi_proto::kinds::Kind;

use super::batch;
use super::dialect::Dual;
use super::{StoreError, Tx, keys, load, sealed};
use crate::accounts::seal::Sealer;
use crate::on;

/// Filters of a list; an empty text means no filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub unit: String,
    pub village: String,
    pub author: String,
    pub state: String,
    pub from: i64,
    pub to: i64,
    pub after: i64,
    pub limit: i64,
}

/// A row as REST shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub id: Uuid,
    pub stream: i64,
    pub seq: i64,
    pub rev: i64,
    pub kind: Kind,
    pub author: String,
    pub unit: String,
    pub village: Option<String>,
    pub occurred_at: i64,
    pub received_at: i64,
    pub estimated_at: i64,
    pub body: String,
}

#[derive(FromRow)]
struct Stored {
    id: Vec<u8>,
    stream: i64,
    seq: i64,
    rev: i64,
    kind: i64,
    author: String,
    unit: String,
    village: Option<String>,
    occurred_at: i64,
    received_at: i64,
    estimated_at: i64,
    body: String,
    sealed: Option<Vec<u8>>,
    sealed_for: Option<String>,
}

/// Index: the primary key of `feed`, one range a stream. `$2` is a JSON list of stream numbers.
const LIST: Dual = Dual {
    sqlite: concat!(
        "SELECT id, stream, seq, rev, kind, author, unit, village, occurred_at, received_at, \
         estimated_at, body, sealed, sealed_for FROM feed WHERE shard = $1 AND stream IN \
         (SELECT value FROM json_each($2))",
        " AND op = 0 AND kind = $3 AND seq > $4 AND ($5 = '' OR unit = $5) \
         AND ($6 = '' OR village = $6) AND ($7 = '' OR author = $7) \
         AND ($8 = '' OR state = $8) AND estimated_at >= $9 AND estimated_at < $10 \
         ORDER BY seq, stream LIMIT $11"
    ),
    postgres: concat!(
        "SELECT id, stream, seq, rev, kind, author, unit, village, occurred_at, received_at, \
         estimated_at, body, sealed, sealed_for FROM feed WHERE shard = $1 AND stream IN \
         (SELECT CAST(x #>> '{}' AS BIGINT) \
         FROM jsonb_array_elements(CAST($2 AS JSONB)) AS t(x))",
        " AND op = 0 AND kind = $3 AND seq > $4 AND ($5 = '' OR unit = $5) \
         AND ($6 = '' OR village = $6) AND ($7 = '' OR author = $7) \
         AND ($8 = '' OR state = $8) AND estimated_at >= $9 AND estimated_at < $10 \
         ORDER BY seq, stream LIMIT $11"
    ),
};

/// Rows of a kind in these streams, in order of `seq`.
pub async fn list(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    streams: &[i64],
    kind: Kind,
    filter: &Filter,
) -> Result<Vec<Listed>, StoreError> {
    let (sql, streams) = (tx.text(&LIST), batch::list(streams));
    let rows: Vec<Stored> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(streams)
        .bind(kind.number())
        .bind(filter.after)
        .bind(filter.unit.as_str())
        .bind(filter.village.as_str())
        .bind(filter.author.as_str())
        .bind(filter.state.as_str())
        .bind(filter.from)
        .bind(filter.to)
        .bind(filter.limit)
        .fetch_all(c)
        .await)?;
    opened(tx, sealer, shard, rows).await
}

/// Rows of one page of `all`.
const PAGE: i64 = 500;

/// Every row of a kind in one stream, of a unit or of all.
pub async fn all(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    stream: i64,
    kind: Kind,
    unit: &str,
) -> Result<Vec<Listed>, StoreError> {
    let mut filter = Filter {
        unit: unit.to_owned(),
        from: i64::MIN,
        to: i64::MAX,
        limit: PAGE,
        ..Filter::default()
    };
    let mut rows = Vec::new();
    loop {
        let page = list(tx, sealer, shard, &[stream], kind, &filter).await?;
        let is_last = (page.len() as i64) < PAGE;
        filter.after = page.last().map_or(filter.after, |row| row.seq);
        rows.extend(page);
        if is_last {
            return Ok(rows);
        }
    }
}

/// Index: `feed_record(shard, id, stream)`.
const ONE: &str = "SELECT id, stream, seq, rev, kind, author, unit, village, occurred_at, \
     received_at, estimated_at, body, sealed, sealed_for FROM feed \
     WHERE shard = $1 AND id = $2 AND op = 0 ORDER BY stream";

/// Every copy of a record; the caller keeps those of streams it may read.
pub async fn one(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    id: Uuid,
) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<Stored> = on!(tx, |c| sqlx::query_as(ONE)
        .bind(shard)
        .bind(id.as_bytes().as_slice())
        .fetch_all(c)
        .await)?;
    opened(tx, sealer, shard, rows).await
}

async fn opened(
    tx: &mut Tx,
    sealer: &Sealer,
    shard: i64,
    rows: Vec<Stored>,
) -> Result<Vec<Listed>, StoreError> {
    let owners = rows.iter().filter_map(|row| row.sealed_for.as_deref());
    let keyring = keys::known(tx, sealer, shard, owners).await?;
    let mut list = Vec::with_capacity(rows.len());
    for row in rows {
        let id = load::id(&row.id)?;
        let part = row.sealed.as_deref().zip(row.sealed_for.as_deref());
        list.push(Listed {
            id,
            stream: row.stream,
            seq: row.seq,
            rev: row.rev,
            kind: Kind::of_number(row.kind).ok_or(super::broken("feed", "kind"))?,
            author: row.author,
            unit: row.unit,
            village: row.village,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            estimated_at: row.estimated_at,
            body: sealed::whole(&keyring, id, &row.body, part)?,
        });
    }
    Ok(list)
}
