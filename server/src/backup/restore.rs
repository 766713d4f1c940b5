//! The way back: into an empty database of either engine and an empty store of photographs.

use std::fs;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use xiangyi_proto::time::Millis;

use super::{DATABASE, Manifest, PHOTOS, PhotoPages, keys, list, sha256_of, verify};
use crate::accounts::roots::{NAMES, Roots};
use crate::accounts::seal::Sealer;
use crate::app::StartError;
use crate::blobs::{Blobs, Key};
use crate::config::Config;
use crate::entropy::Entropy;
use crate::law::Law;
use crate::private;
use crate::store::{Db, StoreError, Tx, audit, copy, people, shards};
use crate::trail::{self, COMMAND, Entry};

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    pub manifest: Manifest,
    pub photos: i64,
    /// Photographs that rows name and the backup does not hold.
    pub missing: i64,
}

/// What becomes of a copy that does not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    Refused,
    /// It is all that there is: restored as it stands.
    Kept,
}

/// Restores a backup as the settings say; `keys_from` is the folder of the keys, unless they lie in
/// the data folder already.
///
/// # Errors
/// When the backup is not whole, something is there already, or the keys are others.
pub async fn restore(
    config: &Config,
    from: &Path,
    keys_from: Option<&Path>,
    faults: Faults,
    now: Millis,
) -> Result<Restored, StartError> {
    let manifest = Manifest::read(from).map_err(|error| no_backup(from, &error))?;
    let file = from.join(DATABASE);
    if sha256_of(&file)? != manifest.database {
        return Err("the database in the backup is not the one that was written".into());
    }
    private::data_folder(&config.data)?;
    let own_keys = config.data.join("keys");
    let is_new = !own_keys.join(NAMES[0]).is_file();
    match keys_from {
        Some(keys) => keys::put_back(keys, &own_keys)?,
        None if !is_new => {}
        None => return Err("name the folder of the keys with --keys".into()),
    }
    // The copy is brought to this build's tables beside the backup's own file, which stays.
    let beside = config.data.join("restoring.sqlite");
    let done = match of_today(&file, &beside).await {
        Ok(source) => {
            let done = checked_into(config, &source, &store_of(from), faults, now).await;
            source.close().await;
            done
        }
        Err(error) => Err(error),
    };
    remove(&beside);
    if done.is_err() && is_new && keys_from.is_some() {
        // Nothing of it stays, so that the next try is like the first.
        fs::remove_dir_all(&own_keys)?;
    }
    let (photos, missing) = done?;
    Ok(Restored {
        manifest,
        photos,
        missing,
    })
}

/// Says what is wrong with a folder, and which to name when backups lie in it.
fn no_backup(from: &Path, error: &dyn std::fmt::Display) -> String {
    let mut told = format!("{} is no whole backup: {error}", from.display());
    let within = list(from).unwrap_or_default();
    if !within.is_empty() {
        told.push_str("\n里面有这些备份，请写其中一个 it holds these backups; name one of them:");
    }
    for one in within {
        told.push_str(&format!("\n  --from {}", one.display()));
    }
    told
}

/// Checks the copy with the keys, puts its photographs back, and only then fills the database.
async fn checked_into(
    config: &Config,
    source: &Db,
    store: &Path,
    faults: Faults,
    now: Millis,
) -> Result<(i64, i64), StartError> {
    let roots = Roots::open(&config.data, &Entropy::system())?;
    let sealer = Sealer::new(&roots);
    let found = verify::database(source, &sealer).await.map_err(told)?;
    // Other keys are a mistake at the prompt and no fault of the copy.
    let foreign = keys::are_foreign(source, &sealer).await?;
    if let Some(first) = found
        .first()
        .filter(|_| foreign || faults == Faults::Refused)
    {
        return Err(format!("what is in the backup does not add up: {first}").into());
    }
    let blobs = Blobs::open(config)?;
    let photos = photographs(source, &blobs, store).await?;
    let db = into(config, source, now).await?;
    let entropy = Entropy::system();
    let adopted = Law::new(&roots, config.trusted_keys()?).adopt(&db).await;
    if adopted.is_ok() {
        let entry = Entry::of(COMMAND, "restore");
        trail::ordered(&db, (&sealer, &entropy), now, &entry).await;
    }
    db.close().await;
    adopted?;
    Ok(photos)
}

/// Rows that do not open are most often those of other keys.
fn told(error: StoreError) -> StartError {
    format!("the backup does not open with these keys: {}", error.told()).into()
}

fn store_of(backup: &Path) -> PathBuf {
    backup.parent().unwrap_or(backup).join(PHOTOS)
}

async fn of_today(file: &Path, beside: &Path) -> Result<Db, StartError> {
    remove(beside);
    fs::copy(file, beside)?;
    let source = Db::file(beside).await?;
    source.migrate().await?;
    Ok(source)
}

fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        // It may not be there.
        let _ = fs::remove_file(name);
    }
}

/// Copies every table into the settings' database, which must be empty, and begins a new epoch.
pub async fn into(config: &Config, source: &Db, now: Millis) -> Result<Db, StartError> {
    let to = Db::open(&config.database_url()).await;
    let to = to.map_err(|error| error.to_the_operator())?;
    to.migrate().await?;
    let mut target = to.write().await?;
    if !is_empty(&mut target).await? {
        let told = config.database_told();
        return Err(format!("{told} is not empty: name another database").into());
    }
    let mut from = source.read().await?;
    for table in copy::tables(&mut target).await? {
        copy::table(&mut from, &mut target, &table).await?;
    }
    // Seconds: two restores of one backup must not begin the same epoch.
    audit::new_epoch(&mut target, now / 1_000).await?;
    target.commit().await?;
    Ok(to)
}

async fn is_empty(tx: &mut Tx) -> Result<bool, StartError> {
    let nobody = !people::is_anybody(tx).await?;
    Ok(nobody && shards::heads(tx).await?.is_empty())
}

async fn photographs(db: &Db, blobs: &Blobs, from: &Path) -> Result<(i64, i64), StartError> {
    let (mut done, mut missing) = (0, 0);
    let mut pages = PhotoPages::new();
    while let Some(page) = pages.next(db).await? {
        for (shard, sha256) in page {
            let sha256 = hex::encode(sha256);
            let original = Key::original(shard, &sha256);
            let is_here =
                is_itself(from, &original, &sha256)? && put(blobs, from, &original).await?;
            (done, missing) = (done + i64::from(is_here), missing + i64::from(!is_here));
            for rendition in xiangyi_proto::photo::Rendition::ALL {
                put(blobs, from, &Key::rendition(shard, &sha256, rendition)).await?;
            }
        }
    }
    Ok((done, missing))
}

/// Whether a photograph's bytes are those of its name.
fn is_itself(from: &Path, key: &Key, sha256: &str) -> Result<bool, StartError> {
    let path = from.join(key.name());
    Ok(path.try_exists()? && sha256_of(&path)? == sha256)
}

async fn put(blobs: &Blobs, from: &Path, key: &Key) -> Result<bool, StartError> {
    match fs::read(from.join(key.name())) {
        Ok(bytes) => {
            blobs.put(key, Bytes::from(bytes)).await?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
