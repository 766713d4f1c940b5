//! Region names, units and village points: those of this build, under what was imported.
//!
//! A code that was closed keeps its name, because old records bear it; it takes no new ones. One
//! node's import is noticed by the others within a second (`look`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
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
    /// What units say of themselves.
    units: BTreeMap<String, UnitRow>,
    /// Villages whose points were imported; those of this build are invented.
    surveyed: BTreeSet<String>,
}

/// A county, a station or a village as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub code: String,
    pub name: String,
    pub region: Option<Region>,
    /// What an import told of it.
    pub told: Option<UnitRow>,
    /// Its point was imported and not made up for the demo.
    pub is_surveyed: bool,
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
            table: RwLock::new(Arc::new(Table::of(Vec::new(), Vec::new(), &[]))),
            edition: AtomicI64::new(0),
        }
    }
}

impl Table {
    fn of(imported: Vec<RegionRow>, units: Vec<UnitRow>, points: &[PointRow]) -> Self {
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
        let coded = |unit: UnitRow| (unit.code.clone(), unit);
        Self {
            regions,
            units: units.into_iter().map(coded).collect(),
            surveyed: points.iter().map(|point| point.code.clone()).collect(),
        }
    }

    /// The name of a unit as people say it.
    fn unit_name(&self, code: &str) -> String {
        let told = self.units.get(code).map(|unit| unit.name.as_str());
        if let Some(own) = told.filter(|name| !name.is_empty()) {
            return own.to_owned();
        }
        let name = self.regions.get(code);
        let name = name.map_or(code, |region| region.name.as_str());
        match code.len() {
            9 => format!("{name}社工站"),
            6 => format!("{name}社工总站"),
            _ => name.to_owned(),
        }
    }

    fn listed(&self, code: &str) -> Listed {
        Listed {
            code: code.to_owned(),
            name: self.unit_name(code),
            region: self.regions.get(code).cloned(),
            told: self.units.get(code).cloned(),
            is_surveyed: self.surveyed.contains(code),
        }
    }

    /// Codes that begin with one, behind another, in order.
    fn codes<'a>(&'a self, within: &'a str, after: &'a str) -> impl Iterator<Item = &'a str> {
        let from = if after < within {
            Bound::Included(within)
        } else {
            Bound::Excluded(after)
        };
        let in_order = (from, Bound::Unbounded);
        let inside = move |code: &&str| code.starts_with(within);
        let regions = self.regions.range::<str, _>(in_order);
        let regions = regions.map(|(code, _)| code.as_str()).take_while(inside);
        // A county without townships in the table may have stations all the same.
        let units = self.units.range::<str, _>(in_order);
        let units = units.map(|(code, _)| code.as_str()).take_while(inside);
        let mut units = units
            .filter(|code| !self.regions.contains_key(*code))
            .peekable();
        let mut regions = regions.peekable();
        std::iter::from_fn(move || match (regions.peek(), units.peek()) {
            (Some(region), Some(unit)) if unit < region => units.next(),
            (None, _) => units.next(),
            _ => regions.next(),
        })
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

    /// Says whether a code stands in a table itself, as a region or as a unit.
    pub fn lists(&self, code: &str) -> bool {
        let table = self.table();
        table.regions.contains_key(code) || table.units.contains_key(code)
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
        self.table().unit_name(code)
    }

    /// What is known of a unit or a village.
    pub fn listed(&self, code: &str) -> Option<Listed> {
        let table = self.table();
        let is_known = table.regions.contains_key(code) || table.units.contains_key(code);
        is_known.then(|| table.listed(code))
    }

    /// The first of those that are wanted and have this in their name, behind a code, in order of
    /// their codes. The codes that `reach` names are in order, and none lies within another.
    pub fn page(
        &self,
        reach: &[String],
        (named, after): (&str, &str),
        count: usize,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Vec<Listed> {
        let table = self.table();
        let codes = reach.iter().flat_map(|within| table.codes(within, after));
        let is_named = |code: &&str| named.is_empty() || table.unit_name(code).contains(named);
        let wanted = codes.filter(|code| is_wanted(code)).filter(is_named);
        wanted.take(count).map(|code| table.listed(code)).collect()
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
    let points = places::points(tx).await?;
    let (regions, units) = (places::regions(tx).await?, places::units(tx).await?);
    let table = Table::of(regions, units, &points);
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
