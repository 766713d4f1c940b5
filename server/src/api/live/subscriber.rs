//! One reader of live events: what is known of their view, where they stand, what is sent next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use xiangyi_proto::exchange::PullAnswer;
use xiangyi_proto::ids::{Seq, Shard};
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::PAGE_BYTES_DEFAULT;
use xiangyi_proto::region;
use xiangyi_sync::cursor::Cursor;
use xiangyi_sync::pull::{FeedRow, Puller, Scan, ShardView};
use xiangyi_sync::world::Granted;

use crate::api::today::HUB;
use crate::app::App;
use crate::caller::Caller;
use crate::live::{Range, Ring};
use crate::pulls;
use crate::store::views::{self, View};
use crate::store::{StoreError, Tx, broken, feed, keys, people, reads, sessions};

/// Rings of one moment are answered together: at most 20 pages a second.
const GATHER: Duration = Duration::from_millis(50);
/// Uncompressed bytes of a page: some 180 rows, so that a right that ended is seen soon, and what
/// many share stays small.
const PAGE: usize = PAGE_BYTES_DEFAULT;
/// How long a page may wait for its reader.
const SLOW: Duration = Duration::from_secs(20);
const PING_EVENT: &[u8] = b"event: ping\ndata: {}\n\n";
const POKE_EVENT: &[u8] = b"event: poke\ndata: {}\n\n";
const CLOSED_EVENT: &[u8] = b"event: closed\ndata: {\"code\":\"grant-ended\"}\n\n";

/// A part of the body.
pub type Part = Result<Bytes, Infallible>;
/// Rings as a reader hears them.
type Rings = broadcast::Receiver<Arc<Ring>>;

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
    /// Looks at the grants since something was sent.
    quiet: u32,
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
            quiet: 0,
        }
    }

    /// Sends what is new after each ring, until the reader or their right is gone.
    pub async fn run(mut self, mut rings: Rings) {
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

    /// Waits for a ring that concerns this view, or for the next look at the grants. A line on
    /// which nothing was sent between two looks says that it is alive.
    async fn wait(&mut self, rings: &mut Rings) -> Result<(), End> {
        let look = tokio::time::sleep(self.app.lines.ping / 2);
        tokio::pin!(look);
        loop {
            tokio::select! {
                () = self.parts.closed() => return Err(End::Reader),
                ring = rings.recv() => {
                    if !self.hear(ring).await? {
                        continue;
                    }
                    tokio::time::sleep(GATHER).await;
                    return self.hear_the_rest(rings).await;
                }
                () = &mut look => {
                    self.quiet += 1;
                    if self.quiet >= 2 {
                        self.put(Bytes::from_static(PING_EVENT)).await?;
                    }
                    return Ok(());
                }
            }
        }
    }

    /// What rang meanwhile is answered by the same page.
    async fn hear_the_rest(&mut self, rings: &mut Rings) -> Result<(), End> {
        loop {
            match rings.try_recv() {
                Ok(ring) => drop(self.hear(Ok(ring)).await?),
                Err(TryRecvError::Lagged(n)) => drop(self.hear(Err(RecvError::Lagged(n))).await?),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Closed) => return Err(End::Reader),
            }
        }
    }

    /// Notes a ring; says whether there is something to look at.
    async fn hear(&mut self, ring: Result<Arc<Ring>, RecvError>) -> Result<bool, End> {
        let ring = match ring {
            Ok(ring) => Some(ring),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return Err(End::Reader),
        };
        let Some(seen) = &mut self.seen else {
            return Ok(true);
        };
        let heard = seen.hear(ring.as_deref(), &self.caller.person, self.wanted.as_ref());
        if heard.stale {
            self.seen = None;
        }
        if heard.mailbox {
            self.put(Bytes::from_static(POKE_EVENT)).await?;
        }
        Ok(heard.stale || heard.touched)
    }

    /// Sends everything that is new.
    async fn turn(&mut self) -> Result<(), End> {
        loop {
            self.look().await?;
            if !self.page().await? {
                return Ok(());
            }
        }
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
            PAGE,
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
        let sent = self.send(page, &events);
        // A page that nobody takes in is not waited for longer than a line may be silent.
        match tokio::time::timeout(SLOW, sent).await {
            Ok(done) => done.map(|()| more),
            Err(_) => Err(End::Reader),
        }
    }

    /// A range of a stream: who stands where others stand reads it with them.
    async fn range(&self, scan: &Scan) -> Result<Arc<Range>, StoreError> {
        let shards = self.seen.iter().flat_map(|seen| &seen.shards);
        let known = shards
            .filter(|shard| shard.shard == scan.shard)
            .find_map(|shard| {
                let stream = shard.streams.iter().find(|s| s.id == scan.stream)?;
                Some((shard.head, stream.name.clone()))
            });
        let Some((head, stream)) = known else {
            return Err(broken("stream", "a page names one outside its view"));
        };
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

    async fn put(&mut self, part: Bytes) -> Result<(), End> {
        self.quiet = 0;
        let sent = tokio::time::timeout(SLOW, self.parts.send(Ok(part))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(End::Reader),
        }
    }
}

/// What a ring means for a view.
#[derive(Default)]
struct Heard {
    /// The view must be looked up again.
    stale: bool,
    /// One of its streams has something new.
    touched: bool,
    /// The reader's own mailbox has, or may have.
    mailbox: bool,
}

impl Seen {
    /// Notes a ring, or that some were missed.
    fn hear(
        &mut self,
        ring: Option<&Ring>,
        person: &str,
        wanted: Option<&BTreeSet<String>>,
    ) -> Heard {
        let Some(ring) = ring else {
            return Heard {
                stale: true,
                touched: true,
                mailbox: true,
            };
        };
        let shard = ring.shard.0;
        let ours = self.names.iter().any(|(own, _)| *own == shard);
        let Some(streams) = &ring.streams else {
            return Heard {
                stale: ours,
                touched: ours,
                mailbox: ours,
            };
        };
        let mut heard = Heard::default();
        let hub = self.reads_hub(ring.shard);
        let wanted = |name: &String| wanted.is_none_or(|list| list.contains(name));
        for name in streams.iter() {
            heard.mailbox |= name.strip_prefix("person:") == Some(person);
            let named = self.names.contains(&(shard, name.clone()));
            heard.touched |= named;
            // A stream that has just begun is looked up, and so is a new station in a hub's view.
            let station = hub && name.starts_with("station:") && wanted(name);
            heard.stale |= (named || station) && !self.exists(shard, name);
        }
        for view in self.shards.iter_mut().filter(|view| view.shard == shard) {
            view.head = view.head.max(ring.head);
        }
        heard
    }

    fn exists(&self, shard: i64, name: &str) -> bool {
        let mut shards = self.shards.iter().filter(|view| view.shard == shard);
        shards.any(|view| view.streams.iter().any(|stream| stream.name == name))
    }

    fn reads_hub(&self, shard: Shard) -> bool {
        let mut grants = self.grants.iter();
        grants
            .any(|grant| HUB.contains(&grant.role) && region::shard_of(&grant.unit) == Some(shard))
    }
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
        "received_at": row.received_at,
        "estimated_at": row.estimated_at,
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
