//! Error codes and their words.

/// The words of a field fault: Chinese, English.
pub fn field_words(_code: &str) -> (&'static str, &'static str) {
    ("", "")
}
