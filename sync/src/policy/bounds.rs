//! How large a pack and its words may be; asked before anything of it is compiled.
//!
//! A pack goes to every phone of its region and its words to every worker, so each has a bound.
//! None of this needs an engine, and what is wrong is told with names cut short.

use std::collections::BTreeSet;

use serde_json::Value;
use xiangyi_proto::limits::{PACK_BYTES_MAX, RULES_MAX};
use xiangyi_proto::pack::{ExemptionDoc, MessageDoc, PackDoc, RuleDoc, Words};
use xiangyi_proto::{region, time};

use super::fault::PackFault;
use super::lexicon::LEXICONS_MAX;

/// Characters of a name: of rules, lexicons, shared messages, exemptions, parameters.
const NAME_MAX: usize = 64;
/// Characters of a title; the longest of the shipped list has 57.
const TITLE_MAX: usize = 120;
/// Characters of a clause, of a basis, of an exemption's order; the longest that ships has 19.
const CITED_MAX: usize = 300;
/// Characters of a message, of closing words, of a reason: a phone shows them on one screen.
const WORDS_MAX: usize = 1_000;
/// Characters of a phrase; the longest that ships has 7.
const PHRASE_MAX: usize = 64;
/// Phrases of all lexicons: the shipped list has 240, and one automaton of 4,000 has 1 MB.
const PHRASES_MAX: usize = 4_000;
/// Pointers of a rule; the most that ship are 3.
const POINTERS_MAX: usize = 16;
/// Characters of a pointer; the longest that ships has 25.
const POINTER_MAX: usize = 128;
/// Parameters of a rule; the most that ship are 4.
const PARAMS_MAX: usize = 16;
/// Shared messages; 15 ship.
const MESSAGES_MAX: usize = 100;
/// Units of an exemption: every town of a large county.
const UNITS_MAX: usize = 200;
/// Digits of a SHA-256.
const DIGEST_MAX: usize = 64;

/// What of a pack is too large, or is no text at all.
pub fn faults(doc: &PackDoc) -> Vec<PackFault> {
    let whole = serde_json::to_value(doc).unwrap_or_default();
    let bytes = whole.to_string().len();
    let mut bounds = Bounds {
        rule: None,
        faults: Vec::new(),
    };
    bounds.at_most(bytes, PACK_BYTES_MAX, "document", "bytes");
    bounds.at_most(doc.rules.len(), RULES_MAX, "rules", "rules");
    bounds.at_most(doc.messages.len(), MESSAGES_MAX, "messages", "messages");
    bounds.at_most(doc.lexicons.len(), LEXICONS_MAX, "lexicons", "lexicons");
    if !bounds.faults.is_empty() {
        return bounds.faults;
    }
    bounds.of_document(doc);
    for rule in &doc.rules {
        bounds.rule = Some(cut(&rule.id));
        bounds.of_rule(rule);
    }
    bounds.rule = None;
    bounds.no_signs(doc, &whole);
    bounds.faults
}

/// A name as a fault tells it.
fn cut(name: &str) -> String {
    let shown = name.chars().filter(|c| !c.is_control());
    shown.take(NAME_MAX).collect()
}

struct Bounds {
    rule: Option<String>,
    faults: Vec<PackFault>,
}

impl Bounds {
    fn fault(&mut self, place: &str, message: impl Into<String>) {
        let fault = PackFault::of_pack(place, message);
        let rule = self.rule.clone();
        self.faults.push(PackFault { rule, ..fault });
    }

    fn at_most(&mut self, count: usize, most: usize, place: &str, what: &str) {
        if count > most {
            self.fault(place, format!("has {count} {what}; at most {most}"));
        }
    }

    fn text(&mut self, text: &str, most: usize, place: &str) {
        self.at_most(text.chars().count(), most, place, "characters");
    }

    fn words(&mut self, words: &Words, most: usize, place: &str) {
        self.text(&words.zh, most, place);
        self.text(&words.en, most, place);
    }

    fn of_document(&mut self, doc: &PackDoc) {
        let signals = doc.signals.as_deref().unwrap_or_default();
        self.text(signals, DIGEST_MAX, "signals");
        for (place, all) in [("messages", &doc.messages), ("closings", &doc.closings)] {
            for (name, words) in all {
                let place = format!("{place}/{}", cut(name));
                self.text(name, NAME_MAX, &place);
                self.words(words, WORDS_MAX, &place);
            }
        }
        let lexicons = doc.lexicons.values();
        let phrases = lexicons
            .map(|own| own.acts.len() + own.not_when.len())
            .sum();
        self.at_most(phrases, PHRASES_MAX, "lexicons", "phrases");
        for (name, lexicon) in &doc.lexicons {
            let place = format!("lexicons/{}", cut(name));
            self.text(name, NAME_MAX, &place);
            for phrase in lexicon.acts.iter().chain(&lexicon.not_when) {
                self.text(phrase, PHRASE_MAX, &place);
            }
        }
        let days = &doc.effective;
        let to = days.to.as_deref().and_then(time::day_of_text);
        if let Some((from, to)) = time::day_of_text(&days.from).zip(to)
            && to < from
        {
            self.fault("effective/to", "lies before its first day");
        }
        for exemption in &doc.exemptions {
            self.of_exemption(exemption);
        }
    }

    fn of_exemption(&mut self, exemption: &ExemptionDoc) {
        let place = |member: &str| format!("exemptions/{}/{member}", cut(&exemption.id));
        self.text(&exemption.id, NAME_MAX, &place("id"));
        self.words(&exemption.reason, WORDS_MAX, &place("reason"));
        self.text(&exemption.basis, CITED_MAX, &place("basis"));
        self.at_most(exemption.rules.len(), RULES_MAX, &place("rules"), "rules");
        self.at_most(exemption.units.len(), UNITS_MAX, &place("units"), "units");
        for rule in &exemption.rules {
            self.text(rule, NAME_MAX, &place("rules"));
        }
        for unit in exemption.units.iter().filter(|unit| !region::is_code(unit)) {
            let message = format!("{} is not a region code", cut(unit));
            self.fault(&place("units"), message);
        }
    }

    fn of_rule(&mut self, rule: &RuleDoc) {
        self.text(&rule.id, NAME_MAX, "id");
        self.words(&rule.title, TITLE_MAX, "title");
        self.text(&rule.clause, CITED_MAX, "clause");
        let basis = [&rule.basis.plan, &rule.basis.law, &rule.basis.practice];
        for text in basis.into_iter().flatten() {
            self.text(text, CITED_MAX, "basis");
        }
        match &rule.message {
            MessageDoc::Own(words) => self.words(words, WORDS_MAX, "message"),
            MessageDoc::Shared(name) => self.text(name, NAME_MAX, "message"),
        }
        self.text(
            rule.mentions.as_deref().unwrap_or_default(),
            NAME_MAX,
            "mentions",
        );
        self.at_most(rule.at.len(), POINTERS_MAX, "at", "pointers");
        for pointer in &rule.at {
            self.text(pointer, POINTER_MAX, "at");
        }
        self.at_most(rule.params.len(), PARAMS_MAX, "params", "parameters");
        for name in rule.params.keys() {
            self.text(name, NAME_MAX, "params");
        }
        let mut known = BTreeSet::new();
        for kind in &rule.kinds {
            if !known.insert(*kind) {
                self.fault("kinds", format!("names {} twice", kind.name()));
            }
        }
    }

    /// Control characters: one of the databases takes no zero, and no screen shows the others.
    fn no_signs(&mut self, doc: &PackDoc, whole: &Value) {
        for (name, value) in whole.as_object().into_iter().flatten() {
            let Some(list) = value.as_array().filter(|_| name == "rules") else {
                if has_signs(value) {
                    self.fault(name, "has control characters");
                }
                continue;
            };
            for (rule, value) in doc.rules.iter().zip(list) {
                self.rule = Some(cut(&rule.id));
                for (member, value) in value.as_object().into_iter().flatten() {
                    if has_signs(value) {
                        self.fault(member, "has control characters");
                    }
                }
            }
            self.rule = None;
        }
    }
}

fn has_signs(value: &Value) -> bool {
    let sign = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
    match value {
        Value::String(text) => sign(text),
        Value::Array(list) => list.iter().any(has_signs),
        Value::Object(members) => {
            let mut members = members.iter();
            members.any(|(name, value)| sign(name) || has_signs(value))
        }
        _ => false,
    }
}
