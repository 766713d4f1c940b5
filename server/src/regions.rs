//! Region names and village points of this build; imported tables replace them later.

use std::collections::{BTreeMap, HashMap};

const REGIONS: &str = include_str!("../../proto/data/regions.json");
const POINTS: &str = include_str!("../../proto/data/village-points.json");

/// Codes and names.
#[derive(Debug)]
pub struct Regions {
    names: BTreeMap<String, String>,
}

impl Default for Regions {
    fn default() -> Self {
        let list: Vec<(String, String)> =
            serde_json::from_str(REGIONS).expect("the table of this build is JSON");
        Self {
            names: list.into_iter().collect(),
        }
    }
}

impl Regions {
    /// The name of a code, if it is in the table.
    pub fn name(&self, code: &str) -> Option<&str> {
        self.names.get(code).map(String::as_str)
    }

    /// Says whether a unit exists: it is in the table, or its county is and has no units there.
    pub fn knows(&self, unit: &str) -> bool {
        if self.names.contains_key(unit) {
            return true;
        }
        let county = unit.get(..6).unwrap_or(unit);
        self.names.contains_key(county) && self.under(county, 9).next().is_none()
    }

    /// The name of a unit as people say it: 星沙街道社工站, 长沙县社工总站.
    pub fn unit_name(&self, code: &str) -> String {
        let name = self.name(code).unwrap_or(code);
        match code.len() {
            9 => format!("{name}社工站"),
            6 => format!("{name}社工总站"),
            _ => name.to_owned(),
        }
    }

    /// Codes of one level directly under a code.
    pub fn under<'a>(&'a self, code: &'a str, digits: usize) -> impl Iterator<Item = &'a str> {
        self.names
            .range(code.to_owned()..)
            .map(|(code, _)| code.as_str())
            .take_while(move |under| under.starts_with(code))
            .filter(move |under| under.len() == digits)
    }
}

/// The point of one village: latitude and longitude × 10⁷, WGS-84.
pub fn place_of(code: &str) -> Option<(i64, i64)> {
    static PLACES: std::sync::LazyLock<HashMap<String, (i64, i64)>> =
        std::sync::LazyLock::new(places);
    PLACES.get(code).copied()
}

/// Village code → latitude and longitude × 10⁷, WGS-84.
pub fn places() -> HashMap<String, (i64, i64)> {
    let list: Vec<(String, i64, i64)> =
        serde_json::from_str(POINTS).expect("the table of this build is JSON");
    list.into_iter()
        .map(|(code, lat, lng)| (code, (lat, lng)))
        .collect()
}
