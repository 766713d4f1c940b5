//! Failures on the wire: RFC 9457 with a stable code, words in two languages, and whether to
//! repeat.
//!
//! The closed list of codes is in `codes`, the codes of single fields and items in `fields`. Every
//! code has words; what a caller may not know of is `not-found`. Who builds problems, and what is
//! logged, is the server's business.

mod codes;
mod fields;

use serde::{Deserialize, Serialize};

pub use crate::verdict::FieldError;
pub use codes::Code;
pub use fields::FieldCode;

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// A reference that names the code, such as `/problems/too-large`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A few words in Chinese.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Kebab-case and stable.
    pub code: String,
    /// What happened and what to do next, in Chinese.
    pub detail: String,
    /// The same in English.
    pub detail_en: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// After how many milliseconds a repetition makes sense; the same as `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<i64>,
    /// Finds the request in the server's log.
    #[serde(default)]
    pub request_id: String,
}

impl Problem {
    /// The problem of a code, with the code's own words.
    pub fn of(code: Code) -> Self {
        Self {
            kind: format!("/problems/{}", code.name()),
            title: code.title().to_owned(),
            status: code.status(),
            code: code.name().to_owned(),
            detail: code.zh().to_owned(),
            detail_en: code.en().to_owned(),
            errors: Vec::new(),
            retry_ms: None,
            request_id: String::new(),
        }
    }
}

/// The words of a field fault by its wire name: Chinese, English; empty for an unknown name.
pub fn field_words(name: &str) -> (&'static str, &'static str) {
    let code = FieldCode::ALL.iter().find(|code| code.name() == name);
    code.map_or(("", ""), |code| (code.zh(), code.en()))
}

impl FieldError {
    /// What is wrong at a JSON pointer, with the code's own words.
    pub fn of(pointer: impl Into<String>, code: FieldCode) -> Self {
        Self {
            pointer: pointer.into(),
            code: code.name().to_owned(),
            detail: code.zh().to_owned(),
            detail_en: code.en().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Code, FieldCode, Problem};

    fn is_kebab(name: &str) -> bool {
        name.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
    }

    fn has_both_languages(zh: &str, en: &str) -> bool {
        zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
            && en.is_ascii()
            && !en.is_empty()
    }

    #[test]
    fn every_code_is_kebab_case_once_and_speaks_both_languages() {
        let mut seen = BTreeSet::new();
        for &code in Code::ALL {
            assert!(is_kebab(code.name()), "{code:?}");
            assert!(seen.insert(code.name()), "{code:?} twice");
            assert!(has_both_languages(code.zh(), code.en()), "{code:?}");
            assert!(has_both_languages(code.title(), "x"), "{code:?}");
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert_eq!(Code::parse(code.name()), Some(code));
        }
        let mut seen = BTreeSet::new();
        for &code in FieldCode::ALL {
            assert!(is_kebab(code.name()), "{code:?}");
            assert!(seen.insert(code.name()), "{code:?} twice");
            assert!(has_both_languages(code.zh(), code.en()), "{code:?}");
        }
    }

    #[test]
    fn a_problem_leaves_out_what_it_does_not_have() {
        let json = serde_json::to_value(Problem::of(Code::NotFound)).expect("plain data");
        assert_eq!(json["type"], "/problems/not-found");
        assert_eq!(json["status"], 404);
        assert!(json.get("retry_ms").is_none() && json.get("errors").is_none());
    }
}
