//! What activities are to whoever has not signed in.

use serde_json::{Value, json};

use super::routes::{exampled, parameter};
use super::schema::{code, count, flag, list, nullable, object, reference, text, time, unit, uuid};

const STATES: &[&str] = &[
    "shown",
    "off",
    "over",
    "unchecked",
    "waiting",
    "review",
    "risky",
    "parked",
];

/// `GET /v1/activities` answers records or cards; and cards only if they are new.
pub fn answers() -> Value {
    let both = json!({ "anyOf": [reference("activity_page"), reference("ActivityCards")] });
    let mut good = exampled("application/json", both, page());
    good["headers"]["ETag"] = json!({ "required": false, "schema": text() });
    json!({ "200": good, "304": { "description": "Nothing is new; only without signing in." } })
}

/// Answers of the card's own route, under method and path.
pub fn more() -> Vec<(&'static str, Value)> {
    let example = json!({ "state": "risky", "detail": "微信认为标题、简介等文字不适合公开，因此不公开展示。",
                          "detail_en": "WeChat holds a text unfit for the public." });
    let good = exampled("application/json", reference("CardStanding"), example);
    vec![("GET /v1/activities/{id}/card", json!({ "200": good }))]
}

/// Parameters of the card's own route.
pub fn asked() -> Vec<(&'static str, Vec<Value>)> {
    let at = vec![parameter("query", "unit", true, unit())];
    vec![("GET /v1/activities/{id}/card", at)]
}

/// Those of the list: where the other has a number or must be told, either is taken.
pub fn either(of_list: Vec<Value>) -> Vec<Value> {
    let ours = |mut parameter: Value| {
        match parameter["name"].as_str() {
            Some("unit") => parameter["required"] = json!(false),
            Some("after") => parameter["schema"] = text(),
            _ => {}
        }
        parameter
    };
    let mut list: Vec<Value> = of_list.into_iter().map(ours).collect();
    list.push(parameter("header", "If-None-Match", false, text()));
    list
}

/// What anybody may read of an activity.
pub fn card() -> Value {
    let role = object(
        &["role", "capacity", "left"],
        json!({ "role": text(), "capacity": count(), "left": count() }),
    );
    let session = object(
        &["session", "starts_at", "ends_at", "roles"],
        json!({ "session": count(), "starts_at": time(), "ends_at": time(), "roles": list(role) }),
    );
    let required = [
        "id",
        "unit",
        "unit_name",
        "title",
        "type",
        "summary",
        "place_name",
        "requires_cert",
        "age_min",
        "fee_fen",
        "subsidy_fen",
        "insured",
        "starts_at",
        "sessions",
    ];
    object(
        &required,
        json!({
            "id": uuid(), "unit": text(), "unit_name": text(), "title": text(), "type": text(),
            "summary": nullable(text()), "place_name": nullable(text()),
            "requires_cert": nullable(text()), "age_min": nullable(count()),
            "fee_fen": nullable(count()), "subsidy_fen": nullable(count()), "insured": flag(),
            "starts_at": time(), "sessions": list(session),
        }),
    )
}

/// A page of cards.
pub fn cards() -> Value {
    object(
        &["activities", "sign_up", "sign_up_en", "next"],
        json!({
            "activities": list(reference("ActivityCard")), "sign_up": text(),
            "sign_up_en": text(), "next": nullable(text()),
        }),
    )
}

/// What became of a card.
pub fn standing() -> Value {
    object(
        &["state", "detail", "detail_en"],
        json!({ "state": code(STATES), "detail": text(), "detail_en": text() }),
    )
}

fn page() -> Value {
    json!({
        "activities": [{
            "id": "01920000-0000-7000-8000-00000000d006", "unit": "430121001",
            "unit_name": "星沙街道社工站", "title": "重阳节陪伴老人", "type": "elder_company",
            "summary": "陪老人吃饭、理发、量血压。", "place_name": "开元路社区活动室",
            "requires_cert": null, "age_min": 16, "fee_fen": null, "subsidy_fen": null,
            "insured": true, "starts_at": 1_768_615_200_000_i64,
            "sessions": [{
                "session": 1, "starts_at": 1_768_615_200_000_i64, "ends_at": 1_768_622_400_000_i64,
                "roles": [{ "role": "helper", "capacity": 12, "left": 3 }],
            }],
        }],
        "sign_up": "登录乡驿应用或小程序后报名。",
        "sign_up_en": "Sign in to the app or the mini-program to sign up.",
        "next": null,
    })
}
