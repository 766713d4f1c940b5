//! Folding a text before phrases are looked for in it.
//!
//! Width, case, script and inserted symbols are levelled, particles inside phrases are dropped,
//! clauses end in a line feed. Phrases of a lexicon are folded the same way, so both meet in one
//! alphabet. What a phrase means is not decided here.

use unicode_normalization::char::decompose_compatible;

use super::script;

/// Ends a clause in a folded text.
pub const CLAUSE_END: char = '\n';

/// The text as phrases are looked for in it.
pub fn fold(text: &str) -> String {
    without_particles(&levelled(text))
}

/// The text as [`fold`] makes it, and before particles are dropped.
pub fn both(text: &str) -> (String, Vec<char>) {
    let level = levelled(text);
    (without_particles(&level), level)
}

/// The text with width, case, script and inserted symbols levelled, particles kept.
pub fn levelled(text: &str) -> Vec<char> {
    let mut level = Vec::with_capacity(text.len() / 3 + 8);
    for c in text.chars() {
        if is_han(c) {
            level.push(script::simplified(c));
        } else if c.is_ascii() {
            push(&mut level, c);
        } else {
            decompose_compatible(c, |c| push(&mut level, script::simplified(c)));
        }
    }
    level
}

/// Says whether a character is one of the unified ideographs: a letter, without case and no digit.
/// Asked before the tables of all scripts, which take many times as long.
pub fn is_han(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Says whether a character is a letter or a digit of any script.
pub fn is_letter(c: char) -> bool {
    is_han(c) || c.is_alphanumeric()
}

fn push(level: &mut Vec<char>, c: char) {
    match c {
        '，' | '。' | '；' | '！' | '？' | ',' | ';' | '!' | '?' | '\n' | '\r' | '…' => {
            level.push(CLAUSE_END);
        }
        '、' | ':' => level.push(c),
        _ if c.is_alphanumeric() => level.extend(c.to_lowercase()),
        // Spaces, zero-width characters, quotes and other symbols split phrases on purpose or
        // by accident; neither changes what is said.
        _ => {}
    }
}

fn without_particles(level: &[char]) -> String {
    let mut text = String::with_capacity(level.len() * 3);
    let mut index = 0;
    while let Some(&c) = level.get(index) {
        let before = index.checked_sub(1).map_or(CLAUSE_END, |at| level[at]);
        let after = level.get(index + 1).copied().unwrap_or(CLAUSE_END);
        let skipped = match c {
            '了' if !"为除".contains(before) && !"解结然断如".contains(after) => 1,
            '过' if !"通经超难不路".contains(before) && !"程去年户期敏渡度".contains(after) => {
                1
            }
            '的' if before != '目' && !"确士".contains(after) => 1,
            '一' if after == '下' && level.get(index + 2) != Some(&'午') => 2,
            _ => 0,
        };
        if skipped == 0 {
            text.push(c);
        }
        index += skipped.max(1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_script_and_inserted_symbols_are_levelled() {
        for text in [
            "许可证",
            "许 可 证",
            "許可證",
            "许*可\u{200b}证",
            "许·可-证",
            "「许可」证",
        ] {
            assert_eq!(fold(text), "许可证", "{text}");
        }
        assert_eq!(fold("８４０ＡＢ"), "840ab");
    }

    #[test]
    fn clauses_end_in_a_line_feed_and_lists_stay_together() {
        assert_eq!(fold("买盐、面，回家。"), "买盐、面\n回家\n");
    }

    #[test]
    fn particles_inside_phrases_are_dropped_but_not_parts_of_words() {
        assert_eq!(fold("签了他的名"), "签他名");
        assert_eq!(fold("收过一下红包"), "收红包");
        assert_eq!(fold("审核通过"), "审核通过");
        assert_eq!(fold("了解过程"), "了解过程");
        assert_eq!(fold("一下午"), "一下午");
    }

    #[test]
    fn folding_twice_changes_nothing() {
        for text in ["代－领８４０元", "簽了他的名。", "…？ab", "我的的的了"] {
            let once = fold(text);
            assert_eq!(fold(&once), once, "{text}");
        }
    }
}
