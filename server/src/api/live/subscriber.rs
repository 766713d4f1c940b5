//! One reader of live events: what is known of their view, where they stand, what is sent next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use xiangyi_proto::exchange::PullAnswer;
use xiangyi_proto::ids::{Seq, Shard};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::PAGE_BYTES_MAX;
use xiangyi_sync::cursor::Cursor;
use xiangyi_sync::pull::{FeedRow, Puller, Scan, ShardView};
use xiangyi_sync::world::Granted;

use crate::app::App;
use crate::caller::Caller;
use crate::live::{Range, Ring};
use crate::pulls;
use crate::store::views::{self, View};
use crate::store::{StoreError, Tx, feed, keys, people, reads, sessions};

/// Rings of one moment are answered together: at most 20 pages a second.
const GATHER: Duration = Duration::from_millis(50);
/// How often the grants are looked at again when nothing rings.
const RECHECK: Duration = Duration::from_secs(10);
/// Keep-alive; proxies cut silent lines after 30 to 60 seconds.
const PING: Duration = Duration::from_secs(20);
const PING_EVENT: &[u8] = b"event: ping\ndata: {}\n\n";
const POKE_EVENT: &[u8] = b"event: poke\ndata: {}\n\n";
const CLOSED_EVENT: &[u8] = b"event: closed\ndata: {\"code\":\"grant-ended\"}\n\n";

/// A part of the body.
pub type Part = Result<Bytes, Infallible>;

/// What of the view is known, and on which grants it stands.
struct Seen {
    grants: Vec<Granted>,
    /// Shared streams that the reader may see and wants, whether they exist yet or not.
    names: BTreeSet<(i64, String)>,
    shards: Vec<ShardView>,
    /// Streams that the cursor holds and the view does not.
    gone: BTreeMap<(i64, i64), String>,
}

/// One reader.
pub struct Subscriber {
    app: App,
    caller: Caller,
    cursor: Option<Cursor>,
    wanted: Option<BTreeSet<String>>,
    parts: mpsc::Sender<Part>,
    seen: Option<Seen>,
}

/// Why a subscription ends.
enum End {
    /// Nobody reads, or too slowly.
    Reader,
    /// No shared stream is left, or the session ended.
    Grants,
    /// The database failed; the reader comes back.
    Fault,
}

impl From<StoreError> for End {
    fn from(_: StoreError) -> Self {
        Self::Fault
    }
}

impl Subscriber {
    /// A reader who has nothing yet.
    pub fn new(
        app: App,
        caller: Caller,
        cursor: Option<Cursor>,
        wanted: Option<BTreeSet<String>>,
        parts: mpsc::Sender<Part>,
    ) -> Self {
        Self {
            app,
            caller,
            cursor,
            wanted,
            parts,
            seen: None,
        }
    }

    /// Sends what is new after each ring, until the reader or their right is gone.
    pub async fn run(mut self, mut rings: broadcast::Receiver<Arc<Ring>>) {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
            if let Err(end) = self.wait(&mut rings).await {
                break end;
            }
        };
        if matches!(end, End::Grants) {
            // The reader may have gone already.
            let _ = self.put(Bytes::from_static(CLOSED_EVENT)).await;
        }
    }

    /// Waits for a ring that concerns this view, or for the next look at the grants.
    async fn wait(&mut self, rings: &mut broadcast::Receiver<Arc<Ring>>) -> Result<(), End> {
        let recheck = tokio::time::sleep(RECHECK);
        tokio::pin!(recheck);
        loop {
            tokio::select! {
                () = self.parts.closed() => return Err(End::Reader),
                ring = rings.recv() => {
                    if !self.hear(ring).await? {
                        continue;
                    }
                    tokio::time::sleep(GATHER).await;
                    // What rang meanwhile is answered by the same page.
                    while let Ok(ring) = rings.try_recv() {
                        self.hear(Ok(ring)).await?;
                    }
                    return Ok(());
                }
                () = &mut recheck => return Ok(()),
                () = tokio::time::sleep(PING) => self.put(Bytes::from_static(PING_EVENT)).await?,
            }
        }
    }

    /// Notes a ring; says whether there is something to look at.
    async fn hear(&mut self, ring: Result<Arc<Ring>, RecvError>) -> Result<bool, End> {
        let ring = match ring {
            Ok(ring) => ring,
            Err(RecvError::Lagged(_)) => {
                self.seen = None;
                return Ok(true);
            }
            Err(RecvError::Closed) => return Err(End::Reader),
        };
        let mailbox = format!("person:{}", self.caller.person);
        let unknown = ring.streams.is_empty();
        if unknown || ring.streams.contains(&mailbox) {
            self.put(Bytes::from_static(POKE_EVENT)).await?;
        }
        let Some(seen) = &mut self.seen else {
            return Ok(true);
        };
        let named = |name: &&String| seen.names.contains(&(ring.shard.0, (*name).clone()));
        let touched = ring.streams.iter().any(|name| named(&name));
        let exists = |name: &String| {
            let mut shards = seen
                .shards
                .iter()
                .filter(|shard| shard.shard == ring.shard.0);
            shards.any(|shard| shard.streams.iter().any(|stream| stream.name == *name))
        };
        // A stream that has just begun must be looked up, and so must a station's in a hub's view.
        let begun = ring.streams.iter().any(|name| {
            let hubs = name.starts_with("station:") && reads_hub(seen, ring.shard);
            (named(&name) || hubs) && !exists(name)
        });
        if unknown || begun {
            self.seen = None;
            return Ok(true);
        }
        for shard in &mut seen.shards {
            if shard.shard == ring.shard.0 {
                shard.head = shard.head.max(ring.head);
            }
        }
        Ok(touched)
    }

    /// Sends everything that is new.
    async fn turn(&mut self) -> Result<(), End> {
        self.look().await?;
        while self.page().await? {}
        Ok(())
    }

    /// Makes sure that the view is what the grants of this moment allow.
    async fn look(&mut self) -> Result<(), End> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.glance().await?;
        let standing = sessions::granted(&mut tx, &self.caller.session, now).await?;
        drop(tx);
        let Some((_, mut grants)) = standing.filter(|_| now < self.caller.expires_at) else {
            return Err(End::Grants);
        };
        grants.retain(|grant| grant.holds_at(now));
        if self.seen.as_ref().is_some_and(|seen| seen.grants == grants) {
            return Ok(());
        }
        self.seen = None;
        let mut tx = self.app.db.read().await?;
        let view = views::of(&mut tx, &self.caller.person, &grants, now).await?;
        let seen = self.seen_of(&mut tx, view, grants).await?;
        // One into which nothing has been written yet stays open too.
        if seen.names.is_empty() {
            return Err(End::Grants);
        }
        self.seen = Some(seen);
        Ok(())
    }

    /// Shared streams only; rules and mailboxes are for phones.
    async fn seen_of(
        &self,
        tx: &mut Tx,
        mut view: View,
        grants: Vec<Granted>,
    ) -> Result<Seen, StoreError> {
        let shared = |name: &str| {
            let kinds = ["station:", "county:", "hub:", "restricted:"];
            kinds.iter().any(|kind| name.starts_with(kind))
                && self.wanted.as_ref().is_none_or(|list| list.contains(name))
        };
        for shard in &mut view.shards {
            shard.streams.retain(|stream| shared(&stream.name));
        }
        view.shards.retain(|shard| !shard.streams.is_empty());
        let gone = pulls::gone_names(tx, &self.caller.person, &view, self.cursor.as_ref()).await?;
        let names = view.streams.into_iter();
        let names = names.filter(|stream| shared(&stream.stream));
        Ok(Seen {
            grants,
            names: names.map(|stream| (stream.shard, stream.stream)).collect(),
            shards: view.shards,
            gone,
        })
    }

    /// Sends one page; says whether there is more.
    async fn page(&mut self) -> Result<bool, End> {
        let Some(seen) = &mut self.seen else {
            return Err(End::Fault);
        };
        let gone = std::mem::take(&mut seen.gone);
        let mut puller = Puller::start(
            &self.caller.person,
            self.cursor.clone(),
            &BTreeSet::new(),
            seen.shards.clone(),
            PAGE_BYTES_MAX,
            |shard, id| gone.get(&(shard, id)).cloned(),
        );
        let mut events: HashMap<(i64, i64, Seq), Bytes> = HashMap::new();
        while let Some(scan) = puller.next() {
            let range = self.range(&scan).await?;
            for (row, event) in range.rows.iter().zip(&range.events) {
                events.insert((scan.shard, scan.stream, row.seq), event.clone());
            }
            puller.take(&scan, range.rows.clone());
        }
        let page = puller.finish();
        let more = page.more;
        self.note_restricted(&page).await?;
        self.send(page, &events).await?;
        Ok(more)
    }

    /// A range of a stream: who stands where others stand reads it with them.
    async fn range(&self, scan: &Scan) -> Result<Arc<Range>, StoreError> {
        let shards = self.seen.iter().flat_map(|seen| &seen.shards);
        let mut at = shards.filter(|shard| shard.shard == scan.shard);
        let (head, stream) = at
            .next()
            .and_then(|shard| {
                let stream = shard.streams.iter().find(|s| s.id == scan.stream)?;
                Some((shard.head, stream.name.clone()))
            })
            .unwrap_or_default();
        let read = read(&self.app, scan, head, &stream);
        self.app.live.range(scan, head, read).await
    }

    /// Each delivery of a restricted row is a logged reading.
    async fn note_restricted(&self, page: &PullAnswer) -> Result<(), StoreError> {
        let now = self.app.clock.now();
        let restricted = reads::delivered(page);
        let because = (reads::DELIVERED, now);
        reads::note(
            &self.app.db,
            &self.app.entropy,
            &self.caller.person,
            because,
            &restricted,
        )
        .await
    }

    async fn send(
        &mut self,
        page: PullAnswer,
        events: &HashMap<(i64, i64, Seq), Bytes>,
    ) -> Result<(), End> {
        let mut left: usize = page.changes.iter().map(|changes| changes.rows.len()).sum();
        let end = |cursor: &String| Bytes::from(format!("id: {cursor}\n\n"));
        let numbers = self.numbers();
        for changes in &page.changes {
            let id = numbers.get(&(changes.shard, changes.stream.clone()));
            for row in &changes.rows {
                left -= 1;
                let key = (changes.shard, id.copied().unwrap_or_default(), row.seq);
                let Some(event) = events.get(&key) else {
                    return Err(End::Fault);
                };
                self.put(event.clone()).await?;
                let cursor = page.cursor.as_ref().filter(|_| left == 0);
                let closing = cursor.map_or(Bytes::from_static(b"\n"), end);
                self.put(closing).await?;
            }
        }
        if let Some(cursor) = &page.cursor {
            if page.changes.is_empty() {
                let ping = Bytes::from_static(b"event: ping\ndata: {}\n");
                self.put(ping).await?;
                self.put(end(cursor)).await?;
            }
            self.cursor = Cursor::decode(cursor, &self.caller.person).ok();
        }
        Ok(())
    }

    fn numbers(&self) -> HashMap<(i64, String), i64> {
        let shards = self.seen.iter().flat_map(|seen| &seen.shards);
        let streams = shards.flat_map(|shard| {
            let named = |s: &xiangyi_sync::pull::StreamView| ((shard.shard, s.name.clone()), s.id);
            shard.streams.iter().map(named)
        });
        streams.collect()
    }

    async fn put(&self, part: Bytes) -> Result<(), End> {
        let sent = tokio::time::timeout(PING, self.parts.send(Ok(part))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Reader),
        }
    }
}

fn reads_hub(seen: &Seen, shard: Shard) -> bool {
    seen.names.contains(&(shard.0, format!("hub:{shard}")))
}

/// Reads a range up to a head and writes its events out, without the empty line at their end.
async fn read(app: &App, scan: &Scan, head: Seq, stream: &str) -> Result<Range, StoreError> {
    let mut tx = app.db.read().await?;
    let mut rows = feed::after(&mut tx, &app.sealer, scan).await?;
    // What came after the ring is answered after the next one.
    rows.retain(|row| row.seq <= head);
    let names = names(app, &mut tx, &rows).await?;
    let events = rows
        .iter()
        .map(|row| event(app, scan.shard, stream, row, &names))
        .collect();
    Ok(Range { rows, events })
}

fn event(
    app: &App,
    shard: i64,
    stream: &str,
    row: &FeedRow,
    names: &BTreeMap<String, String>,
) -> Bytes {
    let village = row.village.as_deref().filter(|_| !row.rm);
    let shown = |text: &str| {
        if row.rm {
            String::new()
        } else {
            text.to_owned()
        }
    };
    let body = serde_json::value::RawValue::from_string(row.body.clone()).ok();
    let told = json!({
        "shard": shard.to_string(),
        "stream": stream,
        "seq": row.seq,
        "op": if row.rm { "rm" } else { "put" },
        "kind": Kind::of_number(row.kind).map_or("", Kind::name),
        "id": row.id,
        "rev": row.rev,
        "author": shown(&row.author),
        "author_name": names.get(&row.author).filter(|_| !row.rm),
        "unit": shown(&row.unit),
        "village": village,
        "village_name": village.and_then(|code| app.regions.name(code)),
        "received_at": if row.rm { 0 } else { row.received_at },
        "estimated_at": if row.rm { 0 } else { row.estimated_at },
        "body": body.filter(|_| !row.rm),
    });
    Bytes::from(format!("event: change\ndata: {told}\n"))
}

/// Names of the authors of rows; a receipt of refusal never shows its author.
async fn names(
    app: &App,
    tx: &mut Tx,
    rows: &[FeedRow],
) -> Result<BTreeMap<String, String>, StoreError> {
    let refusal = Kind::Refusal.number();
    let shown = rows
        .iter()
        .filter(|row| row.kind != refusal && !row.author.is_empty() && !row.rm);
    let ids: BTreeSet<&str> = shown.map(|row| row.author.as_str()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let list: Vec<&str> = ids.iter().copied().collect();
    let sealed = people::names(tx, &list).await?;
    let keyring = keys::known(tx, &app.sealer, keys::PEOPLE, ids).await?;
    let open = |(id, name): (String, Vec<u8>)| {
        let name = keyring.open(&id, id.as_bytes(), &name).ok()?;
        Some((id, String::from_utf8(name).ok()?))
    };
    Ok(sealed.into_iter().filter_map(open).collect())
}
