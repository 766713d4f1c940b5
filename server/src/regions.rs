//! Region names, units and village points: those of this build, under what was imported.
//!
//! A code that was closed keeps its name, because old records bear it; it takes no new ones. One
//! node's import is noticed by the others within a second (`look`).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::app::App;
use crate::store::places::{self, PointRow, RegionRow, UnitRow};
use crate::store::{StoreError, Tx};

const REGIONS: &str = include_str!("../../proto/data/regions.json");
const POINTS: &str = include_str!("../../proto/data/village-points.json");
/// Under this name imports of regions, units and points are counted.
pub const EDITION: &str = "places";

/// What is known of a code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    pub name: String,
    pub from_at: Option<i64>,
    /// The first moment at which it no longer holds.
    pub to_at: Option<i64>,
    pub successor: Option<String>,
}

/// One reading of the tables.
#[derive(Debug, Default)]
struct Table {
    regions: BTreeMap<String, Region>,
    /// Names of units as they call themselves.
    units: HashMap<String, String>,
}

/// Codes and names; another reading may be put in their place at any time.
#[derive(Debug)]
pub struct Regions {
    table: RwLock<Arc<Table>>,
    edition: AtomicI64,
}

impl Default for Regions {
    fn default() -> Self {
        Self {
            table: RwLock::new(Arc::new(Table::of(Vec::new(), Vec::new()))),
            edition: AtomicI64::new(0),
        }
    }
}

impl Table {
    fn of(imported: Vec<RegionRow>, units: Vec<UnitRow>) -> Self {
        let list: Vec<(String, String)> =
            serde_json::from_str(REGIONS).expect("the table of this build is JSON");
        let named = |(code, name): (String, String)| {
            let region = Region {
                name,
                ..Region::default()
            };
            (code, region)
        };
        let mut regions: BTreeMap<String, Region> = list.into_iter().map(named).collect();
        for row in imported {
            let region = Region {
                name: row.name,
                from_at: row.from_at,
                to_at: row.to_at,
                successor: row.successor,
            };
            regions.insert(row.code, region);
        }
        let named = units.into_iter().filter(|unit| !unit.name.is_empty());
        Self {
            regions,
            units: named.map(|unit| (unit.code, unit.name)).collect(),
        }
    }

    fn under<'a>(&'a self, code: &'a str, digits: usize) -> impl Iterator<Item = &'a str> {
        self.regions
            .range(code.to_owned()..)
            .map(|(code, _)| code.as_str())
            .take_while(move |under| under.starts_with(code))
            .filter(move |under| under.len() == digits)
    }
}

impl Regions {
    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of a code.
    pub fn get(&self, code: &str) -> Option<Region> {
        self.table().regions.get(code).cloned()
    }

    /// The name of a code, if it is in the table.
    pub fn name(&self, code: &str) -> Option<String> {
        Some(self.table().regions.get(code)?.name.clone())
    }

    /// Says whether a unit exists or did: it is in the table, or its county is and has no units
    /// there.
    pub fn knows(&self, unit: &str) -> bool {
        let table = self.table();
        if table.regions.contains_key(unit) {
            return true;
        }
        let county = unit.get(..6).unwrap_or(unit);
        table.regions.contains_key(county) && table.under(county, 9).next().is_none()
    }

    /// A code that takes nothing new at this moment, with what it was merged into; the last of a
    /// row of mergers.
    pub fn closed_at(&self, code: &str, at: i64) -> Option<Option<String>> {
        let table = self.table();
        let is_over = |region: &Region| region.to_at.is_some_and(|to_at| to_at <= at);
        let mut region = table.regions.get(code).filter(|region| is_over(region))?;
        let mut last = region.successor.clone();
        // Mergers in a ring are refused by the import; a row of them is short.
        for _ in 0..table.regions.len().min(16) {
            let next = last.as_ref().and_then(|code| table.regions.get(code));
            let Some(next) = next.filter(|next| is_over(next) && next.successor.is_some()) else {
                break;
            };
            region = next;
            last.clone_from(&region.successor);
        }
        Some(last)
    }

    /// The name of a unit as people say it: 星沙街道社工站, 长沙县社工总站.
    pub fn unit_name(&self, code: &str) -> String {
        let table = self.table();
        if let Some(own) = table.units.get(code) {
            return own.clone();
        }
        let name = table.regions.get(code);
        let name = name.map_or(code, |region| region.name.as_str());
        match code.len() {
            9 => format!("{name}社工站"),
            6 => format!("{name}社工总站"),
            _ => name.to_owned(),
        }
    }

    /// Codes of one level directly under a code.
    pub fn under(&self, code: &str, digits: usize) -> impl Iterator<Item = String> + use<> {
        let table = self.table();
        let list: Vec<String> = table.under(code, digits).map(str::to_owned).collect();
        list.into_iter()
    }
}

/// Village code → latitude and longitude × 10⁷, WGS-84: those of this build under these.
pub fn places(imported: Vec<PointRow>) -> HashMap<String, (i64, i64)> {
    let list: Vec<(String, i64, i64)> =
        serde_json::from_str(POINTS).expect("the table of this build is JSON");
    let built = list.into_iter().map(|(code, lat, lng)| (code, (lat, lng)));
    let imported = imported.into_iter();
    built
        .chain(imported.map(|row| (row.code, (row.lat, row.lng))))
        .collect()
}

/// Reads what was imported and puts it in place.
///
/// # Errors
/// When the database does not answer.
pub async fn load(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.read().await?;
    let edition = places::edition(&mut tx, EDITION).await?;
    if edition == app.regions.edition.load(Ordering::Relaxed) {
        return Ok(());
    }
    put(app, &mut tx, edition).await
}

async fn put(app: &App, tx: &mut Tx, edition: i64) -> Result<(), StoreError> {
    let table = Table::of(places::regions(tx).await?, places::units(tx).await?);
    let points = places::points(tx).await?;
    app.writer.put_places(self::places(points));
    let mut kept = app
        .regions
        .table
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    *kept = Arc::new(table);
    drop(kept);
    app.regions.edition.store(edition, Ordering::Relaxed);
    Ok(())
}

/// What another node imported is read here too.
///
/// # Errors
/// When the database does not answer.
pub async fn look(app: &App) -> Result<(), StoreError> {
    let mut tx = app.db.glance().await?;
    let edition = places::edition(&mut tx, EDITION).await?;
    drop(tx);
    if edition == app.regions.edition.load(Ordering::Relaxed) {
        return Ok(());
    }
    load(app).await
}
