//! Packs as law: a county only tightens, the province exempts by date, versions hold by their days.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::pack::{PackDoc, STARTER};
use xiangyi_proto::time::{DAY_MS, TimeQuality, day_of_text, day_start};
use xiangyi_sync::policy::{
    CompiledPack, Judgement, PackSet, Question, Way, compile, diff, read, sound,
};

const CASES: &str = include_str!("../../proto/vectors/packs.json");

#[derive(Deserialize)]
struct Case {
    kind: Kind,
    body: Map<String, Value>,
}

fn at(day: &str) -> i64 {
    day_start(day_of_text(day).expect("a day")) + DAY_MS / 2
}

fn question<'a>(kind: Kind, record: &'a Value, act: &str, receipt: &str) -> Question<'a> {
    Question {
        kind,
        record,
        unit: "430121102",
        author: "p-7k2m9qx4",
        op: Op::Create,
        estimated_at: at(act),
        received_at: at(receipt),
        quality: TimeQuality::Offset,
        ended_at: at(act),
    }
}

fn starter() -> PackDoc {
    read(STARTER).expect("the starter pack reads")
}

/// A county's pack with these rules, each on all kinds and records.
fn county(rules: &[(&str, &str)], more: &str) -> PackDoc {
    let mut yaml = "pack: \"430121\"\nversion: 1\neffective: {from: 2020-01-01, to: null}\n\
                    lexicons: {approve: {acts: [绝不会出现的话]}}\n\
                    closings: {reject: {zh: 完, en: end}, hold: {zh: 完, en: end}, \
                    warn: {zh: 完, en: end}, tag: {zh: 完, en: end}, amend: {zh: 完, en: end}, \
                    danger: {zh: 完, en: end}}\nrules:\n"
        .to_owned();
    for (id, answer) in rules {
        yaml.push_str(&format!(
            "- id: {id}\n  title: {{zh: 题, en: t}}\n  clause: 条\n  basis: {{plan: 三}}\n  \
             message: {{zh: 话, en: words}}\n  kinds: [check_in, visit, client, activity, sign_up, \
             need, resource, link, work_time]\n  when: 'true'\n  {answer}\n"
        ));
    }
    yaml.push_str(more);
    read(&yaml).unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}"))
}

fn refused(doc: &PackDoc) -> Vec<String> {
    let faults = sound(doc).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

fn pack(doc: &PackDoc) -> CompiledPack {
    sound(doc).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn what_would_loosen_is_refused_with_its_rule() {
    let fine = county(&[("430121-1", "verdict: hold")], "");
    assert_eq!(refused(&fine), Vec::<String>::new());
    let exemption = "exemptions:\n- id: E-1\n  rules: [430121-1]\n  units: [\"430121\"]\n  \
                     from: 2026-07-01\n  to: 2026-07-10\n  reason: {zh: 汛, en: flood}\n  \
                     basis: 湘防指 1 号\n";
    for (doc, why) in [
        (
            county(&[("NL-A03", "verdict: warn")], ""),
            "rule NL-A03: id: ",
        ),
        (
            county(&[("430121-", "verdict: warn")], ""),
            "rule 430121-: id: ",
        ),
        (
            county(&[("430181-1", "verdict: warn")], ""),
            "rule 430181-1: id: ",
        ),
        (
            county(&[("430121-1", "danger: suspected")], ""),
            "rule 430121-1: danger: ",
        ),
        (
            county(&[("430121-1", "verdict: amend")], ""),
            "rule 430121-1: verdict: amending",
        ),
        (
            county(&[("430121-1", "verdict: hold")], exemption),
            "exemptions/E-1: only the province",
        ),
    ] {
        let faults = refused(&doc);
        assert!(
            faults.iter().any(|fault| fault.starts_with(why)),
            "{why}: {faults:?}"
        );
    }
    let mut province = starter();
    province.rules[0].id = "430121-1".to_owned();
    assert_eq!(
        refused(&province),
        ["rule 430121-1: id: such names are a county's"]
    );
    let mut city = starter();
    city.pack = "4301".to_owned();
    assert!(refused(&city)[0].starts_with("pack: is neither a province"));
}

fn judged(packs: &PackSet, case: &Case) -> Judgement {
    let record = Value::Object(case.body.clone());
    packs.judge(&question(case.kind, &record, "2026-10-20", "2026-10-20"))
}

/// Whether every answer of the province is still there, and nothing is milder.
fn tightens(province: &Judgement, both: &Judgement) -> bool {
    province.hits.iter().all(|hit| both.hits.contains(hit))
        && province.severest() <= both.severest()
        && province.danger == both.danger
        && both.class <= province.class
}

#[test]
fn whatever_a_sound_countys_pack_says_the_province_still_says_all_it_said() {
    let cases: Vec<Case> = serde_json::from_str(CASES).expect("the cases read");
    let alone = PackSet::new(vec![pack(&starter())]);
    for verdict in ["tag", "warn", "hold", "reject"] {
        let more = county(&[("430121-1", &format!("verdict: {verdict}"))], "");
        let both = PackSet::new(vec![pack(&starter()), pack(&more)]);
        for case in &cases {
            let (before, after) = (judged(&alone, case), judged(&both, case));
            assert!(tightens(&before, &after), "{verdict}: {before:?} {after:?}");
        }
    }
    // What the analysis refuses would have loosened: it is not refused for nothing.
    let danger = county(&[("430121-1", "danger: suspected")], "");
    let danger = compile(&danger).expect("sound in itself");
    let both = PackSet::new(vec![pack(&starter()), danger]);
    let loosened = |case: &Case| !tightens(&judged(&alone, case), &judged(&both, case));
    assert!(cases.iter().any(loosened), "danger lowers a refusal");
}

/// A province's pack of one rule on needs, with exemptions.
fn province(version: i64, days: (&str, &str), clock: &str, exemptions: &str) -> PackDoc {
    let (from, to) = days;
    let yaml = format!(
        "pack: \"43\"\nversion: {version}\neffective: {{from: {from}, to: {to}}}\nrules:\n\
         - id: NL-B07\n  title: {{zh: 题, en: t}}\n  clause: 条\n  basis: {{plan: 三}}\n  \
         message: {{zh: 话, en: words}}\n  kinds: [need]\n  verdict: tag\n  when: 'true'\n  \
         clock: {clock}\n- id: OV-1\n  title: {{zh: 险, en: d}}\n  clause: 条\n  \
         basis: {{law: 法}}\n  message: {{zh: 话, en: words}}\n  kinds: [need]\n  \
         danger: reported\n  when: 'record.quantity == 7'\nexemptions:\n{exemptions}"
    );
    read(&yaml).unwrap_or_else(|faults| panic!("{faults:?}\n{yaml}"))
}

fn exempt(id: &str, rule: &str, unit: &str, from: &str, to: &str) -> String {
    format!(
        "- {{id: {id}, rules: [{rule}], units: [\"{unit}\"], from: {from}, to: {to}, \
         reason: {{zh: 汛期, en: flood}}, basis: 湘防指 1 号}}\n"
    )
}

#[test]
fn an_exempted_rule_says_nothing_at_its_units_on_its_days() {
    let year = ("2026-01-01", "null");
    let flood = exempt("E-1", "NL-B07", "430121", "2026-07-01", "2026-07-10");
    let of = |clock: &str| PackSet::new(vec![pack(&province(1, year, clock, &flood))]);
    let said = |packs: &PackSet, unit: &str, act: &str, receipt: &str| {
        let record = json!({});
        let mut q = question(Kind::Need, &record, act, receipt);
        q.unit = unit;
        let judged = packs.judge(&q);
        (judged.hits.len(), judged.exempted.len())
    };
    let act = of("act");
    assert_eq!(said(&act, "430121102", "2026-06-30", "2026-07-20"), (1, 0));
    assert_eq!(said(&act, "430121102", "2026-07-01", "2026-07-20"), (0, 1));
    assert_eq!(said(&act, "430121", "2026-07-10", "2026-07-20"), (0, 1));
    assert_eq!(said(&act, "430121102", "2026-07-11", "2026-07-20"), (1, 0));
    assert_eq!(said(&act, "430122102", "2026-07-05", "2026-07-20"), (1, 0));
    let receipt = of("receipt");
    assert_eq!(
        said(&receipt, "430121102", "2026-07-05", "2026-07-20"),
        (1, 0)
    );
    assert_eq!(
        said(&receipt, "430121102", "2026-06-01", "2026-07-05"),
        (0, 1)
    );
    // What was lifted is told, and takes no class away.
    let record = json!({"quantity": 7});
    let judged = act.judge(&question(Kind::Need, &record, "2026-07-05", "2026-07-05"));
    let lifted = &judged.exempted[0];
    assert_eq!(
        (lifted.rule.id.as_str(), lifted.exemption.id.as_str()),
        ("NL-B07", "E-1")
    );
    assert_eq!(lifted.exemption.reason_zh, "汛期");
    assert_eq!(judged.class, xiangyi_sync::policy::Class::Professional);
    assert_eq!(judged.danger.len(), 1, "danger is as loud as ever");
}

#[test]
fn a_later_versions_exemption_reaches_back_to_its_own_days() {
    // Declared on the third, for what was done since the first; the acts are the old version's.
    let flood = exempt("E-1", "NL-B07", "43", "2026-07-01", "2026-07-10");
    let old = province(1, ("2026-01-01", "2026-07-02"), "act", " []\n");
    let new = province(2, ("2026-07-03", "null"), "act", &flood);
    let packs = PackSet::new(vec![pack(&old), pack(&new)]);
    let record = json!({});
    let q = question(Kind::Need, &record, "2026-07-01", "2026-07-05");
    let judged = packs.judge(&q);
    assert_eq!((judged.hits.len(), judged.exempted.len()), (0, 1));
    assert_eq!(judged.exempted[0].rule.version, 1);
    assert_eq!(judged.exempted[0].exemption.version, 2);
    // The newest version decides: taken back in the third, the rule speaks again.
    let newer = province(3, ("2026-07-06", "null"), "act", " []\n");
    let packs = PackSet::new(vec![pack(&old), pack(&new), pack(&newer)]);
    assert_eq!(packs.judge(&q).hits.len(), 1);
}

#[test]
fn an_exemption_of_facts_is_one_too() {
    let mut doc = starter();
    let exemption = json!({"id": "E-1", "rules": ["NL-C04.overlap"], "units": ["430121"],
        "from": "2026-03-01", "to": "2026-03-31", "reason": {"zh": "救灾", "en": "relief"},
        "basis": "湘防指 1 号"});
    let record = json!({});
    let hour = |day: &str| {
        let mut q = question(Kind::Visit, &record, day, "2026-04-20");
        q.ended_at += 3_600_000;
        q
    };
    let said = |packs: &PackSet, day: &str| {
        let other = xiangyi_sync::policy::facts_made(&hour(day), uuid::Uuid::from_u128(5));
        packs.judge_stateful(&hour(day), &other).len()
    };
    let plain = PackSet::new(vec![pack(&doc)]);
    assert_eq!(said(&plain, "2026-03-05"), 1);
    doc.exemptions
        .push(serde_json::from_value(exemption).expect("it reads"));
    let lifted = PackSet::new(vec![pack(&doc)]);
    assert_eq!(
        (said(&lifted, "2026-03-05"), said(&lifted, "2026-04-05")),
        (0, 1)
    );
}

#[test]
fn an_exemption_that_makes_no_sense_is_refused() {
    let year = ("2026-01-01", "null");
    for (exemption, why) in [
        (
            exempt("E", "OV-1", "43", "2026-07-01", "2026-07-02"),
            "about danger",
        ),
        (
            exempt("E", "NL-X", "43", "2026-07-01", "2026-07-02"),
            "unknown rule NL-X",
        ),
        (
            exempt("E", "NL-B07", "44", "2026-07-01", "2026-07-02"),
            "inside the pack's region",
        ),
        (
            exempt("E", "NL-B07", "43", "2026-07-02", "2026-07-01"),
            "before its first day",
        ),
        (
            exempt("E", "NL-B07", "43", "2026-07-01", "2027-08-01"),
            "more than a year",
        ),
        (
            exempt("E", "NL-B07", "43", "2026-13-01", "2026-07-01"),
            "is not a day",
        ),
    ] {
        let faults = refused(&province(1, year, "act", &exemption));
        let named = |fault: &String| fault.starts_with("exemptions/E/") && fault.contains(why);
        assert!(faults.iter().any(named), "{why}: {faults:?}");
    }
    let twice = exempt("E", "NL-B07", "43", "2026-07-01", "2026-07-02").repeat(2);
    let faults = refused(&province(1, year, "act", &twice));
    assert!(faults[0].contains("taken by another"), "{faults:?}");
}

#[test]
fn a_difference_is_told_with_its_way() {
    let before = starter();
    let mut after = before.clone();
    assert_eq!(diff(&before, &after), []);
    let rule = |doc: &mut PackDoc, id: &str| -> usize {
        doc.rules
            .iter()
            .position(|rule| rule.id == id)
            .expect("there is such a rule")
    };
    after.version += 1;
    let gone = rule(&mut after, "NL-A06");
    after.rules.remove(gone);
    let at = rule(&mut after, "NL-A01.text");
    after.rules[at].verdict = Some(xiangyi_proto::pack::RuleVerdict::Tag);
    after.rules[at].kinds.push(Kind::Client);
    let at = rule(&mut after, "NL-C04.travel");
    after.rules[at]
        .params
        .insert("kmh_max".to_owned(), json!(90));
    let mut new = after.rules[at].clone();
    new.id = "NL-C04.fast".to_owned();
    after.rules.push(new);
    let lexicon = after
        .lexicons
        .get_mut("licence")
        .expect("there is such a lexicon");
    lexicon.acts.push("现场发证".to_owned());
    let exemption = exempt("E-1", "NL-B02", "43", "2026-07-01", "2026-07-02");
    let exemption = exemption.trim_start_matches("- ").to_owned();
    let exemption = read(&format!(
        "pack: \"43\"\nversion: 1\neffective: {{from: 2026-01-01, to: null}}\nrules: []\n\
         exemptions: [{exemption}]"
    ));
    after.exemptions = exemption.expect("it reads").exemptions;
    let told = diff(&before, &after);
    let told: Vec<(&str, &str, Way)> = told
        .iter()
        .map(|one| (one.what.as_str(), one.member.as_str(), one.way))
        .collect();
    assert_eq!(
        told,
        [
            ("pack", "version", Way::Other),
            ("rule NL-C04.fast", "added", Way::Tighter),
            ("rule NL-A06", "removed", Way::Looser),
            ("rule NL-A01.text", "kinds", Way::Tighter),
            ("rule NL-A01.text", "verdict", Way::Looser),
            ("rule NL-C04.travel", "params", Way::Other),
            ("lexicon licence", "acts", Way::Tighter),
            ("exemption E-1", "added", Way::Looser),
        ]
    );
}
