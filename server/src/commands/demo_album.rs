//! Photographs of a recorded day: new ones every time it is played, out of the same few files.

use std::path::PathBuf;

use serde_json::Value;

use crate::app::StartError;
use crate::phone::replay::Line;

/// Where the photographs are, and where this day's copies go.
pub struct Album {
    from: PathBuf,
    to: PathBuf,
    tag: String,
}

impl Album {
    /// Copies go under `to` and carry `tag`.
    pub const fn new(from: PathBuf, to: PathBuf, tag: String) -> Self {
        Self { from, to, tag }
    }

    /// Puts copies in place of a line's photographs, each with a comment of its own.
    pub async fn take_pictures(&self, line: &mut Line) -> Result<(), StartError> {
        let Some(Value::Array(photos)) = line.rest.get_mut("photos") else {
            return Ok(());
        };
        let roll = self.to.join(format!("roll-{:03}", line.number));
        tokio::fs::create_dir_all(&roll).await?;
        for photo in photos {
            let name = photo.as_str().unwrap_or_default().to_owned();
            let bytes = tokio::fs::read(self.from.join(&name)).await?;
            let comment = format!("xiangyi demo day {} line {}", self.tag, line.number);
            let copy = roll.join(&name);
            tokio::fs::write(&copy, commented(&bytes, &comment)).await?;
            *photo = copy.to_string_lossy().into_owned().into();
        }
        Ok(())
    }
}

/// A JPEG with a comment behind its first segment; anything else as it is.
fn commented(bytes: &[u8], comment: &str) -> Vec<u8> {
    let is_jpeg = bytes.starts_with(&[0xff, 0xd8, 0xff]);
    let segment = bytes.get(4..6).and_then(|two| two.try_into().ok());
    let segment = segment.map(|two| usize::from(u16::from_be_bytes(two)));
    let at = segment.map_or(0, |length| 4 + length);
    let length = u16::try_from(comment.len() + 2).unwrap_or(0);
    if !is_jpeg || at > bytes.len() || length == 0 {
        return bytes.to_vec();
    }
    let mut out = bytes[..at].to_vec();
    out.extend([0xff, 0xfe]);
    out.extend(length.to_be_bytes());
    out.extend(comment.as_bytes());
    out.extend(&bytes[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::commented;

    #[test]
    fn a_comment_goes_behind_the_first_segment() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 9, 9, 0xff, 0xd9];
        let want = [
            0xff, 0xd8, 0xff, 0xe0, 0, 4, 9, 9, 0xff, 0xfe, 0, 4, b'h', b'i', 0xff, 0xd9,
        ];
        assert_eq!(commented(&jpeg, "hi"), want);
        assert_eq!(commented(b"RIFF", "hi"), b"RIFF");
    }
}
