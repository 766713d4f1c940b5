//! The ticker: each second, timers whose moment has come go to the writer.
//!
//! A timer is a row until it has fired, so a crash between loses nothing. What phones said of
//! themselves is written here too.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use xiangyi_proto::ids::Shard;
use xiangyi_sync::timers::Timer;

use crate::app::App;
use crate::store::{StoreError, shards, single};
use crate::writer::Work;
use crate::{failpoint, law, regions};

/// How often timers are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Timers of one look.
const TIMERS_MAX: i64 = 200;

/// Runs for ever.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = fire_due(&app).await {
            tracing::warn!(%error, "timers could not be read");
        }
        try_to_write(&app).await;
        if let Err(error) = app.heard.write(&app.db).await {
            tracing::warn!(%error, "what phones said of themselves could not be written");
        }
        if let Err(error) = look_for_others(&app).await {
            tracing::warn!(%error, "heads could not be read");
        }
    }
}

/// After a commit that found no room: is there room again? Nobody else would try on a server that
/// is not ready.
async fn try_to_write(app: &App) {
    if !app.cannot_write.load(Ordering::Relaxed) {
        return;
    }
    let written = async {
        let mut tx = app.db.write().await?;
        shards::touch(&mut tx).await?;
        tx.commit().await
    };
    if written.await.is_ok() {
        tracing::info!("the database can be written again");
        app.cannot_write.store(false, Ordering::Relaxed);
    }
}

/// Commits of another node, or of a command beside this server, ring here too: heads are compared
/// each second.
///
/// # Errors
/// When the database does not answer.
pub async fn look_for_others(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.glance().await?;
    let heads = shards::heads(&mut tx).await?;
    app.durable.keep(&heads);
    for head in heads {
        app.live.look(Shard(head.id), head.head_seq);
    }
    drop(tx);
    regions::look(app).await?;
    law::look(app).await
}

/// Fires every timer that is due; gives how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn fire_due(app: &App) -> Result<usize, StoreError> {
    let mut tx = app.db.read().await?;
    let due = single::due(&mut tx, app.clock.now(), TIMERS_MAX).await?;
    drop(tx);
    failpoint::reach("timers-read");
    let mut by_shard: BTreeMap<i64, Vec<Timer>> = BTreeMap::new();
    let count = due.len();
    for (shard, kind, id, due_at) in due {
        by_shard
            .entry(shard)
            .or_default()
            .push(Timer { kind, id, due_at });
    }
    for (shard, timers) in by_shard {
        app.writer.write(Shard(shard), Work::Timers(timers)).await;
    }
    failpoint::reach("timers-fired");
    Ok(count)
}
