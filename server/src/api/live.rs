//! `GET /v1/live`: server-sent events over the shared streams of the caller's view.
//!
//! The same pages as a pull, so that one path tells the truth: after a ring the subscriber's
//! cursor is pulled on and its rows go out, the last with the cursor as `id`. Rows are read and
//! written out once for all who stand at the same place; the mailbox is only poked. A reader that
//! stops reading is dropped and resumes by `Last-Event-ID`.

mod subscriber;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use xiangyi_proto::limits::RETRY_MS;
use xiangyi_proto::problem;
use xiangyi_sync::cursor::Cursor;

use super::query::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::ApiError;
use crate::tasks;
use subscriber::Subscriber;

/// Parts of events that wait for a slow reader, two an event: some 40 KB a line, because one person
/// may hold many lines.
const PARTS: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    cursor: Option<String>,
    /// Comma-separated stream names; all shared streams of the view when absent.
    streams: Option<String>,
}

/// `GET /v1/live?streams=&cursor=`.
///
/// # Errors
/// When the cursor is none or the person has too many lines, before anything is streamed.
pub async fn live(
    State(app): State<App>,
    caller: Caller,
    Asked(ask): Asked<Ask>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok());
    let cursor = last
        .map(str::to_owned)
        .or(ask.cursor)
        .filter(|text| !text.is_empty());
    let decoded = cursor
        .as_deref()
        .map(|text| Cursor::decode(text, &caller.person));
    let cursor = decoded
        .transpose()
        .map_err(|_| ApiError::new(problem::CURSOR_INVALID))?;
    let wanted = ask
        .streams
        .map(|list| list.split(',').map(str::to_owned).collect());
    let seat = app.live.seat(&caller.person);
    let seat = seat.ok_or_else(|| ApiError::new(problem::THROTTLED).retry(RETRY_MS))?;
    let rings = app.live.listen();
    let (parts, receiver) = mpsc::channel(PARTS);
    let subscriber = Subscriber::new(app, caller, cursor, wanted, parts);
    tasks::spawn("live", async move {
        subscriber.run(rings).await;
        drop(seat);
    });
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    let headers = response.headers_mut();
    let stream = HeaderValue::from_static("text/event-stream");
    headers.insert(header::CONTENT_TYPE, stream);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies that buffer would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
