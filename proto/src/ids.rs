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

/// A record's id as it is written everywhere: 36 characters, with dashes and without braces. Ids
/// are also compared as texts, so one spelling is all there is.
pub fn record_id(text: &str) -> Option<RecordId> {
    let is_spelled = text.len() == 36;
    is_spelled.then(|| Uuid::try_parse(text).ok())?
}

/// Reading ids in that one spelling.
pub mod spelled {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    use super::{RecordId, record_id};

    fn read<E: Error>(text: &str) -> Result<RecordId, E> {
        record_id(text).ok_or_else(|| E::custom("no id"))
    }

    /// One.
    ///
    /// # Errors
    /// When it is none, or spelled otherwise.
    pub fn one<'de, D: Deserializer<'de>>(from: D) -> Result<RecordId, D::Error> {
        read(&String::deserialize(from)?)
    }

    /// One or none.
    ///
    /// # Errors
    /// As of one.
    pub fn maybe<'de, D: Deserializer<'de>>(from: D) -> Result<Option<RecordId>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| read(&text)).transpose()
    }

    /// A list of them.
    ///
    /// # Errors
    /// As of one.
    pub fn list<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<RecordId>, D::Error> {
        let texts: Vec<String> = Vec::deserialize(from)?;
        texts.iter().map(|text| read(text)).collect()
    }
}
