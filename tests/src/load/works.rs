//! What phones do all day: push, pull for the first time, ask whether there is anything.
//!
//! A work warms up first, so that connections are open and devices were heard of; then it is
//! measured from the first request to the last answer.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use xiangyi_proto::exchange::{Form, PullAsk};

use super::phones::{Line, Phone, Reply, telephone};
use super::report::{Row, short};
use super::server::Server;
use super::visits::Visits;
use super::{Fault, now};
use crate::engine::Engine;

/// Visits of a first sync: some three years of a worker.
const FIRST_SYNC: usize = 10_000;
/// Visits of one push while a mailbox is filled.
const FILL: usize = 100;
/// First syncs at least, however long one takes.
const SYNCS_MIN: usize = 3;

/// What a work has done.
#[derive(Debug, Default)]
pub struct Tally {
    pub records: u64,
    pub took: Vec<Duration>,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

impl Tally {
    /// Counts one answered request.
    pub fn count(&mut self, records: usize, reply: &Reply) {
        self.records += records as u64;
        self.took.push(reply.took);
        self.bytes_up += reply.bytes_up as u64;
        self.bytes_down += reply.bytes_down as u64;
    }

    /// Two tallies as one.
    pub fn and(mut self, other: Self) -> Self {
        self.records += other.records;
        self.took.extend(other.took);
        self.bytes_up += other.bytes_up;
        self.bytes_down += other.bytes_down;
        self
    }
}

/// A measurement under way: time and CPU at its start.
pub struct Meter {
    began: Instant,
    spent: Duration,
}

impl Meter {
    /// Starts now.
    ///
    /// # Errors
    /// When the server is gone.
    pub fn start(server: &Server) -> Result<Self, Fault> {
        Ok(Self {
            spent: server.spent()?,
            began: now(),
        })
    }

    /// Fills a row with what was measured since the start; bytes are those of one request.
    ///
    /// # Errors
    /// When the server is gone or nothing was done.
    pub fn fill(&self, row: &mut Row, server: &Server, mut tally: Tally) -> Result<(), Fault> {
        let seconds = self.began.elapsed().as_secs_f64();
        let cpu_ms = (server.spent()? - self.spent).as_secs_f64() * 1_000.0;
        if tally.records == 0 || tally.took.is_empty() {
            return Err("nothing was answered in time".into());
        }
        tally.took.sort_unstable();
        let (records, requests) = (tally.records as f64, tally.took.len() as f64);
        row.per_s = short(records / seconds);
        row.p50_ms = short(quantile(&tally.took, 0.50));
        row.p99_ms = short(quantile(&tally.took, 0.99));
        row.cpu_ms_per_1000 = short(cpu_ms * 1_000.0 / records);
        row.bytes_up = short(tally.bytes_up as f64 / requests);
        row.bytes_down = short(tally.bytes_down as f64 / requests);
        row.rss_mb = short(server.memory_mb()?);
        Ok(())
    }
}

/// Milliseconds below which this part of the sorted durations lies.
fn quantile(sorted: &[Duration], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    let at = rank.clamp(1, sorted.len()) - 1;
    sorted[at].as_secs_f64() * 1_000.0
}

/// Memory of a server that nobody has asked anything yet.
///
/// # Errors
/// When the server does not start.
pub async fn rest(engine: Engine) -> Result<Row, Fault> {
    let server = Server::start(engine, &[]).await?;
    let mut row = Row::new("rest", engine);
    row.rss_mb = short(server.memory_mb()?);
    server.stop().await?;
    Ok(row)
}

/// Visits pushed by so many phones, so many at a time; judged by the whole pack, or by none.
///
/// # Errors
/// When a visit is not accepted.
pub async fn push(
    engine: Engine,
    phones: usize,
    batch: usize,
    span: Duration,
    floor: Option<f64>,
    judged: bool,
) -> Result<Row, Fault> {
    let more: &[&str] = if judged { &[] } else { &["--without-packs"] };
    let server = Server::start(engine, more).await?;
    let visits = Visits::new()?;
    let mut crew = Line::to(&server.base)?.crew(phones).await?;
    let once = crew
        .iter_mut()
        .map(|phone| push_until(phone, &visits, batch, None));
    try_join_all(once).await?;
    let meter = Meter::start(&server)?;
    let until = Some(now() + span);
    let all = crew
        .iter_mut()
        .map(|phone| push_until(phone, &visits, batch, until));
    let tallies = try_join_all(all).await?;
    let tally = tallies.into_iter().fold(Tally::default(), Tally::and);
    let mut row = Row::new(if judged { "push" } else { "push unjudged" }, engine);
    row.phones = Some(phones);
    row.batch = Some(batch);
    meter.fill(&mut row, &server, tally)?;
    row.beside(floor);
    server.stop().await?;
    Ok(row)
}

/// Pushes until a moment, or once.
async fn push_until(
    phone: &mut Phone,
    visits: &Visits,
    batch: usize,
    until: Option<Instant>,
) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    loop {
        let mutations = visits.some(phone.worker, batch);
        let reply = phone.exchange(mutations, None).await?;
        tally.count(reply.accepted(batch)?.len(), &reply);
        if until.is_none_or(|until| now() >= until) {
            return Ok(tally);
        }
    }
}

/// A new phone of a worker with a full mailbox: every row of its view, the mailbox's whole copies
/// and the station's open ones. Rows are counted; time includes inflating and parsing.
///
/// # Errors
/// When a visit is missing.
pub async fn first_sync(engine: Engine, form: Form, span: Duration) -> Result<Row, Fault> {
    let server = Server::start(engine, &[]).await?;
    let line = Line::to(&server.base)?;
    let token = line.sign_in(&telephone(0)).await?;
    fill(&mut line.phone(&token, 0).await?).await?;
    let mut tally = Tally::default();
    let meter = Meter::start(&server)?;
    let until = now() + span;
    while tally.took.len() < SYNCS_MIN || now() < until {
        let mut fresh = line.phone(&token, 0).await?;
        let began = now();
        let pulled = fresh.pull_all(form).await?;
        tally.took.push(began.elapsed());
        let visits = pulled.rows.iter().filter(|row| row.kind == "visit");
        let visits: HashSet<_> = visits.map(|row| row.id).collect();
        if visits.len() != FIRST_SYNC {
            return Err(format!("{} visits came, not {FIRST_SYNC}", visits.len()).into());
        }
        tally.records += pulled.rows.len() as u64;
        tally.bytes_up += pulled.bytes_up as u64;
        tally.bytes_down += pulled.bytes_down as u64;
    }
    let name = match form {
        Form::Rows => "sync",
        Form::Columns => "sync columns",
    };
    let mut row = Row::new(name, engine);
    row.phones = Some(1);
    meter.fill(&mut row, &server, tally)?;
    server.stop().await?;
    Ok(row)
}

/// A phone that has everything asks again and again; there is never anything.
///
/// # Errors
/// When there is something after all.
pub async fn poll(engine: Engine, span: Duration) -> Result<Row, Fault> {
    let server = Server::start(engine, &[]).await?;
    let line = Line::to(&server.base)?;
    let token = line.sign_in(&telephone(0)).await?;
    fill(&mut line.phone(&token, 0).await?).await?;
    let mut phone = line.phone(&token, 0).await?;
    let cursor = phone.pull_all(Form::Rows).await?.cursor;
    let ask = PullAsk {
        cursor,
        ..PullAsk::default()
    };
    let mut tally = Tally::default();
    let meter = Meter::start(&server)?;
    let until = now() + span;
    while now() < until {
        let reply = phone.exchange(Vec::new(), Some(ask.clone())).await?;
        let page = reply.answer.pull.as_ref();
        if page.is_none_or(|page| page.more || !page.changes.is_empty()) {
            return Err("an empty poll brought something, or nothing at all".into());
        }
        tally.count(1, &reply);
    }
    let mut row = Row::new("poll", engine);
    row.phones = Some(1);
    meter.fill(&mut row, &server, tally)?;
    server.stop().await?;
    Ok(row)
}

/// Fills a worker's mailbox, and the station's stream with it.
async fn fill(phone: &mut Phone) -> Result<(), Fault> {
    let visits = Visits::new()?;
    for _ in 0..FIRST_SYNC / FILL {
        let mutations = visits.some(phone.worker, FILL);
        phone.exchange(mutations, None).await?.accepted(FILL)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Duration, quantile};

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let of = |part: f64| quantile(&sorted, part).round() as u64;
        assert_eq!((of(0.5), of(0.99), of(1.0)), (100, 198, 200));
        assert_eq!(quantile(&sorted[..1], 0.99).round() as u64, 1);
    }
}
