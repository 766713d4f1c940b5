//! Staging: the chunks of an upload in one file, until they are a photograph.
//!
//! A file is on disk before its offset is in the row, so the lesser of the two is the truth after
//! a kill. A newer append fences an older one: under the file's turn, only the newest writes.

use std::collections::HashMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use xiangyi_proto::problem;

use crate::problem::ApiError;

/// Why a chunk was not staged.
#[derive(Debug)]
pub enum StagingError {
    /// A newer append has taken over.
    Fenced,
    Disk(std::io::Error),
}

impl From<std::io::Error> for StagingError {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<StagingError> for ApiError {
    fn from(error: StagingError) -> Self {
        match error {
            StagingError::Fenced => Self::new(problem::UPLOAD_LOCKED),
            StagingError::Disk(error) => {
                tracing::error!(%error, "an upload could not be staged");
                Self::new(problem::SERVER_FAULT)
            }
        }
    }
}

/// The newest fence of a file; whoever holds it may touch the file.
type Turn = tokio::sync::Mutex<i64>;

/// The folder of unfinished uploads. Ids become names of files and must be the server's own.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    turns: Mutex<HashMap<String, Arc<Turn>>>,
}

impl Staging {
    /// Opens the folder below the data folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(data: &Path) -> std::io::Result<Self> {
        let folder = data.join("uploads");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            folder,
            turns: Mutex::default(),
        })
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    fn turn(&self, id: &str) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(id.to_owned()).or_default())
    }

    /// Bytes that are there.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn length(&self, id: &str) -> std::io::Result<i64> {
        match fs::metadata(self.path(id)).await {
            Ok(found) => Ok(i64::try_from(found.len()).unwrap_or(i64::MAX)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Takes a file over at the lesser of `received` and its length; cuts off what lies beyond.
    ///
    /// # Errors
    /// When a newer append has it, or the disk fails.
    pub async fn take_over(
        &self,
        id: &str,
        fence: i64,
        received: i64,
    ) -> Result<Staged, StagingError> {
        let turn = self.turn(id);
        let mut newest = turn.lock().await;
        if fence < *newest {
            return Err(StagingError::Fenced);
        }
        *newest = fence;
        let at = received.min(self.length(id).await?);
        let end = u64::try_from(at).unwrap_or(0);
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let mut file = options.open(self.path(id)).await?;
        file.set_len(end).await?;
        file.seek(SeekFrom::Start(end)).await?;
        drop(newest);
        Ok(Staged {
            turn,
            fence,
            file,
            at,
        })
    }

    /// All bytes of a file.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn read(&self, id: &str) -> Result<Vec<u8>, StagingError> {
        Ok(fs::read(self.path(id)).await?)
    }

    /// Uploads whose file is here.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn ids(&self) -> Result<Vec<String>, StagingError> {
        let mut entries = fs::read_dir(&self.folder).await?;
        let mut ids = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            ids.extend(entry.file_name().into_string());
        }
        Ok(ids)
    }

    /// Takes a file away; none is no fault.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn remove(&self, id: &str) -> Result<(), StagingError> {
        self.turns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        match fs::remove_file(self.path(id)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// A file that one append writes.
#[derive(Debug)]
pub struct Staged {
    turn: Arc<Turn>,
    fence: i64,
    file: File,
    at: i64,
}

impl Staged {
    /// Where the next chunk goes.
    pub const fn at(&self) -> i64 {
        self.at
    }

    /// Writes a chunk.
    ///
    /// # Errors
    /// When a newer append has taken over, or the disk fails.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), StagingError> {
        let newest = self.turn.lock().await;
        if *newest != self.fence {
            return Err(StagingError::Fenced);
        }
        self.file.write_all(bytes).await?;
        // Nothing of this chunk may reach the file after the turn is over.
        self.file.flush().await?;
        self.at += i64::try_from(bytes.len()).unwrap_or(0);
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When a newer append has taken over, or the disk fails.
    pub async fn sync(&mut self) -> Result<(), StagingError> {
        let newest = self.turn.lock().await;
        if *newest != self.fence {
            return Err(StagingError::Fenced);
        }
        self.file.sync_data().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staging(name: &str) -> Staging {
        let folder = std::env::temp_dir().join(format!("xiangyi-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Staging::open(&folder).expect("a folder")
    }

    #[tokio::test]
    async fn the_lesser_of_row_and_file_is_where_it_goes_on() {
        let staging = staging("resume");
        let mut staged = staging.take_over("a", 1, 0).await.expect("a file");
        staged.write(b"abcdef").await.expect("a chunk");
        staged.sync().await.expect("a disk");
        let staged = staging.take_over("a", 2, 4).await.expect("a file");
        assert_eq!(staged.at(), 4);
        assert_eq!(staging.read("a").await.expect("a file"), b"abcd");
        let staged = staging.take_over("a", 3, 99).await.expect("a file");
        assert_eq!(staged.at(), 4);
        staging.remove("a").await.expect("a disk");
        staging.remove("a").await.expect("gone already");
        assert_eq!(staging.length("a").await.expect("a disk"), 0);
    }

    #[tokio::test]
    async fn a_newer_append_fences_an_older_one() {
        let staging = staging("fence");
        let mut old = staging.take_over("a", 1, 0).await.expect("a file");
        old.write(b"old").await.expect("a chunk");
        let mut new = staging.take_over("a", 2, 0).await.expect("a file");
        let fenced = old.write(b"late").await;
        assert!(matches!(fenced, Err(StagingError::Fenced)));
        assert!(matches!(old.sync().await, Err(StagingError::Fenced)));
        let late = staging.take_over("a", 1, 0).await;
        assert!(matches!(late, Err(StagingError::Fenced)));
        new.write(b"new").await.expect("a chunk");
        assert_eq!(staging.read("a").await.expect("a file"), b"new");
    }
}
