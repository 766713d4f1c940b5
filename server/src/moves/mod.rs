//! Moves: a worker changes station, a client changes worker, an agency's contract ends, somebody
//! who was entered twice becomes one.
//!
//! Each is one transaction of a shard, rights and records together, and answers with a list of
//! what moved. A trial comes to the same list and keeps nothing. Phones follow at their next pull:
//! streams they lost leave them, streams they gained come whole, rows that went are taken.

mod agency;
mod client;
mod person;
mod worker;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::region;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{day_of_text, day_start};
use xiangyi_sync::world::Granted;

use crate::app::App;
use crate::caller::is_one_of;
use crate::store::StoreError;
use crate::trail;
use crate::whole::{self, Came, Whole};

/// Who may move people and clients at a unit.
pub const MOVE: &[Role] = &[Role::HubOfficer, Role::SystemAdmin];

/// Characters of a reason, see the card's table.
const REASON_MAX: usize = 120;

/// What is moved.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Move {
    /// Somebody's roles at one station go to another.
    Worker {
        person: String,
        from: String,
        to: String,
        /// Who takes over the clients at the old station.
        #[serde(default)]
        clients_to: Option<String>,
        /// The first day at the new station; now when absent.
        #[serde(default)]
        on: Option<String>,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        dry_run: bool,
    },
    /// A client goes from one worker to another.
    Client {
        client: Uuid,
        unit: String,
        /// Whose client it is; need not be told where there is one.
        #[serde(default)]
        from: Option<String>,
        to: String,
        #[serde(default)]
        on: Option<String>,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        dry_run: bool,
    },
    /// A contract ends, and with it the roles of those who worked under it.
    Agency {
        licence: String,
        /// The first day without it; now when absent.
        #[serde(default)]
        on: Option<String>,
        #[serde(default)]
        dry_run: bool,
    },
    /// Somebody was entered twice: what the second entry holds becomes the first one's, at once.
    Person {
        /// The entry that is given up.
        person: String,
        into: String,
        reason: String,
        #[serde(default)]
        dry_run: bool,
    },
}

impl Move {
    /// What is looked for, and the reason.
    fn texts(&self) -> (Vec<&str>, &str) {
        match self {
            Self::Worker {
                person,
                from,
                to,
                clients_to,
                reason,
                ..
            } => {
                let taker = clients_to.as_deref().unwrap_or_default();
                (vec![person, from, to, taker], reason)
            }
            Self::Client {
                unit,
                from,
                to,
                reason,
                ..
            } => {
                let from = from.as_deref().unwrap_or_default();
                (vec![unit, from, to], reason)
            }
            Self::Agency { licence, .. } => (vec![licence], ""),
            Self::Person {
                person,
                into,
                reason,
                ..
            } => (vec![person, into], reason),
        }
    }
}

/// What moved, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checklist {
    pub dry_run: bool,
    /// `grants_ended`, `grants_given`, `clients`, `visits`, `phones`, …
    pub moved: BTreeMap<&'static str, u64>,
}

impl Checklist {
    fn count(&mut self, what: &'static str, number: u64) {
        *self.moved.entry(what).or_default() += number;
    }

    fn came(&mut self, came: &Came) {
        self.count("grants_ended", came.grants_ended);
        self.count("grants_given", came.grants_given);
        let handed = came.visits.iter().flatten();
        let (clients, merged) = (handed.clone().count() as u64, &came.merged);
        self.count("clients", clients + merged.clients);
        let visits: u64 = handed.map(|visits| *visits as u64).sum();
        self.count("visits", visits + merged.visits);
        let of_merging = [
            ("places", merged.claims),
            ("places_left", merged.left),
            ("led", merged.runs),
            ("webhooks", came.webhooks),
            ("held_stay", came.held_stay),
            ("refusals_stay", came.refusals_stay),
        ];
        for (what, number) in of_merging.into_iter().filter(|(_, number)| *number > 0) {
            self.count(what, number);
        }
    }
}

/// Why nothing moved.
#[derive(Debug)]
pub enum NotMoved {
    /// No right there, or nothing there to move: the same to whoever asks.
    NotThere,
    /// This member does not fit: its pointer and a field code.
    Fault(&'static str, &'static str),
    /// Somebody else changed the same meanwhile.
    Meanwhile,
    Store(StoreError),
}

impl From<StoreError> for NotMoved {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Who asks: somebody with grants, or whoever holds the machine.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Operator,
    Person(&'a str, &'a [Granted]),
}

impl By<'_> {
    /// As the trail names them.
    const fn name(&self) -> &str {
        match self {
            Self::Operator => trail::COMMAND,
            Self::Person(id, _) => id,
        }
    }

    fn may(self, app: &App, unit: &str) -> Result<(), NotMoved> {
        match self {
            Self::Operator => Ok(()),
            Self::Person(_, grants) if is_one_of(grants, MOVE, unit, app.clock.now()) => Ok(()),
            Self::Person(..) => Err(NotMoved::NotThere),
        }
    }
}

/// Moves.
///
/// # Errors
/// When whoever asks has no right there, or the move does not fit.
pub async fn run(app: &App, by: By<'_>, what: &Move) -> Result<Checklist, NotMoved> {
    let (texts, reason) = what.texts();
    // One engine knows no text with a zero in it, and nobody has such a name.
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(NotMoved::NotThere);
    }
    if reason.contains('\0') {
        return Err(NotMoved::Fault("/reason", "bad-text"));
    }
    if reason.chars().count() > REASON_MAX {
        return Err(NotMoved::Fault("/reason", "too-long"));
    }
    match what {
        Move::Worker { .. } => worker::run(app, by, what).await,
        Move::Client { .. } => client::run(app, by, what).await,
        Move::Agency { .. } => agency::run(app, by, what).await,
        Move::Person { .. } => person::run(app, by, what).await,
    }
}

/// The first moment of a day, or now. A day that has passed would move what was done since.
fn moment(app: &App, on: Option<&str>) -> Result<i64, NotMoved> {
    let now = app.clock.now();
    let Some(text) = on else { return Ok(now) };
    let day = day_of_text(text).ok_or(NotMoved::Fault("/on", "bad-date"))?;
    match day_start(day) {
        at if at > now => Ok(at),
        _ => Err(NotMoved::Fault("/on", "day-passed")),
    }
}

/// A unit that exists and takes something new at a moment.
fn open_unit(app: &App, unit: &str, at: i64, pointer: &'static str) -> Result<Shard, NotMoved> {
    let shard = region::shard_of(unit).filter(|_| app.regions.knows(unit));
    let shard = shard.filter(|_| app.regions.closed_at(unit, at).is_none());
    shard.ok_or(NotMoved::Fault(pointer, "unit-unknown"))
}

/// Whether grants let somebody serve clients of a unit at a moment.
fn serves(grants: &[Granted], unit: &str, at: i64) -> bool {
    grants.iter().any(|grant| {
        let fits = matches!(grant.role, Role::Worker | Role::StationLead);
        fits && unit.starts_with(&grant.unit) && grant.holds_at(at)
    })
}

/// Writes into a shard, unless it is a trial or a client is not where it was.
async fn write(
    app: &App,
    shard: Shard,
    whole: &Whole,
    dry_run: bool,
    list: &mut Checklist,
) -> Result<(), NotMoved> {
    let fits = |came: &Came| came.visits.iter().all(Option::is_some);
    let keep = |came: &Came| !dry_run && fits(came);
    let came = whole::write(app, shard, whole, &keep).await?;
    if !fits(&came) {
        return Err(NotMoved::Meanwhile);
    }
    list.came(&came);
    Ok(())
}
