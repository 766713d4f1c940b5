//! `xiangyi import`: tables that somebody already has; the report says line by line what became
//! of them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::people::open;
use super::{Place, pack};
use crate::app::StartError;
use crate::import::{self, Options, What, Word};
use crate::trail::{self, COMMAND, Entry};

#[derive(Debug, Subcommand)]
pub enum Import {
    /// Regions: codes, names, days, and what a code was merged into.
    Regions(Table),
    /// Stations and hubs, and where their villages are.
    Units(Table),
    /// Agencies, their contracts and stations.
    Agencies(Table),
    /// People and their roles.
    People {
        #[command(flatten)]
        table: Table,
        /// A new file for the first passwords of new people, for its owner only.
        #[arg(long)]
        passwords: Option<PathBuf>,
    },
    /// Clients, in the name of the worker whom each line names.
    Clients(Table),
    /// A rule pack, as `pack propose` takes it.
    Pack {
        #[command(flatten)]
        place: Place,
        file: PathBuf,
        /// Telephone number of whoever proposes it; a hub role of the region.
        #[arg(long)]
        by: String,
        /// Only check it, as `pack check` does.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct Table {
    #[command(flatten)]
    place: Place,
    /// CSV (UTF-8 or GBK; comma, semicolon or tab) or XLSX; see deploy/import.md.
    file: PathBuf,
    /// Check and report, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leave out the lines that are refused, and write the rest.
    #[arg(long)]
    skip_refused: bool,
    /// Nothing outside this unit.
    #[arg(long)]
    unit: Option<String>,
}

/// Runs an import.
pub async fn run(command: Import) -> Result<(), StartError> {
    let (what, table, passwords) = match command {
        Import::Regions(table) => (What::Regions, table, None),
        Import::Units(table) => (What::Units, table, None),
        Import::Agencies(table) => (What::Agencies, table, None),
        Import::People { table, passwords } => (What::People, table, passwords),
        Import::Clients(table) => (What::Clients, table, None),
        Import::Pack { file, dry_run, .. } if dry_run => return pack::check(&file),
        Import::Pack {
            place, file, by, ..
        } => return pack::proposed(&place, &file, &by).await,
    };
    let bytes = std::fs::read(&table.file).map_err(|error| {
        let file = table.file.display();
        format!("读不出文件 cannot read {file}: {error}")
    })?;
    let app = open(&table.place).await?;
    let options = Options {
        dry_run: table.dry_run,
        skip_refused: table.skip_refused,
        unit: table.unit,
        passwords,
    };
    let report = import::run(&app, what, &bytes, &options).await?;
    if report.is_written {
        let entry = Entry::of(COMMAND, "import").target(format!("{what:?}").to_lowercase());
        let with = (&app.sealer, &app.entropy);
        trail::ordered(&app.db, with, app.clock.now(), &entry).await;
    }
    println!("{report}");
    let refused = report.count(Word::Refused);
    if options.dry_run {
        println!("只是试算，什么也没有写入 a trial: nothing was written");
    } else if refused > 0 && !options.skip_refused {
        return Err(format!(
            "{refused} 行不收，什么也没有写入；可改正后再来，或用 --skip-refused 略过。{refused} \
             lines are refused and nothing was written: correct them, or leave them out with \
             --skip-refused"
        )
        .into());
    } else if !report.is_written {
        println!("没有变化，什么也没有写入 unchanged: nothing was written");
    }
    Ok(())
}
