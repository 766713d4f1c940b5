//! The keys everything else hangs on: files in `<data>/keys`, made at the first start.
//!
//! The folder has mode 0700 and each file 0600. A key is written beside its place, synced, and
//! renamed, so that no half key is ever read. Losing `root.key` loses every sealed body: backups
//! must hold this folder, apart from the database.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;

use super::turn::{self, Turn, Which};
use crate::entropy::Entropy;
use crate::private;

/// The files; all of them, or sealed values and sessions are lost.
pub const NAMES: [&str; 4] = ["root.key", "index.key", "token.key", "pack.key"];

/// Four independent 256-bit keys.
#[derive(Clone)]
pub struct Roots {
    /// Wraps the data keys.
    pub root: [u8; 32],
    /// Keys the hashes by which telephones are found.
    pub index: [u8; 32],
    /// Seed of the Ed25519 key that signs access tokens.
    pub token: [u8; 32],
    /// Seed of the Ed25519 key that signs this server's rule packs.
    pub pack: [u8; 32],
    /// Keys on their way in and out.
    pub root_turn: Turn,
    pub token_turn: Turn,
    pub pack_turn: Turn,
    /// Public halves of former pack keys.
    pub believed: Vec<[u8; 32]>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Roots(…)")
    }
}

/// Why the key files cannot be used.
#[derive(Debug)]
pub enum RootsError {
    /// The file system said no; names the path.
    File(PathBuf, std::io::Error),
    /// The file is there and holds something else than 64 hexadecimal digits.
    Shape(PathBuf),
    /// The file is gone while others are there.
    Lost(PathBuf),
    /// Others than its owner may read the file.
    Open(PathBuf),
}

impl std::fmt::Display for RootsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path, _) => write!(f, "cannot use {}", path.display()),
            Self::Shape(path) => write!(f, "{} is not a key: 64 hex digits", path.display()),
            Self::Lost(path) => write!(
                f,
                "{} is missing while other keys are there: put it back from the backup of the keys",
                path.display()
            ),
            Self::Open(path) => {
                write!(
                    f,
                    "{} may be read by others; run chmod 600 on it",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for RootsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::Shape(_) | Self::Open(_) | Self::Lost(_) => None,
        }
    }
}

impl Roots {
    /// Reads the keys under `data`; where there is none, makes all of them.
    ///
    /// # Errors
    /// When a file cannot be read or written, holds no key, is open to others, or is missing beside
    /// others.
    pub fn open(data: &Path, entropy: &Entropy) -> Result<Self, RootsError> {
        let dir = data.join("keys");
        // A folder that others could enter is narrowed: each key says by its own mode whether it
        // could be read, and one that could is refused below.
        private::folder(&dir).map_err(|error| RootsError::File(dir.clone(), error))?;
        // All are made together. One that is missing beside others was lost: a new one in its
        // place would hide that, and shut everybody out.
        let is_here = |name: &&&str| dir.join(name).is_file();
        let here = NAMES.iter().filter(is_here).count();
        let lost = NAMES.iter().find(|name| !dir.join(name).is_file());
        if let Some(lost) = lost.filter(|_| here > 0) {
            return Err(RootsError::Lost(dir.join(lost)));
        }
        if here == 0 {
            make_all(data, &dir, entropy).map_err(|error| RootsError::File(dir.clone(), error))?;
        }
        Ok(Self {
            root: key(&dir, "root.key")?,
            index: key(&dir, "index.key")?,
            token: key(&dir, "token.key")?,
            pack: key(&dir, "pack.key")?,
            root_turn: turn::read(&dir, Which::Root)?,
            token_turn: turn::read(&dir, Which::Token)?,
            pack_turn: turn::read(&dir, Which::Pack)?,
            believed: turn::believed(&dir)?,
        })
    }

    /// Fresh keys that are written nowhere; for tests.
    pub fn fresh(entropy: &Entropy) -> Self {
        Self {
            root: entropy.bytes(),
            index: entropy.bytes(),
            token: entropy.bytes(),
            pack: entropy.bytes(),
            root_turn: Turn::default(),
            token_turn: Turn::default(),
            pack_turn: Turn::default(),
            believed: Vec::new(),
        }
    }
}

/// Makes all keys in a folder beside and puts it in place at once: a cut between two of them must
/// not look like a loss.
fn make_all(data: &Path, dir: &Path, entropy: &Entropy) -> std::io::Result<()> {
    let beside = data.join("keys.new");
    if beside.try_exists()? {
        fs::remove_dir_all(&beside)?;
    }
    private::folder(&beside)?;
    for name in NAMES {
        let text = format!("{}\n", hex::encode(entropy.bytes::<32>()));
        put(&beside, name, text.as_bytes())?;
    }
    // Over an empty folder this is one step; over one that holds something it fails.
    fs::rename(&beside, dir)?;
    fs::File::open(data)?.sync_all()
}

/// Reads a key of this name.
///
/// # Errors
/// When it cannot be read, is open to others, or is none.
pub fn key(dir: &Path, name: &str) -> Result<[u8; 32], RootsError> {
    parsed(&text(dir, name)?).ok_or_else(|| RootsError::Shape(dir.join(name)))
}

/// Reads a file that is for its owner only.
///
/// # Errors
/// When it cannot be read or is open to others.
pub fn text(dir: &Path, name: &str) -> Result<String, RootsError> {
    let path = dir.join(name);
    let fault = |error| RootsError::File(path.clone(), error);
    let mode = fs::metadata(&path).map_err(fault)?.permissions().mode();
    // Refused and not narrowed: somebody must decide whether the key may be known by now.
    if mode & 0o077 != 0 {
        return Err(RootsError::Open(path));
    }
    fs::read_to_string(&path).map_err(fault)
}

/// The key of 64 hexadecimal digits.
pub fn parsed(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    hex::decode_to_slice(text.trim(), &mut out).ok()?;
    Some(out)
}

/// The public half of a signing key.
pub fn public(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// Writes a key file for its owner only: beside its place, synced, renamed.
///
/// # Errors
/// When the folder cannot be written.
pub fn put(dir: &Path, name: &str, text: &[u8]) -> std::io::Result<()> {
    let beside = dir.join(format!(".{name}.new"));
    let mut open = fs::OpenOptions::new();
    let mut file = open
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&beside, dir.join(name))?;
    fs::File::open(dir)?.sync_all()
}
