//! `xiangyi backup`, `restore`, `verify` and `check-config`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Place;
use super::people::open;
use crate::accounts::roots::{self, NAMES};
use crate::app::StartError;
use crate::backup::restore::Faults;
use crate::backup::{keys, make, restore, verify};
use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::config::PhotoStore;
use crate::private;
use crate::store::{Db, StoreError};
use crate::trail::{self, COMMAND, Entry};
use crate::wechat::WeChat;

#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// Folder of the backups; each gets a folder of its own below.
    #[arg(long)]
    to: PathBuf,
    /// Folder, elsewhere, into which the keys are copied.
    #[arg(long)]
    keys_to: Option<PathBuf>,
    /// How many backups stay; all when absent.
    #[arg(long)]
    keep: Option<usize>,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    place: Place,
    /// One backup: the folder named by its moment.
    #[arg(long)]
    from: PathBuf,
    /// Folder of the keys; not needed when they lie in the data folder.
    #[arg(long)]
    keys: Option<PathBuf>,
    /// Restore a copy that does not add up, because there is no other.
    #[arg(long)]
    despite_faults: bool,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// Leave the photographs out: reading them all takes long.
    #[arg(long)]
    without_photos: bool,
}

/// Makes a backup beside a running server.
pub async fn backup(args: &BackupArgs) -> Result<(), StartError> {
    if args
        .keys_to
        .as_ref()
        .is_some_and(|keys| keys.starts_with(&args.to))
    {
        let why = "密钥不能与备份放在一起。keys must lie elsewhere than the backups";
        return Err(why.into());
    }
    let data = args.place.config()?.data;
    if is_within(&args.to, &data) {
        let why = "备份不能放在数据目录里。backups must lie elsewhere than in the data folder";
        return Err(why.into());
    }
    if args.keep == Some(0) {
        return Err("--keep 至少是 1。--keep is at least 1".into());
    }
    let app = open(&args.place).await?;
    let made = make::make(&app, &args.to, args.keep).await?;
    let entry = Entry::of(COMMAND, "backup").target(made.manifest.rows().to_string());
    let with = (&app.sealer, &app.entropy);
    trail::ordered(&app.db, with, app.clock.now(), &entry).await;
    println!("已备份 backed up to {}", made.folder.display());
    println!(
        "{} 行 rows, {} 字节 bytes; {} 张照片 photographs, {} 张是新的 of them new; \
         已核对 checked",
        made.manifest.rows(),
        made.bytes,
        made.manifest.photos,
        made.copied
    );
    let own = data.join("keys");
    match &args.keys_to {
        Some(to) => {
            let name = made.folder.file_name().unwrap_or_default();
            keys::save(&own, to, &name.to_string_lossy())?;
            println!("密钥 keys: {}", to.display());
        }
        None => println!(
            "密钥没有备份，请另存 the keys are not in it; keep a copy elsewhere: {}",
            own.display()
        ),
    }
    Ok(())
}

/// Whether a folder, which may not be there yet, lies in another or is it.
fn is_within(folder: &Path, other: &Path) -> bool {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut above = absolute.ancestors();
    let there = above.find_map(|folder| folder.canonicalize().ok());
    there
        .zip(other.canonicalize().ok())
        .is_some_and(|(there, other)| there.starts_with(other))
}

/// Restores a backup into an empty place.
pub async fn restore(args: &RestoreArgs) -> Result<(), StartError> {
    let config = args.place.config()?;
    config.check()?;
    eprintln!("数据库 database: {}", config.database_told());
    let now = Clock::system().now();
    let faults = match args.despite_faults {
        true => Faults::Kept,
        false => Faults::Refused,
    };
    let done = restore::restore(&config, &args.from, args.keys.as_deref(), faults, now).await?;
    println!(
        "已恢复 restored: {} 行 rows, {} 张照片 photographs; 已核对 checked",
        done.manifest.rows(),
        done.photos
    );
    println!("手机会重新下载一次 phones will read their streams anew");
    if done.missing > 0 {
        let missing = done.missing;
        return Err(
            format!("缺 {missing} 张照片 photographs are missing or not themselves").into(),
        );
    }
    Ok(())
}

/// Checks everything that is stored.
pub async fn check(args: &VerifyArgs) -> Result<(), StartError> {
    let app = open(&args.place).await?;
    let mut faults = verify::database(&app.db, &app.sealer).await?;
    if !args.without_photos {
        let photos = verify::photographs(&app, &mut faults).await?;
        println!("{photos} 张照片 photographs");
    }
    for fault in &faults {
        println!("{fault}");
    }
    if faults.is_empty() {
        println!("全部相符 everything adds up");
        return Ok(());
    }
    Err(format!("{} 处不符 faults", faults.len()).into())
}

/// Says what a server would run with, or why it would not start.
pub fn check_config(place: &Place) -> Result<(), StartError> {
    let config = place.config()?;
    config.check()?;
    println!("listen    {}", config.listen);
    println!("data      {}", config.data.display());
    println!("database  {}", config.database_told());
    let photos = match config.photos.store {
        PhotoStore::Folder => config.data.join("photos").display().to_string(),
        PhotoStore::S3 => format!("s3 {}", config.photos.s3.bucket.as_deref().unwrap_or("")),
    };
    println!("photos    {photos}");
    // What a start would find out: secrets, the kind of database, the account, the keys.
    WeChat::open(&config.wechat, Clock::system())?;
    if config.photos.store == PhotoStore::S3 {
        Blobs::open(&config)?;
    }
    if !Db::knows(&config.database_url()) {
        return Err(StoreError::Address.to_the_operator().into());
    }
    private::is_own(&config.data)?;
    let keys = config.data.join("keys");
    for name in NAMES.iter().filter(|name| keys.join(name).exists()) {
        roots::key(&keys, name)?;
    }
    println!("设置可用 the settings can be used");
    Ok(())
}
