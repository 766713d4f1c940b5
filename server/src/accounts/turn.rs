//! How a key is changed: the next one is made known, takes over, and the former one ends.
//!
//! Three calls with a restart of every server after each, so that no server meets what another made
//! under a key that it does not know. Beside `token.key` there is then `token.next` or
//! `token.former`. `index.key` never turns: what it finds cannot be found by another.

use std::fs;
use std::path::Path;

use super::roots::{self, Roots, RootsError};
use crate::entropy::Entropy;

/// A key that is on its way in, and one on its way out.
#[derive(Clone, Default)]
pub struct Turn {
    /// Known already, and used for nothing new.
    pub next: Option<[u8; 32]>,
    pub former: Option<Former>,
}

/// A key that is used for nothing new any more.
#[derive(Clone, Copy)]
pub struct Former {
    pub key: [u8; 32],
    /// Since when, in Unix milliseconds.
    pub until: i64,
}

/// Keys that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// Wraps the keys of persons and clients.
    Root,
    /// Signs access tokens.
    Token,
    /// Signs this server's rule packs.
    Pack,
}

impl Which {
    /// What its files are called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Token => "token",
            Self::Pack => "pack",
        }
    }
}

/// What stands next for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Make the next key known.
    Announce,
    /// The next key takes over.
    TakeOver,
    /// The former key ends.
    End,
}

/// What stands next, by what lies in the folder.
pub fn standing(keys: &Path, which: Which) -> Step {
    let is_there = |end: &str| keys.join(format!("{}.{end}", which.name())).is_file();
    // Both lie there when a take-over was cut in its middle: it is done again.
    match (is_there("next"), is_there("former")) {
        (true, _) => Step::TakeOver,
        (false, true) => Step::End,
        (false, false) => Step::Announce,
    }
}

/// Reads what lies beside a key.
///
/// # Errors
/// When a file is no key or open to others.
pub fn read(keys: &Path, which: Which) -> Result<Turn, RootsError> {
    let file = |end: &str| format!("{}.{end}", which.name());
    let (next, former) = (file("next"), file("former"));
    let is_there = |name: &str| keys.join(name).is_file();
    let next = is_there(&next)
        .then(|| roots::key(keys, &next))
        .transpose()?;
    let former = is_there(&former)
        .then(|| read_former(keys, &former))
        .transpose()?;
    Ok(Turn { next, former })
}

fn read_former(keys: &Path, name: &str) -> Result<Former, RootsError> {
    let text = roots::text(keys, name)?;
    let shape = || RootsError::Shape(keys.join(name));
    let (key, until) = text.trim().split_once(' ').ok_or_else(shape)?;
    Ok(Former {
        key: roots::parsed(key).ok_or_else(shape)?,
        until: until.parse().map_err(|_| shape())?,
    })
}

/// Makes the next key known.
///
/// # Errors
/// When the folder cannot be written.
pub fn announce(keys: &Path, which: Which, entropy: &Entropy) -> Result<(), RootsError> {
    let text = format!("{}\n", hex::encode(entropy.bytes::<32>()));
    put(keys, &format!("{}.next", which.name()), &text)
}

/// Puts the next key in the place of the one in use, which becomes the former one.
///
/// # Errors
/// When a file cannot be read or written.
pub fn take_over(keys: &Path, which: Which, now: i64) -> Result<(), RootsError> {
    let name = which.name();
    let (next, key) = (format!("{name}.next"), format!("{name}.key"));
    let before = roots::key(keys, &key)?;
    // Cut between these two the next call finds both, with the same key as before in use.
    put(
        keys,
        &format!("{name}.former"),
        &format!("{} {now}\n", hex::encode(before)),
    )?;
    let fault = |error| RootsError::File(keys.join(&next), error);
    fs::rename(keys.join(&next), keys.join(&key)).map_err(fault)?;
    synced(keys)
}

/// Removes the former key. What a former pack key signed stays believed: its public half is kept.
///
/// # Errors
/// When a file cannot be read or written.
pub fn end(keys: &Path, which: Which) -> Result<(), RootsError> {
    let name = format!("{}.former", which.name());
    if which == Which::Pack {
        let former = read_former(keys, &name)?;
        let public = roots::public(&former.key);
        let mut believed = believed(keys)?;
        if !believed.contains(&public) {
            believed.push(public);
        }
        let lines: String = believed
            .iter()
            .map(|key| format!("{}\n", hex::encode(key)))
            .collect();
        put(keys, BELIEVED, &lines)?;
    }
    let path = keys.join(&name);
    fs::remove_file(&path).map_err(|error| RootsError::File(path, error))?;
    synced(keys)
}

/// Public halves of pack keys that ended, one a line.
pub const BELIEVED: &str = "pack.believed";

/// Whose packs are still believed.
///
/// # Errors
/// When the file holds something else than keys.
pub fn believed(keys: &Path) -> Result<Vec<[u8; 32]>, RootsError> {
    if !keys.join(BELIEVED).is_file() {
        return Ok(Vec::new());
    }
    let shape = || RootsError::Shape(keys.join(BELIEVED));
    let text = roots::text(keys, BELIEVED)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| roots::parsed(line).ok_or_else(shape))
        .collect()
}

/// The files that may lie beside the keys.
pub fn names() -> impl Iterator<Item = String> {
    let turning = [Which::Root, Which::Token, Which::Pack].into_iter();
    let beside = turning.flat_map(|which| ["next", "former"].map(|end| (which.name(), end)));
    let beside = beside.map(|(name, end)| format!("{name}.{end}"));
    beside.chain([BELIEVED.to_owned()])
}

/// Every key under which something of this kind may lie: the one in use first.
pub fn all(key: [u8; 32], turn: &Turn) -> impl Iterator<Item = [u8; 32]> {
    let former = turn.former.map(|former| former.key);
    [Some(key), turn.next, former].into_iter().flatten()
}

/// The turn of one of the keys.
pub const fn of(roots: &Roots, which: Which) -> &Turn {
    match which {
        Which::Root => &roots.root_turn,
        Which::Token => &roots.token_turn,
        Which::Pack => &roots.pack_turn,
    }
}

fn put(keys: &Path, name: &str, text: &str) -> Result<(), RootsError> {
    let done = roots::put(keys, name, text.as_bytes());
    done.map_err(|error| RootsError::File(keys.join(name), error))
}

fn synced(keys: &Path) -> Result<(), RootsError> {
    let done = fs::File::open(keys).and_then(|folder| folder.sync_all());
    done.map_err(|error| RootsError::File(keys.to_owned(), error))
}
