//! The opening rush: 2,000 volunteers sign up for 50 places as fast as 200 connections allow.
//!
//! Signing in is done before the clock starts, because hashing passwords is no part of it. After
//! it exactly 50 have a place and everybody else a rank of their own.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use uuid::Uuid;
use xiangyi_proto::kinds::Op;
use xiangyi_proto::time::{DAY_MS, HOUR_MS};
use xiangyi_server::clock::Clock;
use xiangyi_server::commands::demo;
use xiangyi_server::entropy::Entropy;

use super::Fault;
use super::phones::{Line, Phone, Reply, mutation};
use super::report::Row;
use super::server::Server;
use super::visits::COUNTY;
use super::works::{Meter, Tally};
use crate::engine::Engine;

const VOLUNTEERS: usize = 2_000;
const PLACES: usize = 50;
const CONNECTIONS: usize = 200;
/// Sign-ins under way: the server hashes two at a time.
const SIGN_INS: usize = 16;
const LEADER: &str = "13800000401";
const ROLE: &str = "helper";

/// Measures the rush and checks its outcome.
///
/// # Errors
/// When somebody is refused, or places and ranks are not what they must be.
pub async fn rush(engine: Engine) -> Result<Row, Fault> {
    let server = Server::start(engine, &["--demo-volunteers", &VOLUNTEERS.to_string()]).await?;
    let line = Line::to(&server.base)?;
    let activity = open_activity(&line).await?;
    let mut phones: Vec<Phone> = stream::iter(1..=VOLUNTEERS)
        .map(|number| volunteer(&line, number))
        .buffer_unordered(SIGN_INS)
        .try_collect()
        .await?;
    // Every phone was heard of just before, as phones are that wait for an opening.
    stream::iter(phones.iter_mut())
        .map(greet)
        .buffer_unordered(CONNECTIONS)
        .try_collect::<Vec<()>>()
        .await?;
    let meter = Meter::start(&server)?;
    let replies: Vec<Reply> = stream::iter(phones.iter_mut())
        .map(|phone| sign_up(phone, activity))
        .buffer_unordered(CONNECTIONS)
        .try_collect()
        .await?;
    let mut tally = Tally::default();
    for reply in &replies {
        tally.count(1, reply);
    }
    let mut row = Row::new("rush", engine);
    row.batch = Some(1);
    row.phones = Some(VOLUNTEERS);
    meter.fill(&mut row, &server, tally)?;
    check(&replies)?;
    server.stop().await?;
    Ok(row)
}

async fn open_activity(line: &Line) -> Result<Uuid, Fault> {
    let now = Clock::system().now();
    let id = Entropy::system().record_id(now);
    let starts_at = now + 3 * DAY_MS;
    let body = json!({
        "title": "重阳节陪老人过节",
        "type": "elder_company",
        "sessions": [{
            "session": 1,
            "starts_at": starts_at,
            "ends_at": starts_at + 3 * HOUR_MS,
            "roles": [{"role": ROLE, "capacity": PLACES}],
        }],
    });
    let token = line.sign_in(LEADER).await?;
    let mut phone = line.phone(&token, 0).await?;
    let create = mutation(Op::Create, "activity", COUNTY, id, now, body);
    phone.exchange(vec![create], None).await?.accepted(1)?;
    Ok(id)
}

async fn volunteer(line: &Line, number: usize) -> Result<Phone, Fault> {
    let telephone = if number <= demo::VOLUNTEERS {
        format!("13800000{:03}", 300 + number)
    } else {
        (demo::CROWD_TELEPHONE + number as u64).to_string()
    };
    let token: Arc<str> = line.sign_in(&telephone).await?;
    line.phone(&token, 0).await
}

async fn greet(phone: &mut Phone) -> Result<(), Fault> {
    phone.exchange(Vec::new(), None).await.map(drop)
}

async fn sign_up(phone: &mut Phone, activity: Uuid) -> Result<Reply, Fault> {
    let now = Clock::system().now();
    let id = Entropy::system().record_id(now);
    let body = json!({
        "activity": activity.to_string(),
        "session": 1,
        "role": ROLE,
        "want": "join",
    });
    let join = mutation(Op::Request, "sign_up", COUNTY, id, now, body);
    phone.exchange(vec![join], None).await
}

/// Exactly the places are taken, and the others stand in one line without a gap.
fn check(replies: &[Reply]) -> Result<(), Fault> {
    let mut confirmed = 0;
    let mut ranks = Vec::new();
    for reply in replies {
        let derived = reply.accepted(1)?.first();
        let derived = derived.and_then(|verdict| verdict.derived.as_ref());
        let derived = derived.ok_or("a sign-up has no state")?;
        match derived["state"].as_str() {
            Some("confirmed") => confirmed += 1,
            Some("waiting") => ranks.push(derived["rank"].as_i64().unwrap_or(0)),
            _ => return Err(format!("neither a place nor a rank: {derived}").into()),
        }
    }
    ranks.sort_unstable();
    let line = ranks.iter().copied().eq(1..=(VOLUNTEERS - PLACES) as i64);
    if confirmed == PLACES && line {
        return Ok(());
    }
    let waiting = ranks.len();
    Err(format!("{confirmed} confirmed of {PLACES}, {waiting} waiting, one line: {line}").into())
}
