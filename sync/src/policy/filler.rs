//! How much of a text says what it has said before: `服务服务服务` says next to nothing.
//!
//! Counted over pairs of neighbouring letters, because a long honest text repeats single
//! characters all the time and pairs of them hardly ever.

use super::mentions::is_letter;

/// Letters below which a text is a remark and repeats nothing.
const LETTERS_MIN: usize = 6;

/// The share of pairs that occurred before, in percent.
pub fn repeats(text: &str) -> i64 {
    let letters: Vec<char> = text.chars().filter(|c| is_letter(*c)).collect();
    if letters.len() < LETTERS_MIN {
        return 0;
    }
    let pairs = letters.len() - 1;
    let both = |pair: &[char]| u64::from(u32::from(pair[0])) << 32 | u64::from(u32::from(pair[1]));
    let mut distinct: Vec<u64> = letters.windows(2).map(both).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let again = (pairs - distinct.len()) * 100 / pairs;
    i64::try_from(again).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::repeats;

    #[test]
    fn filler_repeats_itself_and_remarks_do_not() {
        assert_eq!(repeats("服务服务服务"), 60);
        assert!(repeats("啊啊啊啊啊啊啊啊") > 80);
        assert!(repeats("1111111111") > 80);
        assert_eq!(repeats("服务服务"), 0);
        assert_eq!(repeats(""), 0);
        assert!(repeats("上门看望独居老人，量了血压，聊了家常。") < 10);
    }
}
