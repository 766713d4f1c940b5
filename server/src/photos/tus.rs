//! tus 1.0: reading the headers of an upload. Pure; what they lead to lives elsewhere.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::limits::PHOTO_BYTES_MAX;
use xiangyi_proto::photo::{Announced, CHUNK_TYPE, Mime, TUS_VERSION};
use xiangyi_proto::region;
use xiangyi_proto::time::{DAY_MS, Millis, UTC_PLUS_8_MS, day_text};

/// What is wrong with the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another version of tus, or none.
    Version,
    /// No chunk of an upload.
    Chunk,
    /// More bytes than a photograph may have.
    TooLarge,
    /// No type of photograph that is taken.
    Mime,
    /// A header or a pair of the metadata: where, and the code of its fault.
    Field(&'static str, &'static str),
}

/// What a sound announcement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub said: Announced,
    pub mime: Mime,
    pub hash: [u8; 32],
    pub shard: Shard,
    pub length: i64,
}

/// Checks that the sender speaks this version.
pub fn speaks(headers: &HeaderMap) -> Result<(), Fault> {
    if text(headers, "tus-resumable") == Some(TUS_VERSION) {
        Ok(())
    } else {
        Err(Fault::Version)
    }
}

/// What is announced by the headers of a creation.
pub fn announcement(headers: &HeaderMap) -> Result<Announcement, Fault> {
    let length = length(headers)?;
    sound(metadata(headers)?, length)
}

/// What is announced by words, wherever they stand.
pub fn sound(said: Announced, length: i64) -> Result<Announcement, Fault> {
    let mime = Mime::parse(&said.mime).ok_or(Fault::Mime)?;
    let hash = hash(&said.sha256).ok_or(Fault::Field("/sha256", "bad-id"))?;
    let shard = region::shard_of(&said.unit).ok_or(Fault::Field("/unit", "bad-region"))?;
    Ok(Announcement {
        said,
        mime,
        hash,
        shard,
        length,
    })
}

/// A SHA-256 in lower-case hexadecimal.
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut hash = [0; 32];
    let read = lower && hex::decode_to_slice(text, &mut hash).is_ok();
    read.then_some(hash)
}

fn length(headers: &HeaderMap) -> Result<i64, Fault> {
    let length = number(headers, "upload-length", "/upload-length")?;
    if length > PHOTO_BYTES_MAX as i64 {
        return Err(Fault::TooLarge);
    }
    if length == 0 {
        return Err(Fault::Field("/upload-length", "out-of-range"));
    }
    Ok(length)
}

/// What a sender says of a chunk, to be compared with what came.
#[derive(Debug, Clone)]
pub enum Checksum {
    Sha1(Sha1, Vec<u8>),
    Sha256(Sha256, Vec<u8>),
}

impl Checksum {
    /// Takes in what came.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hash, _) => hash.update(bytes),
            Self::Sha256(hash, _) => hash.update(bytes),
        }
    }

    /// Whether all that came is what was sent.
    pub fn holds(self) -> bool {
        match self {
            Self::Sha1(hash, said) => hash.finalize()[..] == said[..],
            Self::Sha256(hash, said) => hash.finalize()[..] == said[..],
        }
    }
}

/// `Upload-Checksum`: an algorithm and a base64 value.
pub fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Fault> {
    const AT: &str = "/upload-checksum";
    if !headers.contains_key("upload-checksum") {
        return Ok(None);
    }
    let wrong = Fault::Field(AT, "wrong-type");
    let said = text(headers, "upload-checksum").and_then(|said| said.trim().split_once(' '));
    let (algorithm, value) = said.ok_or(wrong)?;
    let value = STANDARD.decode(value.trim()).map_err(|_| wrong)?;
    match algorithm {
        "sha1" => Ok(Some(Checksum::Sha1(Sha1::new(), value))),
        "sha256" => Ok(Some(Checksum::Sha256(Sha256::new(), value))),
        _ => Err(Fault::Field(AT, "unknown-code")),
    }
}

/// The offset at which a chunk begins, from the headers of an append.
pub fn offset(headers: &HeaderMap) -> Result<i64, Fault> {
    if text(headers, "content-type").map(str::trim) != Some(CHUNK_TYPE) {
        return Err(Fault::Chunk);
    }
    number(headers, "upload-offset", "/upload-offset")
}

fn number(headers: &HeaderMap, name: &str, pointer: &'static str) -> Result<i64, Fault> {
    let value = text(headers, name).ok_or(Fault::Field(pointer, "required"))?;
    // A sign is no digit here, although a number may have one elsewhere.
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    let number = value.parse::<i64>().ok().filter(|_| digits);
    number.ok_or(Fault::Field(pointer, "wrong-type"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Upload-Metadata`: pairs of a name and a base64 value, divided by commas.
fn metadata(headers: &HeaderMap) -> Result<Announced, Fault> {
    let (mut sha256, mut unit, mut record, mut mime) = (None, None, None, None);
    let pairs = text(headers, "upload-metadata").unwrap_or_default();
    for pair in pairs.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let slot = match name {
            "sha256" => &mut sha256,
            "unit" => &mut unit,
            "record" => &mut record,
            "mime" => &mut mime,
            // Clients send names of files and more; nothing of it is kept.
            _ => continue,
        };
        let plain = STANDARD.decode(value.trim()).ok();
        let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
        *slot = Some(plain.ok_or(Fault::Field("/upload-metadata", "wrong-type"))?);
    }
    let given = |slot: Option<String>, pointer| slot.ok_or(Fault::Field(pointer, "required"));
    let record = match record.as_deref() {
        None | Some("") => None,
        Some(id) => Some(Uuid::parse_str(id).map_err(|_| Fault::Field("/record", "bad-id"))?),
    };
    Ok(Announced {
        sha256: given(sha256, "/sha256")?,
        unit: given(unit, "/unit")?,
        record,
        mime: given(mime, "/mime")?,
    })
}

/// A moment as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(at: Millis) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let weekday = DAYS[usize::try_from(at.div_euclid(DAY_MS).rem_euclid(7)).unwrap_or(0)];
    let day = day_text(at - UTC_PLUS_8_MS);
    let (year, rest) = day.split_once('-').unwrap_or(("1970", "01-01"));
    let (month, day) = rest.split_once('-').unwrap_or(("01", "01"));
    let month = MONTHS[month.parse::<usize>().map_or(0, |month| (month - 1) % 12)];
    let seconds = at.rem_euclid(DAY_MS) / 1_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse().expect("a header"))
        };
        pairs.iter().map(pair).collect()
    }

    fn announced(length: &str, pairs: &[(&str, &str)]) -> Result<Announcement, Fault> {
        let pair = |(name, value): &(&str, &str)| format!("{name} {}", STANDARD.encode(value));
        let pairs: Vec<String> = pairs.iter().map(pair).collect();
        announcement(&headers(&[
            ("upload-length", length),
            ("upload-metadata", &pairs.join(",")),
        ]))
    }

    #[test]
    fn an_announcement_is_read_whole() {
        let record = "01890a5d-ac96-774b-bcce-b302099a8057";
        let read = announced(
            "20480",
            &[
                ("filename", "IMG_1.jpg"),
                ("sha256", SHA256),
                ("unit", "430121101"),
                ("record", record),
                ("mime", "image/jpeg"),
            ],
        );
        let read = read.expect("sound headers");
        assert_eq!((read.length, read.shard), (20_480, Shard(430_121)));
        assert_eq!(hex::encode(read.hash), SHA256);
        assert_eq!(read.mime, Mime::Jpeg);
        let id = read.said.record.map(|id| id.to_string());
        assert_eq!(id.as_deref(), Some(record));
    }

    #[test]
    fn each_fault_of_an_announcement_is_named() {
        let base = [
            ("sha256", SHA256),
            ("unit", "430121101"),
            ("mime", "image/jpeg"),
        ];
        let with = |name: &'static str, value: &'static str| {
            base.map(|pair| if pair.0 == name { (name, value) } else { pair })
        };
        let field = |pointer, code| Some(Fault::Field(pointer, code));
        let upper = SHA256.to_uppercase();
        let upper = [("sha256", upper.as_str()), base[1], base[2]];
        let cases = [
            (announced("9000000", &base), Some(Fault::TooLarge)),
            (
                announced("0", &base),
                field("/upload-length", "out-of-range"),
            ),
            (
                announced("+5", &base),
                field("/upload-length", "wrong-type"),
            ),
            (announced("5", &base[1..]), field("/sha256", "required")),
            (announced("5", &upper), field("/sha256", "bad-id")),
            (
                announced("5", &with("unit", "x")),
                field("/unit", "bad-region"),
            ),
            (
                announced("5", &with("mime", "image/gif")),
                Some(Fault::Mime),
            ),
        ];
        for (read, fault) in cases {
            assert_eq!(read.err(), fault);
        }
        let broken = headers(&[("upload-length", "5"), ("upload-metadata", "sha256 ***")]);
        let wrong = field("/upload-metadata", "wrong-type");
        assert_eq!(announcement(&broken).err(), wrong);
    }

    #[test]
    fn a_chunk_needs_its_type_its_offset_and_the_version() {
        let sound = headers(&[("content-type", CHUNK_TYPE), ("upload-offset", "12")]);
        assert_eq!(offset(&sound), Ok(12));
        assert_eq!(speaks(&sound), Err(Fault::Version));
        assert_eq!(speaks(&headers(&[("tus-resumable", "1.0.0")])), Ok(()));
        let plain = headers(&[("content-type", "image/jpeg"), ("upload-offset", "12")]);
        assert_eq!(offset(&plain), Err(Fault::Chunk));
    }

    #[test]
    fn a_checksum_is_read_and_compared() {
        let of = |said: &str| checksum(&headers(&[("upload-checksum", said)]));
        // The vector of the tus specification.
        let mut sum = of("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=")
            .expect("read")
            .expect("there");
        sum.update(b"hello ");
        let cut = sum.clone();
        sum.update(b"world");
        assert!(sum.holds() && !cut.holds());
        let wrong = |code| Some(Fault::Field("/upload-checksum", code));
        assert_eq!(of("md5 Kq5s").err(), wrong("unknown-code"));
        assert_eq!(of("sha1").err(), wrong("wrong-type"));
        assert_eq!(of("sha1 ***").err(), wrong("wrong-type"));
        assert!(checksum(&headers(&[])).expect("none").is_none());
    }

    #[test]
    fn dates_are_written_as_http_does() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
