//! Places in activities: what is offered to this person, where they wait, what is free.

use serde_json::Value;
use uuid::Uuid;
use xiangyi_proto::exchange::Row;
use xiangyi_proto::kinds::Kind;
use xiangyi_sync::phone::Phone;

use super::words::{body_of, moment, short};

/// Offers that wait for this person's answer first, then the lines they stand in.
pub fn told(phone: &Phone, person: &str) -> Vec<String> {
    let own = format!("person:{person}");
    let rows = phone.rows.iter().filter(|((_, stream, _), held)| {
        let row = &held.row;
        *stream == own && row.kind == Kind::SignUp.name() && row.author == person
    });
    let (mut offers, mut waits) = (Vec::new(), Vec::new());
    for (_, held) in rows {
        let body = body_of(&held.row);
        match body.pointer("/derived/state").and_then(Value::as_str) {
            Some("offered") => offers.push(offer(phone, &held.row, &body)),
            Some("waiting") => waits.push(wait(phone, &body)),
            _ => {}
        }
    }
    offers.append(&mut waits);
    offers
}

fn offer(phone: &Phone, row: &Row, body: &Value) -> String {
    let (title, starts, id) = (title(phone, body), starts(phone, body), row.id);
    let by = time(body, "/derived/accept_by");
    format!(
        "有名额给您 a place is offered to you  {title}\n  开始 starts {starts}，请在 {by} 前答复 \
         answer before then\n  要 yes: accept {id}\n  不要 no: decline {id}"
    )
}

fn wait(phone: &Phone, body: &Value) -> String {
    let (title, starts) = (title(phone, body), starts(phone, body));
    let rank = &body["derived"]["rank"];
    format!("排队等候 waiting  {title}  第 {rank} 位 #{rank}  开始 starts {starts}")
}

/// What a row of a sign-up or an activity says beside its own line.
pub fn beside(phone: &Phone, row: &Row) -> String {
    let body = body_of(row);
    if row.kind == Kind::SignUp.name() {
        return format!("  {}", title(phone, &body));
    }
    if row.kind != Kind::Activity.name() {
        return String::new();
    }
    let Some(first) = first_session(&body) else {
        return String::new();
    };
    let starts = moment(first["starts_at"].as_i64().unwrap_or(0));
    let (free, all) = free(&body, first);
    format!("  开始 starts {starts}  空位 free {free}/{all}")
}

fn first_session(activity: &Value) -> Option<&Value> {
    let sessions = activity["sessions"].as_array()?.iter();
    sessions.min_by_key(|session| session["starts_at"].as_i64())
}

/// Places of a session that nobody has, and all of them.
fn free(activity: &Value, session: &Value) -> (i64, i64) {
    let roles = session["roles"].as_array().into_iter().flatten();
    let all: i64 = roles.filter_map(|role| role["capacity"].as_i64()).sum();
    let slots = activity.pointer("/derived/slots").and_then(Value::as_array);
    let slots = slots.into_iter().flatten();
    let taken: i64 = slots
        .filter(|slot| slot["session"] == session["session"])
        .filter_map(|slot| slot["confirmed"].as_i64())
        .sum();
    ((all - taken).max(0), all)
}

fn activity(phone: &Phone, sign_up: &Value) -> Option<Value> {
    let id: Uuid = sign_up["activity"].as_str()?.parse().ok()?;
    let mut rows = phone.rows.iter();
    let (_, held) = rows.find(|((_, _, row), _)| *row == id)?;
    Some(body_of(&held.row))
}

fn title(phone: &Phone, sign_up: &Value) -> String {
    let title = activity(phone, sign_up).and_then(|body| body["title"].as_str().map(short));
    title.unwrap_or_else(|| sign_up["activity"].as_str().unwrap_or("?").to_owned())
}

fn starts(phone: &Phone, sign_up: &Value) -> String {
    let known = time(sign_up, "/derived/starts_at");
    if !known.is_empty() {
        return known;
    }
    let body = activity(phone, sign_up).unwrap_or_default();
    let mut sessions = body["sessions"].as_array().into_iter().flatten();
    let own = sessions.find(|session| session["session"] == sign_up["session"]);
    own.map_or_else(String::new, |own| time(own, "/starts_at"))
}

fn time(body: &Value, pointer: &str) -> String {
    moment(body.pointer(pointer).and_then(Value::as_i64).unwrap_or(0))
}
