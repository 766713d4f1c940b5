//! `xiangyi pack check`: is a rule pack sound.

use std::path::PathBuf;

use clap::Subcommand;
use xiangyi_sync::policy;

use crate::app::StartError;

#[derive(Debug, Subcommand)]
pub enum Pack {
    /// Read and compile a pack; every fault is listed with its rule.
    Check { file: PathBuf },
}

/// Runs a command about packs.
pub fn run(pack: &Pack) -> Result<(), StartError> {
    let Pack::Check { file } = pack;
    let yaml = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    match policy::check(&yaml) {
        Ok(report) => {
            println!(
                "pack {} version {}: sound. {} rules, {} lexicons, {} phrases.",
                report.pack, report.version, report.rules, report.lexicons, report.phrases
            );
            Ok(())
        }
        Err(faults) => {
            for fault in &faults {
                eprintln!("{fault}");
            }
            Err(format!("{} is not sound: {} faults", file.display(), faults.len()).into())
        }
    }
}
