//! `xiangyi phone`: a phone on the command line; one folder is one phone.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::app::StartError;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::phone::show::{self, Beside, What};
use crate::phone::{Action, Handset, ROUNDS_MAX, Told, out, replay, words};

/// How long a watching phone waits before it tries a server that did not answer again.
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct PhoneArgs {
    /// The phone's folder; made if absent.
    #[arg(long)]
    home: PathBuf,
    /// The server's address, such as http://127.0.0.1:8080; remembered.
    #[arg(long, global = true)]
    server: Option<String>,
    /// Milliseconds by which this phone's clock is wrong.
    #[arg(long, global = true, allow_hyphen_values = true, default_value_t = 0)]
    now_offset_ms: i64,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 登录 Sign in and register this phone.
    SignIn {
        telephone: String,
        password: String,
        /// Six digits of the authenticator app, where one is set up.
        #[arg(long)]
        code: Option<String>,
    },
    /// 同步 Send what waits, pull what is new, send photographs.
    Sync {
        /// Exchanges at most.
        #[arg(long, default_value_t = ROUNDS_MAX)]
        rounds: usize,
        /// An offset to claim in place of the measured one.
        #[arg(long, allow_hyphen_values = true)]
        offline_clock_offset_ms: Option<i64>,
    },
    /// 查看 Show what is on the phone.
    Show {
        what: Option<What>,
        #[arg(long)]
        json: bool,
    },
    /// 收起 Be done with an entry that was not accepted, needs you or was not understood, by number.
    SetAside { n: i64 },
    /// 守候 Wait for changes and print them, until stopped.
    Watch,
    /// 回放 Play a recorded file of this phone.
    Replay { file: PathBuf },
    #[command(flatten)]
    Act(Box<Action>),
}

/// Runs one command on a phone.
pub async fn run(args: PhoneArgs) -> Result<(), StartError> {
    let clock = Clock::system();
    let server = args.server.as_deref();
    let entropy = Entropy::system();
    let mut phone = Handset::open(&args.home, server, clock.clone(), entropy).await?;
    phone.lie(args.now_offset_ms);
    let done = command(&mut phone, args.command, &clock).await;
    let kept = phone.remember_server().await;
    phone.close().await;
    done?;
    Ok(kept?)
}

async fn command(phone: &mut Handset, command: Command, clock: &Clock) -> Result<(), StartError> {
    match command {
        Command::SignIn {
            telephone,
            password,
            code,
        } => {
            phone.sign_in(&telephone, &password, code).await?;
            if let Some(person) = phone.person() {
                out::line(&format!("已登录 signed in: {} {}", person.id, person.name));
                for at in &person.roles {
                    out::line(&format!("  {} {}", words::role(at.role), at.unit));
                }
            }
        }
        Command::Sync {
            rounds,
            offline_clock_offset_ms,
        } => {
            phone.claim_offset(offline_clock_offset_ms);
            let told = phone.sync(rounds).await?;
            replay::print_told(&told);
            phone.places().iter().for_each(|place| out::line(place));
            if phone.waiting() > 0 {
                out::line(&format!(
                    "{} 条稍后再发 wait to be sent later",
                    phone.waiting()
                ));
            }
            arrived(&told)?;
        }
        Command::Show { what, json } => {
            let beside = Beside {
                aside: phone.aside().await?,
                waiting: phone.photos_waiting().await?,
                refused: phone.photos_refused().await?,
                places: phone.places(),
            };
            show::print(phone.state(), &beside, what, json);
        }
        Command::SetAside { n } => {
            phone.set_aside(n).await?;
            out::line(&format!("已收起 set aside: #{n}"));
        }
        Command::Watch => watch(phone).await?,
        Command::Replay { file } => replay::run(phone, &file, clock.now()).await?,
        Command::Act(action) => {
            let at = phone.now();
            let entries = phone.act(&action, at).await?;
            phone.warn(&entries);
            for entry in entries {
                out::line(&show::told(&entry, false));
            }
        }
    }
    Ok(())
}

/// Says what a sync did not bring to its end.
fn arrived(told: &Told) -> Result<(), StartError> {
    if told.troubles.len() > told.refused_photos + told.unchecked_packs {
        let words = "没有全部传完，稍后再同步。\n  Not everything arrived; sync again later.";
        return Err(words.into());
    }
    if told.refused_photos > 0 {
        let words = "有照片没有收下，原因和办法见 show refused。\n  Photographs were not \
                     accepted; show refused says why and what to do.";
        return Err(words.into());
    }
    if told.unchecked_packs > 0 {
        let words = "规则没能核对，记录都已送到。请重新登录：sign-in。\n  The rules could not \
                     be checked; your records arrived. Sign in again: sign-in.";
        return Err(words.into());
    }
    Ok(())
}

/// Syncs whenever the server rings; ended by whoever started it. Between syncs other windows may
/// use the phone. A server that is away is waited for.
async fn watch(phone: &mut Handset) -> Result<(), StartError> {
    print_changes(&phone.sync(ROUNDS_MAX).await?);
    phone.remember_server().await?;
    out::line("守候中 watching; Ctrl-C ends it");
    let mut is_away = false;
    loop {
        phone.pause();
        let rung = if is_away {
            Ok(true)
        } else {
            phone.wait().await
        };
        // Another window may have renewed the session, or given the phone to somebody else.
        phone.resume().await?;
        let synced = match rung {
            Ok(false) => continue,
            Ok(true) => phone.sync(ROUNDS_MAX).await,
            Err(trouble) => Err(trouble),
        };
        match synced {
            Ok(told) => {
                if std::mem::take(&mut is_away) {
                    out::line("又连上了 connected again");
                }
                print_changes(&told);
            }
            Err(trouble) if trouble.is_away() => {
                if !std::mem::replace(&mut is_away, true) {
                    out::aside(&trouble.to_string());
                }
                phone.pause();
                tokio::time::sleep(AGAIN).await;
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
}

fn print_changes(told: &Told) {
    for (kind, id, gone) in &told.rows {
        if *gone {
            out::line(&format!("- {id}"));
        } else {
            out::line(&format!("+ {} {id}", words::kind(kind)));
        }
    }
    for entry in &told.entries {
        out::line(&show::told(entry, false));
    }
    for trouble in &told.troubles {
        out::aside(&trouble.to_string());
    }
}
