//! `load`: measures the release server and prints each figure beside its floor.
//!
//! `cargo run -p xiangyi-tests --release --bin load -- all --json load.json`. Only the command
//! line lives here; the works are in `xiangyi_tests::load`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use xiangyi_tests::engine::Engine;
use xiangyi_tests::load::{self, Ask, Fault, What, report};

#[derive(Debug, Parser)]
#[command(
    name = "load",
    about = "Load a release server over real sockets and measure it"
)]
struct Cli {
    /// What to measure.
    #[arg(value_enum)]
    what: What,
    /// Where the figures go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Which database.
    #[arg(long, value_enum, default_value = "both")]
    engine: Engines,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Engines {
    Sqlite,
    Postgres,
    Both,
}

#[tokio::main]
async fn main() -> ExitCode {
    // A second call finds the provider installed, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match measured(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("load: {fault}");
            ExitCode::FAILURE
        }
    }
}

async fn measured(cli: Cli) -> Result<(), Fault> {
    if cfg!(debug_assertions) {
        eprintln!("load: a debug build measures nothing that counts; add --release");
    }
    let engines = match cli.engine {
        Engines::Sqlite => vec![Engine::Sqlite],
        Engines::Postgres => vec![Engine::Postgres],
        Engines::Both => vec![Engine::Sqlite, Engine::Postgres],
    };
    let ask = Ask {
        what: cli.what,
        engines,
        span: Duration::from_secs(cli.seconds),
    };
    let rows = load::run(&ask).await?;
    report::print(&rows);
    match &cli.json {
        Some(file) => report::write(&rows, file),
        None => Ok(()),
    }
}
