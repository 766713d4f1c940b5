//! What the text signals of a pack are worth on labelled notes.
//!
//! A labelled note asks its group's own signal; an ordinary note is judged as a visit that has
//! nothing else to be found, and whatever is said of it is too much.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::{PackDoc, RuleVerdict};
use xiangyi_proto::region::TOWNSHIP_DIGITS;
use xiangyi_proto::time::{MINUTE_MS, TimeQuality, day_of_text, day_start};

use super::{PackFault, PackSet, Question, compile};

/// A note: with a group and a label, or ordinary.
#[derive(Debug, Clone, Deserialize)]
pub struct Note {
    #[serde(default)]
    pub id: String,
    pub text: String,
    #[serde(default)]
    pub group: Option<String>,
    #[serde(default)]
    pub hit: Option<bool>,
}

/// How much was found, and how much of it rightly; 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
}

/// One group's rates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupRates {
    pub group: String,
    #[serde(flatten)]
    pub rates: Rates,
    /// Notes of the group.
    pub n: usize,
}

/// The worth of a pack's signals.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    pub pooled: Rates,
    pub groups: Vec<GroupRates>,
    /// Ordinary notes that got more than a warning, or an incident.
    pub false_alarms: usize,
    /// Ordinary notes that were warned.
    pub warned: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    found: usize,
    wrong: usize,
    missed: usize,
    notes: usize,
}

impl Counts {
    fn add(&mut self, said: bool, hit: bool) {
        self.notes += 1;
        self.found += usize::from(said && hit);
        self.wrong += usize::from(said && !hit);
        self.missed += usize::from(!said && hit);
    }

    fn rates(self) -> Rates {
        let part = |of: usize, all: usize| {
            if all == 0 {
                0.0
            } else {
                of as f64 / all as f64
            }
        };
        Rates {
            precision: part(self.found, self.found + self.wrong),
            recall: part(self.found, self.found + self.missed),
            f1: part(2 * self.found, 2 * self.found + self.wrong + self.missed),
        }
    }
}

/// Scores the signals of a pack on notes.
pub fn score(doc: &PackDoc, notes: &[Note]) -> Result<Score, Vec<PackFault>> {
    let packs = PackSet::new(vec![compile(doc)?]);
    let said =
        |text: &str, group: &str| packs.all().any(|pack| pack.lexicons.mentions(text, group));
    let unit = unit_under(&doc.pack);
    let day = day_of_text(&doc.effective.from).unwrap_or_default();
    let mut groups: BTreeMap<&str, Counts> = BTreeMap::new();
    let (mut false_alarms, mut warned) = (0, 0);
    for note in notes {
        if let Some(group) = &note.group {
            let hit = note.hit.unwrap_or(false);
            let said = said(&note.text, group);
            groups.entry(group).or_default().add(said, hit);
        } else {
            let answer = answer(&packs, &unit, day_start(day), &note.text);
            false_alarms += usize::from(answer > Some(RuleVerdict::Warn));
            warned += usize::from(answer == Some(RuleVerdict::Warn));
        }
    }
    let mut all = Counts::default();
    for counts in groups.values() {
        all.found += counts.found;
        all.wrong += counts.wrong;
        all.missed += counts.missed;
    }
    let rates = |(group, counts): (&str, Counts)| GroupRates {
        group: group.to_owned(),
        rates: counts.rates(),
        n: counts.notes,
    };
    Ok(Score {
        pooled: all.rates(),
        groups: groups.into_iter().map(rates).collect(),
        false_alarms,
        warned,
    })
}

/// A township under a region, whatever its level.
fn unit_under(code: &str) -> String {
    format!("{code:0<TOWNSHIP_DIGITS$}")
}

/// The severest that is said of an ordinary visit with this text; an incident counts as a hold.
fn answer(packs: &PackSet, unit: &str, at: i64, text: &str) -> Option<RuleVerdict> {
    let ended_at = at + 40 * MINUTE_MS;
    let client = "01920000-0000-7000-8000-000000000c01";
    let record = json!({
        "client": client, "services": ["ec_visit"], "mode": "home", "method": "case",
        "outcome": {"kind": "served"}, "started_at": at, "ended_at": ended_at,
        "process": text, "result": "服务对象状态平稳。", "photos_declined": true,
        "follow_up": {"plan": "下周再来看望。"},
    });
    let question = Question {
        kind: Kind::Visit,
        record: &record,
        unit,
        author: "score",
        op: Op::Create,
        estimated_at: at,
        received_at: ended_at,
        quality: TimeQuality::Offset,
        ended_at,
    };
    let judgement = packs.judge(&question);
    let danger = (!judgement.danger.is_empty()).then_some(RuleVerdict::Hold);
    judgement.severest().max(danger)
}
