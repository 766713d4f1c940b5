//! Stamps: what shows, after a server came back from a backup, that it gave an answer before.
//!
//! A stamp is a MAC over who was answered (shard, person, device, number, bytes as sent) and what
//! (verdict, why held, state, epoch, number, time). Nobody can use another's: person and device are
//! in it. The phone keeps it with the bytes and hands both back when the epoch has changed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use xiangyi_proto::exchange::{Position, Proof};
use xiangyi_proto::time::{Millis, TimeQuality};
use xiangyi_proto::verdict::{HeldFor, Verdict, VerdictName};

use crate::clock_quality::{self, Estimate};
use crate::digest::Digest;
use crate::world::{Admitted, Proved};

/// Bytes of a MAC that travel.
const MAC_BYTES: usize = 16;
const MAC_CHARS: usize = 22;

/// Makes and checks stamps; the key is prepared once.
#[derive(Clone)]
pub struct Stamps(Hmac<Sha256>);

impl std::fmt::Debug for Stamps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stamps(…)")
    }
}

/// Who was answered, and about which bytes.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    pub shard: i64,
    pub person: &'a str,
    pub device: &'a str,
    pub n: i64,
    pub digest: &'a Digest,
}

/// The answer as far as a stamp binds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'a> {
    pub verdict: VerdictName,
    pub held_for: Option<HeldFor>,
    pub state: &'a str,
}

/// What of an answer a phone keeps in its journal; nothing for what left nothing behind: it is
/// known again by being judged again.
pub fn bound(verdict: &Verdict) -> Option<Bound<'_>> {
    let first = verdict.was.as_deref().unwrap_or(verdict);
    let is_kept = match first.verdict {
        VerdictName::Accepted | VerdictName::Merged | VerdictName::Held => true,
        // Only its receipt: an appeal or a split may name it.
        VerdictName::Rejected => first.refusal.is_some(),
        VerdictName::Duplicate | VerdictName::Conflict | VerdictName::Invalid => false,
    };
    let state = || Some(first.derived.as_ref()?.get("state")?.as_str());
    is_kept.then(|| Bound {
        verdict: first.verdict,
        held_for: first.held_for,
        state: state().flatten().unwrap_or(""),
    })
}

impl Stamps {
    /// Stamps under a key.
    ///
    /// # Panics
    /// Never: an HMAC key may have any length.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("an HMAC key may have any length"))
    }

    /// The MAC of an answer, ready to travel: 22 characters.
    pub fn mac(&self, whose: &Whose<'_>, bound: Bound<'_>, at: (Position, Millis)) -> String {
        let mac = self.over(whose, bound, at).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(&mac[..MAC_BYTES])
    }

    /// Whether a proof is of an answer that was given to them about these bytes.
    pub fn fits(&self, whose: &Whose<'_>, proof: &Proof) -> bool {
        let mac = match proof.mac.len() {
            MAC_CHARS => URL_SAFE_NO_PAD.decode(&proof.mac).unwrap_or_default(),
            _ => Vec::new(),
        };
        if mac.len() != MAC_BYTES || proof.n != whose.n {
            return false;
        }
        let bound = Bound {
            verdict: proof.verdict,
            held_for: proof.held_for,
            state: proof.state.as_deref().unwrap_or(""),
        };
        let (epoch, seq) = (proof.epoch, proof.seq);
        let over = self.over(whose, bound, (Position { epoch, seq }, proof.at));
        over.verify_truncated_left(&mac).is_ok()
    }

    fn over(
        &self,
        whose: &Whose<'_>,
        bound: Bound<'_>,
        (position, at): (Position, Millis),
    ) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        let held_for = match bound.held_for {
            None => 0,
            Some(HeldFor::Missing) => 1,
            Some(HeldFor::Review) => 2,
        };
        let verdict = bound.verdict.number();
        let Position { epoch, seq } = position;
        for number in [whose.shard, whose.n, verdict, held_for, epoch, seq, at] {
            mac.update(&number.to_be_bytes());
        }
        for text in [whose.person, whose.device, bound.state] {
            mac.update(&(text.len() as u64).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac.update(whose.digest);
        mac
    }

    /// Takes an item as answered before, if its proof fits: with the time of that answer, and what
    /// was stored or held then. What was refused is judged again, as of that time.
    pub fn prove(&self, item: &mut Admitted, proof: &Proof) -> bool {
        let whose = Whose {
            shard: item.shard.0,
            person: &item.person,
            device: &item.device,
            n: item.mutation.n,
            digest: &item.digest,
        };
        if !self.fits(&whose, proof) {
            return false;
        }
        item.received_at = proof.at.min(item.received_at);
        // The clock of this request says nothing of that day, and no proof holds it: what the bytes
        // claim counts, which the proof binds.
        let claimed = Estimate {
            at: item.estimated_at.saturating_sub(item.shift_ms),
            quality: TimeQuality::Claimed,
            shift_ms: 0,
        };
        let settled = clock_quality::settle(claimed, item.received_at);
        (item.estimated_at, item.shift_ms) = (settled.at, settled.shift_ms);
        item.quality = settled.quality;
        let came_in = proof.verdict.is_stored() || proof.verdict == VerdictName::Held;
        item.proof = came_in.then(|| Proved {
            verdict: proof.verdict,
            held_for: proof.held_for,
            state: proof.state.clone().unwrap_or_default(),
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOSE: Whose<'_> = Whose {
        shard: 430_121,
        person: "p-1",
        device: "d-1",
        n: 7,
        digest: &[3; 32],
    };

    fn proof(stamps: &Stamps) -> Proof {
        let bound = Bound {
            verdict: VerdictName::Accepted,
            held_for: None,
            state: "confirmed",
        };
        let position = Position { epoch: 1, seq: 9 };
        Proof {
            n: 7,
            verdict: VerdictName::Accepted,
            held_for: None,
            state: Some("confirmed".to_owned()),
            epoch: 1,
            seq: 9,
            at: 5,
            mac: stamps.mac(&WHOSE, bound, (position, 5)),
        }
    }

    #[test]
    fn a_stamp_fits_its_answer_and_no_other() {
        let stamps = Stamps::new(&[1; 32]);
        let good = proof(&stamps);
        assert_eq!(good.mac.len(), 22);
        assert!(stamps.fits(&WHOSE, &good));
        assert!(!Stamps::new(&[2; 32]).fits(&WHOSE, &good), "another key");
        let others = [
            Whose {
                shard: 430_181,
                ..WHOSE
            },
            Whose {
                person: "p-2",
                ..WHOSE
            },
            Whose {
                device: "d-2",
                ..WHOSE
            },
            Whose { n: 8, ..WHOSE },
            Whose {
                digest: &[4; 32],
                ..WHOSE
            },
            // The bytes of person and device together are the same.
            Whose {
                person: "p-1d",
                device: "-1",
                ..WHOSE
            },
        ];
        for whose in others {
            let proof = Proof {
                n: whose.n,
                ..good.clone()
            };
            assert!(!stamps.fits(&whose, &proof), "{whose:?}");
        }
    }

    #[test]
    fn nothing_of_an_answer_can_be_altered() {
        let stamps = Stamps::new(&[1; 32]);
        let good = proof(&stamps);
        let altered = [
            Proof {
                verdict: VerdictName::Merged,
                ..good.clone()
            },
            Proof {
                held_for: Some(HeldFor::Review),
                ..good.clone()
            },
            Proof {
                state: Some("waiting".to_owned()),
                ..good.clone()
            },
            Proof {
                epoch: 2,
                ..good.clone()
            },
            Proof {
                seq: 8,
                ..good.clone()
            },
            Proof {
                at: 6,
                ..good.clone()
            },
            Proof {
                mac: String::new(),
                ..good.clone()
            },
            Proof {
                mac: "x".repeat(22),
                ..good.clone()
            },
            Proof {
                mac: "长".repeat(22),
                ..good.clone()
            },
            Proof {
                mac: format!("{}A", good.mac),
                ..good
            },
        ];
        for proof in altered {
            assert!(!stamps.fits(&WHOSE, &proof), "{proof:?}");
        }
    }
}
