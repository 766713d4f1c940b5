//! Photographs on the wire: what an upload announces, what becomes of it, how it is read.
//!
//! A photograph is named by the SHA-256 of its exact bytes. Uploads speak tus 1.0.

use serde::{Deserialize, Serialize};

use crate::ids::RecordId;

/// The tus version spoken.
pub const TUS_VERSION: &str = "1.0.0";
/// Media type of an appended chunk.
pub const CHUNK_TYPE: &str = "application/offset+octet-stream";

/// What an upload says about itself in `Upload-Metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Lower-case hexadecimal.
    pub sha256: String,
    /// The unit of the record; its first six digits are the shard.
    pub unit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
    pub mime: String,
}

/// Types of photographs that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mime {
    #[serde(rename = "image/jpeg")]
    Jpeg,
    #[serde(rename = "image/png")]
    Png,
    #[serde(rename = "image/webp")]
    Webp,
}

impl Mime {
    /// Every type.
    pub const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::Webp];

    /// The media type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// The type of a media type.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mime| mime.name() == name)
    }
}

/// Forms in which a photograph is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendition {
    /// Long edge 320, without metadata.
    Thumb,
    /// Long edge 1600, without metadata.
    View,
}
