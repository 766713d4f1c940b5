//! `xiangyi audit`: who signed in, who moved whom, what was ordered at the server.

use clap::Args;
use xiangyi_proto::time::{MINUTE_MS, UTC_PLUS_8_MS, day_of_text, day_start, day_text};

use super::Place;
use super::people::{open, person_of};
use crate::app::StartError;
use crate::trail;

/// Lines read at a time.
const PAGE: i64 = 500;

#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    place: Place,
    /// First day (YYYY-MM-DD, UTC+8); all when absent.
    #[arg(long)]
    since: Option<String>,
    /// Telephone number, or id, of whom it is about or who did it.
    #[arg(long)]
    person: Option<String>,
    /// A unit's code, or the beginning of one.
    #[arg(long, default_value = "")]
    unit: String,
}

/// Prints the trail, the oldest line first.
pub async fn run(args: &AuditArgs) -> Result<(), StartError> {
    let since = args.since.as_deref().map(|text| {
        let day = day_of_text(text);
        day.ok_or_else(|| format!("日期写法不对 {text} is not a day (YYYY-MM-DD)"))
    });
    let since = since.transpose()?.map_or(0, day_start);
    let app = open(&args.place).await?;
    let person = match args.person.as_deref() {
        Some(id) if id.starts_with("p-") => id.to_owned(),
        Some(telephone) => person_of(&app, telephone).await?,
        None => String::new(),
    };
    let mut after = trail::from(since);
    loop {
        let lines = trail::page(&app, (&after, &args.unit, &person), PAGE).await?;
        let Some((last, _)) = lines.last() else {
            return Ok(());
        };
        after.clone_from(&last.id);
        for (line, reason) in &lines {
            let minutes = (line.at + UTC_PLUS_8_MS).rem_euclid(86_400_000) / MINUTE_MS;
            println!(
                "{} {:02}:{:02}\t{}\t{}\t{}\t{}\t{}\t{}",
                day_text(line.at),
                minutes / 60,
                minutes % 60,
                line.actor,
                line.what,
                line.person,
                line.unit,
                line.target,
                reason.as_deref().unwrap_or_default()
            );
        }
    }
}
