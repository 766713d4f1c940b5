//! What was answered before: by number, by content, by idempotency key.

use std::collections::BTreeSet;

use sqlx::FromRow;
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{Past, World};

use super::{digest, id};
use crate::on;
use crate::store::batch::{self, in_id_pairs, in_numbers, in_pairs, in_texts};
use crate::store::dialect::Dual;
use crate::store::{StoreError, Tx, broken};

/// Index: the unique one of `log(shard, device, n)`.
const NUMBERS: Dual = in_numbers!(
    "SELECT device, n, digest, answer, record, author",
    "log WHERE shard = $1 AND device = k0 AND n = k1"
);
/// Index: `log_content(shard, record, content)`.
const CONTENTS: Dual = in_id_pairs!(
    "SELECT device, n, record, content",
    "log WHERE shard = $1 AND record = k0 AND content = k1"
);
/// Index: `log_key(shard, device, key)`.
const KEYS: Dual = in_pairs!(
    "SELECT device, key, n, digest",
    "log WHERE shard = $1 AND device = k0 AND key = k1"
);
const NEXT_N: Dual = in_texts!("SELECT id, next_n", "device WHERE $1 = $1 AND id = k0");

#[derive(FromRow)]
struct LogRow {
    device: String,
    n: i64,
    digest: Vec<u8>,
    answer: String,
    record: Vec<u8>,
    author: String,
}

pub(super) async fn numbers(
    tx: &mut Tx,
    world: &mut World,
    wants: &Wants,
) -> Result<(), StoreError> {
    let shard = world.shard.0;
    if !wants.contents.is_empty() {
        let pairs: Vec<(String, String)> = wants
            .contents
            .iter()
            .map(|(id, content)| (hex::encode(id.as_bytes()), hex::encode(content)))
            .collect();
        let (sql, keys) = (tx.text(&CONTENTS), batch::list(&pairs));
        let rows: Vec<(String, i64, Vec<u8>, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for (device, n, record, content) in rows {
            world
                .by_content
                .insert((id(&record)?, digest(&content)?), (device, n));
        }
    }
    let mut pairs: BTreeSet<(String, i64)> = wants.numbers.clone();
    pairs.extend(world.by_content.values().cloned());
    let last: Vec<(String, i64)> = pairs
        .iter()
        .map(|(device, n)| (format!("{}{device}", xiangyi_sync::effects::FINAL), *n))
        .collect();
    pairs.extend(last);
    pairs.retain(|pair| !world.by_number.contains_key(pair));
    let asked = !wants.numbers.is_empty() || !wants.contents.is_empty();
    if asked && !pairs.is_empty() {
        let pairs: Vec<(String, i64)> = pairs.into_iter().collect();
        let (sql, keys) = (tx.text(&NUMBERS), batch::list(&pairs));
        let rows: Vec<LogRow> = on!(tx, |c| sqlx::query_as(sql)
            .bind(shard)
            .bind(keys)
            .fetch_all(c)
            .await)?;
        for row in rows {
            let past = Past {
                digest: digest(&row.digest)?,
                author: row.author,
                record: id(&row.record)?,
                verdict: serde_json::from_str(&row.answer).map_err(|_| broken("log", "answer"))?,
            };
            world.by_number.insert((row.device, row.n), past);
        }
    }
    keyed(tx, world, wants).await
}

async fn keyed(tx: &mut Tx, world: &mut World, wants: &Wants) -> Result<(), StoreError> {
    if wants.keys.is_empty() {
        return Ok(());
    }
    let shard = world.shard.0;
    let pairs: Vec<&(String, String)> = wants.keys.iter().collect();
    let (sql, keys) = (tx.text(&KEYS), batch::list(&pairs));
    let rows: Vec<(String, String, i64, Vec<u8>)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    let mut known = Vec::new();
    for (device, key, n, sent) in rows {
        known.push((device.clone(), n));
        world.by_key.insert((device, key), (n, digest(&sent)?));
    }
    let devices: BTreeSet<&String> = wants.keys.iter().map(|(device, _)| device).collect();
    let devices: Vec<&String> = devices.into_iter().collect();
    let (sql, keys) = (tx.text(&NEXT_N), batch::list(&devices));
    let rows: Vec<(String, i64)> = on!(tx, |c| sqlx::query_as(sql)
        .bind(shard)
        .bind(keys)
        .fetch_all(c)
        .await)?;
    world.next_n.extend(rows);
    // The first answers to these keys.
    let known = Wants {
        numbers: known.into_iter().collect(),
        ..Wants::default()
    };
    if known
        .numbers
        .iter()
        .any(|number| !world.by_number.contains_key(number))
    {
        Box::pin(numbers(tx, world, &known)).await?;
    }
    Ok(())
}
