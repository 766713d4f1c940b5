//! The outbox of subscribed messages: rows written with what they tell, sent after the commit.
//!
//! A message is worth one consent, which is taken before the call and given back when WeChat did
//! not take the message, or did not answer. Then it is sent again; WeChat counts consents too, so
//! only who gave several may get it twice. A crash between loses it. What nobody asked for is
//! dropped, for the offer stands in the mailbox anyway; what cannot be delivered is parked, where
//! an operator sees it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use xiangyi_proto::time::{MINUTE_MS, Millis, UTC_PLUS_8_MS, day_text};

use super::{Fault, WeChat, openid};
use crate::app::App;
use crate::config::{MiniProgram, Template, Told};
use crate::store::wechat::{self as rows, Message};
use crate::store::{StoreError, lists, load};

/// What a message of an offered place is called.
pub const OFFER: &str = "offer";
/// Kinds of messages that may be asked for.
pub const KINDS: [&str; 1] = [OFFER];
/// Consents kept of one kind: a tap is one message, and nobody is offered more places at a time.
pub const CREDITS_MAX: i64 = 20;

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Messages of one look.
const MESSAGES_MAX: i64 = 16;
/// How long a claim holds: two time-outs and a token.
const CLAIM_MS: i64 = MINUTE_MS;
/// Tries before a message is parked: with the pauses below, half a day.
const TRIES_MAX: i64 = 8;
/// Characters of a `thing`.
const THING_CHARS: usize = 20;

/// Runs for ever.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = send_due(&app).await {
            tracing::warn!(%error, "messages could not be read");
        }
    }
}

/// Sends every message that is due; gives how many there were.
///
/// # Errors
/// When the database does not answer.
pub async fn send_due(app: &App) -> Result<usize, StoreError> {
    let Some(wechat) = &app.wechat else {
        return Ok(0);
    };
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let due = rows::due(&mut tx, now, MESSAGES_MAX).await?;
    drop(tx);
    let mut count = 0;
    for message in due {
        // The messages before this one took their time.
        let until = app.clock.now() + CLAIM_MS;
        let mut tx = app.db.write().await?;
        let mine = rows::claim(&mut tx, &message, until).await?;
        tx.commit().await?;
        if mine {
            count += 1;
            send_one(app, wechat, &message).await?;
        }
    }
    Ok(count)
}

/// What becomes of a message.
enum End {
    /// It is gone: sent, or wanted no longer.
    Done,
    /// It was not sent; the consent comes back, and it is tried again.
    Again(Fault),
    /// It was not sent and will not be.
    Parked(Fault),
}

async fn send_one(app: &App, wechat: &WeChat, message: &Message) -> Result<(), StoreError> {
    let end = match ready(app, wechat, message).await? {
        None => End::Done,
        Some(body) => match wechat.send(&body).await {
            Ok(()) => End::Done,
            // Refused by the user, in the settings or by using up what was given.
            Err(Fault::Refused(43_101)) => {
                let mut tx = app.db.write().await?;
                rows::spend(&mut tx, &message.person, &message.what, true).await?;
                tx.commit().await?;
                End::Done
            }
            Err(fault @ (Fault::Refused(_) | Fault::Setup(_))) => End::Parked(fault),
            Err(fault) if message.tries + 1 >= TRIES_MAX => End::Parked(fault),
            Err(fault) => End::Again(fault),
        },
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    match end {
        End::Done => rows::done(&mut tx, message).await?,
        End::Again(fault) => {
            rows::earn(&mut tx, &message.person, &message.what, CREDITS_MAX).await?;
            let due_at = now + pause_ms(message.tries + 1);
            rows::set(&mut tx, message, ("due", due_at), &fault.to_string()).await?;
        }
        End::Parked(fault) => {
            tracing::warn!(what = message.what, %fault, "a message is parked");
            // It may be tried again, once somebody has mended what was wrong.
            rows::earn(&mut tx, &message.person, &message.what, CREDITS_MAX).await?;
            rows::set(&mut tx, message, ("parked", now), &fault.to_string()).await?;
        }
    }
    tx.commit().await
}

/// Ten seconds, then four times as long each time.
pub fn pause_ms(tries: i64) -> i64 {
    10_000 << (2 * (tries - 1).clamp(0, 6))
}

/// The body of a message, with the consent taken; nothing when it is wanted no longer, or nobody
/// asked for it.
async fn ready(app: &App, wechat: &WeChat, message: &Message) -> Result<Option<Value>, StoreError> {
    let Some(template) = wechat
        .settings()
        .offer
        .as_ref()
        .filter(|_| message.what == OFFER)
    else {
        return Ok(None);
    };
    let mut tx = app.db.write().await?;
    let person = message.person.as_str();
    let Some(openid) = openid::of(&mut tx, &app.sealer, person).await? else {
        return Ok(None);
    };
    if rows::credits(&mut tx, person, &message.what).await? < 1 {
        return Ok(None);
    }
    let id = load::id(&message.record)?;
    let copies = lists::one(&mut tx, &app.sealer, message.shard, id).await?;
    let Some(offer) = copies
        .first()
        .and_then(|row| Offer::of(&row.body, message.number))
    else {
        return Ok(None);
    };
    if app.clock.now() >= offer.accept_by {
        return Ok(None);
    }
    let activity = lists::one(&mut tx, &app.sealer, message.shard, offer.activity).await?;
    let title = activity.first().and_then(|row| {
        let body: Value = serde_json::from_str(&row.body).ok()?;
        Some(body.get("title")?.as_str()?.to_owned())
    });
    rows::spend(&mut tx, person, &message.what, false).await?;
    tx.commit().await?;
    let title = title.unwrap_or_else(|| "志愿活动".to_owned());
    let body = body(wechat.settings().state, template, &openid, &offer, &title);
    Ok(Some(body))
}

/// An offer that still stands.
struct Offer {
    activity: uuid::Uuid,
    starts_at: Millis,
    accept_by: Millis,
}

impl Offer {
    fn of(body: &str, number: i64) -> Option<Self> {
        let body: Value = serde_json::from_str(body).ok()?;
        let derived = body.get("derived")?;
        let stands = derived.get("state")? == "offered" && derived.get("offer")? == number;
        let activity = body.get("activity")?.as_str()?;
        let time = |name: &str| derived.get(name).and_then(Value::as_i64);
        stands.then_some(())?;
        Some(Self {
            activity: uuid::Uuid::try_parse(activity).ok()?,
            starts_at: time("starts_at")?,
            accept_by: time("accept_by")?,
        })
    }
}

fn body(
    state: MiniProgram,
    template: &Template,
    openid: &str,
    offer: &Offer,
    title: &str,
) -> Value {
    let told = |told: Told| match told {
        Told::Activity => short(title),
        Told::StartsAt => moment(offer.starts_at),
        Told::AcceptBy => moment(offer.accept_by),
        Told::Next => "请在截止前确认名额".to_owned(),
    };
    let fields = template.fields.iter();
    let data: Map<String, Value> = fields
        .map(|(name, what)| (name.clone(), json!({ "value": told(*what) })))
        .collect();
    let state = match state {
        MiniProgram::Formal => "formal",
        MiniProgram::Trial => "trial",
        MiniProgram::Developer => "developer",
    };
    let mut body = json!({
        "touser": openid, "template_id": template.id, "miniprogram_state": state,
        "lang": "zh_CN", "data": data,
    });
    if let Some(page) = &template.page {
        body["page"] = page.as_str().into();
    }
    body
}

/// What fits a `thing`: twenty characters of one line.
fn short(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line: Vec<char> = line.collect();
    if line.len() <= THING_CHARS {
        return line.into_iter().collect();
    }
    let cut = line.into_iter().take(THING_CHARS - 1);
    cut.chain(['…']).collect()
}

/// `2026年1月15日 10:00`, in China.
fn moment(at: Millis) -> String {
    let day = day_text(at);
    let mut parts = day.split('-').map(|part| part.trim_start_matches('0'));
    let mut part = || parts.next().unwrap_or_default();
    let minutes = (at + UTC_PLUS_8_MS).rem_euclid(86_400_000) / MINUTE_MS;
    let (year, month, day) = (part(), part(), part());
    format!(
        "{year}年{month}月{day}日 {:02}:{:02}",
        minutes / 60,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_templates_take_it() {
        assert_eq!(moment(1_768_442_400_000), "2026年1月15日 10:00");
        assert_eq!(moment(1_768_485_540_000), "2026年1月15日 21:59");
    }

    #[test]
    fn a_thing_has_twenty_characters_of_one_line() {
        assert_eq!(short("重阳节\n陪伴老人"), "重阳节 陪伴老人");
        let long = short("重阳节陪伴老人吃团圆饭、理发、量血压和包饺子活动");
        assert_eq!(long.chars().count(), 20);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn pauses_grow_over_half_a_day() {
        assert_eq!(pause_ms(1), 10_000);
        let all: i64 = (1..TRIES_MAX).map(pause_ms).sum();
        assert!(all > 12 * 3_600_000, "{all}");
    }
}
