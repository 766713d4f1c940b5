//! Danger, said by the phone itself and at once: no network is needed and nobody has been called.
//!
//! The phone asks the packs that it believes, before the first sync the shipped one. It
//! only speaks; what was recorded stays as it is.

use serde_json::{Map, Value};
use xiangyi_proto::exchange::Mutation;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::phone::{Entry, Phone};
use xiangyi_sync::policy::{Danger, PackSet, Question};
use xiangyi_sync::{hear, merge};

use super::out;

/// What goes before the words of every rule, which speak as if the record had arrived.
const DIAL: [&str; 2] = [
    "系统没有报警，请立即拨打110。这一条还在手机上，同步以后县级社工总站才看得到。",
    "The system has not called the police. Call 110 now. This is still on the phone; the county \
     hub sees it only after a sync.",
];

/// Says what of the new entries speaks of danger, beside standard output: scripts read that.
pub fn warn(packs: &PackSet, phone: &Phone, person: &str, entries: &[Entry]) {
    let mut told: Vec<String> = Vec::new();
    for danger in signals(packs, phone, person, entries) {
        let rule = &danger.rule;
        if !told.contains(&rule.message_zh) {
            let [zh, en] = DIAL;
            let (title, title_en) = (&rule.title_zh, &rule.title_en);
            let (own, own_en) = (&rule.message_zh, &rule.message_en);
            out::aside(&format!(
                "{title}。{zh}\n  {title_en}. {en}\n规则的话，同步以后 the rule, once it is \
                 sent:\n  {own}\n  {own_en}"
            ));
            told.push(own.clone());
        }
    }
}

fn signals(packs: &PackSet, phone: &Phone, person: &str, entries: &[Entry]) -> Vec<Danger> {
    let drafts = entries.iter().filter_map(|entry| {
        let draft = serde_json::from_str::<Mutation>(&entry.raw).ok()?;
        Some(of_draft(packs, phone, person, (&draft, &entry.raw)))
    });
    drafts.flatten().collect()
}

/// What the server will hear when the draft comes: its kind's rules, and every text in it.
fn of_draft(
    packs: &PackSet,
    phone: &Phone,
    person: &str,
    (draft, raw): (&Mutation, &str),
) -> Vec<Danger> {
    let at = draft.occurred_at.unwrap_or(0) + phone.offset_ms.unwrap_or(0);
    let texts = hear::literals(raw).into_iter();
    let texts = texts.filter(|text| hear::is_note(text));
    let heard = texts.flat_map(|text| packs.danger_in_text(&text, &draft.unit, at));
    let mut danger: Vec<Danger> = heard.collect();
    let mut record = draft.body.clone().unwrap_or(Value::Object(Map::new()));
    for (pointer, value) in draft.set.iter().chain(&draft.add) {
        merge::put(&mut record, pointer, value.clone());
    }
    if let Some(kind) = Kind::parse(&draft.kind) {
        let judged = packs.judge(&Question {
            kind,
            record: &record,
            unit: &draft.unit,
            author: person,
            op: draft.op,
            estimated_at: at,
            received_at: at,
            quality: TimeQuality::Claimed,
            ended_at: at,
        });
        danger.extend(judged.danger);
    }
    danger
}
