//! Backups: a copy of everything in one folder, checked before it counts, and the way back.
//!
//! One backup is a folder named by its moment: the database as one file, whatever the engine, and
//! a list of what is in it. Photographs lie beside, shared by all backups of the folder, because
//! their names are their hashes and they never change. Keys go elsewhere: who finds a backup alone
//! reads no name and no narrative. See `server/decisions/0017-backup-and-restore.md`.
//!
//! Order matters: the database is copied first, in one snapshot, then the photographs it speaks
//! of. A photograph is durable before its row, and none is ever taken away, so nothing that the
//! copied rows name can be missing.

pub mod keys;
pub mod make;
pub mod restore;
pub mod verify;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use xiangyi_proto::time::{Millis, day_text};

use crate::store::{Db, StoreError, audit};

/// Version of the layout.
pub const FORMAT: u32 = 1;
/// The database in a backup.
pub const DATABASE: &str = "xiangyi.sqlite";
/// The list of what is in a backup.
pub const MANIFEST: &str = "manifest.json";
/// The photographs of all backups of a folder.
pub const PHOTOS: &str = "blobs";
/// A backup that is not whole yet; a crash leaves it, and the next one takes it away.
pub const UNDER_WAY: &str = ".under-way";

/// A copy that does not add up: kept until there is a better one, and no backup.
pub const FAULTY: &str = ".faulty";

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// The build that made it.
    pub version: String,
    /// Unix milliseconds: the moment of the snapshot.
    pub made_at: Millis,
    /// SHA-256 of the database's file, in hexadecimal.
    pub database: String,
    /// Table → rows.
    pub tables: BTreeMap<String, i64>,
    /// Complete photographs that the rows name.
    pub photos: i64,
}

impl Manifest {
    /// Reads the list of a backup.
    ///
    /// # Errors
    /// When the folder is no backup or one of a later build.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(folder.join(MANIFEST))?;
        let manifest: Self = serde_json::from_str(&text).map_err(io::Error::other)?;
        if manifest.format != FORMAT {
            let why = format!("a backup of format {}, not {FORMAT}", manifest.format);
            return Err(io::Error::other(why));
        }
        Ok(manifest)
    }

    /// Rows of all tables.
    pub fn rows(&self) -> i64 {
        self.tables.values().sum()
    }
}

/// The name of a backup's folder: `2026-01-15T020000Z`.
pub fn name(made_at: Millis) -> String {
    let seconds = made_at.div_euclid(1_000).rem_euclid(86_400);
    // `day_text` speaks of days in China; a file's name is read by people of any place.
    let day = day_text(made_at - xiangyi_proto::time::UTC_PLUS_8_MS);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{day}T{hours:02}{minutes:02}{:02}Z", seconds % 60)
}

/// Backups of a folder, oldest first; what is under way or faulty is none.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_one = path.join(MANIFEST).is_file();
        let whole = path.extension().is_none();
        if is_one && whole {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The complete photographs of a database, page by page: only names are held.
struct PhotoPages {
    last: (i64, Vec<u8>),
}

impl PhotoPages {
    /// Photographs of one page.
    const PAGE: i64 = 500;

    const fn new() -> Self {
        Self {
            last: (i64::MIN, Vec::new()),
        }
    }

    /// The next of them, by county and hash; nothing when all were told.
    async fn next(&mut self, db: &Db) -> Result<Option<Vec<(i64, Vec<u8>)>>, StoreError> {
        let mut tx = db.read().await?;
        let page = audit::photos(&mut tx, (self.last.0, &self.last.1), Self::PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.last.clone_from(last);
        Ok(Some(page))
    }
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut some = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut some)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&some[..read]);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_name_tells_the_moment_and_sorts_by_it() {
        let names: Vec<String> = [0, 1_768_442_400_000, 1_768_442_401_000]
            .map(super::name)
            .to_vec();
        assert_eq!(names[0], "1970-01-01T000000Z");
        assert_eq!(names[1], "2026-01-15T020000Z");
        assert!(names.is_sorted());
    }
}
