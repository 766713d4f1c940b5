//! Receiving chunks: streamed to the staged file, durable in steps, completed at the last byte.
//!
//! What arrived before a connection broke is kept. The last step is never written to the row by
//! itself: only a photograph that passed every check makes an upload complete, so an offset
//! equal to the length means that the photograph is here.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::StreamExt;
use tokio::sync::oneshot;
use xiangyi_proto::problem;

use super::complete;
use super::staging::Staged;
use super::tus::Checksum;
use crate::app::App;
use crate::problem::ApiError;
use crate::store::uploads::{self, UploadRow};
use crate::tasks;

/// Bytes after which what arrived is made durable: 26 s at 40 kbit/s, one step for most.
const STEP: i64 = 128 * 1024;
/// A connection that is silent for so long is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How far an upload has come: the lesser of its row and its file.
///
/// # Errors
/// When the disk fails.
pub async fn offset(app: &App, upload: &UploadRow) -> Result<i64, ApiError> {
    if upload.is_complete() {
        return Ok(upload.length);
    }
    let staged = app.staging.length(&upload.id).await;
    let staged = staged.map_err(super::staging::StagingError::from)?;
    Ok(upload.received.min(staged))
}

/// Appends a body at an offset; gives the offset after it.
///
/// Goes on when whoever asked has hung up, so that what arrived is not lost.
///
/// # Errors
/// When the offset does not fit, another append takes over, or the whole is no photograph.
pub async fn append(
    app: &App,
    upload: UploadRow,
    offset: i64,
    sum: Option<Checksum>,
    body: Body,
) -> Result<i64, ApiError> {
    let (reply, answer) = oneshot::channel();
    let task_app = app.clone();
    tasks::spawn("append", async move {
        let appended = appended(&task_app, &upload, offset, sum, body).await;
        // A phone that hung up asks for the offset when it comes back.
        let _ = reply.send(appended);
    });
    let gone = |_| ApiError::new(problem::SERVER_FAULT);
    answer.await.map_err(gone)?
}

async fn appended(
    app: &App,
    upload: &UploadRow,
    offset: i64,
    mut sum: Option<Checksum>,
    body: Body,
) -> Result<i64, ApiError> {
    let mut tx = app.db.write().await?;
    let fenced = uploads::fence(&mut tx, &upload.id).await?;
    tx.commit().await?;
    let (fence, received) = fenced.ok_or(ApiError::new(problem::UPLOAD_LOCKED))?;
    let mut staged = app.staging.take_over(&upload.id, fence, received).await?;
    if staged.at() != offset {
        return Err(ApiError::new(problem::UPLOAD_OFFSET));
    }
    let chunks = body.into_data_stream();
    drain(app, upload, fence, &mut staged, &mut sum, chunks).await?;
    if sum.is_some_and(|sum| !sum.holds()) {
        // The row still says where the chunk began, and the next append cuts the file off there.
        return Err(ApiError::new(problem::UPLOAD_CHECKSUM));
    }
    if staged.at() < upload.length {
        keep(app, upload, fence, &mut staged).await?;
    } else {
        staged.sync().await?;
        complete::complete(app, upload, fence).await?;
    }
    Ok(staged.at())
}

/// Writes chunks until the body ends, breaks or falls silent. With a checksum nothing is durable
/// before it was compared.
async fn drain(
    app: &App,
    upload: &UploadRow,
    fence: i64,
    staged: &mut Staged,
    sum: &mut Option<Checksum>,
    mut chunks: BodyDataStream,
) -> Result<(), ApiError> {
    let mut kept = staged.at();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE_MAX, chunks.next()).await {
        let bytes = i64::try_from(chunk.len()).unwrap_or(i64::MAX);
        if bytes > upload.length - staged.at() {
            return Err(ApiError::new(problem::PHOTO_HASH_MISMATCH));
        }
        staged.write(&chunk).await?;
        if let Some(sum) = sum {
            sum.update(&chunk);
            continue;
        }
        if staged.at() - kept >= STEP && staged.at() < upload.length {
            keep(app, upload, fence, staged).await?;
            kept = staged.at();
        }
    }
    Ok(())
}

/// Takes a photograph that came whole, under the fence of an append, without staging it.
///
/// # Errors
/// When another append takes over, or it is no photograph.
pub async fn at_once(app: &App, upload: UploadRow, bytes: Bytes) -> Result<(), ApiError> {
    let (reply, answer) = oneshot::channel();
    let task_app = app.clone();
    tasks::spawn("append", async move {
        let done = fenced(&task_app, &upload, bytes).await;
        // A phone that hung up sends the same again.
        let _ = reply.send(done);
    });
    let gone = |_| ApiError::new(problem::SERVER_FAULT);
    answer.await.map_err(gone)?
}

async fn fenced(app: &App, upload: &UploadRow, bytes: Bytes) -> Result<(), ApiError> {
    let mut tx = app.db.write().await?;
    let fenced = uploads::fence(&mut tx, &upload.id).await?;
    tx.commit().await?;
    let (fence, _) = fenced.ok_or(ApiError::new(problem::UPLOAD_LOCKED))?;
    complete::whole(app, upload, fence, bytes).await
}

/// Makes what arrived durable, first the file, then the row.
async fn keep(
    app: &App,
    upload: &UploadRow,
    fence: i64,
    staged: &mut Staged,
) -> Result<(), ApiError> {
    staged.sync().await?;
    let mut tx = app.db.write().await?;
    let moved = uploads::advance(&mut tx, &upload.id, fence, staged.at()).await?;
    tx.commit().await?;
    if moved {
        Ok(())
    } else {
        Err(ApiError::new(problem::UPLOAD_LOCKED))
    }
}
