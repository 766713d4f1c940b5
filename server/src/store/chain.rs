//! The chain of a shard's log: each line's hash covers the line and the hash before it, so that a
//! line that was changed, taken out or put in is noticed from there on.

use sha2::{Digest as _, Sha256};

/// What the chain covers of a line.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    pub seq: i64,
    pub device: &'a str,
    pub n: i64,
    pub digest: &'a [u8],
    pub record: &'a [u8],
    pub author: &'a str,
    pub unit: &'a str,
    pub received_at: i64,
    pub answer: &'a str,
}

/// The hash after a line. Texts carry their length, so that no two lines read alike.
pub fn link(before: &[u8], line: &Link<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(before);
    for number in [line.seq, line.n, line.received_at] {
        hash.update(number.to_be_bytes());
    }
    let texts = [line.device, line.author, line.unit, line.answer].map(str::as_bytes);
    for bytes in texts.into_iter().chain([line.digest, line.record]) {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_line_counts() {
        let line = Link {
            seq: 1,
            device: "d",
            n: 2,
            digest: &[3],
            record: &[4],
            author: "a",
            unit: "43",
            received_at: 5,
            answer: "{}",
        };
        let others = [
            Link { seq: 2, ..line },
            Link {
                device: "da",
                author: "",
                ..line
            },
            Link { n: 3, ..line },
            Link {
                digest: &[4],
                ..line
            },
            Link {
                record: &[5],
                ..line
            },
            Link {
                author: "b",
                ..line
            },
            Link {
                unit: "430",
                ..line
            },
            Link {
                received_at: 6,
                ..line
            },
            Link {
                answer: "[]",
                ..line
            },
        ];
        let whole = link(&[], &line);
        for other in others {
            assert_ne!(link(&[], &other), whole, "{other:?}");
        }
        assert_ne!(link(&whole, &line), whole, "what came before counts too");
    }
}
