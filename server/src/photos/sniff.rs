//! What bytes are: the type of a photograph and whether its end is there, without decoding it.
//!
//! A file's name and what its sender calls it count for nothing.

use xiangyi_proto::photo::Mime;

/// Why bytes are no whole photograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// No type that is taken.
    Type,
    /// The end is missing.
    CutShort,
}

/// The type of a whole photograph.
pub fn whole(bytes: &[u8]) -> Result<Mime, Unfit> {
    let (mime, ends) = if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        (Mime::Jpeg, jpeg_ends(bytes))
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        (Mime::Png, png_ends(bytes))
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        (Mime::Webp, webp_ends(bytes))
    } else {
        return Err(Unfit::Type);
    };
    if ends { Ok(mime) } else { Err(Unfit::CutShort) }
}

/// Walks the segments to the end marker. A preview's own end marker lies inside a segment and
/// is stepped over with it.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(byte) = bytes.get(at).copied() {
        at += match (byte, bytes.get(at + 1).copied()) {
            (0xff, Some(0xd9)) => return true,
            // A fill byte before a marker.
            (0xff, Some(0xff)) => 1,
            // A stuffed byte, a restart, a marker without a segment.
            (0xff, Some(0x00 | 0x01 | 0xd0..=0xd8)) => 2,
            // A segment; its length counts itself.
            (0xff, Some(_)) => match number(bytes, at + 2, 2) {
                Some(length) => 2 + length.max(2),
                None => return false,
            },
            _ => 1,
        };
    }
    false
}

/// Walks the chunks to the last.
fn png_ends(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some(length) = number(bytes, at, 4) {
        let end = at + 12 + length;
        if bytes.get(at + 4..at + 8) == Some(b"IEND") {
            return end <= bytes.len();
        }
        at = end;
    }
    false
}

fn webp_ends(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).and_then(|raw| raw.try_into().ok());
    let length = length.map_or(usize::MAX, |raw| u32::from_le_bytes(raw) as usize);
    length >= 12 && length <= bytes.len().saturating_sub(8)
}

/// A number of `width` bytes, the highest first.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let raw = bytes.get(at..at + width)?;
    Some(
        raw.iter()
            .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../../tests/data/photos/village-room.jpg");
    const EXIF: &[u8] = include_bytes!("../../../tests/data/photos/exif-courtyard.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../../../tests/data/photos/hillside.jpg");
    const PNG: &[u8] = include_bytes!("../../../tests/data/photos/sketch.png");
    const WEBP: &[u8] = include_bytes!("../../../tests/data/photos/terrace.webp");
    const CUT: &[u8] = include_bytes!("../../../tests/data/photos/truncated.jpg");
    const TEXT: &[u8] = include_bytes!("../../../tests/data/photos/not-a-photo.jpg");

    #[test]
    fn each_type_is_known_by_its_bytes() {
        for (bytes, mime) in [
            (PLAIN, Mime::Jpeg),
            (EXIF, Mime::Jpeg),
            (PROGRESSIVE, Mime::Jpeg),
            (PNG, Mime::Png),
            (WEBP, Mime::Webp),
        ] {
            assert_eq!(whole(bytes), Ok(mime));
        }
    }

    #[test]
    fn text_and_nothing_are_no_photographs() {
        assert_eq!(whole(TEXT), Err(Unfit::Type));
        assert_eq!(whole(b""), Err(Unfit::Type));
        assert_eq!(whole(b"RIFF"), Err(Unfit::Type));
    }

    #[test]
    fn a_photograph_without_its_end_is_cut_short() {
        assert_eq!(whole(CUT), Err(Unfit::CutShort));
        for bytes in [PLAIN, EXIF, PROGRESSIVE, PNG, WEBP] {
            for length in [20, bytes.len() / 4, bytes.len() / 2, bytes.len() - 2] {
                assert_eq!(whole(&bytes[..length]), Err(Unfit::CutShort), "{length}");
            }
        }
    }

    #[test]
    fn what_follows_the_end_does_no_harm() {
        let mut longer = PLAIN.to_vec();
        longer.extend_from_slice(b"a trailer of some camera");
        assert_eq!(whole(&longer), Ok(Mime::Jpeg));
    }
}
