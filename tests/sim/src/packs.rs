//! The rules of a world: the pack that ships, and a county's own that gives every kind of answer.

use std::sync::LazyLock;

use xiangyi_proto::pack::STARTER;
use xiangyi_sync::policy::{CompiledPack, PackSet, compile, read};

/// A county that tightens: a reject, a hold, an amendment, a warning and a danger.
const COUNTY: &str = r#"
pack: "430121"
version: 7
effective: {from: 2020-01-01, to: null}
lexicons:
  peril:
    acts: [被打了]
rules:
  - {id: T-REJECT, title: {zh: 拒, en: reject}, clause: 一, basis: {practice: test},
     kinds: [visit, check_in, need], when: "record.work_category == 'land_demolition'",
     verdict: reject, at: [/work_category], message: {zh: 拒, en: reject},
     instead: [split, work_time, appeal]}
  - {id: T-HOLD, title: {zh: 审, en: hold}, clause: 二, basis: {practice: test},
     kinds: [visit, client], when: "record.work_category == 'screening'",
     verdict: hold, at: [/work_category], message: {zh: 审, en: hold}}
  - {id: T-HOLD-SIGN, title: {zh: 审, en: hold}, clause: 三, basis: {practice: test},
     kinds: [sign_up], when: "record.guardian_consent == false", verdict: hold,
     message: {zh: 审, en: hold}}
  - {id: T-AMEND, title: {zh: 改, en: amend}, clause: 四, basis: {practice: test},
     kinds: [visit], when: "record.headcount == 13", verdict: amend, at: [/headcount],
     message: {zh: 改, en: amend}}
  - {id: T-WARN, title: {zh: 提, en: warn}, clause: 五, basis: {practice: test},
     kinds: [visit, check_in], when: "record.work_category == 'travel'", verdict: warn,
     message: {zh: 提, en: warn}}
  - {id: T-DANGER, title: {zh: 险, en: danger}, clause: 六, basis: {practice: test},
     kinds: [visit, client], mentions: peril, danger: suspected,
     message: {zh: 险, en: danger}}
"#;

fn compiled(yaml: &str) -> CompiledPack {
    let doc = read(yaml).expect("the pack is well-formed");
    compile(&doc).expect("the pack compiles")
}

static FULL: LazyLock<PackSet> =
    LazyLock::new(|| PackSet::new(vec![compiled(STARTER), compiled(COUNTY)]));
static CALM: LazyLock<PackSet> = LazyLock::new(|| PackSet::new(vec![compiled(COUNTY)]));

/// The packs of a world; a calm one has none that ask when an act took place.
pub fn of(calm: bool) -> &'static PackSet {
    if calm { &CALM } else { &FULL }
}
