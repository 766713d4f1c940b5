//! The trail: who signed in, who moved whom, what was ordered at the server; for those who watch.
//!
//! A line is written with what it tells, in the same transaction where there is one. It holds ids
//! and codes: no name, no number, no word of a record; the reason of a move is sealed for the
//! person it is about.

use std::time::Duration;

use xiangyi_proto::role::Role;
use xiangyi_proto::time::{DAY_MS, Millis};

use crate::accounts::seal::Sealer;
use crate::app::App;
use crate::entropy::Entropy;
use crate::store::trail::{self as rows, Line};
use crate::store::{Db, StoreError, Tx, keys};

/// Who did what is done at the machine itself.
pub const COMMAND: &str = "command";
/// Days a line is kept; the law asks for half a year of a system of the second level.
pub const TRAIL_DAYS: i64 = 3 * 365;
/// Who reads the trail of a unit.
pub const WATCH: &[Role] = &[
    Role::SystemAdmin,
    Role::SecurityAdmin,
    Role::Auditor,
    Role::ProvinceAdmin,
];

/// How often old lines are swept.
const EVERY: Duration = Duration::from_secs(3_600);

/// What is to be told.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub actor: String,
    pub what: &'static str,
    pub person: String,
    pub unit: String,
    pub target: String,
    /// In somebody's words; sealed for the person.
    pub reason: String,
}

impl Entry {
    /// What somebody did.
    pub fn of(actor: &str, what: &'static str) -> Self {
        Self {
            actor: actor.to_owned(),
            what,
            ..Self::default()
        }
    }

    /// To whom.
    pub fn about(mut self, person: &str) -> Self {
        person.clone_into(&mut self.person);
        self
    }

    /// Where.
    pub fn at(mut self, unit: &str) -> Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// With which ids and codes.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Why.
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }
}

/// The least id of a moment.
pub fn from(at: Millis) -> String {
    format!("{:016x}", at.max(0))
}

/// Writes a line; needs a writing transaction.
///
/// # Errors
/// When the engine fails.
pub async fn note(
    tx: &mut Tx,
    (sealer, entropy): (&Sealer, &Entropy),
    now: Millis,
    entry: &Entry,
) -> Result<(), StoreError> {
    let person = entry.person.as_str();
    let mut reason = None;
    if !entry.reason.is_empty() && !person.is_empty() {
        let keyring = keys::of(tx, sealer, keys::PEOPLE, [person], entropy).await?;
        let key = keyring.key(person);
        reason = key.map(|key| key.seal(entropy, &place(person), entry.reason.as_bytes()));
    }
    let line = Line {
        id: format!("{}-{}", from(now), entropy.crockford(10)),
        at: now,
        actor: entry.actor.clone(),
        what: entry.what.to_owned(),
        person: entry.person.clone(),
        unit: entry.unit.clone(),
        target: entry.target.clone(),
        reason,
    };
    rows::add(tx, &line).await
}

/// Writes a line by itself, for what has no transaction of its own.
///
/// # Errors
/// When the engine fails.
pub async fn tell(app: &App, entry: &Entry) -> Result<(), StoreError> {
    tell_at(app, app.clock.now(), entry).await
}

/// Writes a line of a moment by itself.
///
/// # Errors
/// When the engine fails.
pub async fn tell_at(app: &App, at: Millis, entry: &Entry) -> Result<(), StoreError> {
    alone(&app.db, (&app.sealer, &app.entropy), at, entry).await
}

/// Writes a line of a command, whose deed is done: where it cannot be written the operator is told
/// why, and the deed stays done.
pub async fn ordered(db: &Db, with: (&Sealer, &Entropy), now: Millis, entry: &Entry) {
    if let Err(error) = alone(db, with, now, entry).await {
        eprintln!(
            "已做完，但没有记进操作记录 done, but the trail does not tell of it: {}",
            error.to_the_operator()
        );
    }
}

async fn alone(
    db: &Db,
    with: (&Sealer, &Entropy),
    now: Millis,
    entry: &Entry,
) -> Result<(), StoreError> {
    let mut tx = db.write().await?;
    note(&mut tx, with, now, entry).await?;
    tx.commit().await
}

/// Writes a line in a transaction.
///
/// # Errors
/// When the engine fails.
pub async fn put(app: &App, tx: &mut Tx, entry: &Entry) -> Result<(), StoreError> {
    note(tx, (&app.sealer, &app.entropy), app.clock.now(), entry).await
}

/// A page of the trail, with reasons opened.
///
/// # Errors
/// When the engine fails.
pub async fn page(
    app: &App,
    (after, unit, person): (&str, &str, &str),
    limit: i64,
) -> Result<Vec<(Line, Option<String>)>, StoreError> {
    let mut tx = app.db.read().await?;
    let lines = rows::list(&mut tx, after, unit, person, limit).await?;
    let told = lines.iter().filter(|line| line.reason.is_some());
    let owners: Vec<&str> = told.map(|line| line.person.as_str()).collect();
    let keyring = keys::known(&mut tx, &app.sealer, keys::PEOPLE, owners).await?;
    let opened = |line: &Line| {
        let sealed = line.reason.as_deref()?;
        let plain = keyring.open(&line.person, &place(&line.person), sealed);
        String::from_utf8(plain.ok()?).ok()
    };
    let with_reason = |line: Line| {
        let reason = opened(&line);
        (line, reason)
    };
    Ok(lines.into_iter().map(with_reason).collect())
}

/// Binds a sealed reason to its place.
fn place(person: &str) -> Vec<u8> {
    format!("reason of {person}").into_bytes()
}

/// Runs for ever: what is old enough is forgotten.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "the trail could not be swept");
        }
    }
}

/// Forgets lines older than `TRAIL_DAYS`; gives how many.
///
/// # Errors
/// When the engine fails.
pub async fn sweep(app: &App) -> Result<u64, StoreError> {
    let mut tx = app.db.write().await?;
    let before = from(app.clock.now() - TRAIL_DAYS * DAY_MS);
    let gone = rows::sweep(&mut tx, &before).await?;
    tx.commit().await?;
    Ok(gone)
}
