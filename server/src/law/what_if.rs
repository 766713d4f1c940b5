//! Trying a rule pack on what is stored: which records of a period would get another answer.
//!
//! Pages are read in short transactions and judged on one blocking thread; beside a running server
//! a trial rests twice as long as it works. It writes nothing and never waits for a writer. Its
//! report names records by id and holds no word of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::{WHAT_IF_DAYS_MAX, WHAT_IF_LISTED_MAX};
use xiangyi_proto::pack::PackDoc;
use xiangyi_proto::region;
use xiangyi_proto::time::{Millis, day_of_text, day_start};
use xiangyi_sync::kinds;
use xiangyi_sync::policy::{self, CompiledPack, Fact, PackSet, Question, Trial};
use xiangyi_sync::world::{Admitted, Record, World};

use super::report::{Counted, Listed, Told};
use crate::app::App;
use crate::clock::Stopwatch;
use crate::store::trials::{self, Page};
use crate::store::{StoreError, load, shards};

pub use super::report::Report;

/// Records of one page: a few milliseconds of judging, so that a push never waits long for a core.
const PAGE: i64 = 64;
/// How often as long as it works a trial rests beside a server: it takes a third of a core.
const RESTS: u32 = 2;

/// Whole days of UTC+8, both inclusive, as they were asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Period {
    pub from: String,
    pub to: String,
    #[serde(skip)]
    span: (Millis, Millis),
}

impl Period {
    /// A period of at most a year; none when the days make none.
    pub fn of(from: &str, to: &str) -> Option<Self> {
        let (first, last) = (day_of_text(from)?, day_of_text(to)?);
        (0..WHAT_IF_DAYS_MAX)
            .contains(&(last - first))
            .then(|| Self {
                from: from.to_owned(),
                to: to.to_owned(),
                span: (day_start(first), day_start(last + 1)),
            })
    }

    fn holds(&self, at: Millis) -> bool {
        (self.span.0..self.span.1).contains(&at)
    }
}

/// How a trial goes on.
#[derive(Debug, Default)]
pub struct Progress {
    pub judged: AtomicU64,
    /// Mailboxes read, of how many.
    pub done: AtomicU64,
    pub total: AtomicU64,
    pub cancelled: AtomicBool,
}

/// Why there is no report.
#[derive(Debug)]
pub enum Broken {
    Cancelled,
    Store(StoreError),
    /// Judging panicked.
    Judge,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A trial that can be run.
pub struct WhatIf {
    pub app: App,
    pub trial: Arc<Trial>,
    pub region: String,
    pub period: Period,
    pub progress: Arc<Progress>,
    /// Rests twice as long as it works, so that pushes find a core.
    pub beside_a_server: bool,
}

/// A record, or a held item with its body, before the rules.
enum Tried {
    Stored(Box<Record>),
    Held(Box<Admitted>),
}

/// No pack says anything of order reports and of steps about incidents, and no trial tells that
/// there is one.
fn is_tried(kind: Kind) -> bool {
    kind.number() < trials::JUDGED_BELOW && kind != Kind::OrderReport
}

impl Tried {
    fn question(&self) -> Option<(Question<'_>, Uuid, Kind)> {
        match self {
            Self::Stored(record) if !is_tried(record.kind) => None,
            Self::Stored(record) => Some((kinds::question_of(record), record.id, record.kind)),
            Self::Held(item) => {
                let kind = item.kind.filter(|kind| is_tried(*kind))?;
                let body = item.mutation.body.as_ref()?;
                Some((kinds::question(item, kind, body), item.mutation.id, kind))
            }
        }
    }

    /// Whether a trial may know of it: not of what waits because somebody is in danger.
    fn may_count(&self, packs: &PackSet) -> bool {
        let Self::Held(item) = self else { return true };
        if let Some((q, ..)) = self.question() {
            return packs.judge(&q).danger.is_empty();
        }
        let (mutation, kind) = (&item.mutation, item.kind);
        let written = serde_json::to_string(&(&mutation.set, &mutation.add, &mutation.reason));
        let (unit, at) = (mutation.unit.as_str(), item.received_at);
        let is_quiet = |text: String| packs.danger_in_text(&text, unit, at).is_empty();
        let is_risk = mutation.set.keys().any(|at| at == "/risk");
        kind.is_none_or(is_tried) && !is_risk && written.is_ok_and(is_quiet)
    }
}

impl WhatIf {
    /// A trial of a sound draft before the packs in force.
    pub fn new(app: &App, doc: &PackDoc, draft: CompiledPack, period: Period) -> Self {
        Self {
            app: app.clone(),
            trial: Arc::new(Trial::of(app.writer.packs(), draft)),
            region: doc.pack.clone(),
            period,
            progress: Arc::default(),
            beside_a_server: true,
        }
    }

    /// Runs to the end, or until it is cancelled.
    ///
    /// # Errors
    /// When it was cancelled, or the database does not answer.
    pub async fn run(&self) -> Result<Report, Broken> {
        let mut report = Report::default();
        let mut homes = Vec::new();
        for shard in self.shards().await? {
            let mut tx = self.app.db.read().await?;
            let (from, until) = self.period.span;
            report.refused_not_tried += trials::refused(&mut tx, shard, from, until).await?;
            let own = trials::homes(&mut tx, shard).await?;
            homes.push((shard, own));
        }
        let total: usize = homes.iter().map(|(_, own)| own.len()).sum();
        self.progress.total.store(total as u64, Ordering::Relaxed);
        for (shard, own) in homes {
            for stream in own {
                self.mailbox(shard, stream, &mut report).await?;
                self.progress.done.fetch_add(1, Ordering::Relaxed);
            }
            self.held(shard, &mut report).await?;
        }
        let counts = std::mem::take(&mut report.counts).into_iter();
        report.by_rule = counts
            .map(|(change, records)| Counted { change, records })
            .collect();
        Ok(report)
    }

    /// Counties under the region that have anything stored.
    async fn shards(&self) -> Result<Vec<Shard>, StoreError> {
        let mut tx = self.app.db.glance().await?;
        let heads = shards::heads(&mut tx).await?.into_iter();
        let codes = heads.map(|head| (head.id, head.id.to_string()));
        let own = codes.filter(|(_, code)| region::within(code, &self.region));
        Ok(own.map(|(id, _)| Shard(id)).collect())
    }

    async fn mailbox(&self, shard: Shard, stream: i64, report: &mut Report) -> Result<(), Broken> {
        let (from, until) = self.period.span;
        let mut page = Page {
            shard,
            stream,
            after: 0,
            from,
            until,
            limit: PAGE,
        };
        loop {
            let watch = Stopwatch::start();
            let mut tx = self.app.db.read().await?;
            let (rows, keys) = trials::records(&mut tx, &self.app.sealer, &page).await?;
            drop(tx);
            let Some(last) = rows.last().map(|row| row.seq) else {
                return Ok(());
            };
            let is_last = (rows.len() as i64) < PAGE;
            let opened = blocking(move || {
                let open = |row: trials::Row| Ok(Tried::Stored(Box::new(row.open(&keys)?)));
                rows.into_iter()
                    .map(open)
                    .collect::<Result<Vec<_>, StoreError>>()
            });
            self.judge(shard, opened.await??, report).await?;
            self.rest(watch).await?;
            if is_last {
                return Ok(());
            }
            page.after = last;
        }
    }

    async fn held(&self, shard: Shard, report: &mut Report) -> Result<(), Broken> {
        let mut after = Uuid::nil();
        loop {
            let watch = Stopwatch::start();
            let mut tx = self.app.db.read().await?;
            let items = trials::held(&mut tx, &self.app.sealer, shard, after, PAGE).await?;
            drop(tx);
            let Some((last, _)) = items.last() else {
                return Ok(());
            };
            after = *last;
            let meant = items.into_iter();
            let meant = meant.filter(|(_, item)| self.period.holds(item.estimated_at));
            let tried: Vec<Tried> = meant.map(|(_, item)| Tried::Held(Box::new(item))).collect();
            let packs = self.app.writer.packs();
            let counted = move || {
                let counted = tried.into_iter().filter(|one| one.may_count(&packs));
                counted.collect::<Vec<Tried>>()
            };
            let tried = blocking(counted).await?;
            let whole = tried.iter().filter(|one| one.question().is_some()).count();
            report.held_not_tried += (tried.len() - whole) as u64;
            self.judge(shard, tried, report).await?;
            self.rest(watch).await?;
        }
    }

    /// Judges a page twice, in the light of the facts that are stored now.
    async fn judge(
        &self,
        shard: Shard,
        page: Vec<Tried>,
        report: &mut Report,
    ) -> Result<(), Broken> {
        let questions = page.iter().filter_map(Tried::question);
        let wanted: BTreeSet<_> = questions
            .flat_map(|(q, ..)| policy::facts_wanted(&q))
            .collect();
        let mut world = World::new(shard, 0);
        if !wanted.is_empty() {
            let mut tx = self.app.db.glance().await?;
            load::facts(&mut tx, &mut world, &wanted).await?;
        }
        // What an activity asks for stands in the activity.
        let questions = page.iter().filter_map(Tried::question);
        let activities: BTreeSet<Uuid> = questions.filter_map(|(q, ..)| activity_of(&q)).collect();
        if !activities.is_empty() {
            let mut tx = self.app.db.read().await?;
            load::records(&mut tx, &self.app.sealer, &mut world, &activities).await?;
        }
        let trial = Arc::clone(&self.trial);
        let (count, found) = blocking(move || {
            let mut found = Vec::new();
            for one in &page {
                if let Some((q, record, kind)) = one.question() {
                    let mut own = policy::facts_chosen(&world.facts, &q, record);
                    own.extend(terms(&world, &q));
                    if let Some(change) = trial.change(&q, &own) {
                        let held = matches!(one, Tried::Held(..));
                        let (kind, unit) = (kind.name(), q.unit.to_owned());
                        let change = Told::from(change);
                        found.push(Listed {
                            record,
                            kind,
                            unit,
                            held,
                            change,
                        });
                    }
                }
            }
            let judged = page.iter().filter(|one| one.question().is_some()).count();
            (judged as u64, found)
        })
        .await?;
        self.progress.judged.fetch_add(count, Ordering::Relaxed);
        report.judged += count;
        report.changed += found.len() as u64;
        for listed in found {
            *report.counts.entry(listed.change.clone()).or_default() += 1;
            if report.records.len() < WHAT_IF_LISTED_MAX {
                report.records.push(listed);
            }
        }
        Ok(())
    }

    async fn rest(&self, watch: Stopwatch) -> Result<(), Broken> {
        if self.progress.cancelled.load(Ordering::Relaxed) {
            return Err(Broken::Cancelled);
        }
        if self.beside_a_server {
            let worked = watch.elapsed().max(Duration::from_millis(1));
            tokio::time::sleep(worked * RESTS).await;
        }
        Ok(())
    }
}

/// The activity of a sign-up.
fn activity_of(q: &Question) -> Option<Uuid> {
    let activity = q.record.get("activity")?.as_str()?;
    let id = Uuid::try_parse(activity).ok();
    id.filter(|_| q.kind == Kind::SignUp)
}

fn terms(world: &World, q: &Question) -> Option<Fact> {
    let activity = world.live(activity_of(q)?)?;
    Some(policy::terms_of(
        activity.id,
        &activity.body,
        &activity.author,
    ))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Broken> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Broken::Judge)
}
