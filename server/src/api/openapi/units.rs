//! What the routes of units ask and answer.

use serde_json::{Value, json};

use super::routes::{exampled, good, limit, parameter};
use super::schema::{code, day, flag, list, nullable, object, reference, text, whole};

const SYSTEMS: &[&str] = &["wgs84", "gcj02"];

/// Answers by status, under method and path.
pub fn answers() -> Vec<(&'static str, Value)> {
    let mut list = exampled(
        "application/json",
        reference("UnitPage"),
        json!({ "units": [station()], "next": "430121001" }),
    );
    let geo = exampled(GEOJSON, reference("VillagePoints"), points());
    list["content"][GEOJSON] = geo["content"][GEOJSON].clone();
    let mut one = good(reference("Unit"));
    one["content"]["application/json"]["example"] = station();
    vec![
        ("GET /v1/units", json!({ "200": list })),
        ("GET /v1/units/{id}", json!({ "200": one })),
    ]
}

const GEOJSON: &str = "application/geo+json";

/// Parameters, under method and path, but those of the path.
pub fn asked() -> Vec<(&'static str, Vec<Value>)> {
    let query = |name, schema| parameter("query", name, false, schema);
    let region =
        || json!({ "type": "string", "pattern": "^[0-9]{2}([0-9]{2}){0,2}([0-9]{3}){0,2}$" });
    let named = json!({ "type": "string", "maxLength": 40 });
    vec![
        (
            "GET /v1/units",
            vec![
                query("kind", code(&["county", "station", "village"])),
                query(
                    "county",
                    json!({ "type": "string", "pattern": "^[0-9]{6}$" }),
                ),
                query("parent", region()),
                query("region", region()),
                query("q", named),
                query("after", region()),
                query("limit", limit()),
                query("as", code(&["json", "geojson"])),
                query("system", code(SYSTEMS)),
            ],
        ),
        ("GET /v1/units/{id}", vec![query("system", code(SYSTEMS))]),
    ]
}

/// A county, a station or a village.
pub fn unit() -> Value {
    let point = object(
        &["lat_e7", "lng_e7", "system", "invented"],
        json!({
            "lat_e7": whole(), "lng_e7": whole(), "system": code(SYSTEMS), "invented": flag(),
        }),
    );
    let required = [
        "code",
        "kind",
        "name",
        "parent",
        "parent_name",
        "address",
        "opened_on",
        "closed_on",
        "successor",
        "point",
    ];
    object(
        &required,
        json!({
            "code": text(),
            "kind": code(&["county", "station", "village"]),
            "name": text(),
            "parent": text(),
            "parent_name": text(),
            "address": nullable(text()),
            "opened_on": nullable(day()),
            "closed_on": nullable(day()),
            "successor": nullable(text()),
            "point": nullable(point),
        }),
    )
}

/// A page of units.
pub fn unit_page() -> Value {
    let members = json!({ "units": list(reference("Unit")), "next": nullable(text()) });
    object(&["units", "next"], members)
}

/// RFC 7946, with the page's end and the system of the coordinates beside the features.
pub fn village_points() -> Value {
    let coordinates = json!({ "type": "array", "minItems": 2, "maxItems": 2,
                              "items": { "type": "number" } });
    let geometry = object(
        &["type", "coordinates"],
        json!({ "type": code(&["Point"]), "coordinates": coordinates }),
    );
    let properties = object(
        &[
            "code",
            "name",
            "station",
            "station_name",
            "closed_on",
            "invented",
        ],
        json!({
            "code": text(), "name": text(), "station": text(), "station_name": text(),
            "closed_on": nullable(day()), "invented": flag(),
        }),
    );
    let feature = object(
        &["type", "id", "geometry", "properties"],
        json!({
            "type": code(&["Feature"]), "id": text(), "geometry": geometry,
            "properties": properties,
        }),
    );
    object(
        &["type", "features", "next", "system"],
        json!({
            "type": code(&["FeatureCollection"]), "features": list(feature),
            "next": nullable(text()), "system": code(SYSTEMS),
        }),
    )
}

fn station() -> Value {
    json!({
        "code": "430121001", "kind": "station", "name": "星沙街道社工站", "parent": "430121",
        "parent_name": "长沙县社工总站", "address": "开元路 1 号", "opened_on": "2021-09-01",
        "closed_on": null, "successor": null, "point": null,
    })
}

fn points() -> Value {
    json!({
        "type": "FeatureCollection", "next": null, "system": "wgs84",
        "features": [{
            "type": "Feature", "id": "430121001001",
            "geometry": { "type": "Point", "coordinates": [113.084_715_5, 28.225_106_2] },
            "properties": {
                "code": "430121001001", "name": "开元路社区居委会", "station": "430121001",
                "station_name": "星沙街道社工站", "closed_on": null, "invented": true,
            },
        }],
    })
}
