//! The binary `xiangyi`.

use clap::Parser;

/// A push makes and drops some hundreds of small values; the system's allocator took a fifth of its
/// time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    xiangyi_server::commands::run(xiangyi_server::commands::Cli::parse())
}
