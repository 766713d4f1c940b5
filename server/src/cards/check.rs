//! Checks of public texts by WeChat (`msgSecCheck`): rows written with their activities, checked
//! after the commit, never in the way of a push.
//!
//! WeChat judges a text for one of its users who was in the mini-program within two hours; here
//! the organiser, and nobody else, for the text is theirs. Who is not bound, or was not there, is
//! waited for: the check is due again when they sign in by WeChat, and looked at each hour.
//! Whatever is not found good is not shown, and the organiser is told by the activity itself
//! (`/derived/public`). A crash between two steps repeats the check.

use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS};

use super::{Texts, digest, of};
use crate::app::App;
use crate::store::cards::{self as rows, Came, Card};
use crate::store::{StoreError, lists, load};
use crate::wechat::messages::pause_ms;
use crate::wechat::{Fault, WeChat, openid};
use crate::writer::Work;

/// How often checks are looked for.
const EVERY: Duration = Duration::from_secs(2);
/// Checks of one look: 30 a minute at most where WeChat takes 4,000.
const CHECKS_MAX: i64 = 16;
/// How long a claim holds: eight calls of eight seconds and a token.
const CLAIM_MS: i64 = 2 * MINUTE_MS;
/// Tries before a check is parked: with the pauses below, half a day.
const TRIES_MAX: i64 = 8;
/// A card stays so long after its last session began, for who reads what was said of it.
const KEPT_MS: i64 = DAY_MS;
/// Characters that WeChat takes at once.
const CHARS_MAX: usize = 2_500;

/// Why a check waits for its organiser; also what `Card::fault` then says.
pub const WAITS: &str = "the organiser was not in the mini-program lately";

/// Runs for ever.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let done = async {
            read_again(&app).await?;
            check_due(&app).await?;
            sweep(&app).await
        };
        if let Err(error) = done.await {
            tracing::warn!(%error, "public cards could not be read");
        }
    }
}

async fn sweep(app: &App) -> Result<(), StoreError> {
    let before = app.clock.now() - KEPT_MS;
    let mut tx = app.db.read().await?;
    let is_any = rows::is_before(&mut tx, before).await?;
    drop(tx);
    if is_any {
        let mut tx = app.db.write().await?;
        rows::sweep(&mut tx, before).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Somebody is in the mini-program now: what waits for them is checked.
///
/// # Errors
/// When the database does not answer.
pub async fn wake(app: &App, person: &str) -> Result<(), StoreError> {
    let mut tx = app.db.read().await?;
    let is_any = rows::waits(&mut tx, person).await?;
    drop(tx);
    if is_any {
        let mut tx = app.db.write().await?;
        rows::wake(&mut tx, person, app.clock.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Reads activities that were there before there were cards.
///
/// # Errors
/// When the database does not answer.
pub async fn read_again(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.read().await?;
    let unread = rows::unread(&mut tx, CHECKS_MAX).await?;
    drop(tx);
    for card in unread {
        let id = load::id(&card.record)?;
        let mut tx = app.db.write().await?;
        match body(app, &card).await? {
            Some(body) => {
                let card_now = of(id, &card.author, &body);
                rows::put(&mut tx, card.shard, &[card_now], app.clock.now()).await?;
            }
            None => rows::drop(&mut tx, &card).await?,
        }
        tx.commit().await?;
    }
    Ok(())
}

/// The activity of a card as it is now.
async fn body(app: &App, card: &Card) -> Result<Option<Value>, StoreError> {
    let mut tx = app.db.read().await?;
    let copies = lists::one(&mut tx, &app.sealer, card.shard, load::id(&card.record)?).await?;
    let read = copies
        .iter()
        .map(|row| serde_json::from_str(&row.body).ok());
    let bodies: Vec<Value> = read.flatten().collect();
    // The organiser's copy says what was told before.
    let told = bodies
        .iter()
        .find(|body| body.pointer("/derived/public").is_some());
    Ok(told.or_else(|| bodies.first()).cloned())
}

/// Checks everything that is due; gives how much that was.
///
/// # Errors
/// When the database does not answer.
pub async fn check_due(app: &App) -> Result<usize, StoreError> {
    // What nobody is shown is told to nobody: not to WeChat either.
    let Some(wechat) = app.wechat.as_ref().filter(|_| app.public.activities) else {
        return Ok(0);
    };
    let mut tx = app.db.read().await?;
    let due = rows::due(&mut tx, app.clock.now(), CHECKS_MAX).await?;
    drop(tx);
    let mut count = 0;
    for mut card in due {
        let until = app.clock.now() + CLAIM_MS;
        let mut tx = app.db.write().await?;
        let mine = rows::claim(&mut tx, &card, until).await?;
        tx.commit().await?;
        if mine {
            card.tries += 1;
            count += 1;
            check(app, wechat, &card).await?;
        }
    }
    Ok(count)
}

/// What became of a check.
enum End {
    /// `pass`, `review` or `risky`.
    Said(&'static str),
    /// The organiser has to come first.
    Waits,
    Again(Fault),
    Parked(Fault),
}

async fn check(app: &App, wechat: &WeChat, card: &Card) -> Result<(), StoreError> {
    let Some(body) = body(app, card).await? else {
        let mut tx = app.db.write().await?;
        rows::drop(&mut tx, card).await?;
        return tx.commit().await;
    };
    let texts = Texts::of(&body);
    // Other texts came meanwhile: their own check is due already.
    if digest(&texts) != card.digest {
        return Ok(());
    }
    let mut tx = app.db.read().await?;
    let organiser = openid::of(&mut tx, &app.sealer, &card.author).await?;
    drop(tx);
    let end = match organiser {
        None => End::Waits,
        Some(openid) => said(wechat, &openid, &texts.whole(), card.tries).await,
    };
    let now = app.clock.now();
    let (state, tries, due_at, fault) = match &end {
        End::Said(state) => (*state, card.tries, now, None),
        End::Waits => ("due", 0, now + HOUR_MS, Some(WAITS.to_owned())),
        End::Again(fault) => (
            "due",
            card.tries,
            now + pause_ms(card.tries),
            Some(fault.to_string()),
        ),
        End::Parked(fault) => {
            tracing::warn!(%fault, "the check of a public text is parked");
            ("parked", card.tries, now, Some(fault.to_string()))
        }
    };
    if let End::Said(state) = end {
        tell(app, card, &body, state).await?;
    }
    let mut tx = app.db.write().await?;
    let fault = fault.as_deref();
    let came = Came {
        state,
        tries,
        due_at,
        fault,
    };
    rows::set(&mut tx, card, &came).await?;
    tx.commit().await
}

/// What WeChat says of a text: the worst of its parts.
async fn said(wechat: &WeChat, openid: &str, text: &str, tries: i64) -> End {
    let letters: Vec<char> = text.chars().collect();
    let mut worst = "pass";
    for part in letters.chunks(CHARS_MAX) {
        let part: String = part.iter().collect();
        match wechat.suggests(openid, &part).await {
            Ok("risky") => return End::Said("risky"),
            Ok("review") => worst = "review",
            Ok(_) => {}
            // Not here within two hours; no user of this mini-program any more.
            Err(Fault::Refused(61_010 | 40_003)) => return End::Waits,
            Err(fault @ (Fault::Refused(_) | Fault::Setup(_))) => return End::Parked(fault),
            Err(fault) if tries >= TRIES_MAX => return End::Parked(fault),
            Err(fault) => return End::Again(fault),
        }
    }
    End::Said(worst)
}

/// Tells the organiser by the activity itself, unless nothing changes: what is shown is no news.
async fn tell(app: &App, card: &Card, body: &Value, state: &'static str) -> Result<(), StoreError> {
    let told = body.pointer("/derived/public").and_then(Value::as_str);
    if told.unwrap_or("pass") == state {
        return Ok(());
    }
    let record: Uuid = load::id(&card.record)?;
    let work = Work::Card { record, state };
    let mut came = app.writer.write(Shard(card.shard), work).await;
    match came.pop() {
        Some(Ok(_)) => Ok(()),
        _ => Err(StoreError::Broken {
            table: "card",
            what: "the organiser was not told",
        }),
    }
}
