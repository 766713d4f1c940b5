//! The load tool: what phones ask of a release server over real sockets, and what it costs.
//!
//! Every figure comes from a server and a database of its own. Pushes stand beside the floor of
//! the same run, and every row carries the CPU of the server together with its database. An
//! answer other than the expected one ends the run: speed without correctness is no figure. What
//! one phone is lives in `phones`, what it sends in `visits`; aims and the table are `report`'s.

pub mod floor;
pub mod phones;
pub mod pictures;
pub mod report;
pub mod rush;
pub mod server;
pub mod visits;
pub mod works;

use std::time::{Duration, Instant};

use clap::ValueEnum;
use xiangyi_proto::exchange::Form;

use crate::engine::Engine;
use report::Row;

/// Whatever ends a run, in words.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Phones and records a push, in the order of the table.
const PUSHES: [(usize, usize); 4] = [(16, 1), (200, 1), (4, 100), (16, 100)];

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    Push,
    Sync,
    Poll,
    Rush,
    Photos,
    All,
}

/// A run: what, on which engines, and for how long each.
#[derive(Debug, Clone)]
pub struct Ask {
    pub what: What,
    pub engines: Vec<Engine>,
    pub span: Duration,
}

impl Ask {
    fn wants(&self, what: What) -> bool {
        self.what == what || self.what == What::All
    }
}

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the load tool measures"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// The name of an engine in the report.
pub const fn name_of(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    }
}

/// Measures what was asked for; says on standard error how far it is.
///
/// # Errors
/// When a server does not start, or answers otherwise than it should.
pub async fn run(ask: &Ask) -> Result<Vec<Row>, Fault> {
    // Before the first database: figures without synced commits would be worth nothing.
    crate::cluster::sync_data();
    let mut rows = Vec::new();
    if ask.wants(What::Photos) {
        keep(&mut rows, pictures::develop(ask.span)?);
        if let Some(row) = pictures::vips(ask.span)? {
            keep(&mut rows, row);
        }
    }
    for engine in ask.engines.iter().copied() {
        keep(&mut rows, works::rest(engine).await?);
        if ask.wants(What::Push) {
            pushes(engine, ask.span, &mut rows).await?;
        }
        if ask.wants(What::Sync) {
            for form in [Form::Rows, Form::Columns] {
                keep(&mut rows, works::first_sync(engine, form, ask.span).await?);
            }
        }
        if ask.wants(What::Poll) {
            keep(&mut rows, works::poll(engine, ask.span).await?);
        }
        if ask.wants(What::Photos) {
            keep(&mut rows, pictures::upload(engine, ask.span).await?);
        }
        if ask.wants(What::Rush) {
            keep(&mut rows, rush::rush(engine).await?);
        }
    }
    Ok(rows)
}

/// The floor of each batch size once, then every push beside its own.
async fn pushes(engine: Engine, span: Duration, rows: &mut Vec<Row>) -> Result<(), Fault> {
    let mut floors = Vec::new();
    for batch in [1, 100] {
        let per_s = floor::per_second(engine, batch, span).await?;
        floors.push((batch, per_s));
        let mut row = Row::new("floor", engine);
        row.batch = Some(batch);
        row.phones = Some(1);
        row.per_s = report::short(per_s);
        keep(rows, row);
    }
    for (phones, batch) in PUSHES {
        let floor = floors.iter().find(|(size, _)| *size == batch);
        let floor = floor.map(|(_, per_s)| *per_s);
        let row = works::push(engine, phones, batch, span, floor, true).await?;
        keep(rows, row);
    }
    // What judging costs, where a commit carries most.
    let floor = floors.last().map(|(_, per_s)| *per_s);
    let row = works::push(engine, 4, 100, span, floor, false).await?;
    keep(rows, row);
    Ok(())
}

fn keep(rows: &mut Vec<Row>, row: Row) {
    eprintln!("measured {}", row.title());
    rows.push(row);
}
