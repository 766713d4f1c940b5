//! Photographs on a phone: kept in its folder under their hash, sent in chunks by tus 1.0.
//!
//! An upload that was cut goes on where the server stands. A photograph never leaves the folder.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use xiangyi_proto::pack::RuleVerdict;
use xiangyi_proto::photo::{CHUNK_TYPE, Mime, TUS_VERSION};
use xiangyi_proto::problem;
use xiangyi_sync::phone::Place;

use super::http::{Ask, Reply};
use super::store::{Refused, Waiting};
use super::{Handset, Told, Trouble};

/// Bytes of one chunk: 13 s at 40 kbit/s, so that little is lost to a cut.
const CHUNK_BYTES: usize = 64 * 1024;
/// Cuts that one upload survives within one sync.
const CUTS_MAX: usize = 5;

/// A photograph as the phone keeps it.
#[derive(Debug, Clone)]
pub struct Photo {
    pub sha256: String,
    pub path: PathBuf,
    pub mime: Mime,
    pub bytes: usize,
}

/// Copies a file into the phone's folder under the hash of its bytes.
pub async fn take(home: &Path, file: &Path) -> Result<Photo, Trouble> {
    let read = tokio::fs::read(file).await;
    let bytes = read.map_err(|error| Trouble::file(file, &error))?;
    let mime = sniff(&bytes).ok_or_else(|| {
        Trouble::words(
            problem::PHOTO_TYPE.zh,
            "The file is no JPEG, PNG or WebP photograph.",
        )
    })?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let path = home.join("photos").join(&sha256);
    let written = durably(&path, &bytes).await;
    written.map_err(|error| Trouble::file(&path, &error))?;
    Ok(Photo {
        sha256,
        path,
        mime,
        bytes: bytes.len(),
    })
}

/// Whole and on disk before its record is, or not there at all.
async fn durably(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut file = tokio::fs::File::create(&new).await?;
    file.write_all(bytes).await?;
    file.flush().await?;
    file.sync_all().await?;
    tokio::fs::rename(&new, path).await
}

fn sniff(bytes: &[u8]) -> Option<Mime> {
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some(Mime::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG") {
        return Some(Mime::Png);
    }
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    webp.then_some(Mime::Webp)
}

impl Handset {
    /// Sends the photographs that wait. One that fails stops no other; says whether any arrived.
    pub(super) async fn send_photos(&mut self, told: &mut Told) -> Result<bool, Trouble> {
        let before = told.photos;
        for photo in self.to_send().await? {
            if let Some(words) = self.not_taken(&photo) {
                self.store.photo_refused(&photo.sha256, &words).await?;
                told.refused_photos += 1;
                told.troubles.push(words);
                continue;
            }
            self.pause();
            let uploaded = self.upload(&photo).await;
            self.resume().await?;
            match uploaded {
                Ok(()) => {
                    self.store.photo_here(&photo.sha256).await?;
                    told.photos += 1;
                }
                Err(trouble) => {
                    let words = trouble.to_string();
                    if is_final(&trouble) {
                        self.store.photo_refused(&photo.sha256, &words).await?;
                        told.refused_photos += 1;
                    }
                    told.troubles.push(words);
                }
            }
        }
        Ok(told.photos > before)
    }

    /// Why a photograph of an accepted visit is no part of it: a rule took it out. It stays here.
    fn not_taken(&self, photo: &Waiting) -> Option<String> {
        let own = |record: &uuid::Uuid| record.to_string() == photo.record;
        let entries = self.state.entries.values();
        let verdicts = entries.filter(|entry| own(&entry.record));
        let notices = verdicts.filter_map(|entry| entry.verdict.as_ref());
        let mut notices = notices.flat_map(|verdict| &verdict.notices);
        let amend = notices.find(|notice| {
            let of_photos = notice.at.iter().any(|at| at.starts_with("/photos/"));
            notice.verdict == RuleVerdict::Amend.name() && of_photos
        })?;
        let mut rows = self.state.rows.iter();
        let row = rows.find(|((_, stream, id), _)| stream.starts_with("person:") && own(id));
        let body = row.and_then(|(_, held)| held.row.body.as_ref())?;
        (!body.get().contains(&photo.sha256)).then(|| amend.message.clone())
    }

    /// Photographs that are still to be sent; those of a record that was not accepted stay here.
    async fn to_send(&self) -> Result<Vec<Waiting>, Trouble> {
        let is_out = |photo: &Waiting| {
            let entries = self.state.entries.values();
            let mut own = entries
                .filter(|entry| entry.record.to_string() == photo.record)
                .peekable();
            own.peek().is_some()
                && own.all(|entry| matches!(entry.place, Place::Refused | Place::Quarantined))
        };
        let mut waiting = self.store.photos_waiting().await?;
        waiting.retain(|photo| !is_out(photo));
        Ok(waiting)
    }

    /// How many photographs are still to be sent.
    ///
    /// # Errors
    /// When the phone's file cannot be read.
    pub async fn photos_waiting(&self) -> Result<usize, Trouble> {
        Ok(self.to_send().await?.len())
    }

    /// Photographs that the server will never take, and that wait for their person.
    ///
    /// # Errors
    /// When the phone's file cannot be read.
    pub async fn photos_refused(&self) -> Result<Vec<Refused>, Trouble> {
        self.store.photos_refused().await
    }

    async fn upload(&mut self, photo: &Waiting) -> Result<(), Trouble> {
        let path = Path::new(&photo.path);
        let read = tokio::fs::read(path).await;
        let bytes = Bytes::from(read.map_err(|error| Trouble::file(path, &error))?);
        let mut upload = photo.upload.clone();
        let mut cuts = 0;
        loop {
            match self.go_on(photo, &bytes, &mut upload).await {
                Err(trouble) if cuts < CUTS_MAX && goes_on(&trouble) => {
                    cuts += 1;
                    if matches!(trouble.code(), Some(code) if code == problem::UPLOAD_GONE.name)
                        || matches!(trouble, Trouble::Status(404 | 410))
                    {
                        upload = None;
                        self.store.photo_upload(&photo.sha256, None).await?;
                    }
                    super::sync::pause(cuts, None).await;
                }
                done => return done,
            }
        }
    }

    /// Asks how far an upload has come and sends the rest; begins one if there is none.
    async fn go_on(
        &mut self,
        photo: &Waiting,
        bytes: &Bytes,
        upload: &mut Option<String>,
    ) -> Result<(), Trouble> {
        let path = match upload {
            Some(path) => path.clone(),
            None => match self.begin_upload(photo, bytes.len()).await? {
                Some(path) => upload.insert(path).clone(),
                // The server has it already.
                None => return Ok(()),
            },
        };
        let reply = self.call(&tus(Method::HEAD, &path)).await?;
        let mut offset = offset_in(&reply)?;
        while offset < bytes.len() {
            let end = bytes.len().min(offset + CHUNK_BYTES);
            let mut ask = tus(Method::PATCH, &path);
            ask.headers.push(("content-type", CHUNK_TYPE.to_owned()));
            ask.headers.push(("upload-offset", offset.to_string()));
            ask.body = bytes.slice(offset..end);
            let reply = self.call(&ask).await?;
            offset = offset_in(&reply).unwrap_or(end);
        }
        Ok(())
    }

    async fn begin_upload(
        &mut self,
        photo: &Waiting,
        length: usize,
    ) -> Result<Option<String>, Trouble> {
        let mut ask = tus(Method::POST, "/v1/photos");
        ask.headers.push(("upload-length", length.to_string()));
        let told = [
            ("sha256", &photo.sha256),
            ("unit", &photo.unit),
            ("record", &photo.record),
            ("mime", &photo.mime),
        ];
        let told = told.map(|(name, value)| format!("{name} {}", STANDARD.encode(value)));
        ask.headers.push(("upload-metadata", told.join(",")));
        let reply = self.call(&ask).await?;
        if offset_in(&reply).is_ok_and(|offset| offset >= length) {
            return Ok(None);
        }
        let Some(location) = reply.header("location") else {
            return Ok(None);
        };
        let path = self.api.path_of(location);
        self.store.photo_upload(&photo.sha256, Some(&path)).await?;
        Ok(Some(path))
    }
}

fn tus(method: Method, path: &str) -> Ask {
    let mut ask = Ask::bare(method, path);
    ask.headers.push(("tus-resumable", TUS_VERSION.to_owned()));
    ask
}

fn offset_in(reply: &Reply) -> Result<usize, Trouble> {
    let offset = reply.header("upload-offset");
    let offset = offset.and_then(|text| text.parse().ok());
    offset.ok_or(Trouble::Status(reply.status))
}

/// Whether asking how far the upload has come may help.
fn goes_on(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Offline(_) | Trouble::Status(404 | 409 | 410 | 423 | 500..) => true,
        Trouble::Problem(problem) => {
            let codes = [
                problem::UPLOAD_OFFSET,
                problem::UPLOAD_GONE,
                problem::UPLOAD_LOCKED,
                problem::BUSY,
                problem::TIMEOUT,
            ];
            codes.iter().any(|code| code.name == problem.code)
        }
        _ => false,
    }
}

/// Whether the server will never take these bytes.
fn is_final(trouble: &Trouble) -> bool {
    let codes = [
        problem::PHOTO_TOO_LARGE,
        problem::PHOTO_HASH_MISMATCH,
        problem::PHOTO_TYPE,
        problem::PHOTO_UNDECODABLE,
    ];
    let code = trouble.code();
    codes.iter().any(|known| Some(known.name) == code)
}
