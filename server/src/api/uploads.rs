//! Uploads of photographs: tus 1.0 with creation, expiration and termination.
//!
//! An upload is its owner's alone; to anybody else it is not there. What follows from the bytes
//! is decided in `photos`.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use xiangyi_proto::limits::{
    GRANT_GRACE_HOURS, PHOTO_BYTES_MAX, UPLOAD_DAY_BYTES_MAX, UPLOAD_DAYS, UPLOADS_OPEN_MAX,
};
use xiangyi_proto::photo::{TUS_CHECKSUMS, TUS_EXTENSIONS, TUS_VERSION};
use xiangyi_proto::problem;
use xiangyi_proto::time::{DAY_MS, HOUR_MS};

use crate::app::App;
use crate::caller::Caller;
use crate::photos::receive;
use crate::photos::tus::{self, Announcement, Fault};
use crate::problem::ApiError;
use crate::store::uploads::{self, NewUpload, UploadRow};
use crate::store::{StoreError, Tx, people, photos};

const OFFSET: &str = "upload-offset";
const LENGTH: &str = "upload-length";
const EXPIRES: &str = "upload-expires";
/// When to come again after too many announcements: some may be finished, or were sent a day ago.
const QUOTA_RETRY_MS: i64 = 600_000;

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Version => Self::new(problem::UPLOAD_PROTOCOL),
            Fault::Chunk => Self::new(problem::UNSUPPORTED_MEDIA_TYPE),
            Fault::TooLarge => Self::new(problem::PHOTO_TOO_LARGE),
            Fault::Mime => Self::new(problem::PHOTO_TYPE),
            Fault::Field(pointer, code) => Self::new(problem::INVALID_PARAMETER).at(pointer, code),
        }
    }
}

/// `OPTIONS /v1/photos`: what of tus is spoken.
pub async fn options() -> Response {
    let mut response = resumable(Ok(StatusCode::NO_CONTENT.into_response()));
    let headers = response.headers_mut();
    headers.insert("tus-version", HeaderValue::from_static(TUS_VERSION));
    headers.insert("tus-extension", HeaderValue::from_static(TUS_EXTENSIONS));
    let checksums = HeaderValue::from_static(TUS_CHECKSUMS);
    headers.insert("tus-checksum-algorithm", checksums);
    headers.insert("tus-max-size", HeaderValue::from(PHOTO_BYTES_MAX as u64));
    response
}

/// `POST /v1/photos`: announces a photograph. The same announcement again finds its upload; a
/// photograph that its owner sent before is complete at once.
pub async fn create(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Response {
    resumable(created(&app, &caller, &headers).await)
}

/// `HEAD /v1/photos/uploads/{id}`, or GET: how far an upload has come.
pub async fn standing(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    resumable(stands(&app, &caller, &id, &headers).await)
}

/// `PATCH /v1/photos/uploads/{id}`: appends at the offset; the last byte completes.
pub async fn append(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    resumable(appended(&app, &caller, &id, &headers, body).await)
}

/// `DELETE /v1/photos/uploads/{id}`: gives an upload up; a complete photograph stays.
pub async fn terminate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    resumable(terminated(&app, &caller, &id, &headers).await)
}

/// Every answer about an upload names the version.
fn resumable(answer: Result<Response, ApiError>) -> Response {
    let mut response = answer.into_response();
    let refused = response.status() == StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert("tus-resumable", HeaderValue::from_static(TUS_VERSION));
    if refused {
        headers.insert("tus-version", HeaderValue::from_static(TUS_VERSION));
    }
    response
}

async fn created(app: &App, caller: &Caller, headers: &HeaderMap) -> Result<Response, ApiError> {
    tus::speaks(headers)?;
    let asked = tus::announcement(headers)?;
    let upload = announced(app, caller, &asked).await?;
    let offset = receive::offset(app, &upload).await?;
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    let place = format!("/v1/photos/uploads/{}", upload.id);
    headers.insert(header::LOCATION, ascii(&place));
    tell(headers, &upload, offset);
    Ok(response)
}

/// Notes an announcement, however it came; its upload as it stands.
///
/// # Errors
/// When the caller may not send it, or has sent too much.
pub async fn announced(
    app: &App,
    caller: &Caller,
    asked: &Announcement,
) -> Result<UploadRow, ApiError> {
    let now = app.clock.now();
    let (id, shard) = (upload_id(asked, &caller.person), asked.shard.0);
    let new = NewUpload {
        id: &id,
        shard,
        owner: &caller.person,
        sha256: &asked.hash,
        mime: asked.mime.name(),
        record: asked.said.record,
        length: asked.length,
        expires_at: now + UPLOAD_DAYS * DAY_MS,
    };
    let mut tx = app.db.write().await?;
    if !may_send(&mut tx, caller, asked, now).await? {
        return Err(ApiError::new(problem::FORBIDDEN));
    }
    let sent = photos::by_owner(&mut tx, shard, &asked.hash, &caller.person).await?;
    if sent.is_some() {
        uploads::already(&mut tx, &new, now).await?;
    } else {
        within_quota(&mut tx, caller, &new, now).await?;
        uploads::begin(&mut tx, &new, now).await?;
    }
    let upload = uploads::by_id(&mut tx, &id).await?;
    tx.commit().await?;
    upload.ok_or(ApiError::new(problem::UPLOAD_GONE))
}

/// Refuses an announcement beyond what one person may have under way and have sent in a day: what
/// is under way may lie in the staging folder to its last byte, however old it is. An upload that
/// goes on is none.
async fn within_quota(
    tx: &mut Tx,
    caller: &Caller,
    new: &NewUpload<'_>,
    now: i64,
) -> Result<(), ApiError> {
    if uploads::by_id(tx, new.id).await?.is_some() {
        return Ok(());
    }
    // One after the other: two that count at the same moment would both find room.
    people::in_turn(tx, &caller.person).await?;
    let (open, announced) = uploads::under_way(tx, &caller.person, now).await?;
    let sent = photos::sent_since(tx, &caller.person, now - DAY_MS).await?;
    if open >= UPLOADS_OPEN_MAX || announced + sent + new.length > UPLOAD_DAY_BYTES_MAX {
        return Err(ApiError::new(problem::UPLOAD_QUOTA).retry(QUOTA_RETRY_MS));
    }
    Ok(())
}

/// An upload's id: the same for the same announcement, so that a lost answer costs nothing.
fn upload_id(asked: &Announcement, owner: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(asked.shard.0.to_be_bytes());
    hash.update(asked.hash);
    hash.update(asked.length.to_be_bytes());
    hash.update(owner.as_bytes());
    hex::encode(&hash.finalize()[..16])
}

/// Whoever has a grant at the unit, or had one lately, or declared this photograph in a record.
async fn may_send(
    tx: &mut Tx,
    caller: &Caller,
    asked: &Announcement,
    now: i64,
) -> Result<bool, StoreError> {
    let grace = GRANT_GRACE_HOURS * HOUR_MS;
    let granted = caller.grants.iter().any(|grant| {
        let lately = grant.to_at.is_none_or(|to| now < to + grace);
        asked.said.unit.starts_with(&grant.unit) && grant.from_at <= now && lately
    });
    if granted {
        return Ok(true);
    }
    photos::declares(tx, asked.shard.0, &asked.hash, &caller.person).await
}

async fn stands(
    app: &App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    tus::speaks(headers)?;
    let upload = own(app, caller, id).await?;
    let offset = receive::offset(app, &upload).await?;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    tell(headers, &upload, offset);
    headers.insert(LENGTH, HeaderValue::from(upload.length));
    let fresh = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, fresh);
    Ok(response)
}

async fn appended(
    app: &App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    tus::speaks(headers)?;
    let offset = tus::offset(headers)?;
    let sum = tus::checksum(headers)?;
    let upload = own(app, caller, id).await?;
    if offset != receive::offset(app, &upload).await? {
        return Err(ApiError::new(problem::UPLOAD_OFFSET));
    }
    let bytes = headers.get(header::CONTENT_LENGTH);
    let bytes = bytes.and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    if bytes.is_some_and(|bytes| bytes > upload.length - offset) {
        return Err(ApiError::new(problem::PHOTO_HASH_MISMATCH));
    }
    let offset = if upload.is_complete() {
        offset
    } else {
        receive::append(app, upload.clone(), offset, sum, body).await?
    };
    let mut response = StatusCode::NO_CONTENT.into_response();
    tell(response.headers_mut(), &upload, offset);
    Ok(response)
}

async fn terminated(
    app: &App,
    caller: &Caller,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    tus::speaks(headers)?;
    let upload = own(app, caller, id).await?;
    app.staging.remove(&upload.id).await?;
    let mut tx = app.db.write().await?;
    uploads::remove(&mut tx, &upload.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The caller's own upload; another's is as little there as none.
async fn own(app: &App, caller: &Caller, id: &str) -> Result<UploadRow, ApiError> {
    let mut tx = app.db.read().await?;
    let upload = uploads::by_id(&mut tx, id).await?;
    let upload = upload.filter(|upload| upload.owner == caller.person);
    let upload = upload.ok_or(ApiError::new(problem::NOT_FOUND))?;
    if upload.expires_at <= app.clock.now() {
        return Err(ApiError::new(problem::UPLOAD_GONE));
    }
    Ok(upload)
}

fn tell(headers: &mut HeaderMap, upload: &UploadRow, offset: i64) {
    headers.insert(OFFSET, HeaderValue::from(offset));
    let until = tus::http_date(upload.expires_at);
    headers.insert(EXPIRES, ascii(&until));
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids and dates are ASCII")
}
