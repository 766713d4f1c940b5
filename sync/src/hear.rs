//! Hearing: danger in any text that a person sent, whatever became of its form.
//!
//! What is well formed is judged by its kind's rules. Everything else that was sent, a reason, a
//! member nobody knows, the first of two members of one name, is heard literal by literal, as long
//! as it is a note: a code, an id, a date or a number says nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use xiangyi_proto::kinds::{Kind, Op};

use crate::policy::{self, Danger, PackSet};
use crate::world::Admitted;
use crate::{kinds, merge};

/// Letters of a script without spaces below which there is no note: two make a word.
const LETTERS_MIN: usize = 2;
/// Words of a text in Latin letters below which there is no note; codes are one word.
const WORDS_MIN: usize = 3;
/// Codes of danger that one item is asked for: a list of them is five long, and each is judged.
const CODES_MAX: usize = 16;
/// The field that names danger by a code.
const RISK: &str = "risk";

/// Danger in an item, reported before suspected, each rule once; `sent` is its JSON as it came.
pub fn danger(item: &Admitted, sent: &str, well_formed: bool, packs: &PackSet) -> Vec<Danger> {
    let mut found = Vec::new();
    let mut judged = BTreeSet::new();
    if let (true, Some(kind)) = (well_formed, item.kind) {
        by_rules(item, kind, packs, &mut found, &mut judged);
    }
    let texts = literals(sent);
    by_code(item, &texts, packs, &mut found);
    for text in &texts {
        if is_note(text) && !judged.contains(text.as_ref()) {
            found.extend(packs.danger_in_text(text, &item.mutation.unit, item.received_at));
        }
    }
    once_each(found)
}

/// What the kind's own rules hear in a body, or in what a patch writes; what the record said before
/// was listened to before.
fn by_rules(
    item: &Admitted,
    kind: Kind,
    packs: &PackSet,
    found: &mut Vec<Danger>,
    judged: &mut BTreeSet<String>,
) {
    let mutation = &item.mutation;
    let mut written = Value::Object(Map::new());
    let record = match &mutation.body {
        Some(body) => body,
        None => {
            for (pointer, value) in mutation.set.iter().chain(&mutation.add) {
                merge::put(&mut written, pointer, value.clone());
            }
            &written
        }
    };
    if let (Some(judgement), Some(_)) = (&item.judgement, &mutation.body) {
        found.extend(judgement.danger.iter().cloned());
    } else if mutation.op != Op::Void {
        found.extend(packs.judge(&kinds::question(item, kind, record)).danger);
    }
    if packs.hears(kind) {
        judged.extend(policy::narrative(kind, record));
    }
}

/// Danger that a record names in its field, whatever else is wrong with it or with the code.
fn by_code(item: &Admitted, texts: &[Cow<'_, str>], packs: &PackSet, found: &mut Vec<Danger>) {
    let is_named = |text: &Cow<'_, str>| text.trim_start_matches('/') == RISK;
    // Most of what is sent names none.
    if !texts.iter().any(is_named) {
        return;
    }
    let mutation = &item.mutation;
    let body = mutation.body.as_ref().and_then(|body| body.get(RISK));
    let patched = [&mutation.set, &mutation.add].map(|part| part.get("/risk"));
    let mut codes = Vec::new();
    for value in body.into_iter().chain(patched.into_iter().flatten()) {
        words(value, &mut codes);
    }
    // The first of two members of one name is in no body any more.
    let named = texts.windows(2).filter(|pair| is_named(&pair[0]));
    codes.extend(named.map(|pair| pair[1].clone().into_owned()));
    let codes: BTreeSet<String> = codes
        .into_iter()
        .map(|code| code.trim().to_lowercase())
        .filter(|code| code != "none")
        .collect();
    for code in codes.into_iter().take(CODES_MAX) {
        let alone = json!({ RISK: code });
        let own = item.kind.filter(|kind| *kind != Kind::Visit);
        for kind in [Some(Kind::Visit), own].into_iter().flatten() {
            found.extend(packs.judge(&kinds::question(item, kind, &alone)).danger);
        }
    }
}

fn words(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(word) => into.push(word.clone()),
        Value::Array(list) => list.iter().for_each(|value| words(value, into)),
        Value::Object(members) => members.values().for_each(|value| words(value, into)),
        _ => {}
    }
}

fn once_each(found: Vec<Danger>) -> Vec<Danger> {
    let mut danger: Vec<Danger> = Vec::new();
    for one in found {
        if danger.iter().all(|known| known.rule.id != one.rule.id) {
            danger.push(one);
        }
    }
    policy::severest_first(&mut danger);
    danger
}

/// Says whether a text is a note and not a code, an id, a date or a number.
pub fn is_note(text: &str) -> bool {
    let letters = text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic());
    if letters.take(LETTERS_MIN).count() == LETTERS_MIN {
        return true;
    }
    let word = |word: &&str| word.chars().filter(char::is_ascii_alphabetic).count() > 1;
    text.split_whitespace().filter(word).count() >= WORDS_MIN
}

/// Every text between quotation marks in a JSON, names of members too, as far as it can be read:
/// half an emoji becomes a mark, and what is not closed ends with the text.
pub fn literals(sent: &str) -> Vec<Cow<'_, str>> {
    let mut found = Vec::new();
    let mut rest = sent;
    while let Some((_, after)) = rest.split_once('"') {
        // Most hold nothing that is written otherwise than it reads.
        let end = after.find(['"', '\\']);
        if let Some((text, after)) = end.and_then(|at| {
            let (text, mark) = after.split_at(at);
            Some((text, mark.strip_prefix('"')?))
        }) {
            found.push(Cow::Borrowed(text));
            rest = after;
            continue;
        }
        let mut chars = after.chars();
        found.push(Cow::Owned(literal(&mut chars)));
        rest = chars.as_str();
    }
    found
}

fn literal(rest: &mut std::str::Chars<'_>) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut buffer = [0; 2];
    while let Some(c) = rest.next() {
        let c = match c {
            '"' => break,
            '\\' => match rest.next() {
                Some('u') => {
                    let mut ahead = rest.clone();
                    let digits: String = ahead.by_ref().take(4).collect();
                    if let Ok(unit) = u16::from_str_radix(&digits, 16) {
                        units.push(unit);
                        *rest = ahead;
                    }
                    continue;
                }
                Some('n' | 'r' | 't' | 'b' | 'f') => '\n',
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_however_the_rest_looks() {
        let texts = literals(r#"{"a": "\u88ab\u6253了", "b": ["x\"y", 1e999], "c": "\ud83d 好"#);
        assert_eq!(texts, ["a", "被打了", "b", "x\"y", "c", "\u{fffd} 好"]);
    }

    #[test]
    fn codes_ids_and_days_are_no_notes() {
        for code in [
            "office_duty",
            "430121001",
            "2026-01-05",
            "01920000-0000-7000-8000-00000000e001",
            "d-7K2M9QX4",
            "张",
            "12:30 13:40 14:50",
        ] {
            assert!(!is_note(code), "{code}");
        }
        for note in [
            "被打",
            "他说：不想活了",
            "she was beaten again",
            "值班2026-01-05",
        ] {
            assert!(is_note(note), "{note}");
        }
    }
}
