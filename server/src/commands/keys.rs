//! `xiangyi keys`: which keys there are, and how one is changed.

use std::fs;
use std::path::Path;

use clap::{Args, Subcommand};
use sha2::{Digest as _, Sha256};
use xiangyi_proto::time::day_text;

use super::Place;
use crate::accounts::roots::{self, NAMES, Roots};
use crate::accounts::seal::Sealer;
use crate::accounts::turn::{self, Step, Which};
use crate::app::StartError;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::store::{Db, keys};

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
    let (folder, entropy) = (config.data.join("keys"), Entropy::system());
    if NAMES.iter().all(|name| !folder.join(name).is_file()) {
        return Err(format!("{} holds no keys", folder.display()).into());
    }
    // All of them are read first: while one cannot be, no other is changed.
    Roots::open(&config.data, &entropy)?;
    let _alone = alone(&folder)?;
    eprintln!("数据库 database: {}", config.database_told());
    let db = Db::open(&config.database_url()).await;
    let db = db.map_err(|error| error.to_the_operator())?;
    loop {
        let step = turn::standing(&folder, args.which);
        match step {
            Step::Announce => turn::announce(&folder, args.which, &entropy)?,
            Step::TakeOver => turn::take_over(&folder, args.which, Clock::system().now())?,
            Step::End => {}
        }
        if args.which == Which::Root && step != Step::Announce {
            let sealer = Sealer::new(&Roots::open(&config.data, &entropy)?);
            let rows = keys::rewrap(&db, &sealer, &entropy).await?;
            println!("重新包裹 wrapped anew: {rows}");
        }
        if step == Step::End {
            // Nothing needs it any more: every row was met above.
            turn::end(&folder, args.which)?;
        }
        tell(args.which, step);
        if !args.at_once || step == Step::End {
            break;
        }
    }
    db.close().await;
    Ok(())
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

/// The folder of keys for this command alone, as long as what it gives lives.
fn alone(folder: &Path) -> Result<fs::File, StartError> {
    let file = fs::File::open(folder)?;
    let busy = "keys are being changed by another command";
    file.try_lock().map_err(|_| busy)?;
    Ok(file)
}
