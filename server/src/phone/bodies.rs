//! Bodies of new records, as the field tables of `proto` want them.
//!
//! Acts carry the phone's clock as it stands, for the server to correct; plans (a session's start,
//! an assignment) carry corrected times, because nobody shifts them.

use serde_json::{Value, json};
use xiangyi_proto::time::{HOUR_MS, MINUTE_MS};

use super::Moment;
use super::act::{Activity, CheckIn, Client, Link, Need, OrderReport, Resource, Visit};
use super::photo::Photo;

/// Clocks differ by seconds even when corrected: an assignment begins a minute ago.
pub const SAFELY_MS: i64 = MINUTE_MS;

/// A body without what was not said.
pub fn said(mut body: Value) -> Value {
    if let Value::Object(members) = &mut body {
        members.retain(|_, value| !value.is_null() && *value != json!([]));
    }
    body
}

fn ordered_by(office: Option<&String>) -> Option<Value> {
    office.map(|office| json!({ "office": office }))
}

/// The body of a new `check_in`.
pub fn check_in(ask: &CheckIn, at: Moment) -> Value {
    let office_work = ask.category.as_deref() == Some("office_duty");
    let place = if office_work { "gov_office" } else { "home" };
    let e7 = |degrees: f64| (degrees * 1e7).round() as i64;
    let fix = ask.lat.zip(ask.lng).map(|(lat, lng)| {
        json!({
            "lat_e7": e7(lat),
            "lng_e7": e7(lng),
            "accuracy_m": ask.accuracy.unwrap_or(30),
            "system": ask.system.as_deref().unwrap_or("wgs84"),
            "fixed_at": at.wall_ms,
        })
    });
    json!({
        "purpose": ask.purpose.as_deref().unwrap_or(if office_work { "duty" } else { "visit" }),
        "phase": ask.phase.as_deref().unwrap_or("in"),
        "pair": ask.pair,
        "place": said(json!({
            "kind": ask.place.as_deref().unwrap_or(place),
            "village": ask.village,
        })),
        "fix": fix,
        "work_category": ask.category,
        "note": ask.note,
        "assigned_by": ordered_by(ask.office.as_ref()),
    })
}

/// The body of a new `client`.
pub fn client(ask: &Client, person: &str, at: Moment) -> Value {
    let from = at.true_ms - SAFELY_MS;
    let also = ask.worker.as_deref().filter(|also| *also != person);
    let workers = std::iter::once(person).chain(also);
    let workers: Vec<Value> = workers
        .map(|person| json!({ "person": person, "from": from }))
        .collect();
    let contact = ask.telephone.as_ref();
    json!({
        "name": ask.name,
        "village": ask.village,
        "categories": ask.categories,
        "address": ask.address,
        "tier": ask.tier,
        "contacts": contact.map(|number| json!([{ "relation": "亲属", "telephone": number }])),
        "workers": workers,
    })
}

/// Photographs as a visit declares them.
pub fn photos(photos: &[Photo], consent: bool, at: Moment) -> Vec<Value> {
    let one = |photo: &Photo| {
        json!({
            "sha256": photo.sha256,
            "bytes": photo.bytes,
            "mime": photo.mime.name(),
            "source": "camera",
            "captured_at": at.wall_ms,
            "consent": consent,
        })
    };
    photos.iter().map(one).collect()
}

/// The body of a new `visit`.
pub fn visit(ask: &Visit, photos: &[Photo], at: Moment) -> Value {
    let handed_over: Vec<Value> = ask
        .handed_over
        .iter()
        .map(|kind| json!({ "kind": kind, "quantity": 1 }))
        .collect();
    json!({
        "client": ask.client,
        "no_client_reason": ask.no_client,
        "services": ask.services,
        "started_at": at.wall_ms - ask.minutes * MINUTE_MS,
        "ended_at": at.wall_ms,
        "village": ask.village,
        "mode": ask.mode.as_deref().unwrap_or("home"),
        "work_category": ask.category,
        "process": ask.process,
        "result": ask.result,
        "outcome": said(json!({
            "kind": ask.outcome.as_deref().unwrap_or("served"),
            "decision": ask.decision,
        })),
        "photos": self::photos(photos, !ask.without_consent, at),
        "handed_over": handed_over,
        "follow_up": ask.follow_up.as_ref().map(|plan| json!({ "plan": plan })),
        "assigned_by": ordered_by(ask.office.as_ref()),
    })
}

/// The body of a new `activity`.
pub fn activity(ask: &Activity, at: Moment) -> Value {
    // People appoint to the minute; seconds would say that nobody chose the time.
    let now = at.true_ms - at.true_ms.rem_euclid(MINUTE_MS);
    let starts_at = now + ask.starts_in_hours * HOUR_MS;
    json!({
        "title": ask.title,
        "type": ask.kind,
        "summary": ask.summary,
        "village": ask.village,
        "sessions": [{
            "session": 1,
            "starts_at": starts_at,
            "ends_at": starts_at + ask.hours * HOUR_MS,
            "roles": [{ "role": ask.role, "capacity": ask.capacity }],
        }],
    })
}

/// The body of a new `need`.
pub fn need(ask: &Need) -> Value {
    json!({
        "title": ask.title,
        "category": ask.category,
        "quantity": ask.quantity,
        "village": ask.village,
        "client": ask.client,
        "story": ask.story,
        "visibility": "county",
        "names_client": false,
    })
}

/// The body of a new `resource`.
pub fn resource(ask: &Resource) -> Value {
    json!({
        "title": ask.title,
        "kind": ask.kind,
        "provider": ask.provider,
        "quantity": ask.quantity,
        "channel": ask.channel.as_deref().unwrap_or("direct"),
        "payee": "none",
        "expires_on": ask.expires_on,
    })
}

/// The body of a new `order_report`.
pub fn order_report(ask: &OrderReport) -> Value {
    json!({
        "office": ask.office,
        "what": ask.what,
        "person": ask.person,
        "when": ask.when,
        "how": ask.how,
        "text": ask.text,
        "refused": ask.refused,
        "record": ask.record,
    })
}

/// The body of a new `link`.
pub fn link(ask: &Link) -> Value {
    json!({
        "need": ask.need,
        "resource": ask.resource,
        "quantity": ask.quantity,
        "purpose": ask.purpose.as_deref().unwrap_or("日常帮扶"),
        "want": "join",
    })
}
