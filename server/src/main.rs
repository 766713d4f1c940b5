//! The binary `xiangyi`.

use clap::Parser;

/// A push makes many small things and drops them on another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    xiangyi_server::commands::run(xiangyi_server::commands::Cli::parse())
}
