//! The folder of keys as a whole: copied apart from the backups, and put back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::accounts::roots::{self, NAMES};
use crate::accounts::seal::Sealer;
use crate::accounts::turn;
use crate::app::StartError;
use crate::private;
use crate::store::{Db, StoreError, keys};

/// Every key and what lies beside it while one turns.
type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Result<Files, StartError> {
    let mut files = Files::new();
    for name in NAMES
        .iter()
        .map(|&name| name.to_owned())
        .chain(turn::names())
    {
        let path = folder.join(&name);
        match fs::read(&path) {
            Ok(bytes) => drop(files.insert(name, bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("cannot read {}: {error}", path.display()).into()),
        }
    }
    Ok(files)
}

fn write(files: &Files, to: &Path) -> Result<(), StartError> {
    private::folder(to)?;
    for (name, bytes) in files {
        roots::put(to, name, bytes)?;
    }
    Ok(())
}

fn whole(folder: &Path) -> Result<Files, StartError> {
    let files = files(folder)?;
    let missing = NAMES.iter().find(|&&name| !files.contains_key(name));
    missing.map_or(Ok(files), |name| {
        let name = folder.join(name);
        Err(format!("cannot read {}: it is not there", name.display()).into())
    })
}

/// Copies the keys beside a backup of this name. Those of before a change are kept in a folder of
/// their own: the backups of their day open with them only.
///
/// # Errors
/// When one cannot be read or written.
pub fn save(from: &Path, to: &Path, backup: &str) -> Result<(), StartError> {
    let (now, before) = (whole(from)?, files(to)?);
    if now != before && !before.is_empty() {
        write(&before, &to.join(format!("before-{backup}")))?;
        for name in before.keys().filter(|name| !now.contains_key(*name)) {
            fs::remove_file(to.join(name))?;
        }
    }
    write(&now, to)
}

/// Whether what is sealed in a copy was sealed with others.
///
/// # Errors
/// When the copy cannot be read.
pub async fn are_foreign(copy: &Db, sealer: &Sealer) -> Result<bool, StoreError> {
    let mut tx = copy.read().await?;
    Ok(keys::unopened(&mut tx, sealer).await? > 0)
}

/// Puts the keys back into a data folder.
///
/// # Errors
/// When one cannot be read or written, or other keys are there.
pub fn put_back(from: &Path, to: &Path) -> Result<(), StartError> {
    let (kept, here) = (whole(from)?, files(to)?);
    let other = here
        .iter()
        .find(|(name, bytes)| kept.get(*name) != Some(bytes));
    if let Some((name, _)) = other {
        let target = to.join(name);
        let why = format!("{} is another key; it is left as it is", target.display());
        return Err(why.into());
    }
    write(&kept, to)
}
