//! The phone's file: journal, rows, streams, cursor, photographs.
//!
//! One connection, WAL, every commit on disk before it counts. All writes of an answer are one
//! transaction. This file is the phone's own; the server's store knows nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Transaction, query, query_as, query_scalar};
use uuid::Uuid;
use xiangyi_proto::exchange::{Row, StreamRef};
use xiangyi_sync::phone::{Entry, Held, Phone, Write};

use super::Trouble;
use super::photo::Photo;

const TABLES: [&str; 7] = [
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, json TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS row (shard INTEGER NOT NULL, stream TEXT NOT NULL, \
     id TEXT NOT NULL, json TEXT NOT NULL, marked INTEGER NOT NULL, \
     PRIMARY KEY (shard, stream, id)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS stream (shard INTEGER NOT NULL, name TEXT NOT NULL, \
     PRIMARY KEY (shard, name)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS photo (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, \
     record TEXT NOT NULL, unit TEXT NOT NULL, mime TEXT NOT NULL, state TEXT NOT NULL, \
     upload TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS photo_fault (sha256 TEXT PRIMARY KEY, words TEXT NOT NULL) \
     WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS aside (n INTEGER PRIMARY KEY)",
];
const EMPTY: [&str; 7] = [
    "DELETE FROM meta WHERE key <> 'server'",
    "DELETE FROM entry",
    "DELETE FROM row",
    "DELETE FROM stream",
    "DELETE FROM photo",
    "DELETE FROM photo_fault",
    "DELETE FROM aside",
];
const PUT: &str = "INSERT INTO meta (key, value) VALUES ($1, $2) \
     ON CONFLICT (key) DO UPDATE SET value = excluded.value";
const PUT_ENTRY: &str = "INSERT INTO entry (n, json) VALUES ($1, $2) \
     ON CONFLICT (n) DO UPDATE SET json = excluded.json";
const PUT_ROW: &str = "INSERT INTO row (shard, stream, id, json, marked) \
     VALUES ($1, $2, $3, $4, 0) ON CONFLICT (shard, stream, id) \
     DO UPDATE SET json = excluded.json, marked = 0";
const PUT_PHOTO: &str = "INSERT INTO photo (sha256, path, record, unit, mime, state) \
     VALUES ($1, $2, $3, $4, $5, 'waiting') ON CONFLICT (sha256) DO UPDATE SET \
     state = CASE WHEN photo.state IN ('refused', 'replaced') THEN 'waiting' ELSE photo.state END";
const PUT_FAULT: &str = "INSERT INTO photo_fault (sha256, words) VALUES ($1, $2) \
     ON CONFLICT (sha256) DO UPDATE SET words = excluded.words";
const COUNT_MISMATCH: &str = "INSERT INTO meta (key, value) VALUES ('mismatches', '1') \
     ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)";

const HOLD_STREAM: &str = "INSERT INTO stream (shard, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const FORGET: &str = "UPDATE entry SET json = json_remove(json, '$.kept') WHERE n = $1";
const OFFER_AGAIN: &str = "UPDATE photo SET state = 'waiting', upload = NULL \
     WHERE state = 'here' AND unit LIKE $1";
/// Before a shard: the key of its epoch.
const EPOCH: &str = "epoch:";

/// Key of the note that the person's posts are to be asked for.
pub const ASK_WHO: &str = "ask_who";

type Tx = Transaction<'static, Sqlite>;

/// The open file of a phone.
pub struct Store {
    pool: SqlitePool,
}

/// A photograph that is still to be sent.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Waiting {
    pub sha256: String,
    pub path: String,
    pub record: String,
    pub unit: String,
    pub mime: String,
    /// Path of an upload that has begun.
    pub upload: Option<String>,
}

/// A photograph that the server will never take, and why.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Refused {
    pub sha256: String,
    pub record: String,
    pub words: String,
}

impl Store {
    /// Opens the file in a folder, made if absent.
    pub async fn open(home: &Path) -> Result<Self, Trouble> {
        let options = SqliteConnectOptions::new()
            .filename(home.join("phone.sqlite"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        for table in TABLES {
            query(table).execute(&pool).await?;
        }
        Ok(Self { pool })
    }

    /// A value that was put.
    pub async fn get(&self, key: &str) -> Result<Option<String>, Trouble> {
        let value = query_scalar("SELECT value FROM meta WHERE key = $1").bind(key);
        Ok(value.fetch_optional(&self.pool).await?)
    }

    /// Keeps a value.
    pub async fn put(&self, key: &str, value: &str) -> Result<(), Trouble> {
        query(PUT).bind(key).bind(value).execute(&self.pool).await?;
        Ok(())
    }

    /// Drops a value.
    pub async fn remove(&self, key: &str) -> Result<(), Trouble> {
        let gone = query("DELETE FROM meta WHERE key = $1").bind(key);
        gone.execute(&self.pool).await?;
        Ok(())
    }

    /// A number that changes when another window writes into the file, and never by own writes.
    pub async fn version(&self) -> Result<i64, Trouble> {
        let version = query_scalar("PRAGMA data_version");
        Ok(version.fetch_one(&self.pool).await?)
    }

    /// Empties everything but the server's address, for the phone's next person.
    pub async fn clear(&self) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        for text in EMPTY {
            query(text).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn begin(&self) -> Result<Tx, Trouble> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Everything the phone keeps.
    pub async fn load(&self) -> Result<Phone, Trouble> {
        let meta: Vec<(String, String)> = query_as("SELECT key, value FROM meta")
            .fetch_all(&self.pool)
            .await?;
        let meta: BTreeMap<String, String> = meta.into_iter().collect();
        let number = |key: &str| meta.get(key).and_then(|text| text.parse::<i64>().ok());
        let mut phone = Phone {
            device: meta.get("device").cloned().unwrap_or_default(),
            next_n: number("next_n").unwrap_or(1),
            cursor: meta.get("cursor").cloned(),
            offset_ms: number("offset_ms"),
            epochs: meta.iter().filter_map(epoch_of).collect(),
            mismatches: u32::try_from(number("mismatches").unwrap_or(0)).unwrap_or(u32::MAX),
            ..Phone::default()
        };
        let entries: Vec<(String,)> = query_as("SELECT json FROM entry")
            .fetch_all(&self.pool)
            .await?;
        for (json,) in entries {
            let entry: Entry = serde_json::from_str(&json).map_err(Trouble::damaged)?;
            phone.next_n = phone.next_n.max(entry.n + 1);
            phone.entries.insert(entry.n, entry);
        }
        let streams: Vec<(i64, String)> = query_as("SELECT shard, name FROM stream")
            .fetch_all(&self.pool)
            .await?;
        phone.streams = streams.into_iter().collect();
        let rows: Vec<(i64, String, String, i64)> =
            query_as("SELECT shard, stream, json, marked FROM row")
                .fetch_all(&self.pool)
                .await?;
        for (shard, stream, json, marked) in rows {
            let row: Row = serde_json::from_str(&json).map_err(Trouble::damaged)?;
            let key = (shard, stream, row.id);
            let marked = marked != 0;
            phone.rows.insert(key, Held { row, marked });
        }
        Ok(phone)
    }

    /// Writes down new entries with their photographs, before anything is sent. The photographs
    /// of the record named in `replaced` that were refused are none any more.
    pub async fn append(
        &self,
        entries: &[Entry],
        photos: &[Photo],
        record: Uuid,
        unit: &str,
        replaced: Option<Uuid>,
    ) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        if let Some(record) = replaced {
            let text = "UPDATE photo SET state = 'replaced' WHERE record = $1 \
                 AND state = 'refused'";
            run(&mut tx, query(text).bind(record.to_string())).await?;
        }
        for entry in entries {
            put_entry(&mut tx, entry).await?;
        }
        if let Some(last) = entries.iter().map(|entry| entry.n).max() {
            put(&mut tx, "next_n", &(last + 1).to_string()).await?;
        }
        for photo in photos {
            query(PUT_PHOTO)
                .bind(&photo.sha256)
                .bind(photo.path.to_string_lossy().into_owned())
                .bind(record.to_string())
                .bind(unit)
                .bind(photo.mime.name())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Does all writes of an answer, or none. `ask_who`: the person's posts may have changed and
    /// are to be asked for.
    pub async fn keep(&self, writes: &[Write], ask_who: bool) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        if ask_who {
            put(&mut tx, ASK_WHO, "1").await?;
        }
        for write in writes {
            keep_one(&mut tx, write).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Puts the phone under another device name, with new numbers for what waits.
    pub async fn rename(
        &self,
        device: &str,
        offset_ms: i64,
        next_n: i64,
        renamed: &[(i64, Entry)],
    ) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        put(&mut tx, "device", device).await?;
        put(&mut tx, "offset_ms", &offset_ms.to_string()).await?;
        put(&mut tx, "next_n", &next_n.to_string()).await?;
        for (was, entry) in renamed {
            query("DELETE FROM entry WHERE n = $1")
                .bind(*was)
                .execute(&mut *tx)
                .await?;
            put_entry(&mut tx, entry).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Photographs that are still to be sent.
    pub async fn photos_waiting(&self) -> Result<Vec<Waiting>, Trouble> {
        let text = "SELECT sha256, path, record, unit, mime, upload FROM photo \
             WHERE state = 'waiting' ORDER BY sha256";
        Ok(query_as(text).fetch_all(&self.pool).await?)
    }

    /// Notes where an upload goes on, or that it must begin again.
    pub async fn photo_upload(&self, sha256: &str, upload: Option<&str>) -> Result<(), Trouble> {
        query("UPDATE photo SET upload = $1 WHERE sha256 = $2")
            .bind(upload)
            .bind(sha256)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Numbers of the entries that their person has set aside.
    pub async fn aside(&self) -> Result<BTreeSet<i64>, Trouble> {
        let all: Vec<(i64,)> = query_as("SELECT n FROM aside")
            .fetch_all(&self.pool)
            .await?;
        Ok(all.into_iter().map(|(n,)| n).collect())
    }

    /// Sets an entry aside.
    pub async fn set_aside(&self, n: i64) -> Result<(), Trouble> {
        let text = "INSERT INTO aside (n) VALUES ($1) ON CONFLICT DO NOTHING";
        query(text).bind(n).execute(&self.pool).await?;
        Ok(())
    }

    /// Notes that a photograph is on the server.
    pub async fn photo_here(&self, sha256: &str) -> Result<(), Trouble> {
        let text = "UPDATE photo SET state = 'here' WHERE sha256 = $1";
        query(text).bind(sha256).execute(&self.pool).await?;
        Ok(())
    }

    /// Notes that the server will never take a photograph, and why.
    pub async fn photo_refused(&self, sha256: &str, words: &str) -> Result<(), Trouble> {
        let mut tx = self.begin().await?;
        let text = "UPDATE photo SET state = 'refused' WHERE sha256 = $1";
        run(&mut tx, query(text).bind(sha256)).await?;
        run(&mut tx, query(PUT_FAULT).bind(sha256).bind(words)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Photographs that were refused and not replaced.
    pub async fn photos_refused(&self) -> Result<Vec<Refused>, Trouble> {
        let text = "SELECT p.sha256, p.record, COALESCE(f.words, '') AS words FROM photo p \
             LEFT JOIN photo_fault f ON f.sha256 = p.sha256 WHERE p.state = 'refused' \
             ORDER BY p.sha256";
        Ok(query_as(text).fetch_all(&self.pool).await?)
    }

    /// Folds the journal into the file and closes it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn epoch_of((key, value): (&String, &String)) -> Option<(i64, i64)> {
    let shard = key.strip_prefix(EPOCH)?;
    Some((shard.parse().ok()?, value.parse().ok()?))
}

async fn put(tx: &mut Tx, key: &str, value: &str) -> Result<(), sqlx::Error> {
    query(PUT).bind(key).bind(value).execute(&mut **tx).await?;
    Ok(())
}

async fn put_entry(tx: &mut Tx, entry: &Entry) -> Result<(), sqlx::Error> {
    let json = serde_json::to_string(entry).expect("an entry is JSON");
    let put = query(PUT_ENTRY).bind(entry.n).bind(json);
    put.execute(&mut **tx).await?;
    Ok(())
}

async fn keep_one(tx: &mut Tx, write: &Write) -> Result<(), sqlx::Error> {
    match write {
        Write::Entry(entry) | Write::Again(entry) => put_entry(tx, entry).await,
        Write::Forget(n) => run(tx, query(FORGET).bind(*n)).await,
        Write::Epoch(shard, epoch) => new_epoch(tx, *shard, *epoch).await,
        Write::Cursor(Some(cursor)) => put(tx, "cursor", cursor).await,
        Write::Cursor(None) => run(tx, query("DELETE FROM meta WHERE key = 'cursor'")).await,
        Write::Enter(stream) => {
            of_stream(
                tx,
                "DELETE FROM row WHERE shard = $1 AND stream = $2",
                stream,
            )
            .await?;
            of_stream(tx, HOLD_STREAM, stream).await
        }
        Write::Leave(stream) => {
            of_stream(
                tx,
                "DELETE FROM row WHERE shard = $1 AND stream = $2",
                stream,
            )
            .await?;
            of_stream(
                tx,
                "DELETE FROM stream WHERE shard = $1 AND name = $2",
                stream,
            )
            .await
        }
        Write::Mark(stream) => {
            of_stream(tx, HOLD_STREAM, stream).await?;
            let text = "UPDATE row SET marked = 1 WHERE shard = $1 AND stream = $2";
            of_stream(tx, text, stream).await
        }
        Write::Sweep(stream) => {
            let text = "DELETE FROM row WHERE shard = $1 AND stream = $2 AND marked = 1";
            of_stream(tx, text, stream).await
        }
        Write::Put(shard, stream, row) => {
            let json = serde_json::to_string(row).expect("a row is JSON");
            let put = query(PUT_ROW).bind(*shard).bind(stream);
            run(tx, put.bind(row.id.to_string()).bind(json)).await
        }
        Write::Remove(shard, stream, id) => {
            let text = "DELETE FROM row WHERE shard = $1 AND stream = $2 AND id = $3";
            let gone = query(text).bind(*shard).bind(stream);
            run(tx, gone.bind(id.to_string())).await
        }
        Write::Offset(offset_ms) => put(tx, "offset_ms", &offset_ms.to_string()).await,
        Write::Mismatch => run(tx, query(COUNT_MISMATCH)).await,
    }
}

/// A shard that came back from a backup may have lost photographs too: each is offered once more,
/// and the server says which it has.
async fn new_epoch(tx: &mut Tx, shard: i64, epoch: i64) -> Result<(), sqlx::Error> {
    let key = format!("{EPOCH}{shard}");
    let known = query_scalar::<_, String>("SELECT value FROM meta WHERE key = $1").bind(&key);
    if known.fetch_optional(&mut **tx).await?.is_some() {
        run(tx, query(OFFER_AGAIN).bind(format!("{shard}%"))).await?;
    }
    put(tx, &key, &epoch.to_string()).await
}

async fn of_stream(tx: &mut Tx, text: &'static str, stream: &StreamRef) -> Result<(), sqlx::Error> {
    run(tx, query(text).bind(stream.shard).bind(&stream.stream)).await
}

type Statement<'q> = sqlx::query::Query<'q, Sqlite, <Sqlite as sqlx::Database>::Arguments>;

async fn run(tx: &mut Tx, statement: Statement<'_>) -> Result<(), sqlx::Error> {
    statement.execute(&mut **tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;
    use xiangyi_sync::phone::Place;

    fn entry(n: i64) -> Entry {
        Entry {
            n,
            record: Uuid::nil(),
            kind: "visit".to_owned(),
            raw: format!("{{\"n\":{n}}}"),
            created_at: 5,
            place: Place::Outbox,
            verdict: None,
            unanswered: 0,
            retry_at: 0,
            kept: None,
        }
    }

    #[tokio::test]
    async fn what_was_written_is_there_when_the_phone_starts_again() {
        let name = format!("xiangyi-phone-{}", Entropy::system().crockford(8));
        let home = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&home).expect("a temporary folder");
        let store = Store::open(&home).await.expect("a folder");
        let entries = [entry(1), entry(2)];
        let appended = store.append(&entries, &[], Uuid::nil(), "430121001", None);
        appended.await.expect("two entries");
        let stream = StreamRef {
            shard: 430_121,
            stream: "county:430121".to_owned(),
        };
        let writes = [
            Write::Enter(stream.clone()),
            Write::Cursor(Some("c-1".to_owned())),
            Write::Offset(-40),
            Write::Mismatch,
            Write::Mismatch,
        ];
        store.keep(&writes, false).await.expect("one transaction");
        store.close().await;
        let phone = Store::open(&home).await.expect("a folder");
        let phone = phone.load().await.expect("what was kept");
        assert_eq!(phone.entries.len(), 2);
        assert_eq!(phone.entries[&2], entry(2));
        assert_eq!((phone.next_n, phone.mismatches), (3, 2));
        assert_eq!(
            (phone.cursor.as_deref(), phone.offset_ms),
            (Some("c-1"), Some(-40))
        );
        assert!(phone.streams.contains(&(stream.shard, stream.stream)));
        std::fs::remove_dir_all(&home).expect("the folder is ours");
    }
}
