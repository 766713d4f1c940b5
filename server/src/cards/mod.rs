//! Public cards: what anybody may read of an activity that volunteers can still join.
//!
//! A row of `card` is written with its activity, and knows which texts were checked by WeChat
//! (`check`). What is shown is made from the activity as the county sees it, member by member, so
//! that a field that is added there is not told here by itself. People are not told: no author, no
//! contact, no summary that names people, no place of a visit at home, no telephone number.

pub mod board;
pub mod check;

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xiangyi_proto::kinds::Kind;
use xiangyi_sync::effects::Effects;

use crate::store::cards::New;

/// Digits of a number by which somebody can be reached.
const NUMBER_DIGITS: usize = 7;
/// Letters in place of such a number.
const MASK: &str = "＊＊＊";

/// Cards of the activities that a commit writes.
pub fn written(effects: &Effects) -> Vec<New> {
    let rows = effects.rows.iter();
    let shown = rows.filter(|((_, stream), row)| {
        row.kind == Kind::Activity && !row.rm && stream.starts_with("county:")
    });
    let read = shown.filter_map(|((id, _), row)| {
        let body: Value = serde_json::from_str(&row.open).ok()?;
        Some(of(*id, &row.author, &body))
    });
    read.collect()
}

/// The card of an activity.
pub fn of(record: Uuid, author: &str, body: &Value) -> New {
    New {
        record,
        author: author.to_owned(),
        until_at: sessions(body).map(starts_at).max().unwrap_or(0),
        digest: digest(&Texts::of(body)),
    }
}

fn sessions(body: &Value) -> impl Iterator<Item = &Value> {
    list(body, "sessions")
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn starts_at(session: &Value) -> i64 {
    int(session, "starts_at").unwrap_or(0)
}

fn int(value: &Value, name: &str) -> Option<i64> {
    value.get(name).and_then(Value::as_i64)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// The free texts of a card, as they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    pub title: String,
    pub summary: Option<String>,
    pub place_name: Option<String>,
    pub requires_cert: Option<String>,
    /// Each once.
    pub roles: Vec<String>,
}

impl Texts {
    /// Those of an activity.
    pub fn of(body: &Value) -> Self {
        let shown = |name| text(body, name).map(without_numbers);
        let flag = |name: &str| body.get(name) == Some(&Value::Bool(true));
        // Where somebody lives is not told to the public.
        let is_at_home = text(body, "type") == Some("home_help");
        let roles = sessions(body).flat_map(|session| list(session, "roles"));
        let mut roles: Vec<String> = roles
            .filter_map(|role| Some(text(role, "role")?.to_owned()))
            .collect();
        roles.sort_unstable();
        roles.dedup();
        Self {
            title: shown("title").unwrap_or_default(),
            summary: shown("summary").filter(|_| !flag("names_people")),
            place_name: shown("place_name").filter(|_| !is_at_home),
            requires_cert: shown("requires_cert"),
            roles,
        }
    }

    /// All of them, a line each.
    pub fn whole(&self) -> String {
        let mut lines = vec![self.title.as_str()];
        let more = [&self.summary, &self.place_name, &self.requires_cert];
        lines.extend(more.into_iter().flatten().map(String::as_str));
        lines.extend(self.roles.iter().map(String::as_str));
        lines.join("\n")
    }
}

/// By which texts are told apart.
pub fn digest(texts: &Texts) -> Vec<u8> {
    Sha256::digest(texts.whole()).to_vec()
}

/// A text without the numbers by which somebody can be reached: seven digits or more, of either
/// width, whatever spaces and dashes stand between them.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut run = String::new();
    let mut digits = 0;
    for letter in text.chars().chain(['\n']) {
        let is_digit = letter.is_numeric() || "〇零一二三四五六七八九".contains(letter);
        if is_digit || (digits > 0 && is_between(letter)) {
            digits += usize::from(is_digit);
            run.push(letter);
            continue;
        }
        if digits >= NUMBER_DIGITS {
            shown.push_str(MASK);
        } else {
            shown.push_str(&run);
        }
        run.clear();
        digits = 0;
        shown.push(letter);
    }
    // The end that was added.
    shown.pop();
    shown
}

/// What people put between the digits of one number: spaces, dashes, points, and letters that
/// nobody sees.
fn is_between(letter: char) -> bool {
    let is_blank = letter.is_whitespace() && letter != '\n';
    is_blank
        || matches!(letter, '-' | '.' | '·' | '－' | '—' | '~' | '(' | ')')
        || ('\u{2010}'..='\u{2015}').contains(&letter)
        || ('\u{200b}'..='\u{200f}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_of_people_are_taken_out() {
        for (text, shown) in [
            ("联系 13800000001 张", "联系 ＊＊＊张"),
            ("电话0731-8401 2345", "电话＊＊＊"),
            ("１３８００００００００１", "＊＊＊"),
            ("2026-01-17 九点", "＊＊＊点"),
            ("3 号楼 2-401，50 人", "3 号楼 2-401，50 人"),
            ("", ""),
        ] {
            assert_eq!(without_numbers(text), shown, "{text}");
        }
    }

    #[test]
    fn homes_and_named_people_are_not_told() {
        let body = json!({ "title": "t", "type": "home_help", "summary": "s", "place_name": "p",
                           "names_people": true, "contact": "张三" });
        let texts = Texts::of(&body);
        assert_eq!(
            (texts.summary.as_deref(), texts.place_name.as_deref()),
            (None, None)
        );
        assert!(!texts.whole().contains("张三"));
    }
}
