//! Making a backup beside a running server.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use sha2::{Digest as _, Sha256};
use xiangyi_proto::photo::Rendition;

use super::{
    DATABASE, FAULTY, FORMAT, MANIFEST, Manifest, PHOTOS, PhotoPages, UNDER_WAY, list, name,
    sha256_of, verify,
};
use crate::app::{App, StartError};
use crate::blobs::Key;
use crate::private;
use crate::store::{Db, audit, copy, shards};

/// A backup that was made.
#[derive(Debug, Clone)]
pub struct Made {
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub bytes: i64,
    /// Photographs copied now; the others were there from before.
    pub copied: i64,
}

/// Copies everything into a folder below `to`, checks it, and takes all but the newest `keep`
/// away.
///
/// # Errors
/// When something cannot be read, written or does not add up; nothing counts as a backup then.
pub async fn make(app: &App, to: &Path, keep: Option<usize>) -> Result<Made, StartError> {
    private::is_own(to)?;
    private::folder(to)?;
    // What another left unfinished is removed below, and another's that goes on must not be.
    let busy = "另一次备份正在进行。another backup into this folder is under way";
    let _alone = private::alone(to, busy)?;
    let made_at = app.clock.now();
    let folder = to.join(name(made_at));
    let under_way = to.join(format!("{}{UNDER_WAY}", name(made_at)));
    if folder.try_exists()? {
        return Err(format!("{} is there already", folder.display()).into());
    }
    forget(to, UNDER_WAY)?;
    private::folder(&under_way)?;
    let tables = database(&app.db, &under_way.join(DATABASE)).await?;
    let copy = Db::file(&under_way.join(DATABASE)).await?;
    let photos = photographs(app, &copy, &to.join(PHOTOS)).await;
    let faults = match &photos {
        Ok(_) => verify::database(&copy, &app.sealer).await,
        Err(_) => Ok(Vec::new()),
    };
    let held = held_by(&copy).await;
    copy.close().await;
    let (held, (photos, copied)) = (held?, photos?);
    let faults = faults?;
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at,
        database: sha256_of(&under_way.join(DATABASE))?,
        tables,
        photos,
    };
    let text = serde_json::to_string_pretty(&manifest)?;
    write_synced(&under_way.join(MANIFEST), text.as_bytes())?;
    File::open(under_way.join(DATABASE))?.sync_all()?;
    File::open(&under_way)?.sync_all()?;
    if let Some(first) = faults.first() {
        let kept = to.join(format!("{}{FAULTY}", name(made_at)));
        put_aside(to, &under_way, &kept)?;
        let (count, kept) = (faults.len(), kept.display());
        let why = format!(
            "the copy does not add up ({count} faults, run `xiangyi verify`): {first}. It is kept \
             as {kept} and counts as no backup"
        );
        return Err(why.into());
    }
    fs::rename(&under_way, &folder)?;
    File::open(to)?.sync_all()?;
    let bytes = fs::metadata(folder.join(DATABASE))?.len();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut tx = app.db.write().await?;
    audit::note_backup(&mut tx, made_at, [bytes, manifest.rows(), photos]).await?;
    // Everything is on the disk and checked: phones need not keep it any longer.
    for head in held {
        shards::hold(&mut tx, &head).await?;
    }
    tx.commit().await?;
    if let Some(keep) = keep {
        thin_out(to, keep)?;
    }
    Ok(Made {
        folder,
        manifest,
        bytes,
        copied,
    })
}

/// A faulty copy is better than none where nothing else is left: the newest stays.
fn put_aside(to: &Path, under_way: &Path, kept: &Path) -> io::Result<()> {
    forget(to, FAULTY)?;
    fs::rename(under_way, kept)?;
    File::open(to)?.sync_all()
}

/// Where the shards of the copy stand: up to there the backup holds them.
async fn held_by(copy: &Db) -> Result<Vec<shards::ShardRow>, StartError> {
    Ok(shards::heads(&mut copy.read().await?).await?)
}

/// Takes away what an earlier backup left under a name with this end.
fn forget(to: &Path, end: &str) -> io::Result<()> {
    for entry in fs::read_dir(to)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|own| end.strip_prefix('.') == own.to_str())
        {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// All but the newest go; photographs stay, because the newest backup names them too.
fn thin_out(to: &Path, keep: usize) -> io::Result<()> {
    let all = list(to)?;
    for old in all.iter().rev().skip(keep.max(1)) {
        fs::remove_dir_all(old)?;
    }
    Ok(())
}

async fn database(
    from: &Db,
    file: &Path,
) -> Result<std::collections::BTreeMap<String, i64>, StartError> {
    let to = Db::file(file).await?;
    to.migrate().await?;
    let mut source = from.read().await?;
    let mut target = to.write().await?;
    let mut rows = std::collections::BTreeMap::new();
    for table in copy::tables(&mut target).await? {
        let count = copy::table(&mut source, &mut target, &table).await?;
        rows.insert(table.name, i64::try_from(count).unwrap_or(i64::MAX));
    }
    target.commit().await?;
    drop(source);
    to.close().await;
    Ok(rows)
}

/// Copies the photographs that the rows name and that are not there yet; gives all and the new.
async fn photographs(app: &App, copy: &Db, to: &Path) -> Result<(i64, i64), StartError> {
    private::folder(to)?;
    let (mut all, mut copied) = (0, 0);
    let mut pages = PhotoPages::new();
    while let Some(page) = pages.next(copy).await? {
        for (shard, sha256) in page {
            all += 1;
            let sha256 = hex::encode(sha256);
            copied += i64::from(photograph(app, shard, &sha256, to).await?);
        }
    }
    Ok((all, copied))
}

async fn photograph(app: &App, shard: i64, sha256: &str, to: &Path) -> Result<bool, StartError> {
    let original = Key::original(shard, sha256);
    let is_new = !to.join(original.name()).try_exists()?;
    if is_new {
        let bytes = app.blobs.get(&original).await?;
        let bytes = bytes.ok_or_else(|| format!("photograph {sha256} is not in its store"))?;
        if hex::encode(Sha256::digest(&bytes)) != sha256 {
            return Err(format!("photograph {sha256} has other bytes in its store").into());
        }
        keep(to, &original, &bytes)?;
    }
    for rendition in Rendition::ALL {
        let key = Key::rendition(shard, sha256, rendition);
        if to.join(key.name()).try_exists()? {
            continue;
        }
        // One that is still to be made is made again after a restore.
        if let Some(bytes) = app.blobs.get(&key).await? {
            keep(to, &key, &bytes)?;
        }
    }
    Ok(is_new)
}

fn keep(to: &Path, key: &Key, bytes: &Bytes) -> io::Result<()> {
    let path = to.join(key.name());
    let folder = path.parent().unwrap_or(to);
    fs::create_dir_all(folder)?;
    let beside = path.with_extension("new");
    write_synced(&beside, bytes)?;
    fs::rename(beside, &path)?;
    File::open(folder)?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut open = fs::OpenOptions::new();
    let open = open.write(true).create(true).truncate(true).mode(0o600);
    let mut file = open.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
