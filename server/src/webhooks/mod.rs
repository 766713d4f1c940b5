//! Webhooks: another system of the county hears that something changed, in order, at least once.
//!
//! What goes out names records and says nothing of them: whoever hears it reads by REST, with
//! rights of their own. How far a webhook has come is a number in its row, so that a crash repeats
//! a delivery and loses none.

pub mod guard;

use std::time::Duration;

use futures::StreamExt;
use hmac::{Hmac, Mac};
use reqwest::redirect;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::role::Role;
use xiangyi_proto::time::{HOUR_MS, MINUTE_MS};
use xiangyi_sync::pull::{FeedRow, Scan};

use crate::app::App;
use crate::caller::is_one_of;
use crate::store::webhooks::{self as rows, Webhook};
use crate::store::{StoreError, Tx, feed, keys, shards, views};

/// Owner of the key under which a county's secrets of webhooks are sealed.
const OWNER: &str = "webhook";
/// Webhooks of a county: its own systems, each with one address.
pub const OF_COUNTY_MAX: usize = 10;

/// How often it is looked whether something changed.
const EVERY: Duration = Duration::from_secs(1);
/// Webhooks of one look, and how many of them wait for an answer at once.
const DUE_MAX: i64 = 64;
const AT_ONCE: usize = 8;
/// Changes of one delivery: some 20 KB.
const EVENTS_MAX: usize = 100;
/// The whole of a delivery, from the name to the first line of the answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a claim holds: longer than a delivery.
const CLAIM_MS: i64 = MINUTE_MS;
/// Tries before a webhook is paused: with the pauses below, three days.
const TRIES_MAX: i64 = 22;

/// Who connects another system to a county.
pub const CONNECT: &[Role] = &[Role::HubOfficer, Role::SystemAdmin];
/// Why a webhook is paused whose maker has gone.
const NO_RIGHT: &str = "设置它的人在这里已没有权限 who made it has no right here any more";

/// The settings: whether there are webhooks, and where else they may go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    pub enabled: bool,
    /// Systems of counties inside the operator's network, to which webhooks may go without TLS too.
    pub inside: Vec<Inside>,
}

/// One system of one county.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    pub county: String,
    /// As it stands in the address.
    pub host: String,
    pub port: u16,
}

/// Runs for ever.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = deliver_due(&app).await {
            tracing::warn!(%error, "webhooks could not be read");
        }
    }
}

/// Delivers what is due; gives how many deliveries were taken.
///
/// # Errors
/// When the database does not answer.
pub async fn deliver_due(app: &App) -> Result<usize, StoreError> {
    let mut tx = app.db.glance().await?;
    let due = rows::due(&mut tx, app.clock.now(), DUE_MAX).await?;
    drop(tx);
    let deliveries = due.into_iter().map(|hook| deliver(app, hook));
    let done: Vec<_> = futures::stream::iter(deliveries)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    done.into_iter()
        .try_fold(0, |taken, one| Ok(taken + usize::from(one?)))
}

async fn deliver(app: &App, mut hook: Webhook) -> Result<bool, StoreError> {
    let until = app.clock.now() + CLAIM_MS;
    let mut tx = app.db.write().await?;
    let mine = rows::claim(&mut tx, &hook, until).await?;
    tx.commit().await?;
    if !mine {
        return Ok(false);
    }
    // What this claim ends with is written only while it holds: whoever waited too long may have
    // been followed by another.
    let settled = async |hook: &Webhook| {
        let mut tx = app.db.write().await?;
        rows::settle(&mut tx, hook, until).await?;
        tx.commit().await
    };
    if !may_be_told(app, &hook).await? {
        (hook.state, hook.due_at) = ("paused".to_owned(), app.clock.now());
        hook.fault = Some(NO_RIGHT.to_owned());
        settled(&hook).await?;
        return Ok(false);
    }
    let Some(events) = changes(app, &hook).await? else {
        // The numbers went on with other streams. It goes behind those that wait.
        (hook.position, hook.due_at) = (hook.head, app.clock.now());
        settled(&hook).await?;
        return Ok(false);
    };
    let answer = send(app, &hook, &events).await?;
    let now = app.clock.now();
    match answer {
        Ok(()) => {
            hook.position = events.to;
            (hook.tries, hook.due_at, hook.fault) = (0, now, None);
        }
        Err(fault) => {
            hook.tries += 1;
            hook.due_at = now + pause_ms(hook.tries);
            hook.fault = Some(fault);
            if hook.tries >= TRIES_MAX {
                tracing::warn!(webhook = hook.id, "a webhook is paused");
                "paused".clone_into(&mut hook.state);
            }
        }
    }
    settled(&hook).await?;
    Ok(hook.fault.is_none())
}

/// Whether whoever made it still connects systems there.
async fn may_be_told(app: &App, hook: &Webhook) -> Result<bool, StoreError> {
    let mut tx = app.db.glance().await?;
    let grants = views::grants(&mut tx, &hook.made_by).await?;
    Ok(is_one_of(&grants, CONNECT, unit_of(hook), app.clock.now()))
}

/// The unit whose changes a webhook tells.
pub fn unit_of(hook: &Webhook) -> &str {
    hook.stream.split_once(':').map_or("", |(_, unit)| unit)
}

/// Changes after a webhook's position.
struct Changes {
    to: i64,
    events: Vec<Value>,
}

async fn changes(app: &App, hook: &Webhook) -> Result<Option<Changes>, StoreError> {
    let mut tx = app.db.glance().await?;
    let found = shards::streams(&mut tx, Shard(hook.shard), &[&hook.stream]).await?;
    let Some(stream) = found.first() else {
        return Ok(None);
    };
    let scan = Scan {
        shard: hook.shard,
        stream: stream.id,
        after: hook.position,
        limit: EVENTS_MAX,
    };
    let rows = feed::after(&mut tx, &app.sealer, &scan).await?;
    let told = |row: &FeedRow| {
        json!({
            "seq": row.seq, "op": if row.rm { "rm" } else { "put" }, "id": row.id,
            "kind": Kind::of_number(row.kind).map(Kind::name), "unit": row.unit,
            "occurred_at": row.occurred_at, "received_at": row.received_at,
        })
    };
    Ok(rows.last().map(|last| Changes {
        to: last.seq,
        events: rows.iter().map(told).collect(),
    }))
}

/// Says in words for the county's people why a delivery was not taken.
async fn send(
    app: &App,
    hook: &Webhook,
    changes: &Changes,
) -> Result<Result<(), String>, StoreError> {
    let mut tx = app.db.glance().await?;
    let keyring = keys::known(&mut tx, &app.sealer, hook.shard, [OWNER]).await?;
    drop(tx);
    let Ok(secret) = keyring.open(OWNER, &place(&hook.id), &hook.secret) else {
        return Ok(Err("密钥打不开 the secret does not open".to_owned()));
    };
    let body = json!({
        "webhook": hook.id, "stream": hook.stream, "from": hook.position, "to": changes.to,
        "events": changes.events,
    })
    .to_string();
    let signature = signature(&secret, app.clock.now() / 1_000, &body);
    let inside = inside_of(app, Shard(hook.shard));
    let sent = tokio::time::timeout(TIMEOUT, post(&inside, &hook.url, &signature, body));
    let no_answer = || Err("没有应答 no answer".to_owned());
    Ok(sent.await.unwrap_or_else(|_| no_answer()))
}

/// The systems of a county inside the operator's network.
pub fn inside_of(app: &App, county: Shard) -> Vec<Inside> {
    let inside = app.webhooks.inside.iter();
    let own = inside.filter(|inside| inside.county == county.to_string());
    own.cloned().collect()
}

async fn post(inside: &[Inside], url: &str, signature: &str, body: String) -> Result<(), String> {
    // Anew each time: a name may stand for another address today.
    let target = guard::target(url, inside).await;
    let target = target.map_err(|_| "地址不可用 the address may not be asked")?;
    // The error of the client holds the address: it is not told.
    let silent = |_| "没有应答 no answer".to_owned();
    let client = reqwest::Client::builder()
        .resolve_to_addrs(&target.host, &target.addresses)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(silent)?;
    let request = client
        .post(target.url)
        .header("content-type", "application/json")
        .header("x-xiangyi-signature", signature)
        .body(body);
    // Whatever stands in the answer is not read.
    let status = request.send().await.map_err(silent)?.status();
    match status.is_success() {
        true => Ok(()),
        // What stands inside is not found out from outside by its answers.
        false if target.is_inside => Err("没有收下 not taken".to_owned()),
        false => Err(format!("应答 answered {}", status.as_u16())),
    }
}

/// `t=<seconds>,v1=<hex of HMAC-SHA256 over "<seconds>.<body>">`.
pub fn signature(secret: &[u8], seconds: i64, body: &str) -> String {
    let mut mac =
        <Hmac<Sha256> as Mac>::new_from_slice(secret).expect("an HMAC key may have any length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!(
        "t={seconds},v1={}",
        hex::encode(mac.finalize().into_bytes())
    )
}

/// Seals a new secret for its row; needs a writing transaction.
///
/// # Errors
/// When the engine fails.
pub async fn sealed(
    app: &App,
    tx: &mut Tx,
    (shard, id): (i64, &str),
    secret: &[u8],
) -> Result<(Vec<u8>, keys::KeySet), StoreError> {
    let keyring = keys::of(tx, &app.sealer, shard, [OWNER], &app.entropy).await?;
    let missing = StoreError::Broken {
        table: "seal_key",
        what: "no key of webhooks",
    };
    let key = keyring.key(OWNER).ok_or(missing)?;
    Ok((key.seal(&app.entropy, &place(id), secret), keyring))
}

fn place(id: &str) -> Vec<u8> {
    format!("secret of webhook {id}").into_bytes()
}

/// Half a minute, then twice as long each time, and never longer than six hours.
fn pause_ms(tries: i64) -> i64 {
    (30_000 << (tries - 1).clamp(0, 10)).min(6 * HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_over_three_days() {
        assert_eq!(pause_ms(1), 30_000);
        let all: i64 = (1..TRIES_MAX).map(pause_ms).sum();
        assert!(
            (68 * HOUR_MS..80 * HOUR_MS).contains(&all),
            "{}",
            all / HOUR_MS
        );
    }

    #[test]
    fn a_signature_is_what_others_reckon() {
        // printf '5.{}' | openssl dgst -sha256 -hmac key
        let want = "t=5,v1=9be615aec64f0d044b5ad6854ab1d893ec88617fb728d2149dcd3a3428e8c45d";
        assert_eq!(signature(b"key", 5, "{}"), want);
    }
}
