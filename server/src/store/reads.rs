//! Readings that must be accounted for: who read a whole record that is not theirs, and why.
//!
//! A reading is noted before its bytes go out; one that cannot be noted does not take place.

use uuid::Uuid;
use xiangyi_proto::exchange::PullAnswer;

use super::bulk::Bulk;
use super::{Db, StoreError, Tx};
use crate::bulk;
use crate::entropy::Entropy;

/// The reason of a reading that nobody gave one for: the row came to a reviewer by its stream.
pub const DELIVERED: &str = "delivered";
/// Letters of a reading's id.
const ID_LETTERS: usize = 20;

static READ: Bulk = Bulk::new(
    "INSERT INTO read_log (shard, id, person, record, reason, read_at) VALUES",
    "ittbti",
    "",
);

/// A record that was read, in its shard.
pub type Read = (i64, Uuid);

/// Notes readings of one person for one reason.
pub async fn add(
    tx: &mut Tx,
    entropy: &Entropy,
    person: &str,
    (reason, read_at): (&str, i64),
    records: &[Read],
) -> Result<(), StoreError> {
    let named = |read: &Read| (entropy.crockford(ID_LETTERS), *read);
    let rows: Vec<(String, Read)> = records.iter().map(named).collect();
    bulk!(tx, READ, &rows, |query, row| {
        let (id, (shard, record)) = row;
        query
            .bind(*shard)
            .bind(id.as_str())
            .bind(person)
            .bind(record.as_bytes().as_slice())
            .bind(reason)
            .bind(read_at)
    });
    Ok(())
}

/// Notes readings in a commit of their own; none is no commit.
pub async fn note(
    db: &Db,
    entropy: &Entropy,
    person: &str,
    because: (&str, i64),
    records: &[Read],
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let mut tx = db.write().await?;
    add(&mut tx, entropy, person, because, records).await?;
    tx.commit().await
}

/// The rows of a page that came by a restricted stream.
pub fn delivered(page: &PullAnswer) -> Vec<Read> {
    let restricted = |stream: &str| stream.starts_with("restricted:");
    let changes = page.changes.iter();
    let changes = changes.filter(|changes| restricted(&changes.stream));
    let rows = changes.flat_map(|changes| changes.rows.iter().map(|row| (changes.shard, row)));
    rows.filter(|(_, row)| !row.rm)
        .map(|(shard, row)| (shard, row.id))
        .collect()
}
