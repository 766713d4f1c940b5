//! Cursors: where a phone stands in every stream of its view. Opaque to phones.
//!
//! Holds stream ids and not only positions, or the server could not tell what left the view.
//! Bytes: version, person check, kinds, shards; CRC-32 at the end; base64url without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use xiangyi_proto::ids::Seq;

/// Format of these bytes.
const VERSION: u8 = 1;
/// Longest cursor that is read: 128 streams at 5 × 9 bytes and a third more for base64.
const TEXT_MAX: usize = 12 * 1024;

/// Where a phone stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Check of the person it was made for; another's cursor is not honoured.
    pub person: u32,
    /// Kind numbers the phone knows; empty means every kind of this build.
    pub kinds: Vec<u64>,
    pub shards: Vec<ShardPlace>,
}

/// Where a phone stands in one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardPlace {
    pub shard: i64,
    pub epoch: i64,
    /// Position of every stream that is not lagging.
    pub seq: Seq,
    pub streams: Vec<i64>,
    pub lagging: Vec<Lag>,
}

/// How a lagging stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Behind the shard's position.
    Tail,
    /// Newly entered: from 0 to the head.
    Backfill,
    /// Marked on the phone: from 0 to the head, then unmarked rows go.
    Sweep,
}

/// One lagging stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub stream: i64,
    pub position: Seq,
    pub mode: Mode,
    /// The shard's head when this reading began.
    pub began: Seq,
    /// Kinds this reading is for; empty means all.
    pub kinds: Vec<u64>,
}

/// A cursor that is not one, or not this person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACursor;

/// The check of a person inside a cursor.
pub fn person_check(person: &str) -> u32 {
    crc32fast::hash(person.as_bytes())
}

impl Cursor {
    /// The text a phone keeps.
    pub fn encode(&self) -> String {
        let mut out = vec![VERSION];
        out.extend(self.person.to_be_bytes());
        numbers(&mut out, &self.kinds);
        put(&mut out, self.shards.len() as u64);
        for place in &self.shards {
            put(&mut out, place.shard as u64);
            put(&mut out, place.epoch as u64);
            put(&mut out, place.seq as u64);
            numbers(
                &mut out,
                &place
                    .streams
                    .iter()
                    .map(|id| *id as u64)
                    .collect::<Vec<_>>(),
            );
            put(&mut out, place.lagging.len() as u64);
            for lag in &place.lagging {
                put(&mut out, lag.stream as u64);
                put(&mut out, lag.position as u64);
                put(&mut out, lag.mode as u64);
                put(&mut out, lag.began as u64);
                numbers(&mut out, &lag.kinds);
            }
        }
        out.extend(crc32fast::hash(&out).to_be_bytes());
        URL_SAFE_NO_PAD.encode(out)
    }

    /// Reads a cursor; anything but the exact bytes this code writes is refused.
    pub fn decode(text: &str, person: &str) -> Result<Self, NotACursor> {
        if text.len() > TEXT_MAX {
            return Err(NotACursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACursor)?;
        let (body, check) = bytes.split_last_chunk::<4>().ok_or(NotACursor)?;
        if crc32fast::hash(body).to_be_bytes() != *check {
            return Err(NotACursor);
        }
        let mut bytes = body;
        let cursor = read(&mut bytes).ok_or(NotACursor)?;
        let whole = bytes.is_empty() && cursor.person == person_check(person);
        if whole { Ok(cursor) } else { Err(NotACursor) }
    }
}

fn read(bytes: &mut &[u8]) -> Option<Cursor> {
    let (version, rest) = bytes.split_first()?;
    *bytes = rest;
    if *version != VERSION {
        return None;
    }
    let (person, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    let mut cursor = Cursor {
        person: u32::from_be_bytes(*person),
        kinds: list(bytes)?,
        shards: Vec::new(),
    };
    for _ in 0..take(bytes)? {
        let (shard, epoch, seq) = (signed(bytes)?, signed(bytes)?, signed(bytes)?);
        let streams = list(bytes)?.into_iter().map(|id| i64::try_from(id).ok());
        let streams = streams.collect::<Option<Vec<i64>>>()?;
        let mut place = ShardPlace {
            shard,
            epoch,
            seq,
            streams,
            lagging: Vec::new(),
        };
        for _ in 0..take(bytes)? {
            place.lagging.push(lag(bytes)?);
        }
        cursor.shards.push(place);
    }
    Some(cursor)
}

fn lag(bytes: &mut &[u8]) -> Option<Lag> {
    let (stream, position) = (signed(bytes)?, signed(bytes)?);
    let mode = match take(bytes)? {
        0 => Mode::Tail,
        1 => Mode::Backfill,
        2 => Mode::Sweep,
        _ => return None,
    };
    Some(Lag {
        stream,
        position,
        mode,
        began: signed(bytes)?,
        kinds: list(bytes)?,
    })
}

fn numbers(out: &mut Vec<u8>, list: &[u64]) {
    put(out, list.len() as u64);
    list.iter().for_each(|n| put(out, *n));
}

fn list(bytes: &mut &[u8]) -> Option<Vec<u64>> {
    let count = take(bytes)?;
    // Each number takes a byte at least, so a lying length cannot ask for memory.
    if count > bytes.len() as u64 {
        return None;
    }
    (0..count).map(|_| take(bytes)).collect()
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n as u8) | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn signed(bytes: &mut &[u8]) -> Option<i64> {
    i64::try_from(take(bytes)?).ok()
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Cursor {
        Cursor {
            person: person_check("p-1"),
            kinds: vec![1, 2, 9],
            shards: vec![ShardPlace {
                shard: 430_121,
                epoch: 1,
                seq: 88_121,
                streams: vec![1, 2, 300],
                lagging: vec![Lag {
                    stream: 300,
                    position: 17,
                    mode: Mode::Backfill,
                    began: 88_000,
                    kinds: vec![2],
                }],
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let cursor = sample();
        assert_eq!(Cursor::decode(&cursor.encode(), "p-1"), Ok(cursor.clone()));
        assert_eq!(Cursor::decode(&cursor.encode(), "p-2"), Err(NotACursor));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = bytes;
            body.extend(crc32fast::hash(&body).to_be_bytes());
            let _ = Cursor::decode(&URL_SAFE_NO_PAD.encode(body), "p-1");
        }

        #[test]
        fn one_changed_bit_is_noticed(at in 0_usize..40, bit in 0_u8..8) {
            let mut bytes = URL_SAFE_NO_PAD.decode(sample().encode()).expect("own text");
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Cursor::decode(&URL_SAFE_NO_PAD.encode(bytes), "p-1"), Err(NotACursor));
        }
    }
}
