//! The last byte has come: check, store the blob, then the row and its jobs, then tell the shard.
//!
//! A picture is decoded once: what was made of it while it was checked is stored after the
//! answer. A kill at any point leaves either an upload that goes on or a photograph whose jobs
//! are due.

use axum::body::Bytes;
use sha2::{Digest as _, Sha256};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::photo::{Mime, Rendition};
use xiangyi_proto::problem::{self, Code};
use xiangyi_proto::time::DAY_MS;

use super::camera::{self, Camera};
use super::rendition::{self, Developed};
use super::{Spoilt, sniff};
use crate::app::App;
use crate::blobs::{BlobError, Key};
use crate::failpoint;
use crate::problem::ApiError;
use crate::store::keys;
use crate::store::photo_jobs::{self, What};
use crate::store::photos::{self, PhotoRow};
use crate::store::uploads::{self, UploadRow};
use crate::store::{StoreError, Tx};
use crate::tasks;
use crate::writer::{NoAnswer, Work};

/// Milliseconds after which the jobs do what the upload does at once if nothing comes between.
const JOBS_AFTER_MS: i64 = 15_000;

/// What a look at the bytes found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    mime: Mime,
    made: Developed,
    camera: Option<Camera>,
}

/// Checks the staged bytes of an upload and makes them a photograph.
///
/// # Errors
/// When they are not what was announced, which starts the upload over; when a store does not
/// take them, after which a single byte has to be sent again.
pub async fn complete(app: &App, upload: &UploadRow, fence: i64) -> Result<(), ApiError> {
    failpoint::reach("photo-staged");
    let bytes = Bytes::from(app.staging.read(&upload.id).await?);
    let done = whole(app, upload, fence, bytes).await;
    if let Err(error) = &done
        && error.code == problem::BUSY
        && let Err(error) = set_back(app, upload, fence, upload.length - 1).await
    {
        tracing::warn!(%error, "an upload has to be sent again whole");
    }
    done
}

/// Checks whole bytes and makes them a photograph.
///
/// # Errors
/// When they are not what was announced, which starts the upload over; when a store does not
/// take them.
pub async fn whole(
    app: &App,
    upload: &UploadRow,
    fence: i64,
    bytes: Bytes,
) -> Result<(), ApiError> {
    let (looked_at, announced) = (bytes.clone(), upload.clone());
    let seen = app.darkroom.develop(move || look(&looked_at, &announced));
    let seen = seen.await.unwrap_or_else(|spoilt| {
        if spoilt == Spoilt::TooLong {
            tracing::warn!("a photograph took too long and was refused");
        }
        Err(problem::PHOTO_UNDECODABLE)
    });
    let seen = match seen {
        Ok(seen) => seen,
        Err(code) => {
            set_back(app, upload, fence, 0).await?;
            return Err(ApiError::new(code));
        }
    };
    let sha256 = hex::encode(&upload.sha256);
    let key = Key::original(upload.shard, &sha256);
    app.blobs.put(&key, bytes).await?;
    failpoint::reach("photo-stored");
    let mut tx = app.db.write().await?;
    let owner = [upload.owner.as_str()];
    let keys = keys::of(&mut tx, &app.sealer, upload.shard, owner, &app.entropy).await?;
    let key = keys.key(&upload.owner).filter(|_| seen.camera.is_some());
    let camera = key.map(|key| {
        let plain = serde_json::to_vec(&seen.camera).unwrap_or_default();
        key.seal(&app.entropy, &photos::place(&upload.sha256), &plain)
    });
    if !noted(&mut tx, upload, fence, (&seen, camera), app.clock.now()).await? {
        return Err(ApiError::new(problem::UPLOAD_LOCKED));
    }
    tx.commit().await?;
    failpoint::reach("photo-noted");
    keys.keep(&app.sealer);
    if app.staging.remove(&upload.id).await.is_err() {
        tracing::warn!("the file of a complete upload is left to the sweep");
    }
    hang_up(app, upload, seen.made);
    if let Err(error) = show(app, upload.shard, &upload.sha256, &upload.owner).await {
        tracing::warn!(%error, "a photograph will be shown by its job");
    }
    failpoint::reach("photo-shown");
    Ok(())
}

/// Stores what was made of a photograph, beside the answer to its sender.
fn hang_up(app: &App, upload: &UploadRow, made: Developed) {
    let (app, shard, sha256) = (app.clone(), upload.shard, upload.sha256.clone());
    tasks::spawn("renditions", async move {
        let stored = store(&app, shard, &sha256, made.renditions).await;
        let closed = match stored {
            Ok(()) => finished(&app, shard, &sha256, &What::Renditions).await,
            Err(error) => {
                tracing::warn!(%error, "renditions will be made by their job");
                return;
            }
        };
        if let Err(error) = closed {
            tracing::warn!(%error, "a job will be done twice");
        }
    });
}

/// Stores both renditions of a photograph.
///
/// # Errors
/// When the store does not take them.
pub async fn store(
    app: &App,
    shard: i64,
    sha256: &[u8],
    renditions: [(Rendition, Vec<u8>); 2],
) -> Result<(), BlobError> {
    let sha256 = hex::encode(sha256);
    for (rendition, bytes) in renditions {
        let key = Key::rendition(shard, &sha256, rendition);
        app.blobs.put(&key, Bytes::from(bytes)).await?;
    }
    Ok(())
}

async fn finished(app: &App, shard: i64, sha256: &[u8], what: &What) -> Result<(), StoreError> {
    let mut tx = app.db.write().await?;
    photo_jobs::done(&mut tx, shard, sha256, what).await?;
    tx.commit().await
}

/// Compares bytes with their announcement and decodes them to the end.
fn look(bytes: &[u8], announced: &UploadRow) -> Result<Seen, Code> {
    let is_as_long = i64::try_from(bytes.len()) == Ok(announced.length);
    if !is_as_long || Sha256::digest(bytes)[..] != announced.sha256[..] {
        return Err(problem::PHOTO_HASH_MISMATCH);
    }
    let mime = match sniff::whole(bytes) {
        Ok(mime) if mime.name() == announced.mime => mime,
        Err(sniff::Unfit::CutShort) => return Err(problem::PHOTO_UNDECODABLE),
        Ok(_) | Err(sniff::Unfit::Type) => return Err(problem::PHOTO_TYPE),
    };
    let made = rendition::develop(bytes, mime).map_err(|_| problem::PHOTO_UNDECODABLE)?;
    let camera = camera::read(bytes);
    Ok(Seen { mime, made, camera })
}

async fn set_back(app: &App, upload: &UploadRow, fence: i64, to: i64) -> Result<(), StoreError> {
    let mut tx = app.db.write().await?;
    uploads::advance(&mut tx, &upload.id, fence, to).await?;
    tx.commit().await
}

/// The rows of a complete photograph; false when a newer append has taken over.
async fn noted(
    tx: &mut Tx,
    upload: &UploadRow,
    fence: i64,
    (seen, camera): (&Seen, Option<Vec<u8>>),
    now: i64,
) -> Result<bool, StoreError> {
    if !uploads::complete(tx, &upload.id, fence, now + DAY_MS).await? {
        return Ok(false);
    }
    let photo = PhotoRow {
        owner: upload.owner.clone(),
        bytes: upload.length,
        mime: seen.mime.name().to_owned(),
        width: i64::from(seen.made.width),
        height: i64::from(seen.made.height),
        camera,
    };
    photos::add(tx, upload.shard, &upload.sha256, &photo, now).await?;
    let (shard, sha256) = (upload.shard, upload.sha256.as_slice());
    let later = now + JOBS_AFTER_MS;
    photo_jobs::add(tx, shard, sha256, &What::Renditions, later).await?;
    let show = What::Show(upload.owner.clone());
    photo_jobs::add(tx, shard, sha256, &show, later).await?;
    Ok(true)
}

/// Rewrites the records that declare a photograph and closes the job that would; gives what
/// kept the shard from taking it.
///
/// # Errors
/// When the database does not answer; the job is due again then.
pub async fn show(
    app: &App,
    shard: i64,
    sha256: &[u8],
    owner: &str,
) -> Result<Option<NoAnswer>, StoreError> {
    let work = Work::Photo {
        sha256: hex::encode(sha256),
        owner: owner.to_owned(),
    };
    let answers = app.writer.write(Shard(shard), work).await;
    if let Some(why) = answers.into_iter().find_map(Result::err) {
        return Ok(Some(why));
    }
    finished(app, shard, sha256, &What::Show(owner.to_owned())).await?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../../tests/data/photos/village-room.jpg");
    const BOMB: &[u8] = include_bytes!("../../../tests/data/photos/bomb.png");
    const CUT: &[u8] = include_bytes!("../../../tests/data/photos/truncated.jpg");
    const TEXT: &[u8] = include_bytes!("../../../tests/data/photos/not-a-photo.jpg");

    fn announced(bytes: &[u8], mime: Mime) -> UploadRow {
        UploadRow {
            id: "u".to_owned(),
            shard: 430_121,
            owner: "p-1".to_owned(),
            sha256: Sha256::digest(bytes).to_vec(),
            mime: mime.name().to_owned(),
            length: i64::try_from(bytes.len()).expect("a small file"),
            received: 0,
            fence: 1,
            state: "open".to_owned(),
            expires_at: 0,
        }
    }

    fn code(bytes: &[u8], mime: Mime) -> Option<&'static str> {
        look(bytes, &announced(bytes, mime))
            .err()
            .map(|code| code.name)
    }

    #[test]
    fn each_fault_of_a_photograph_has_its_code() {
        assert_eq!(code(PLAIN, Mime::Jpeg), None);
        assert_eq!(code(PLAIN, Mime::Png), Some("photo-type"));
        assert_eq!(code(TEXT, Mime::Jpeg), Some("photo-type"));
        assert_eq!(code(CUT, Mime::Jpeg), Some("photo-undecodable"));
        assert_eq!(code(BOMB, Mime::Png), Some("photo-undecodable"));
        let another = announced(CUT, Mime::Jpeg);
        let code = look(PLAIN, &another).err().map(|code| code.name);
        assert_eq!(code, Some("photo-hash-mismatch"));
    }
}
