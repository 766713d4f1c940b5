//! Shapes of the county's numbers and of live events.

use serde_json::{Value, json};

use super::schema::{
    code, count, day, flag, list, map, nullable, object, open, reference, text, time, uuid, whole,
};

/// `GET /v1/today`. What is not known is null, never 0.
pub fn today() -> Value {
    let required = [
        "unit",
        "unit_name",
        "day",
        "server_time",
        "totals",
        "villages",
        "refusals",
        "photos_missing",
        "stations",
        "alerts",
        "cursor",
    ];
    object(
        &required,
        json!({
            "unit": text(),
            "unit_name": text(),
            "day": day(),
            "server_time": time(),
            "totals": reference("Totals"),
            "villages": list(village_today()),
            "refusals": list(refusals_today()),
            "photos_missing": list(photos_missing()),
            "stations": list(station_today()),
            "alerts": list(alert_today()),
            "cursor": text(),
        }),
    )
}

/// The county's day in numbers.
pub fn totals() -> Value {
    let required = [
        "check_ins",
        "visits",
        "professional_minutes",
        "assistive_minutes",
        "administrative_minutes",
        "clients_persons",
        "person_times",
        "held",
        "refused",
        "photos_missing",
        "incidents_open",
    ];
    object(
        &required,
        json!({
            "check_ins": whole(),
            "visits": whole(),
            "professional_minutes": whole(),
            "assistive_minutes": whole(),
            "administrative_minutes": whole(),
            "clients_persons": whole(),
            "person_times": whole(),
            "held": whole(),
            "refused": whole(),
            "photos_missing": whole(),
            "incidents_open": nullable(count()),
        }),
    )
}

fn village_today() -> Value {
    object(
        &["code", "name", "station", "class", "visits", "minutes"],
        json!({
            "code": text(),
            "name": text(),
            "station": text(),
            "class": text(),
            "visits": whole(),
            "minutes": whole(),
        }),
    )
}

/// An office of `""` stands for the others of a rule, a rule of null for the other rules.
fn refusals_today() -> Value {
    let required = [
        "rule",
        "clause",
        "title_zh",
        "title_en",
        "ordering_office",
        "count",
    ];
    object(
        &required,
        json!({
            "rule": nullable(text()),
            "clause": nullable(text()),
            "title_zh": nullable(text()),
            "title_en": nullable(text()),
            "ordering_office": nullable(text()),
            "count": count(),
        }),
    )
}

fn photos_missing() -> Value {
    object(
        &["station", "station_name", "count"],
        json!({
            "station": text(),
            "station_name": text(),
            "count": count(),
        }),
    )
}

fn station_today() -> Value {
    let required = [
        "unit",
        "name",
        "last_heard_at",
        "waiting_records",
        "waiting_photos",
        "oldest_waiting_ms",
        "visits",
    ];
    object(
        &required,
        json!({
            "unit": text(),
            "name": text(),
            "last_heard_at": nullable(time()),
            "waiting_records": nullable(whole()),
            "waiting_photos": nullable(whole()),
            "oldest_waiting_ms": nullable(whole()),
            "visits": whole(),
        }),
    )
}

/// How many people of a station, never who.
fn alert_today() -> Value {
    let required = [
        "rule",
        "clause",
        "message",
        "message_en",
        "station",
        "station_name",
        "people",
        "days",
        "within_days",
    ];
    object(
        &required,
        json!({
            "rule": text(),
            "clause": text(),
            "title_zh": text(),
            "title_en": text(),
            "message": text(),
            "message_en": text(),
            "station": text(),
            "station_name": text(),
            "people": count(),
            "days": count(),
            "within_days": count(),
        }),
    )
}

/// `GET /v1/kpi`: professional minutes by two denominators; `stations` for a county only.
pub fn kpi() -> Value {
    let required = [
        "unit",
        "unit_name",
        "professional_minutes",
        "logged",
        "planned",
        "year",
        "month",
        "from",
        "to",
        "target_percent",
    ];
    let mut schema = kpi_of_unit();
    schema["required"] = json!(required);
    let members = &mut schema["properties"];
    members["year"] = whole();
    members["month"] = nullable(json!({ "type": "integer", "minimum": 1, "maximum": 12 }));
    members["from"] = day();
    members["to"] = day();
    members["target_percent"] = json!({ "type": "integer", "minimum": 0, "maximum": 100 });
    members["stations"] = list(reference("KpiOfUnit"));
    schema
}

/// The numbers of one unit. A share of nothing is null.
pub fn kpi_of_unit() -> Value {
    let share = || nullable(json!({ "type": "number", "minimum": 0 }));
    let logged = object(
        &["minutes", "by_class", "share"],
        json!({
            "minutes": whole(), "by_class": map(whole()), "share": share(),
        }),
    );
    let planned = ["minutes", "workers", "worker_days", "year_minutes", "share"];
    let planned = object(
        &planned,
        json!({
            "minutes": count(), "workers": count(), "worker_days": count(), "year_minutes": count(),
            "share": share(),
        }),
    );
    object(
        &[
            "unit",
            "unit_name",
            "professional_minutes",
            "logged",
            "planned",
        ],
        json!({
            "unit": text(),
            "unit_name": text(),
            "professional_minutes": whole(),
            "logged": logged,
            "planned": planned,
        }),
    )
}

/// `GET /v1/refusals/ledger`.
pub fn ledger() -> Value {
    let month = object(
        &["month", "over", "cells"],
        json!({
            "month": { "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$" },
            "over": flag(),
            "cells": list(reference("LedgerCell")),
        }),
    );
    object(
        &["unit", "exact", "months"],
        json!({
            "unit": text(),
            "exact": flag(),
            "months": list(month),
        }),
    )
}

/// A member that was merged away is absent; an office that nobody named is null.
pub fn ledger_cell() -> Value {
    object(
        &["count", "minutes"],
        json!({
            "clause": text(),
            "ordering_office": nullable(text()),
            "station": text(),
            "station_name": text(),
            "count": count(),
            "minutes": count(),
        }),
    )
}

/// `GET /v1/escalated`. `held`, `record` and `rule` are for those who decide.
pub fn escalated() -> Value {
    let required = ["kind", "appeal", "unit", "unit_name", "since", "days"];
    let item = object(
        &required,
        json!({
            "kind": nullable(text()),
            "appeal": flag(),
            "unit": text(),
            "unit_name": text(),
            "since": time(),
            "days": whole(),
            "held": nullable(uuid()),
            "record": nullable(uuid()),
            "rule": nullable(text()),
        }),
    );
    object(
        &["unit", "items", "next"],
        json!({
            "unit": text(),
            "items": list(item),
            "next": nullable(text()),
        }),
    )
}

/// `data` of the event `change` of `GET /v1/live`; the last of a group has the cursor as its `id`.
pub fn live_change() -> Value {
    let required = [
        "shard",
        "stream",
        "seq",
        "op",
        "kind",
        "id",
        "rev",
        "author",
        "author_name",
        "unit",
        "village",
        "village_name",
        "received_at",
        "estimated_at",
        "body",
    ];
    object(
        &required,
        json!({
            "shard": text(),
            "stream": text(),
            "seq": count(),
            "op": code(&["put", "rm"]),
            "kind": text(),
            "id": uuid(),
            "rev": count(),
            "author": text(),
            "author_name": nullable(text()),
            "unit": text(),
            "village": nullable(text()),
            "village_name": nullable(text()),
            "received_at": time(),
            "estimated_at": time(),
            "body": nullable(open()),
        }),
    )
}

/// `data` of the event `closed`: refresh or sign in before coming back.
pub fn live_closed() -> Value {
    object(
        &["code"],
        json!({ "code": { "type": "string", "const": "grant-ended" } }),
    )
}
