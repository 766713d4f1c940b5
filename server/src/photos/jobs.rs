//! Jobs about photographs: rows that are claimed, repeated, and parked when nothing helps.
//!
//! A claim ends by itself, so a process that dies leaves its jobs to the next. Every job may run
//! twice without harm.

use std::time::Duration;

use xiangyi_proto::photo::Mime;
use xiangyi_proto::time::{DAY_MS, MINUTE_MS};

use super::{Spoilt, complete, rendition, sweep};
use crate::app::App;
use crate::blobs::Key;
use crate::store::photo_jobs::{self, JobRow, What};
use crate::store::{StoreError, photos, throttle};
use crate::tasks;
use crate::writer::NoAnswer;

/// How often jobs are looked at when nobody rings.
const EVERY: Duration = Duration::from_secs(1);
/// How often expired uploads are swept.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Jobs of one look.
const JOBS_MAX: i64 = 16;
/// How often blobs without a photograph are looked for.
const BLOBS_EVERY: Duration = Duration::from_secs(86_400);
/// How long a claim holds: the largest picture takes seconds.
const CLAIM_MS: i64 = 2 * MINUTE_MS;
/// Tries before a picture is parked.
const TRIES_MAX: i64 = 5;
/// Pause after a fault that passes by itself.
const PAUSE_MS: i64 = 30_000;

/// Runs for ever.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut broom = tokio::time::interval(SWEEP_EVERY);
    // Not in the moment of a start, and also on a server that is started anew every night.
    let mut spring = tokio::time::interval(BLOBS_EVERY);
    spring.reset_after(SWEEP_EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.darkroom.rung() => {}
            _ = broom.tick() => {
                if let Err(error) = forget_tries(&app).await {
                    tracing::warn!(%error, "old tries to sign in could not be swept");
                }
                if let Err(error) = sweep::expired(&app).await {
                    tracing::warn!(%error, "expired uploads could not be swept");
                }
                if let Err(error) = sweep::staged(&app).await {
                    tracing::warn!(%error, "staged files could not be swept");
                }
            }
            _ = spring.tick() => tidy_up(&app),
        }
        if let Err(error) = run_due(&app).await {
            tracing::warn!(%error, "jobs about photographs could not be read");
        }
    }
}

/// Looks through the whole store, beside the jobs.
fn tidy_up(app: &App) {
    let app = app.clone();
    tasks::spawn("sweep", async move {
        match sweep::blobs(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "blobs without a photograph were removed"),
            Err(error) => tracing::warn!(%error, "the store could not be swept"),
        }
    });
}

/// Runs every job that is due; gives how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn run_due(app: &App) -> Result<usize, StoreError> {
    let mut count = 0;
    loop {
        let now = app.clock.now();
        let mut tx = app.db.read().await?;
        let due = photo_jobs::due(&mut tx, now, JOBS_MAX).await?;
        drop(tx);
        if due.is_empty() {
            return Ok(count);
        }
        for job in due {
            // The jobs before this one took their time.
            let now = app.clock.now();
            let mut tx = app.db.write().await?;
            let mine = photo_jobs::claim(&mut tx, &job, now, now + CLAIM_MS).await?;
            tx.commit().await?;
            if mine {
                count += 1;
                run_one(app, &job).await?;
            }
        }
    }
}

/// Why a job is not done.
enum Fault {
    /// A store did not answer; the picture is not to blame.
    Passing(&'static str),
    /// The picture cannot be worked on.
    Picture(&'static str),
}

async fn run_one(app: &App, job: &JobRow) -> Result<(), StoreError> {
    let done = match What::parse(&job.what) {
        // The process died over it, again and again.
        _ if job.tries >= TRIES_MAX => Err(Fault::Picture("never-ended")),
        What::Renditions => renditions(app, job).await,
        What::Show(owner) => match complete::show(app, job.shard, &job.sha256, &owner).await? {
            None => return Ok(()),
            Some(NoAnswer::Store) => Err(Fault::Passing("not-shown")),
            Some(NoAnswer::Poison) => Err(Fault::Picture("not-shown")),
        },
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    match done {
        Ok(()) => photo_jobs::done(&mut tx, job.shard, &job.sha256, &job.what()).await?,
        Err(Fault::Passing(fault)) => {
            photo_jobs::again(&mut tx, job, (job.tries, now + PAUSE_MS), fault).await?;
        }
        Err(Fault::Picture(fault)) if job.tries + 1 < TRIES_MAX => {
            let tries = job.tries + 1;
            photo_jobs::again(&mut tx, job, (tries, now + pause_ms(tries)), fault).await?;
        }
        Err(Fault::Picture(fault)) => {
            tracing::warn!(shard = job.shard, fault, "a picture's job is parked");
            photo_jobs::park(&mut tx, job, fault).await?;
        }
    }
    tx.commit().await
}

/// Ten seconds, then four times as long each time.
fn pause_ms(tries: i64) -> i64 {
    10_000 << (2 * (tries - 1).clamp(0, 5))
}

async fn renditions(app: &App, job: &JobRow) -> Result<(), Fault> {
    let silent = |_| Fault::Passing("no-database");
    let mut tx = app.db.read().await.map_err(silent)?;
    let mime = photos::mime(&mut tx, job.shard, &job.sha256).await;
    drop(tx);
    let mime = mime.map_err(silent)?.and_then(|mime| Mime::parse(&mime));
    let mime = mime.ok_or(Fault::Picture("no-row"))?;
    let sha256 = hex::encode(&job.sha256);
    let original = app.blobs.get(&Key::original(job.shard, &sha256)).await;
    let original = original.map_err(|_| Fault::Passing("no-store"))?;
    let original = original.ok_or(Fault::Picture("no-blob"))?;
    let made = app
        .darkroom
        .develop(move || rendition::develop(&original, mime));
    let made = made.await.map_err(|spoilt| match spoilt {
        Spoilt::Panicked => Fault::Picture("panicked"),
        Spoilt::TooLong => Fault::Picture("too-long"),
    })?;
    let made = made.map_err(|_| Fault::Picture("undecodable"))?;
    let stored = complete::store(app, job.shard, &job.sha256, made.renditions).await;
    stored.map_err(|_| Fault::Passing("no-store"))
}

/// Takes tries to sign in away that count no longer; strangers make a row with every number.
async fn forget_tries(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.write().await?;
    throttle::sweep(&mut tx, app.clock.now() - DAY_MS).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    #[test]
    fn pauses_grow() {
        let pauses = [1, 2, 3, 4].map(super::pause_ms);
        assert_eq!(pauses, [10_000, 40_000, 160_000, 640_000]);
    }
}
