//! Coordinates: degrees × 10⁷ with their system, and the distance to a village.
//!
//! GCJ-02 lies 515-679 m off WGS-84 in Hunan, so a coordinate without its system has no type here.

use serde_json::Value;

/// Metres of one degree of latitude.
const METRES_PER_DEGREE: f64 = 111_320.0;
/// Radius of a village's fence in metres when the place is a home; hills scatter the houses.
pub const VILLAGE_RADIUS_M: f64 = 3_000.0;

/// A point in WGS-84, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wgs84 {
    pub lat: f64,
    pub lng: f64,
}

/// The fix of a body in WGS-84 with its accuracy in metres.
pub fn fix_of(body: &Value) -> Option<(Wgs84, f64)> {
    let fix = body.get("fix")?;
    let degrees = |name: &str| fix.get(name)?.as_i64().map(|e7| e7 as f64 / 1e7);
    let point = Wgs84 {
        lat: degrees("lat_e7")?,
        lng: degrees("lng_e7")?,
    };
    let accuracy = fix
        .get("accuracy_m")
        .and_then(Value::as_i64)
        .unwrap_or(1_000) as f64;
    match fix.get("system").and_then(Value::as_str)? {
        "gcj02" => Some((gcj02_to_wgs84(point), accuracy)),
        _ => Some((point, accuracy)),
    }
}

/// Metres between two points; flat-earth, good to 0.5 % within a province.
pub fn metres(a: Wgs84, b: Wgs84) -> f64 {
    let north = (a.lat - b.lat) * METRES_PER_DEGREE;
    let middle = f64::midpoint(a.lat, b.lat).to_radians();
    let east = (a.lng - b.lng) * METRES_PER_DEGREE * middle.cos();
    north.hypot(east)
}

/// Converts by three steps of iteration; exact to centimetres.
fn gcj02_to_wgs84(shown: Wgs84) -> Wgs84 {
    let mut real = shown;
    for _ in 0..3 {
        let guess = wgs84_to_gcj02(real);
        real.lat -= guess.lat - shown.lat;
        real.lng -= guess.lng - shown.lng;
    }
    real
}

/// The published obfuscation of Chinese maps (Krasovsky 1940 ellipsoid). What comes out is no
/// longer WGS-84 and bears the name of its own system wherever it is told.
pub fn wgs84_to_gcj02(p: Wgs84) -> Wgs84 {
    use std::f64::consts::PI;
    const A: f64 = 6_378_245.0;
    const EE: f64 = 0.006_693_421_622_965_943;
    let (x, y) = (p.lng - 105.0, p.lat - 35.0);
    let waves = (20.0 * (6.0 * x * PI).sin() + 20.0 * (2.0 * x * PI).sin()) * 2.0 / 3.0;
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + waves
        + (20.0 * (y * PI).sin() + 40.0 * (y / 3.0 * PI).sin()) * 2.0 / 3.0
        + (160.0 * (y / 12.0 * PI).sin() + 320.0 * (y * PI / 30.0).sin()) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + waves
        + (20.0 * (x * PI).sin() + 40.0 * (x / 3.0 * PI).sin()) * 2.0 / 3.0
        + (150.0 * (x / 12.0 * PI).sin() + 300.0 * (x / 30.0 * PI).sin()) * 2.0 / 3.0;
    let lat = p.lat.to_radians();
    let magic = 1.0 - EE * lat.sin().powi(2);
    let root = magic.sqrt();
    Wgs84 {
        lat: p.lat + north * 180.0 / ((A * (1.0 - EE)) / (magic * root) * PI),
        lng: p.lng + east * 180.0 / (A / root * lat.cos() * PI),
    }
}

/// Whether a fix lies at its village: says `undecidable` when the accuracy is wider than the gap.
pub fn fence(distance_m: f64, accuracy_m: f64) -> &'static str {
    if distance_m + accuracy_m <= VILLAGE_RADIUS_M {
        "inside"
    } else if distance_m - accuracy_m > VILLAGE_RADIUS_M {
        "outside"
    } else {
        "undecidable"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_is_reproduced() {
        let shown = wgs84_to_gcj02(Wgs84 {
            lat: 32.0,
            lng: 118.0,
        });
        assert!(
            (shown.lng - 118.005_431_013_838_46).abs() < 1e-9,
            "{shown:?}"
        );
        assert!(
            (shown.lat - 31.997_964_381_055_795).abs() < 1e-9,
            "{shown:?}"
        );
    }

    #[test]
    fn there_and_back_is_less_than_a_metre() {
        for (lat, lng) in [(28.25, 113.08), (28.31, 109.73), (27.55, 110.0)] {
            let real = Wgs84 { lat, lng };
            let back = gcj02_to_wgs84(wgs84_to_gcj02(real));
            assert!(metres(real, back) < 0.5, "{real:?} {back:?}");
            let off = metres(real, wgs84_to_gcj02(real));
            assert!((500.0..700.0).contains(&off), "{off}");
        }
    }
}
