//! What a phone shows: plain words, Chinese first, or JSON for scripts.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde_json::{Value, json};
use uuid::Uuid;
use xiangyi_proto::verdict::{RuleRef, Verdict, VerdictName};
use xiangyi_sync::phone::{Entry, Held, Phone, Place};

use super::desk::refusal_of;
use super::{Refused, decide, out, places, words};

/// A part of the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// What waits to be sent.
    Outbox,
    /// Rows of the streams this person reads.
    Rows,
    /// What was refused, what needs a decision, what was not understood.
    Refused,
    /// What is stored and not final.
    Held,
    /// Streams and how many rows each has.
    Streams,
}

/// What a phone keeps beside its entries and rows.
#[derive(Debug, Default)]
pub struct Beside {
    /// Numbers of entries that were set aside.
    pub aside: BTreeSet<i64>,
    /// How many photographs are still to be sent.
    pub waiting: usize,
    /// Photographs that the server will never take.
    pub refused: Vec<Refused>,
    /// Places that are offered or waited for, in words.
    pub places: Vec<String>,
}

/// Prints a part of a phone, or a summary of all.
pub fn print(phone: &Phone, beside: &Beside, what: Option<What>, as_json: bool) {
    let mut lines = match what {
        None => vec![summary(phone, beside, as_json)],
        Some(What::Rows) => rows(phone, as_json),
        Some(What::Streams) => streams(phone, as_json),
        Some(what) => phone
            .entries
            .values()
            .filter(|entry| is_in(entry.place, what))
            .map(|entry| match done_with(phone, &beside.aside, entry) {
                Some(how) if !as_json => format!("{}\n  {how}", told(entry, false)),
                _ => told(entry, as_json),
            })
            .collect(),
    };
    if what == Some(What::Refused) {
        lines.extend(beside.refused.iter().map(|photo| refused(photo, as_json)));
    }
    if what == Some(What::Held) {
        lines.extend(decide::waiting(phone).map(|row| match as_json {
            true => serde_json::to_string(row).expect("a row is JSON"),
            false => decide::told(row),
        }));
    }
    if what.is_none() && !as_json {
        lines.extend(beside.places.iter().cloned());
    }
    if lines.is_empty() && !as_json {
        out::line("（空 nothing here）");
    }
    lines.iter().for_each(|line| out::line(line));
}

fn is_in(place: Place, what: What) -> bool {
    match place {
        Place::Outbox => what == What::Outbox,
        Place::Held => what == What::Held,
        Place::Refused | Place::NeedsYou | Place::Quarantined => what == What::Refused,
        Place::Committed => false,
    }
}

/// How an entry was done with, in words; none while it waits for its person.
pub fn done_with(phone: &Phone, aside: &BTreeSet<i64>, entry: &Entry) -> Option<String> {
    if aside.contains(&entry.n) {
        return Some("已收起 set aside".to_owned());
    }
    let refusal = refusal_of(entry.verdict.as_ref()?)?;
    let mut rows = phone.rows.iter();
    let (_, held) = rows.find(|((_, _, id), _)| *id == refusal)?;
    let body: serde_json::Value = serde_json::from_str(held.row.body.as_ref()?.get()).ok()?;
    let words = words::dealt_with(body["state"].as_str()?);
    (!words.is_empty()).then_some(words)
}

/// A refused photograph: of which visit, why, and what can be done.
fn refused(photo: &Refused, as_json: bool) -> String {
    let Refused {
        sha256,
        record,
        words,
    } = photo;
    if as_json {
        let all = json!({ "photo": sha256, "record": record, "words": words });
        return all.to_string();
    }
    let short = &sha256[..sha256.len().min(8)];
    format!(
        "照片 photograph {short}  走访 visit {record}  照片没有收下 photograph not accepted\n  \
         {words}\n  重拍后补上 take another: photo {record} --photo FILE\n  \
         不要了就撤下 or take it out: photo {record}"
    )
}

/// A place in words.
pub const fn place_words(place: Place) -> &'static str {
    match place {
        Place::Outbox => "待上传 waiting to be sent",
        Place::Held => "已存好，待定 stored, not final",
        Place::Refused => "没有收下 not accepted",
        Place::NeedsYou => "需要您决定 needs you",
        Place::Quarantined => "内容有误，留在手机上 not understood, kept here",
        Place::Committed => "已收下 accepted",
    }
}

fn summary(phone: &Phone, beside: &Beside, as_json: bool) -> String {
    let count = |place: Place| phone.entries.values().filter(|e| e.place == place).count();
    let places = [
        ("outbox", Place::Outbox),
        ("held", Place::Held),
        ("refused", Place::Refused),
        ("needs_you", Place::NeedsYou),
        ("quarantined", Place::Quarantined),
        ("committed", Place::Committed),
    ];
    if as_json {
        let counts: serde_json::Map<_, _> = places
            .into_iter()
            .map(|(name, place)| (name.to_owned(), count(place).into()))
            .collect();
        let (rows, streams) = (phone.rows.len(), phone.streams.len());
        let pictures = json!({ "waiting": beside.waiting, "refused": beside.refused.len() });
        let all = json!({
            "entries": counts, "to_decide": decide::waiting(phone).count(), "photos": pictures, "rows": rows, "streams": streams,
        });
        return all.to_string();
    }
    let mut text = String::new();
    for (_, place) in places {
        let all = phone.entries.values().filter(|e| e.place == place);
        let done = all.filter(|entry| done_with(phone, &beside.aside, entry).is_some());
        let done = match done.count() {
            0 => String::new(),
            done => format!("，其中 {done} 条已处理 dealt with"),
        };
        let (count, words) = (count(place), place_words(place));
        text.push_str(&format!("{count:>6}  {words}{done}\n"));
    }
    for (count, words) in [
        (beside.waiting, "照片待上传 photographs waiting to be sent"),
        (
            beside.refused.len(),
            "照片没有收下，需要您处理 photographs not accepted, need you",
        ),
    ] {
        text.push_str(&format!("{count:>6}  {words}\n"));
    }
    if decide::reads(phone) {
        let count = decide::waiting(phone).count();
        let words = "等您审核 for you to decide; show held";
        text.push_str(&format!("{count:>6}  {words}\n"));
    }
    let (rows, streams) = (phone.rows.len(), phone.streams.len());
    text.push_str(&format!("{rows:>6}  数据行 rows in {streams} streams"));
    text
}

fn rows(phone: &Phone, as_json: bool) -> Vec<String> {
    let line = |((shard, stream, _), held): (&(i64, String, Uuid), &Held)| {
        if as_json {
            let row = serde_json::to_string(&held.row).expect("a row is JSON");
            return format!("{{\"shard\":{shard},\"stream\":\"{stream}\",\"row\":{row}}}");
        }
        let beside = places::beside(phone, &held.row);
        format!("{stream}  {}{beside}", words::row(&held.row))
    };
    phone.rows.iter().map(line).collect()
}

fn streams(phone: &Phone, as_json: bool) -> Vec<String> {
    let line = |(shard, stream): &(i64, String)| {
        let mine = |key: &&(i64, String, Uuid)| key.0 == *shard && key.1 == *stream;
        let count = phone.rows.keys().filter(mine).count();
        if as_json {
            return json!({ "shard": shard, "stream": stream, "rows": count }).to_string();
        }
        format!("{count:>6}  {shard}  {stream}")
    };
    phone.streams.iter().map(line).collect()
}

/// One entry in words, or as it is kept.
pub fn told(entry: &Entry, as_json: bool) -> String {
    if as_json {
        return serde_json::to_string(entry).expect("an entry is JSON");
    }
    let (n, kind, record) = (entry.n, words::kind_word(&entry.kind), entry.record);
    let mut text = format!("#{n}  {kind}  {record}  {}", place_words(entry.place));
    if let Some(verdict) = &entry.verdict {
        text.push_str(&verdict_words(verdict));
        if let Some(office) = ordered_by(entry).filter(|_| verdict.refusal.is_some()) {
            text.push_str(&format!(
                "\n  {office}安排的？可以如实报告，只有县级审核员看得到 was this ordered? Report it, \
                 only the county's reviewers see it: order-report --office '{office}' --what …"
            ));
        }
    }
    text
}

/// The office that ordered what was refused.
fn ordered_by(entry: &Entry) -> Option<String> {
    let sent: Value = serde_json::from_str(&entry.raw).ok()?;
    let office = sent.pointer("/body/assigned_by/office")?.as_str()?;
    Some(office.to_owned())
}

/// A verdict in words: rule and clause, what to do, what was noticed, what the server derived.
pub fn verdict_words(verdict: &Verdict) -> String {
    if let (VerdictName::Duplicate, Some(was)) = (verdict.verdict, &verdict.was) {
        return format!("\n  重复发送，答复同前 sent before:{}", verdict_words(was));
    }
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str("\n  ");
        text.push_str(&words);
    };
    if let Some(rule) = &verdict.rule {
        line(cited(rule));
    }
    for words in [&verdict.message, &verdict.message_en]
        .into_iter()
        .flatten()
    {
        line(words.clone());
    }
    for error in &verdict.errors {
        line(format!(
            "{}: {} {}",
            error.pointer, error.detail, error.detail_en
        ));
    }
    for pointer in &verdict.fields {
        line(format!(
            "{pointer}: 已在别处改过 changed elsewhere meanwhile"
        ));
    }
    if let Some(refusal) = refusal_of(verdict) {
        line(format!(
            "拒收编号 refusal {refusal}: {}",
            verdict.instead.join(", ")
        ));
    }
    for notice in &verdict.notices {
        line(format!(
            "提示 notice {}: {}",
            cited(&notice.rule),
            notice.message
        ));
        line(notice.message_en.clone());
    }
    if let Some(state) = verdict.derived.as_ref().and_then(|d| d.get("state")) {
        let rank = verdict.derived.as_ref().and_then(|d| d.get("rank"));
        let rank = rank.map(|rank| format!(" #{rank}")).unwrap_or_default();
        line(format!(
            "状态 state: {}{rank}",
            state.as_str().unwrap_or("")
        ));
    }
    text
}

fn cited(rule: &RuleRef) -> String {
    format!("{} {}", rule.id, rule.clause).trim_end().to_owned()
}
