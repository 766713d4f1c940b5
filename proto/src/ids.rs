//! Identifiers: record ids, shards, streams, people, devices.
//!
//! A record id is a UUIDv7 minted on the phone; nothing may sort, partition or expire by the time
//! inside it. A shard is a county (or a city or the province for what they publish), by its code.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Identity of a record within its shard.
pub type RecordId = Uuid;
/// Identity of a person, such as `p-7k2m9qx4`; never a telephone or an ID number.
pub type PersonId = String;
/// Identity of a device: a registration of one person, minted by the server.
pub type DeviceId = String;
/// Position in a shard's order; 0 is before everything.
pub type Seq = i64;

/// A county, city or province by its code (430121, 4301, 43).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub i64);

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
