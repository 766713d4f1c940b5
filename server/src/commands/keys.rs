//! `xiangyi keys`: which keys there are, and how one is changed.

use std::path::Path;

use clap::{Args, Subcommand};
use sha2::{Digest as _, Sha256};
use xiangyi_proto::time::{DAY_MS, Millis, day_text};

use super::Place;
use crate::accounts::roots::{self, NAMES, Roots};
use crate::accounts::seal::Sealer;
use crate::accounts::turn::{self, Step, Which};
use crate::app::StartError;
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::Entropy;
use crate::private;
use crate::store::{Db, keys};
use crate::trail::{self, COMMAND, Entry};

#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List the keys by their marks, and those on their way in and out.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Change a key in three calls: make the next known, let it take over, end the former one.
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    place: Place,
    #[arg(value_enum)]
    which: Which,
    /// All three at once, for a key that others know. No server may run meanwhile, and whoever is
    /// signed in to the hub page signs in again.
    #[arg(long)]
    at_once: bool,
}

/// Runs a command about keys.
pub async fn run(command: Keys) -> Result<(), StartError> {
    match command {
        Keys::List { place } => list(&place),
        Keys::Rotate(args) => rotate(&args).await,
    }
}

fn list(place: &Place) -> Result<(), StartError> {
    let folder = place.config()?.data.join("keys");
    for name in NAMES {
        println!("{name}\t{}", mark(&roots::key(&folder, name)?));
    }
    for which in [Which::Root, Which::Token, Which::Pack] {
        let (name, turn) = (which.name(), turn::read(&folder, which)?);
        if let Some(next) = turn.next {
            println!("{name}.next\t{}", mark(&next));
        }
        if let Some(former) = turn.former {
            let day = day_text(former.until);
            println!("{name}.former\t{}\t至 until {day}", mark(&former.key));
        }
    }
    Ok(())
}

/// By which a key is told apart and not found out.
fn mark(key: &[u8; 32]) -> String {
    hex::encode(&Sha256::digest(key)[..8])
}

async fn rotate(args: &RotateArgs) -> Result<(), StartError> {
    let config = args.place.config()?;
    eprintln!("数据库 database: {}", config.database_told());
    let now = Clock::system().now();
    turned(&config, args.which, args.at_once, now).await
}

/// Takes the next step of a key's turn, or all of them at once.
///
/// # Errors
/// When there are no keys, a day has not passed yet, or a row would lose its key.
pub async fn turned(
    config: &Config,
    which: Which,
    at_once: bool,
    now: Millis,
) -> Result<(), StartError> {
    let (folder, entropy) = (config.data.join("keys"), Entropy::system());
    if NAMES.iter().all(|name| !folder.join(name).is_file()) {
        return Err(format!("{} holds no keys", folder.display()).into());
    }
    // All of them are read first: while one cannot be, no other is changed.
    Roots::open(&config.data, &entropy)?;
    let busy = "另一个命令正在更换密钥。keys are being changed by another command";
    let _alone = private::alone(&folder, busy)?;
    let db = Db::open(&config.database_url()).await;
    let db = db.map_err(|error| error.to_the_operator())?;
    loop {
        let step = turn::standing(&folder, which);
        match step {
            Step::Announce => turn::announce(&folder, which, &entropy)?,
            Step::TakeOver => turn::take_over(&folder, which, now)?,
            Step::End if at_once => {}
            Step::End => has_rested(&folder, which, now)?,
        }
        let sealer = Sealer::new(&Roots::open(&config.data, &entropy)?);
        if which == Which::Root && step != Step::Announce {
            let rows = keys::rewrap(&db, &sealer, &entropy).await?;
            println!("重新包裹 wrapped anew: {rows}");
        }
        if step == Step::End {
            end(&folder, which, &db, &sealer).await?;
        }
        let what = format!("{} {step:?}", which.name()).to_lowercase();
        let entry = Entry::of(COMMAND, "keys-rotate").target(what);
        // The step is done. Tables of an earlier build have no trail.
        trail::ordered(&db, (&sealer, &entropy), now, &entry).await;
        tell(which, step);
        if !at_once || step == Step::End {
            break;
        }
    }
    db.close().await;
    Ok(())
}

/// A key that took over less than a day ago: what was signed or wrapped by the former one may
/// still be about.
fn has_rested(folder: &Path, which: Which, now: Millis) -> Result<(), StartError> {
    let former = turn::read(folder, which)?.former;
    match former {
        Some(former) if now < former.until + DAY_MS => Err(
            "新钥匙启用还不到一天，旧钥匙还不能停用；别人已知道钥匙时用 --at-once。the new key took \
             over less than a day ago: the former one ends a day after that. --at-once is for a \
             key that others know"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// Ends the former key, unless a row still needs it.
async fn end(folder: &Path, which: Which, db: &Db, sealer: &Sealer) -> Result<(), StartError> {
    if which == Which::Root {
        let mut tx = db.read().await?;
        let left = keys::former(&mut tx, sealer).await?;
        if left > 0 {
            return Err(format!(
                "还有 {left} 行用旧钥匙包着，旧钥匙不停用；请再运行一次。{left} rows are still wrapped \
                 under another key, which does not end: run this once more"
            )
            .into());
        }
    }
    Ok(turn::end(folder, which)?)
}

fn tell(which: Which, step: Step) {
    let name = which.name();
    let (chinese, english) = match step {
        Step::Announce => (
            "新钥匙已备好。先备份 keys 文件夹，拷到每台服务器，逐台重启，再运行一次。",
            "the next key is known. Back the folder keys up, copy it to every server, start each \
             again, run this once more",
        ),
        Step::TakeOver => (
            "新钥匙已启用。先备份 keys 文件夹，拷到每台服务器，逐台重启，一天以后再运行一次。",
            "the new key is in use. Back the folder keys up, copy it to every server, start each \
             again, run this once more after a day",
        ),
        Step::End => (
            "旧钥匙已停用。以前的备份仍要用当时的钥匙，请一起留着。",
            "the former key has ended. Older backups still need the keys of their day: keep them",
        ),
    };
    println!("{name}: {chinese}\n{name}: {english}");
}
