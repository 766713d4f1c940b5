//! Privacy on disk: what the server keeps is for the user it runs as and nobody else.
//!
//! Folders and the database file are narrowed when they are wider: what lies in them is sealed or
//! guarded by its own mode. A key that others may have read is refused instead (`accounts::roots`),
//! because narrowing it would hide that it may be known by now.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A folder that only its owner may enter.
const FOLDER: u32 = 0o700;
/// A file that only its owner may read.
const FILE: u32 = 0o600;
/// Bits that let others in.
const OTHERS: u32 = 0o077;
/// What an engine keeps beside its file.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// Makes the data folder, or narrows one that was the server's already.
///
/// # Errors
/// When it cannot be made; when others may enter it and it holds something else, because
/// narrowing a folder such as `/tmp` would take it from its other users.
pub fn data_folder(path: &Path) -> io::Result<()> {
    is_own(path)?;
    if path.try_exists()? && is_wide(path)? && !is_ours(path)? {
        let name = path.display();
        return Err(io::Error::other(format!(
            "{name} holds other things and others may enter it: name a folder of its own, or run \
             chmod 700 on it"
        )));
    }
    folder(path)
}

/// Makes a folder for its owner only, or narrows it.
///
/// # Errors
/// When it cannot be made or is another user's; with its name.
pub fn folder(path: &Path) -> io::Result<()> {
    let mut make = DirBuilder::new();
    let made = make.recursive(true).mode(FOLDER).create(path);
    let named = |error: io::Error| {
        let name = path.display();
        io::Error::new(error.kind(), format!("{name}: {error}"))
    };
    made.and_then(|()| narrow(path, FOLDER)).map_err(named)
}

/// Refuses a folder of another account: root may write into it, and what root leaves there stops
/// the account's own server at its next start. A folder that is not there yet is nobody's.
///
/// # Errors
/// When it is another account's, with the account's number.
pub fn is_own(path: &Path) -> io::Result<()> {
    // Where there is no such place the account is not known, and nothing is refused.
    let own = fs::metadata("/proc/self").map(|process| process.uid());
    let (Ok(own), Ok(folder)) = (own, fs::metadata(path)) else {
        return Ok(());
    };
    if folder.uid() == own {
        return Ok(());
    }
    let (name, owner) = (path.display(), folder.uid());
    Err(io::Error::other(format!(
        "{name} belongs to account {owner} and this runs as account {own}: run it as the account \
         that the server runs as, such as `runuser -u xiangyi -- xiangyi …`"
    )))
}

/// Makes a database file for its owner only before an engine does, or narrows it and what the
/// engine keeps beside it.
///
/// # Errors
/// When it cannot be made or is another user's.
pub fn database_file(path: &Path) -> io::Result<()> {
    let mut open = OpenOptions::new();
    open.create(true).append(true).mode(FILE).open(path)?;
    narrow(path, FILE)?;
    for suffix in BESIDE {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        let beside = PathBuf::from(beside);
        // It may go at any moment: an engine that closes elsewhere takes it away.
        match narrow(&beside, FILE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A folder for this process alone, as long as what it gives lives; the lock goes with the process,
/// however that ends.
///
/// # Errors
/// When another has it, with these words for whoever waits; when it cannot be opened.
pub fn alone(folder: &Path, busy: &str) -> io::Result<File> {
    let named = |error: io::Error| {
        let name = folder.display();
        io::Error::new(error.kind(), format!("{name}: {error}"))
    };
    let file = File::open(folder).map_err(named)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other(busy)),
        Err(TryLockError::Error(error)) => Err(named(error)),
    }
}

fn is_wide(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & OTHERS != 0)
}

/// Whether a server was here before, or nobody.
fn is_ours(path: &Path) -> io::Result<bool> {
    let is_empty = fs::read_dir(path)?.next().is_none();
    Ok(is_empty || path.join("keys").try_exists()?)
}

fn narrow(path: &Path, mode: u32) -> io::Result<()> {
    if !is_wide(path)? {
        return Ok(());
    }
    tracing::warn!("others could read what the server keeps; they no longer can");
    fs::set_permissions(path, Permissions::from_mode(mode))
}
