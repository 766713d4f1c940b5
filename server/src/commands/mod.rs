//! The command line: one file per command.

mod audit;
mod backup;
pub mod demo;
mod demo_album;
mod demo_check;
mod demo_day;
mod device;
mod import;
mod judged;
pub mod keys;
pub mod log;
mod messages;
mod moving;
mod pack;
mod people;
mod phone;
pub mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::StartError;
use crate::config::Config;

/// 乡驿: the post station between phones in the villages and the county hub.
#[derive(Debug, Parser)]
#[command(name = "xiangyi", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve phones and the hub page.
    Serve(ServeArgs),
    /// Bring the tables up to date.
    Migrate(Place),
    /// Say what a server would run with, or why it would not start.
    CheckConfig(Place),
    /// Copy everything into a folder, beside a running server, and check the copy.
    Backup(backup::BackupArgs),
    /// Put a backup into an empty place; phones read everything anew.
    Restore(backup::RestoreArgs),
    /// Check that everything stored adds up.
    Verify(backup::VerifyArgs),
    /// Keys of this server, and their change.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// People and their grants.
    #[command(subcommand)]
    People(people::People),
    /// Phones of people.
    #[command(subcommand)]
    Device(device::Device),
    /// Messages to volunteers that could not be sent.
    #[command(subcommand)]
    Messages(messages::Messages),
    /// Tables of regions, units, agencies, people, clients; a rule pack.
    #[command(subcommand)]
    Import(import::Import),
    /// Who signed in, who moved whom, what was ordered at the server.
    Audit(audit::AuditArgs),
    /// People and clients that go elsewhere.
    #[command(subcommand)]
    Move(moving::Move),
    /// Rule packs.
    #[command(subcommand)]
    Pack(pack::Pack),
    /// A phone on the command line; one folder is one phone.
    Phone(Box<phone::PhoneArgs>),
    /// Play a recorded day against a running demo and check that phones equal server.
    DemoDay(demo_day::DayArgs),
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Settings, see deploy/xiangyi.toml.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Folder of the database file, photographs and keys.
    #[arg(long)]
    data: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://…`; a file in the data folder by default.
    #[arg(long)]
    database: Option<String>,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Address and port; port 0 picks a free one.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Demo codes and invented people with a known password; loopback only.
    #[arg(long)]
    demo: bool,
    /// Volunteers in the demo; the load tool asks for a crowd.
    #[arg(long, hide = true, default_value_t = demo::VOLUNTEERS)]
    demo_volunteers: usize,
    /// Judge by no pack; the load tool measures what judging costs.
    #[arg(long, hide = true, requires = "demo")]
    without_packs: bool,
}

impl Place {
    /// The settings of the file and of the environment, with these flags over them.
    fn config(&self) -> Result<Config, StartError> {
        let mut config = Config::read_over(self.config.as_deref(), std::env::vars_os())?;
        if let Some(data) = &self.data {
            config.data.clone_from(data);
        }
        if let Some(url) = &self.database {
            config.database.url = Some(url.clone());
        }
        Ok(config)
    }
}

/// Runs a command to its end.
pub fn run(cli: Cli) -> ExitCode {
    // A second call finds the provider installed, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(StartError::from)
        .and_then(|runtime| match cli.command {
            Command::Serve(args) => {
                let mut config = args.place.config()?;
                config.demo = args.demo;
                config.demo_volunteers = args.demo_volunteers;
                config.without_packs = args.without_packs;
                if let Some(listen) = args.listen {
                    config.listen = listen;
                }
                log::start(&config.log);
                runtime.block_on(serve::run(config))
            }
            Command::Migrate(place) => runtime.block_on(serve::migrate(place.config()?)),
            Command::CheckConfig(place) => backup::check_config(&place),
            Command::Backup(args) => runtime.block_on(backup::backup(&args)),
            Command::Restore(args) => runtime.block_on(backup::restore(&args)),
            Command::Verify(args) => runtime.block_on(backup::check(&args)),
            Command::Keys(keys) => runtime.block_on(keys::run(keys)),
            Command::People(people) => runtime.block_on(people::run(people)),
            Command::Device(device) => runtime.block_on(device::run(device)),
            Command::Messages(messages) => runtime.block_on(messages::run(messages)),
            Command::Import(import) => runtime.block_on(import::run(import)),
            Command::Audit(args) => runtime.block_on(audit::run(&args)),
            Command::Move(what) => runtime.block_on(moving::run(what)),
            Command::Pack(pack) => runtime.block_on(pack::run(pack)),
            Command::Phone(args) => runtime.block_on(phone::run(*args)),
            Command::DemoDay(args) => runtime.block_on(demo_day::run(&args)),
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xiangyi: {error}");
            ExitCode::FAILURE
        }
    }
}
