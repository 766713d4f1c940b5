//! `GET /v1/live`: server-sent events over the shared streams of the caller's view.
//!
//! The same pages as a pull, so that one path tells the truth: after a ring the subscriber's
//! cursor is pulled on and its rows go out, the last with the cursor as `id`. A reader that
//! stops reading is dropped and resumes by `Last-Event-ID`.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use xiangyi_proto::exchange::{PullAnswer, PullAsk, Row};
use xiangyi_proto::limits::PAGE_BYTES_MAX;
use xiangyi_proto::problem;
use xiangyi_sync::cursor::Cursor;

use crate::app::App;
use crate::caller::Caller;
use crate::live::Ring;
use crate::problem::ApiError;
use crate::pulls::{self, Knows, Page};
use crate::store::views::{self, View};
use crate::store::{Tx, keys, people, sessions};
use crate::tasks;

/// Events a slow reader may lag before it is dropped: a page of small rows.
const EVENTS: usize = 256;
/// Rings of one moment are answered together: at most 20 pages a second.
const GATHER: Duration = Duration::from_millis(50);
/// How often the grants are looked at again when nothing rings.
const RECHECK: Duration = Duration::from_secs(10);
/// Keep-alive; proxies cut silent lines after 30 to 60 seconds.
const PING: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
pub struct Ask {
    cursor: Option<String>,
    /// Comma-separated stream names; all shared streams of the view when absent.
    streams: Option<String>,
}

/// `GET /v1/live?streams=&cursor=`.
///
/// # Errors
/// When the cursor is none, before anything is streamed.
pub async fn live(
    State(app): State<App>,
    caller: Caller,
    Query(ask): Query<Ask>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let cursor = last
        .map(str::to_owned)
        .or(ask.cursor)
        .filter(|text| !text.is_empty());
    if let Some(text) = &cursor
        && Cursor::decode(text, &caller.person).is_err()
    {
        return Err(ApiError::new(problem::CURSOR_INVALID));
    }
    let wanted = ask
        .streams
        .map(|list| list.split(',').map(str::to_owned).collect());
    let rings = app.live.listen();
    let (events, receiver) = mpsc::channel(EVENTS);
    let subscriber = Subscriber {
        app,
        caller,
        cursor,
        wanted,
        events,
    };
    tasks::spawn("live", subscriber.run(rings));
    let alive = KeepAlive::new()
        .interval(PING)
        .event(Event::default().event("ping").data("{}"));
    let mut response = Sse::new(ReceiverStream::new(receiver))
        .keep_alive(alive)
        .into_response();
    // Proxies that buffer would hold events back.
    if let Ok(value) = "no".parse() {
        response.headers_mut().insert("x-accel-buffering", value);
    }
    Ok(response)
}

struct Subscriber {
    app: App,
    caller: Caller,
    cursor: Option<String>,
    wanted: Option<BTreeSet<String>>,
    events: mpsc::Sender<Result<Event, Infallible>>,
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

impl Subscriber {
    async fn run(mut self, mut rings: broadcast::Receiver<std::sync::Arc<Ring>>) {
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
            if self.wait(&mut rings).await.is_err() {
                break End::Reader;
            }
        };
        if matches!(end, End::Grants) {
            let closed = json!({ "code": "grant-ended" }).to_string();
            // The reader may have gone already.
            let _ = self
                .events
                .send(Ok(Event::default().event("closed").data(closed)))
                .await;
        }
    }

    /// Waits for a ring that may concern this view, or for the next look at the grants.
    async fn wait(&self, rings: &mut broadcast::Receiver<std::sync::Arc<Ring>>) -> Result<(), ()> {
        tokio::select! {
            () = self.events.closed() => return Err(()),
            ring = rings.recv() => {
                if matches!(ring, Err(broadcast::error::RecvError::Closed)) {
                    return Err(());
                }
            }
            () = tokio::time::sleep(RECHECK) => return Ok(()),
        }
        tokio::time::sleep(GATHER).await;
        // What rang meanwhile is answered by the same page.
        while rings.try_recv().is_ok() {}
        Ok(())
    }

    /// Sends everything that is new.
    async fn turn(&mut self) -> Result<(), End> {
        loop {
            let page = self.page().await?;
            let more = page.more;
            self.send(page).await?;
            if !more {
                return Ok(());
            }
        }
    }

    async fn page(&self) -> Result<PullAnswer, End> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.read().await.map_err(|_| End::Fault)?;
        let session = sessions::by_id(&mut tx, &self.caller.session).await;
        let live = session
            .map_err(|_| End::Fault)?
            .is_some_and(|s| s.state == "active");
        if !live || now >= self.caller.expires_at {
            return Err(End::Grants);
        }
        let person = &self.caller.person;
        let grants = views::grants(&mut tx, person)
            .await
            .map_err(|_| End::Fault)?;
        let mut view = views::of(&mut tx, person, &grants, now)
            .await
            .map_err(|_| End::Fault)?;
        if !self.narrow(&mut view) {
            return Err(End::Grants);
        }
        let ask = PullAsk {
            cursor: self.cursor.clone(),
            max_bytes: Some(PAGE_BYTES_MAX),
            form: None,
            sums: false,
        };
        let knows = Knows::default();
        let page = pulls::page(&mut tx, &self.app.sealer, person, &view, &ask, knows).await;
        match page.map_err(|_| End::Fault)? {
            Page::Ready(page) => Ok(*page),
            Page::NotACursor => Err(End::Fault),
        }
    }

    /// Shared streams only; rules and mailboxes are for phones. Says whether any is left, be it
    /// one into which nothing has been written yet.
    fn narrow(&self, view: &mut View) -> bool {
        let shared = |name: &str| {
            let kinds = ["station:", "county:", "hub:", "restricted:"];
            kinds.iter().any(|kind| name.starts_with(kind))
                && self.wanted.as_ref().is_none_or(|list| list.contains(name))
        };
        for shard in &mut view.shards {
            shard.streams.retain(|stream| shared(&stream.name));
        }
        view.shards.retain(|shard| !shard.streams.is_empty());
        view.streams.iter().any(|stream| shared(&stream.stream))
    }

    async fn send(&mut self, page: PullAnswer) -> Result<(), End> {
        let mut tx = self.app.db.read().await.map_err(|_| End::Fault)?;
        let names = self.names(&mut tx, &page).await.unwrap_or_default();
        drop(tx);
        let mut events = Vec::new();
        for changes in &page.changes {
            for row in &changes.rows {
                let told = self.told(changes.shard, &changes.stream, row, &names);
                events.push(Event::default().event("change").data(told));
            }
        }
        if let Some(cursor) = &page.cursor {
            match events.pop() {
                Some(last) => events.push(last.id(cursor)),
                None => {
                    let ping = Event::default().event("ping").data("{}");
                    events.push(ping.id(cursor));
                }
            }
            self.cursor = Some(cursor.clone());
        }
        for event in events {
            let sent = tokio::time::timeout(PING, self.events.send(Ok(event))).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(End::Reader);
            }
        }
        Ok(())
    }

    fn told(
        &self,
        shard: i64,
        stream: &str,
        row: &Row,
        names: &BTreeMap<String, String>,
    ) -> String {
        let village = row.village.as_deref();
        json!({
            "shard": shard.to_string(),
            "stream": stream,
            "seq": row.seq,
            "op": if row.rm { "rm" } else { "put" },
            "kind": row.kind,
            "id": row.id,
            "rev": row.rev,
            "author": row.author,
            "author_name": names.get(&row.author),
            "unit": row.unit,
            "village": village,
            "village_name": village.and_then(|code| self.app.regions.name(code)),
            "received_at": row.received_at,
            "estimated_at": row.estimated_at,
            "body": row.body,
        })
        .to_string()
    }

    /// Names of the authors on a page; a receipt of refusal never shows its author.
    async fn names(
        &self,
        tx: &mut Tx,
        page: &PullAnswer,
    ) -> Result<BTreeMap<String, String>, crate::store::StoreError> {
        let rows = page.changes.iter().flat_map(|changes| &changes.rows);
        let shown = rows.filter(|row| row.kind != "refusal" && !row.author.is_empty());
        let ids: BTreeSet<&str> = shown.map(|row| row.author.as_str()).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let list: Vec<&str> = ids.iter().copied().collect();
        let sealed = people::names(tx, &list).await?;
        let keyring = keys::known(tx, &self.app.sealer, keys::PEOPLE, ids).await?;
        let open = |(id, name): (String, Vec<u8>)| {
            let name = keyring.open(&id, id.as_bytes(), &name).ok()?;
            Some((id, String::from_utf8(name).ok()?))
        };
        Ok(sealed.into_iter().filter_map(open).collect())
    }
}
