//! `GET /v1/photos/{sha256}`: reading a photograph, by those who may read its record whole.
//!
//! Renditions are for the owner, for whoever has a record with the photograph in the mailbox
//! now, and for reviewers with a reason, which is noted. The original, with what the camera
//! wrote, is for the owner and reviewers. To everybody else the photograph is not there.

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use uuid::Uuid;
use xiangyi_proto::photo::{Form, Rendition};
use xiangyi_proto::problem;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;

use super::{evidence, query};
use crate::app::App;
use crate::blobs::Key;
use crate::caller::Caller;
use crate::photos::tus;
use crate::problem::ApiError;
use crate::store::photo_jobs::{self, What};
use crate::store::{photos, reads};

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 200;
/// The form that is made on demand.
const EVIDENCE: &str = "evidence";

/// The query of a reading.
#[derive(Debug, Deserialize)]
pub struct Reading {
    /// `thumb`, `view` or `original`; `view` when absent.
    #[serde(rename = "as")]
    pub(super) form: Option<String>,
    /// The unit of the record; its first six digits are the shard.
    unit: Option<String>,
    /// Why a reviewer reads it.
    pub(super) reason: Option<String>,
    /// The record whose strip is meant.
    pub(super) record: Option<String>,
    /// The code of a strip, to be checked.
    pub(super) code: Option<String>,
}

/// A reading that is understood.
pub(super) struct Wanted {
    pub(super) shard: i64,
    pub(super) hash: [u8; 32],
    pub(super) sha256: String,
    pub(super) form: Form,
    pub(super) reason: Option<String>,
}

/// By what right somebody reads.
pub(super) enum Right {
    Owner,
    /// A record in the mailbox.
    Mailbox,
    /// A reviewer, with the record that the reading is noted for.
    Review {
        record: Uuid,
        reason: String,
    },
}

/// `GET /v1/photos/{sha256}?as=thumb|view|original&unit=`: 202 while a rendition is being made.
///
/// # Errors
/// When the query is not understood, or there is no such photograph for the caller.
pub async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
    query::Asked(asked): query::Asked<Reading>,
) -> Result<Response, ApiError> {
    if asked.form.as_deref() == Some(EVIDENCE) {
        return evidence::read(&app, &caller, sha256, asked).await;
    }
    let wanted = wanted(sha256, asked)?;
    let right = right(&app, &caller, &wanted).await?;
    let rendition = match (wanted.form, &right) {
        (Form::Original, Right::Mailbox) => return Err(ApiError::new(problem::NOT_FOUND)),
        (Form::Original, _) => None,
        (Form::Rendition(rendition), _) => Some(rendition),
    };
    let found = match rendition {
        Some(rendition) => small(&app, &wanted, rendition)
            .await?
            .map(|(bytes, mime)| (bytes.into_response(), mime)),
        None => Some(original(&app, &wanted).await?),
    };
    let Some((body, mime)) = found else {
        let wait = [(header::RETRY_AFTER, HeaderValue::from_static("1"))];
        return Ok((StatusCode::ACCEPTED, wait).into_response());
    };
    if let Right::Review { record, reason } = right {
        noted(&app, &caller, &wanted, record, &reason).await?;
    }
    let mime = HeaderValue::from_str(&mime).map_err(|_| ApiError::new(problem::SERVER_FAULT))?;
    let headers = [
        (header::CONTENT_TYPE, mime),
        (header::CACHE_CONTROL, HeaderValue::from_static("private")),
    ];
    Ok((headers, body).into_response())
}

pub(super) fn wanted(sha256: String, asked: Reading) -> Result<Wanted, ApiError> {
    let wrong = |pointer, code| ApiError::new(problem::INVALID_PARAMETER).at(pointer, code);
    let hash = tus::hash(&sha256).ok_or(ApiError::new(problem::NOT_FOUND))?;
    let unit = asked.unit.ok_or_else(|| wrong("/unit", "required"))?;
    let shard = region::shard_of(&unit).ok_or_else(|| wrong("/unit", "bad-region"))?;
    let form = asked.form.as_deref().unwrap_or("view");
    let form = Form::parse(form).ok_or_else(|| wrong("/as", "unknown-code"))?;
    let reason = asked.reason.map(|reason| reason.trim().to_owned());
    let reason = reason.filter(|reason| !reason.is_empty());
    let too_long = |reason: &String| reason.chars().count() > REASON_CHARS_MAX;
    if reason.as_ref().is_some_and(too_long) {
        return Err(wrong("/reason", "too-long"));
    }
    Ok(Wanted {
        shard: shard.0,
        hash,
        sha256,
        form,
        reason,
    })
}

/// By what right the caller reads, or that nothing is there.
pub(super) async fn right(app: &App, caller: &Caller, wanted: &Wanted) -> Result<Right, ApiError> {
    let (shard, hash) = (wanted.shard, &wanted.hash);
    let mut tx = app.db.read().await?;
    let own = photos::by_owner(&mut tx, shard, hash, &caller.person).await?;
    if own.is_some() {
        return Ok(Right::Owner);
    }
    let mailbox = format!("person:{}", caller.person);
    let original = wanted.form == Form::Original;
    if !original && photos::is_readable(&mut tx, shard, hash, &mailbox).await? {
        return Ok(Right::Mailbox);
    }
    let county = shard.to_string();
    if !caller.is_one_of(&[Role::HubReviewer], &county, app.clock.now()) {
        return Err(ApiError::new(problem::NOT_FOUND));
    }
    let reason = wanted
        .reason
        .clone()
        .ok_or_else(|| ApiError::new(problem::INVALID_PARAMETER).at("/reason", "required"))?;
    let record = photos::declared(&mut tx, shard, hash).await?;
    let record = record.ok_or(ApiError::new(problem::NOT_FOUND))?;
    Ok(Right::Review { record, reason })
}

/// The original as it comes from the store: up to 8 MiB, which many may read slowly at once.
async fn original(app: &App, wanted: &Wanted) -> Result<(Response, String), ApiError> {
    let mut tx = app.db.read().await?;
    let mime = photos::mime(&mut tx, wanted.shard, &wanted.hash).await?;
    drop(tx);
    let key = Key::original(wanted.shard, &wanted.sha256);
    let found = app.blobs.stream(&key).await?;
    let ((bytes, stream), mime) = found.zip(mime).ok_or(ApiError::new(problem::NOT_FOUND))?;
    let length = [(header::CONTENT_LENGTH, HeaderValue::from(bytes))];
    Ok(((length, Body::from_stream(stream)).into_response(), mime))
}

/// A rendition, or nothing while it is being made.
pub(super) async fn small(
    app: &App,
    wanted: &Wanted,
    rendition: Rendition,
) -> Result<Option<(Bytes, String)>, ApiError> {
    let key = Key::rendition(wanted.shard, &wanted.sha256, rendition);
    if let Some(bytes) = app.blobs.get(&key).await? {
        return Ok(Some((bytes, "image/jpeg".to_owned())));
    }
    let mut tx = app.db.read().await?;
    let made = &What::Renditions;
    if photo_jobs::is_parked(&mut tx, wanted.shard, &wanted.hash, made).await? {
        return Err(ApiError::new(problem::NOT_FOUND));
    }
    Ok(None)
}

pub(super) async fn noted(
    app: &App,
    caller: &Caller,
    wanted: &Wanted,
    record: Uuid,
    reason: &str,
) -> Result<(), ApiError> {
    let because = (reason, app.clock.now());
    let read = [(wanted.shard, record)];
    reads::note(&app.db, &app.entropy, &caller.person, because, &read).await?;
    Ok(())
}
