//! Fingerprints of accounts: how much two texts have in common, without keeping either.
//!
//! A sketch is the smallest hashes of a text's runs of three letters, digits left out, because
//! measured values change where sentences are copied. Short texts are kept whole in it, so that
//! their likeness is exact; of long ones it is an estimate. The hashes are cut to 24 bits: many
//! runs share each, and none can be read back with certainty.

use std::collections::BTreeSet;

use crate::policy::mentions::is_han;

/// Letters of a run.
const RUN: usize = 3;
/// Hashes of a sketch.
const KEPT: usize = 24;
/// Texts of fewer letters coincide by themselves.
pub const LETTERS_MIN: usize = 20;
/// Mixed into the hashes of each key: texts that are alike share one of them nearly always.
const SALTS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f];

/// What is kept of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    /// Letters of the text.
    pub letters: usize,
    /// Texts that are alike have one in common.
    pub keys: Vec<String>,
    kept: Vec<u32>,
}

/// The sketch of a text, if it is long enough to say anything.
pub fn of(text: &str) -> Option<Sketch> {
    let letters = letters(text);
    if letters.len() < LETTERS_MIN {
        return None;
    }
    let hashes: Vec<u64> = letters.windows(RUN).map(hash).collect();
    let least = |salt: &u64| hashes.iter().map(|hash| mix(hash ^ salt)).min();
    let keys = SALTS.iter().filter_map(least);
    let keys = keys.map(|least| format!("{:012x}", least >> 16)).collect();
    let mut kept: Vec<u32> = hashes
        .iter()
        .map(|hash| (mix(*hash) >> 40) as u32)
        .collect();
    kept.sort_unstable();
    kept.dedup();
    kept.truncate(KEPT);
    Some(Sketch {
        letters: letters.len(),
        keys,
        kept,
    })
}

fn letters(text: &str) -> Vec<char> {
    let mut letters = Vec::with_capacity(text.len() / 3);
    for c in text.chars() {
        if is_han(c) {
            letters.push(c);
        } else if c.is_alphanumeric() && !c.is_numeric() {
            letters.extend(c.to_lowercase());
        }
    }
    letters
}

impl Sketch {
    /// The hashes as a fact keeps them.
    pub fn note(&self) -> String {
        self.kept.iter().map(|hash| format!("{hash:06x}")).collect()
    }

    /// How much this text has in common with a kept one, in percent.
    pub fn alike(&self, note: &str) -> i64 {
        let other = read(note);
        let own: BTreeSet<u32> = self.kept.iter().copied().collect();
        let all: BTreeSet<u32> = own.union(&other).copied().take(KEPT).collect();
        let both = all
            .iter()
            .filter(|hash| own.contains(hash) && other.contains(hash));
        let (both, all) = (both.count() as i64, all.len().max(1) as i64);
        both * 100 / all
    }
}

fn read(note: &str) -> BTreeSet<u32> {
    let hex = note.as_bytes().chunks(6);
    let words = hex.filter_map(|hex| std::str::from_utf8(hex).ok());
    words
        .filter_map(|hex| u32::from_str_radix(hex, 16).ok())
        .collect()
}

/// FNV-1a over the letters of a run.
fn hash(run: &[char]) -> u64 {
    run.iter().fold(0xcbf2_9ce4_8422_2325, |hash, letter| {
        (hash ^ u64::from(*letter)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads what FNV leaves close together.
const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "上午到彭奶奶家探访，量了血压，帮她把药按早中晚分好，又聊了聊在外打工的儿子，\
        嘱咐她夜里起身慢一点，约好下周三再来。";

    fn alike(a: &str, b: &str) -> i64 {
        of(a)
            .expect("long enough")
            .alike(&of(b).expect("long enough").note())
    }

    #[test]
    fn a_copy_with_another_name_is_alike_and_another_account_is_not() {
        assert_eq!(alike(ACCOUNT, ACCOUNT), 100);
        let renamed = ACCOUNT
            .replace("彭奶奶", "李爷爷")
            .replace("量了血压", "量了血压142");
        assert!(
            alike(ACCOUNT, &renamed) >= 70,
            "{}",
            alike(ACCOUNT, &renamed)
        );
        let keys = |text: &str| of(text).expect("long enough").keys;
        let shared = keys(ACCOUNT).iter().any(|key| keys(&renamed).contains(key));
        assert!(shared, "a copy is found");
        let other = "下午陪周爹去镇卫生院复查膝盖，医生说要少走楼梯，回来路上买了护膝，\
            他老伴留我吃饭，我谢过了就回站里。";
        assert!(alike(ACCOUNT, other) < 20, "{}", alike(ACCOUNT, other));
    }

    #[test]
    fn remarks_have_no_sketch_and_nothing_of_the_text_is_kept() {
        assert_eq!(of("上门看望，量了血压，聊了家常。"), None);
        let note = of(ACCOUNT).expect("long enough").note();
        assert!(note.len() <= KEPT * 6 && note.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
