//! What an activity asks of those who sign up for it.

use serde_json::Value;

use crate::policy::Question;
use crate::policy::facts::{Fact, FactKind, text};

fn terms<'a>(q: &Question, facts: &'a [Fact]) -> Option<(&'a str, &'a str)> {
    let activity = text(q.record, "activity")?;
    let mut terms = facts.iter().filter(|fact| fact.kind == FactKind::Terms);
    let terms = terms.find(|fact| fact.key.eq_ignore_ascii_case(activity));
    terms.map(Fact::halves)
}

/// Whether somebody is younger than the activity asks for and no guardian agrees.
pub fn below_age(q: &Question, facts: &[Fact]) -> bool {
    let age = q.record.get("age").and_then(Value::as_i64);
    let agreed = q.record.get("guardian_consent").and_then(Value::as_bool);
    let least = terms(q, facts).and_then(|(age, _)| age.parse::<i64>().ok());
    agreed != Some(true) && age.zip(least).is_some_and(|(age, least)| age < least)
}

/// Whether the activity asks for a certificate and none is named.
pub fn without_certificate(q: &Question, facts: &[Fact]) -> bool {
    let named = text(q.record, "certificate").is_some_and(|named| !named.trim().is_empty());
    !named && terms(q, facts).is_some_and(|(_, asks)| !asks.is_empty())
}
