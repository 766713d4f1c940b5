//! What nobody will ever ask for: expired uploads, staged files without an upload, blobs without
//! a photograph.
//!
//! A staged file that is removed too early costs sending it again. A blob is removed only when it
//! is older than any upload that could still end in a row, when there is neither row nor upload,
//! and when nobody has written it anew since it was listed.

use futures::StreamExt;
use xiangyi_proto::limits::UPLOAD_DAYS;
use xiangyi_proto::time::DAY_MS;

use super::staging::StagingError;
use super::tus;
use crate::app::App;
use crate::blobs::{BlobError, Key};
use crate::store::{StoreError, photos, uploads};

/// Uploads and files of one sweep.
const SWEEP_MAX: i64 = 500;
/// An upload may be announced again on its last day, and its photograph may come on the last of
/// those.
const UNDECIDED_MS: i64 = (2 * UPLOAD_DAYS + 1) * DAY_MS;
/// Older blobs were looked at in earlier sweeps.
const LOOKED_AT_MS: i64 = UNDECIDED_MS + 60 * DAY_MS;

/// Why a sweep stopped.
#[derive(Debug)]
pub enum Stopped {
    Database(StoreError),
    Store(BlobError),
    Disk,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Disk => f.write_str("the staging folder cannot be read"),
        }
    }
}

impl std::error::Error for Stopped {}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl From<BlobError> for Stopped {
    fn from(error: BlobError) -> Self {
        Self::Store(error)
    }
}

impl From<StagingError> for Stopped {
    fn from(_: StagingError) -> Self {
        Self::Disk
    }
}

/// Takes expired uploads away, file before row; gives how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn expired(app: &App) -> Result<usize, StoreError> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let expired = uploads::expired(&mut tx, now, SWEEP_MAX).await?;
    drop(tx);
    for id in &expired {
        if app.staging.remove(id).await.is_err() {
            tracing::warn!("the file of an expired upload could not be removed");
            continue;
        }
        let mut tx = app.db.write().await?;
        uploads::remove_expired(&mut tx, id, now).await?;
        tx.commit().await?;
    }
    Ok(expired.len())
}

/// Takes staged files away whose upload is complete or gone: another node swept its row, or a
/// process died between the two. Gives how many there were.
///
/// # Errors
/// When the database or the folder does not answer.
pub async fn staged(app: &App) -> Result<usize, Stopped> {
    let mut count = 0;
    // Files first: a file is made after its row, so one without a row has lost it.
    for id in app.staging.ids().await? {
        let mut tx = app.db.glance().await?;
        let upload = uploads::by_id(&mut tx, &id).await?;
        drop(tx);
        if upload.is_none_or(|upload| upload.is_complete()) {
            app.staging.remove(&id).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// Takes originals and renditions away whose row never came; gives how many there were.
///
/// # Errors
/// When the database or the store does not answer.
pub async fn blobs(app: &App) -> Result<usize, Stopped> {
    let now = app.clock.now();
    let mut count = 0;
    for folder in Key::FOLDERS {
        let mut listed = app.blobs.list(folder);
        while let Some(found) = listed.next().await {
            let (key, written_at) = found?;
            if !(UNDECIDED_MS..LOOKED_AT_MS).contains(&(now - written_at)) {
                continue;
            }
            let Some((shard, hash)) = named(&key) else {
                continue;
            };
            if is_orphan(app, shard, &hash).await?
                && app.blobs.written_at(&key).await? == Some(written_at)
            {
                app.blobs.remove(&key).await?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// Shard and hash out of `photos/430121/{sha256}` or `renditions/430121/{sha256}/view.jpg`.
fn named(key: &Key) -> Option<(i64, [u8; 32])> {
    let mut parts = key.name().split('/').skip(1);
    let shard = parts.next()?.parse().ok()?;
    Some((shard, tus::hash(parts.next()?)?))
}

async fn is_orphan(app: &App, shard: i64, hash: &[u8]) -> Result<bool, StoreError> {
    let mut tx = app.db.read().await?;
    let row = photos::mime(&mut tx, shard, hash).await?;
    Ok(row.is_none() && !uploads::is_any_of(&mut tx, shard, hash).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xiangyi_proto::photo::Rendition;

    #[test]
    fn a_key_names_its_shard_and_hash() {
        let sha256 = "ab".repeat(32);
        let wanted = Some((430_121, [0xab; 32]));
        assert_eq!(named(&Key::original(430_121, &sha256)), wanted);
        assert_eq!(
            named(&Key::rendition(430_121, &sha256, Rendition::View)),
            wanted
        );
        assert_eq!(named(&Key::original(430_121, "backup")), None);
    }
}
