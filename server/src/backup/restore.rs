//! The way back: into an empty database of either engine and an empty store of photographs.

use std::fs;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use xiangyi_proto::time::Millis;

use super::{DATABASE, Manifest, PHOTOS, sha256_of, verify};
use crate::accounts::roots::{NAMES, Roots};
use crate::accounts::seal::Sealer;
use crate::app::StartError;
use crate::blobs::{Blobs, Key};
use crate::config::Config;
use crate::entropy::Entropy;
use crate::law::Law;
use crate::private;
use crate::store::{Db, Tx, audit, copy, people, shards};

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    pub manifest: Manifest,
    pub photos: i64,
    /// Photographs that rows name and the backup does not hold.
    pub missing: i64,
}

/// Copies the keys into a folder of their own, for their owner only.
///
/// # Errors
/// When one cannot be read or written, or other keys are there.
pub fn copy_keys(from: &Path, to: &Path) -> Result<(), StartError> {
    private::folder(to)?;
    for name in NAMES {
        let (source, target) = (from.join(name), to.join(name));
        let key = fs::read(&source)
            .map_err(|error| format!("cannot read {}: {error}", source.display()))?;
        if target.try_exists()? && fs::read(&target)? != key {
            let why = format!("{} is another key; it is left as it is", target.display());
            return Err(why.into());
        }
        crate::accounts::roots::put(to, name, &key)?;
    }
    Ok(())
}

/// Restores a backup as the settings say; `keys` is the folder of the keys, unless they lie in the
/// data folder already.
///
/// # Errors
/// When the backup is not whole, something is there already, or the keys are others.
pub async fn restore(
    config: &Config,
    from: &Path,
    keys: Option<&Path>,
    now: Millis,
) -> Result<Restored, StartError> {
    let manifest = Manifest::read(from)
        .map_err(|error| format!("{} is no whole backup: {error}", from.display()))?;
    let file = from.join(DATABASE);
    if sha256_of(&file)? != manifest.database {
        return Err("the database in the backup is not the one that was written".into());
    }
    private::data_folder(&config.data)?;
    let own_keys = config.data.join("keys");
    match keys {
        Some(keys) => copy_keys(keys, &own_keys)?,
        None if own_keys.join(NAMES[0]).is_file() => {}
        None => return Err("name the folder of the keys with --keys".into()),
    }
    let roots = Roots::open(&config.data, &Entropy::system())?;
    let sealer = Sealer::new(&roots);
    // The copy is brought to this build's tables beside the backup's own file, which stays.
    let beside = config.data.join("restoring.sqlite");
    let of_today = of_today(&file, &beside).await;
    let done = match of_today {
        Ok(source) => {
            let done = into(config, &source, now).await;
            source.close().await;
            done
        }
        Err(error) => Err(error),
    };
    remove(&beside);
    let db = done?;
    Law::new(&roots, config.trusted_keys()?).adopt(&db).await?;
    let faults = verify::database(&db, &sealer).await;
    let blobs = Blobs::open(config)?;
    let photos = photographs(&db, &blobs, &store_of(from)).await;
    db.close().await;
    if let Some(first) = faults?.first() {
        return Err(format!("what was restored does not add up: {first}").into());
    }
    let (photos, missing) = photos?;
    Ok(Restored {
        manifest,
        photos,
        missing,
    })
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
    let mut last = (i64::MIN, Vec::new());
    loop {
        let mut tx = db.read().await?;
        let page = audit::photos(&mut tx, (last.0, &last.1), 500).await?;
        drop(tx);
        let Some(end) = page.last().cloned() else {
            return Ok((done, missing));
        };
        last = end;
        for (shard, sha256) in page {
            let sha256 = hex::encode(sha256);
            let is_here = put(blobs, from, &Key::original(shard, &sha256)).await?;
            (done, missing) = (done + i64::from(is_here), missing + i64::from(!is_here));
            for rendition in xiangyi_proto::photo::Rendition::ALL {
                put(blobs, from, &Key::rendition(shard, &sha256, rendition)).await?;
            }
        }
    }
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
