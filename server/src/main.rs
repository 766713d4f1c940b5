//! The binary `xiangyi`.

use clap::Parser;

fn main() -> std::process::ExitCode {
    xiangyi_server::commands::run(xiangyi_server::commands::Cli::parse())
}
