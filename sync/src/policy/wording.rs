//! The words of a rule: what the document must say, and the text put together for people.
//!
//! A message is the rule's own or a shared one, then the closing words of its verdict, then the
//! note that the rule is derived. Chinese first, English second; nothing here is evaluated.

use serde_json::Value;
use xiangyi_proto::pack::{Basis, MessageDoc, PackDoc, RuleDoc, RuleVerdict, StatefulRule, Words};

use super::RuleText;
use super::fault::PackFault;

/// Bytes of a condition; the longest of the starter pack has 300.
pub const WHEN_BYTES_MAX: usize = 2_000;
/// Elements of a parameter: conditions go through them for each record.
const PARAM_LIST_MAX: usize = 1_000;
/// What a worker can do instead.
const INSTEAD: &[&str] = &["split", "work_time", "appeal"];
/// Whose closing words a pack can give.
const CLOSINGS: &[&str] = &[
    "reject", "hold", "amend", "warn", "tag", "danger", "alert", "derived",
];
/// Stands for the rule's title in a message.
const TITLE: &str = "{title}";

/// Faults that need no engine: missing words, bases, kinds, and what may not go together.
pub fn faults(doc: &PackDoc, rule: &RuleDoc) -> Vec<PackFault> {
    let mut faults = Vec::new();
    let mut need = |met: bool, place: &str, message: &str| {
        if !met {
            faults.push(PackFault::of_rule(&rule.id, place, message));
        }
    };
    let words = |text: &str| !text.trim().is_empty();
    need(words(&rule.id), "id", "is missing");
    need(
        words(&rule.title.zh) && words(&rule.title.en),
        "title",
        "needs words in zh and en",
    );
    let message = message_of(doc, rule);
    let spoken = message.is_none_or(|message| words(&message.zh) && words(&message.en));
    need(message.is_some(), "message", "names no shared message");
    need(spoken, "message", "needs words in zh and en");
    let closed = doc.closings.is_empty() || closing_of(doc, rule).is_some();
    need(closed, "message", "has no closing words for its verdict");
    need(words(&rule.clause), "clause", "is missing");
    let basis = [&rule.basis.plan, &rule.basis.law, &rule.basis.practice];
    let based = basis.into_iter().flatten().any(|text| words(text));
    need(based, "basis", "needs a plan, a law or a practice");
    let short = rule
        .when
        .as_ref()
        .is_none_or(|when| when.len() <= WHEN_BYTES_MAX);
    need(short, "when", "is longer than 2,000 bytes");
    need(!rule.kinds.is_empty(), "kinds", "names no kind");
    let long = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.len() > PARAM_LIST_MAX)
    };
    let lists = !rule.params.values().any(long);
    need(lists, "params", "has a list of more than 1,000");
    let tests = [
        rule.when.is_some(),
        rule.mentions.is_some(),
        rule.stateful.is_some(),
    ];
    let one = tests.into_iter().filter(|test| *test).count() == 1;
    need(one, "when", "needs exactly one of when, mentions, stateful");
    let known = rule
        .instead
        .iter()
        .all(|way| INSTEAD.contains(&way.as_str()));
    need(known, "instead", "knows split, work_time and appeal");
    let pointers = rule.at.iter().all(|at| at.starts_with('/'));
    need(pointers, "at", "holds JSON pointers");
    faults.extend(answer_faults(rule));
    faults
}

/// What a rule may answer, and what its answer may rest on.
fn answer_faults(rule: &RuleDoc) -> Vec<PackFault> {
    let mut faults = Vec::new();
    let mut need = |met: bool, place: &str, message: &str| {
        if !met {
            faults.push(PackFault::of_rule(&rule.id, place, message));
        }
    };
    let answers = [
        rule.verdict.is_some(),
        rule.danger.is_some(),
        rule.alert.is_some(),
    ];
    let one = answers.into_iter().filter(|answer| *answer).count() == 1;
    need(
        one,
        "verdict",
        "needs exactly one of verdict, danger and alert",
    );
    let counts = rule.stateful == Some(StatefulRule::SameOfficeDays);
    need(
        counts == rule.alert.is_some(),
        "alert",
        "goes with same_office_days and with nothing else",
    );
    let severe = rule.verdict >= Some(RuleVerdict::Hold);
    need(
        !(severe && rule.mentions.is_some()),
        "verdict",
        "text alone never rejects and never holds",
    );
    let rejects = rule.verdict == Some(RuleVerdict::Reject);
    need(
        !(rejects && rule.stateful.is_some()),
        "verdict",
        "facts alone never reject",
    );
    need(
        rule.danger.is_none() || rule.stateful.is_none(),
        "danger",
        "is not read from facts",
    );
    faults
}

/// Closing words that no verdict uses.
pub fn closing_faults(doc: &PackDoc) -> Vec<PackFault> {
    let names = doc.closings.keys();
    let unknown = names.filter(|name| !CLOSINGS.contains(&name.as_str()));
    let fault = |name: &String| PackFault::of_pack(format!("closings/{name}"), "is unknown");
    unknown.map(fault).collect()
}

fn message_of<'a>(doc: &'a PackDoc, rule: &'a RuleDoc) -> Option<&'a Words> {
    match &rule.message {
        MessageDoc::Own(words) => Some(words),
        MessageDoc::Shared(name) => doc.messages.get(name),
    }
}

fn closing_of<'a>(doc: &'a PackDoc, rule: &RuleDoc) -> Option<&'a Words> {
    let verdict = rule.verdict.map(RuleVerdict::name);
    let danger = rule.danger.map(|_| "danger");
    let alert = rule.alert.map(|_| "alert");
    doc.closings.get(verdict.or(danger).or(alert)?)
}

/// What of a rule is shown to people.
pub fn text_of(doc: &PackDoc, rule: &RuleDoc) -> RuleText {
    let derived = rule.basis.derived.then(|| doc.closings.get("derived"));
    let parts: Vec<&Words> = [
        message_of(doc, rule),
        closing_of(doc, rule),
        derived.flatten(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let zh: String = parts.iter().map(|part| part.zh.as_str()).collect();
    let en: Vec<&str> = parts.iter().map(|part| part.en.as_str()).collect();
    RuleText {
        id: rule.id.clone(),
        pack: doc.pack.clone(),
        version: doc.version,
        clause: rule.clause.clone(),
        basis: basis_of(&rule.basis),
        title_zh: rule.title.zh.clone(),
        title_en: rule.title.en.clone(),
        message_zh: zh.replace(TITLE, &rule.title.zh),
        message_en: en.join(" ").replace(TITLE, &rule.title.en),
        instead: rule.instead.clone(),
    }
}

fn basis_of(basis: &Basis) -> String {
    let plan = basis.plan.iter().map(|plan| format!("行动方案 {plan}"));
    let others = basis.law.iter().chain(&basis.practice).cloned();
    let derived = basis.derived.then(|| "derived".to_owned());
    let parts: Vec<String> = plan.chain(others).chain(derived).collect();
    parts.join("; ")
}

/// Rule id of a hold that stands for a condition that failed.
pub const PACK_FAULT: &str = "pack-fault";

/// The text of that hold.
pub fn pack_fault(pack: &str, version: i64) -> RuleText {
    RuleText {
        id: PACK_FAULT.to_owned(),
        pack: pack.to_owned(),
        version,
        clause: "规则包故障".to_owned(),
        basis: String::new(),
        title_zh: "规则没能算出结果".to_owned(),
        title_en: "A rule could not be worked out".to_owned(),
        message_zh: "这条记录已经收下，暂时等人工查看。原因是规则包里有一条规则没能算出结果，\
            不是您填错了。您不用重填；有疑问请问县级社工总站，审核结果出来后也可以申诉。"
            .to_owned(),
        message_en: "This record has been received and waits for a person to look at it, because \
            a rule of the pack could not be worked out. You did nothing wrong and need not fill \
            it in again. Ask the county hub; you may appeal once it is decided."
            .to_owned(),
        instead: Vec::new(),
    }
}

/// The text of a refusal that danger lowers to a hold: nothing was turned away, a person decides.
pub fn lowered(rule: &RuleText) -> RuleText {
    RuleText {
        message_zh: format!(
            "记录已经收下，没有拒收，因为里面提到可能有人处在危险中，先由县级社工总站处理。审核员还会看这一条：\
             {}（{}）。请先顾好人的安全；审核结果出来后如不同意，可以申诉。",
            rule.title_zh, rule.clause
        ),
        message_en: format!(
            "The record is in and was not refused, because it speaks of possible danger to \
             somebody and the county hub sees to that first. The reviewer will also look at \
             this: {} ({}). See to people's safety first; you may appeal the outcome.",
            rule.title_en, rule.clause
        ),
        ..rule.clone()
    }
}

/// The text of a refusal or a hold that stops nothing: the record stands, and this is said of it.
pub fn let_in(rule: &RuleText) -> RuleText {
    RuleText {
        message_zh: format!(
            "已收下，同时说明一点：{}（{}）。记录照常保存，方便时请对照看一看。拿不准请问站长或县级社工总站；\
             说明与实际不符的，可以请总站更正。",
            rule.title_zh, rule.clause
        ),
        message_en: format!(
            "It is in, with one remark: {} ({}). The record stands; look at it once more when \
             convenient. If in doubt ask your station lead or the county hub, which can correct a \
             remark that does not fit.",
            rule.title_en, rule.clause
        ),
        instead: Vec::new(),
        ..rule.clone()
    }
}
