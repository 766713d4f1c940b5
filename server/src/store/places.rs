//! Imported regions, units, village points and agencies.

use sqlx::FromRow;

use super::bulk::Bulk;
use super::{StoreError, Tx};
use crate::{bulk, on};

/// A region that overrides or extends the table of this build.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RegionRow {
    pub code: String,
    pub name: String,
    pub from_at: Option<i64>,
    /// The first moment at which the code no longer holds.
    pub to_at: Option<i64>,
    /// The code it was merged into.
    pub successor: Option<String>,
}

const REGIONS: &str = "SELECT code, name, from_at, to_at, successor FROM region";

/// Every imported region.
pub async fn regions(tx: &mut Tx) -> Result<Vec<RegionRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(REGIONS).fetch_all(c).await)?)
}

static PUT_REGIONS: Bulk = Bulk::new(
    "INSERT INTO region (code, name, from_at, to_at, successor) VALUES",
    "ttiit",
    "ON CONFLICT (code) DO UPDATE SET name = excluded.name, from_at = excluded.from_at, \
     to_at = excluded.to_at, successor = excluded.successor",
);

/// Writes regions over those of the same codes; no code may come twice.
pub async fn put_regions(tx: &mut Tx, rows: &[RegionRow]) -> Result<(), StoreError> {
    bulk!(tx, PUT_REGIONS, rows, |q, row| q
        .bind(row.code.as_str())
        .bind(row.name.as_str())
        .bind(row.from_at)
        .bind(row.to_at)
        .bind(row.successor.as_deref()));
    Ok(())
}

/// A station or a hub.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct UnitRow {
    pub code: String,
    pub name: String,
    pub address: String,
    pub opened_at: Option<i64>,
}

const UNITS: &str = "SELECT code, name, address, opened_at FROM unit";

/// Every imported unit.
pub async fn units(tx: &mut Tx) -> Result<Vec<UnitRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(UNITS).fetch_all(c).await)?)
}

static PUT_UNITS: Bulk = Bulk::new(
    "INSERT INTO unit (code, name, address, opened_at) VALUES",
    "ttti",
    "ON CONFLICT (code) DO UPDATE SET name = excluded.name, address = excluded.address, \
     opened_at = excluded.opened_at",
);

/// Writes units over those of the same codes; no code may come twice.
pub async fn put_units(tx: &mut Tx, rows: &[UnitRow]) -> Result<(), StoreError> {
    bulk!(tx, PUT_UNITS, rows, |q, row| q
        .bind(row.code.as_str())
        .bind(row.name.as_str())
        .bind(row.address.as_str())
        .bind(row.opened_at));
    Ok(())
}

/// Where a village is: WGS-84, degrees × 10⁷.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PointRow {
    pub code: String,
    pub lat: i64,
    pub lng: i64,
}

const POINTS: &str = "SELECT code, lat, lng FROM village_point";

/// Every imported village point.
pub async fn points(tx: &mut Tx) -> Result<Vec<PointRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(POINTS).fetch_all(c).await)?)
}

static PUT_POINTS: Bulk = Bulk::new(
    "INSERT INTO village_point (code, lat, lng) VALUES",
    "tii",
    "ON CONFLICT (code) DO UPDATE SET lat = excluded.lat, lng = excluded.lng",
);

/// Writes village points over those of the same codes; no code may come twice.
pub async fn put_points(tx: &mut Tx, rows: &[PointRow]) -> Result<(), StoreError> {
    bulk!(tx, PUT_POINTS, rows, |q, row| q
        .bind(row.code.as_str())
        .bind(row.lat)
        .bind(row.lng));
    Ok(())
}

/// An agency and the days of its contract.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AgencyRow {
    pub licence: String,
    pub name: String,
    pub from_at: i64,
    pub to_at: Option<i64>,
}

const AGENCIES: &str = "SELECT licence, name, from_at, to_at FROM agency";

/// Every agency.
pub async fn agencies(tx: &mut Tx) -> Result<Vec<AgencyRow>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(AGENCIES).fetch_all(c).await)?)
}

const AGENCY_STATIONS: &str = "SELECT licence, unit FROM agency_station ORDER BY licence, unit";

/// Which agency runs which stations.
pub async fn agency_stations(tx: &mut Tx) -> Result<Vec<(String, String)>, StoreError> {
    Ok(on!(tx, |c| sqlx::query_as(AGENCY_STATIONS)
        .fetch_all(c)
        .await)?)
}

const PUT_AGENCY: &str = "INSERT INTO agency (licence, name, from_at, to_at) \
     VALUES ($1, $2, $3, $4) ON CONFLICT (licence) DO UPDATE SET name = excluded.name, \
     from_at = excluded.from_at, to_at = excluded.to_at";

/// Writes an agency over that of the same licence.
pub async fn put_agency(tx: &mut Tx, row: &AgencyRow) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(PUT_AGENCY)
        .bind(row.licence.as_str())
        .bind(row.name.as_str())
        .bind(row.from_at)
        .bind(row.to_at)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const PUT_STATION: &str = "INSERT INTO agency_station (licence, unit) VALUES ($1, $2) \
     ON CONFLICT (licence, unit) DO NOTHING";

/// Gives an agency a station.
pub async fn put_agency_station(tx: &mut Tx, licence: &str, unit: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(PUT_STATION)
        .bind(licence)
        .bind(unit)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Index: the primary key of `imported`.
const EDITION: &str = "SELECT edition FROM imported WHERE what = $1";

/// How often a table was imported.
pub async fn edition(tx: &mut Tx, what: &str) -> Result<i64, StoreError> {
    let edition: Option<i64> = on!(tx, |c| sqlx::query_scalar(EDITION)
        .bind(what)
        .fetch_optional(c)
        .await)?;
    Ok(edition.unwrap_or(0))
}

const NEXT_EDITION: &str = "INSERT INTO imported (what, edition) VALUES ($1, 1) \
     ON CONFLICT (what) DO UPDATE SET edition = imported.edition + 1";

/// Says that a table was imported, for other nodes to see.
pub async fn next_edition(tx: &mut Tx, what: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(NEXT_EDITION)
        .bind(what)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
