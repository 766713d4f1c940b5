//! Photographs on the wire: what an upload announces, what becomes of it, how it is read.
//!
//! A photograph is named by the SHA-256 of its exact bytes. Uploads speak tus 1.0.

use serde::{Deserialize, Serialize};

use crate::ids::RecordId;

/// The tus version spoken.
pub const TUS_VERSION: &str = "1.0.0";
/// What of tus is spoken beside its core.
pub const TUS_EXTENSIONS: &str = "creation,expiration,termination,checksum";
/// Algorithms of the checksum of a chunk.
pub const TUS_CHECKSUMS: &str = "sha1,sha256";
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

/// A smaller copy of a photograph, upright and without metadata, always JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendition {
    /// Long edge 320: a list.
    Thumb,
    /// Long edge 1600: a screen.
    View,
}

impl Rendition {
    /// Every rendition.
    pub const ALL: [Self; 2] = [Self::Thumb, Self::View];

    /// The name in `as=` and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thumb => "thumb",
            Self::View => "view",
        }
    }

    /// Pixels of the longer side; smaller photographs are not enlarged.
    pub const fn long_edge(self) -> u32 {
        match self {
            Self::Thumb => 320,
            Self::View => 1_600,
        }
    }
}

/// A form in which a photograph is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Rendition(Rendition),
    /// The exact bytes that were sent, metadata included.
    Original,
}

impl Form {
    /// The form that `as=` names.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "original" {
            return Some(Self::Original);
        }
        let rendition = Rendition::ALL.into_iter().find(|r| r.name() == name);
        rendition.map(Self::Rendition)
    }
}
