//! The same answer on the phone: the pack, the weights and the table of characters, read by a
//! small programme in Node that shares no code with the engine, answer as the engine does.
//!
//! `tests/node/` is that programme. It gets a file of questions with the engine's answers, and
//! names every difference; the second test spoils one thing at a time and wants to be told.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};
use xiangyi_proto::kinds::{Kind, Life, Op};
use xiangyi_proto::pack::{LexiconDoc, PackDoc, SIGNALS, STARTER};
use xiangyi_proto::time::{TimeQuality, day_text};
use xiangyi_sync::policy::signals::{Classes, plain, shipped};
use xiangyi_sync::policy::{CompiledPack, Judgement, PackSet, Question, compile, read};
use xiangyi_sync::{shape, signed};
use xiangyi_tests::scratch::Scratch;

const CASES: &str = include_str!("../../proto/vectors/packs.json");
const GATE: &str = include_str!("../../proto/vectors/gate.json");
const MENTIONS: &str = include_str!("../../proto/vectors/mentions.json");
const SCRIPT: &str = include_str!("../../proto/vectors/script.json");
/// Where cases say nothing else.
const UNIT: &str = "430121102";
/// 2026-10-20 09:00 in UTC+8.
const MORNING: i64 = 1_792_458_000_000;
const HOUR_MS: i64 = 3_600_000;
/// One narrative of so many is asked about.
const SAMPLE: usize = 12;
/// Pairs of the table in a row of its file.
const PAIRS_IN_A_ROW: usize = 40;

/// Letters beside which a particle may be part of a word, and two beside which it is none.
const BESIDE_PARTICLES: &str = "为除解结然断如通经超难不路程去年户期敏渡度目确士午我他";

/// Texts that no writer of notes sends: forms, widths, scripts and runs that fold in odd ways.
const ODD: &[&str] = &[
    "",
    "。",
    "，，，\n\n；",
    "ＡＢＣ１２３４ｱｲｳ㍿①②Ⅳ½㎡",
    "…三点……和⋯也在；｡｢半角｣、：:",
    "ǅ İstanbul ẞ ΣΊΣΥΦΟΣ ﬁn ﷺ",
    "𠮷野家😀👨‍👩‍👧🇨🇳，𝟙𝟚𝟛𝐀",
    "한국어 조합 각 각",
    "豈更車賈滑，㊗㊙㋿ 〇〡〢",
    "e\u{301}e\u{301} é A\u{30a} Å q\u{323}\u{307}",
    "許\u{200b}可\u{fe0f}證\u{2060}由我簽發",
    "了了的的过过一下一下午了",
    "的\n了解过程，不断了，目的地，的确，一下",
    "我我我我我我我我我我我我我我我我我我我我我我",
    "2026年10月20日，8:30—9:45，共１２．５元",
];

/// Asked by both tests; a debug build takes seconds to answer them.
static QUESTIONS: LazyLock<Value> = LazyLock::new(|| Starter::new().questions());

/// A row of either table of cases.
#[derive(Deserialize)]
struct Row {
    kind: Kind,
    body: Value,
    unit: Option<String>,
    occurred_at: Option<i64>,
    time: Option<Time>,
    was: Option<Value>,
}

#[derive(Clone, Copy, Deserialize)]
struct Time {
    quality: TimeQuality,
    estimated_at: i64,
    received_at: i64,
    ended_at: i64,
}

#[derive(Deserialize)]
struct Written {
    text: String,
}

struct Starter {
    doc: PackDoc,
    pack: CompiledPack,
    packs: PackSet,
}

impl Starter {
    /// The starter pack, with one lexicon more that tells particles from parts of words.
    fn new() -> Self {
        let mut doc = read(STARTER).expect("the starter pack reads");
        let mut added = LexiconDoc::default();
        let acts = particles().into_iter().map(|(without, _)| without);
        added.acts.extend(acts);
        doc.lexicons.insert("particles".to_owned(), added);
        let compiled = || compile(&doc).expect("the starter pack compiles");
        let (pack, packs) = (compiled(), PackSet::new(vec![compiled()]));
        Self { doc, pack, packs }
    }

    /// The rules with a condition on records of a kind.
    fn conditions(&self, kind: Kind) -> impl Iterator<Item = &str> {
        let of_kind = self.doc.rules.iter();
        let of_kind = of_kind.filter(move |rule| rule.when.is_some() && rule.kinds.contains(&kind));
        of_kind.map(|rule| rule.id.as_str())
    }

    /// A case as conditions see it, with the engine's answer to each of its kind.
    fn case(&self, name: String, row: &Row) -> Value {
        let time = row.time.unwrap_or_else(|| row.time());
        let slot = row.kind.spec().life == Life::Slot;
        let op = if slot { Op::Request } else { Op::Create };
        let question = Question {
            kind: row.kind,
            record: &row.body,
            unit: row.unit.as_deref().unwrap_or(UNIT),
            author: "p-7k2m9qx4",
            op,
            estimated_at: time.estimated_at,
            received_at: time.received_at,
            quality: time.quality,
            ended_at: time.ended_at,
        };
        let judgement = self.packs.judge_change(&question, row.was.as_ref());
        let answer = |id: &str| (id.to_owned(), answer(&judgement, id));
        let answers: BTreeMap<String, Value> = self.conditions(row.kind).map(answer).collect();
        let spec = row.kind.spec();
        let completed = |body: &Value| shape::complete(spec, body);
        json!({
            "name": name,
            "kind": row.kind.name(),
            "op": op.name(),
            "unit": question.unit,
            "record": completed(&row.body),
            "before": completed(row.was.as_ref().unwrap_or(&Value::Null)),
            "at": {
                "estimated": time.estimated_at,
                "received": time.received_at,
                "ended": time.ended_at,
                "quality": time.quality,
                "day": day_text(time.estimated_at),
                "received_day": day_text(time.received_at),
            },
            "answers": answers,
        })
    }

    /// A text with what the engine hears in it.
    fn heard(&self, name: String, text: &str) -> Value {
        let (lexicons, plain) = (&self.pack.lexicons, plain(text));
        let names = self.doc.lexicons.keys();
        let mentioned: Vec<&String> = names.filter(|name| lexicons.mentions(text, name)).collect();
        let mut margins = BTreeMap::new();
        for name in self.doc.lexicons.keys() {
            let index = lexicons.index(name).expect("a lexicon has an index");
            if let Some((signals, group)) = lexicons.weights(index) {
                margins.insert(name, signals.margins(&signals.sums(&plain), group));
            }
        }
        json!({
            "name": name, "text": text, "plain": plain,
            "mentioned": mentioned, "margins": margins,
        })
    }

    fn questions(&self) -> Value {
        let mut cases = Vec::new();
        for (table, text) in [("packs.json", CASES), ("gate.json", GATE)] {
            let rows: Vec<Row> = serde_json::from_str(text).expect("the table reads");
            let rows = (1..).zip(&rows);
            cases.extend(rows.map(|(number, row)| self.case(format!("{table} {number}"), row)));
        }
        let texts = texts().into_iter();
        let texts: Vec<Value> = texts.map(|(name, text)| self.heard(name, &text)).collect();
        let pack = serde_json::to_value(&self.doc).expect("a pack is JSON");
        let pack: Value = serde_json::from_str(&signed::canonical(&pack)).expect("canonical JSON");
        json!({"pack": pack, "cases": cases, "texts": texts})
    }
}

impl Row {
    /// When a case took place that says nothing of it: received an hour after its end.
    fn time(&self) -> Time {
        let visit = self.kind == Kind::Visit;
        let own = |name: &str| self.body.get(name).and_then(Value::as_i64);
        let begun = own("started_at").filter(|_| visit);
        let estimated_at = begun.or(self.occurred_at).unwrap_or(MORNING);
        let ended_at = own("ended_at").filter(|_| visit).unwrap_or(estimated_at);
        Time {
            quality: TimeQuality::Offset,
            estimated_at,
            received_at: ended_at.max(estimated_at) + HOUR_MS,
            ended_at,
        }
    }
}

/// What the engine said by this rule: whether it holds, or that it failed.
fn answer(judgement: &Judgement, id: &str) -> Value {
    let failed = judgement.faults.iter();
    if failed
        .filter_map(|fault| fault.rule.as_ref())
        .any(|own| own == id)
    {
        return json!("fault");
    }
    let hits = judgement.hits.iter().any(|hit| hit.rule.id == id);
    let danger = judgement.danger.iter().any(|danger| danger.rule.id == id);
    json!(hits || danger)
}

/// Two letters, and the same with what may be a particle between them: the first is heard in the
/// second where it was dropped.
fn particles() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for particle in ["了", "过", "的", "一下"] {
        for beside in BESIDE_PARTICLES.chars() {
            for (before, after) in [(beside, '我'), ('我', beside)] {
                let without = format!("{before}{after}");
                found.push((without, format!("{before}{particle}{after}")));
            }
        }
    }
    found
}

/// Every text that is asked about, with where it stands.
fn texts() -> Vec<(String, String)> {
    let vectors: Vec<Written> = serde_json::from_str(MENTIONS).expect("the vectors read");
    let vectors = (1..).zip(vectors);
    let mut texts: Vec<(String, String)> = vectors
        .map(|(number, vector)| (format!("mentions.json {number}"), vector.text))
        .collect();
    let odd = (1..).zip(ODD);
    texts.extend(odd.map(|(number, text)| (format!("odd text {number}"), (*text).to_owned())));
    let particles = particles().into_iter();
    texts.extend(particles.map(|(_, text)| (format!("particle {text}"), text)));
    let folder = root().join("proto/vectors/narratives");
    let files = fs::read_dir(folder).expect("the narratives are in the repository");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    let mut lines = Vec::new();
    for path in files {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path).expect("the narratives read");
        for (number, line) in (1..).zip(text.lines()) {
            let written: Written = serde_json::from_str(line).expect("one object a line");
            lines.push((format!("{name} {number}"), written.text));
        }
    }
    texts.extend(lines.into_iter().step_by(SAMPLE));
    texts
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The check's exit and what it said.
fn checked(questions: &Value, signals: &[u8], script: &str) -> (bool, String) {
    let folder = Scratch::new("node");
    let paths =
        ["questions.json", "signals.bin", "script.json"].map(|name| folder.path().join(name));
    let questions = questions.to_string();
    for (path, bytes) in paths
        .iter()
        .zip([questions.as_bytes(), signals, script.as_bytes()])
    {
        fs::write(path, bytes).expect("the temporary folder can be written");
    }
    let programme = root().join("tests/node");
    assert!(
        programme.join("node_modules").exists(),
        "the check's one dependency is not there: run `make install-deps`"
    );
    let output = Command::new("node")
        .arg(programme.join("check.mjs"))
        .args(&paths)
        .output()
        .expect("node runs: `make install-deps` installs it");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn a_phone_needs_only_the_pack_and_the_vectors() {
    let questions = &*QUESTIONS;
    let cases = questions["cases"].as_array().expect("a list").iter();
    let conditions: usize = cases
        .map(|case| {
            case["answers"]
                .as_object()
                .map_or(0, |answers| answers.len())
        })
        .sum();
    let texts = questions["texts"].as_array().map_or(0, Vec::len);
    assert!(
        conditions > 5_000 && texts > 1_000,
        "{conditions} conditions, {texts} texts"
    );
    let (same, said) = checked(questions, SIGNALS, SCRIPT);
    assert!(same, "{said}");
    assert_eq!(
        said,
        format!("compared {conditions} conditions and {texts} texts\n")
    );
}

#[test]
fn a_changed_weight_condition_or_character_is_named() {
    let mut questions = QUESTIONS.clone();
    let (spoilt, group) = with_one_weight_more("我");
    let (same, said) = checked(&questions, &spoilt, SCRIPT);
    assert!(!same && said.contains("digest of the weights"), "{said}");
    assert!(
        said.contains(&format!("margins of {group}: Rust [")),
        "{said}"
    );

    let (same, said) = checked(&questions, SIGNALS, &SCRIPT.replacen("證证", "證證", 1));
    assert!(!same && said.contains("levelled text: Rust"), "{said}");

    let rules = questions["pack"]["rules"].as_array_mut().expect("a list");
    let rule = rules
        .iter_mut()
        .find(|rule| rule["when"] == "record.sales == true");
    let rule = rule.expect("a rule about selling");
    rule["when"] = json!("record.sales == false");
    let id = rule["id"].as_str().expect("an id").to_owned();
    let (same, said) = checked(&questions, SIGNALS, SCRIPT);
    assert!(
        !same && said.contains(&format!("rule {id}: Rust true, Node false")),
        "{said}"
    );
}

/// The shipped weights, but the first group's gate weighs this letter one more or less.
fn with_one_weight_more(letter: &str) -> (Vec<u8>, String) {
    let signals = shipped().expect("the weights read");
    let mut bytes = SIGNALS.to_vec();
    let mut number = None;
    let words = Classes::new(&BTreeMap::new()).expect("no words are words");
    words.features(letter, &mut |feature| {
        // What comes first is the letter's pair with its clause's beginning.
        number = number.or(Some(feature.number));
    });
    let number = number.expect("a letter is a feature").to_le_bytes();
    let frame = b"XIANGYI-SIGNALS 1\n".len();
    let length = bytes[frame..].first_chunk().expect("a length");
    let numbers = frame + 4 + u32::from_le_bytes(*length) as usize;
    let wide = 2 * signals.groups.len();
    let features = (bytes.len() - numbers) / (4 + wide);
    let mut rows = bytes[numbers..numbers + 4 * features].chunks(4);
    let row = rows.position(|own| own == number).expect("a known feature");
    bytes[numbers + 4 * features + row * wide] ^= 1;
    (bytes, signals.groups[0].name.clone())
}

/// The table of characters as the engine has it, in the form of its file.
fn table() -> String {
    let han = '\u{4e00}'..='\u{9fff}';
    let pairs = han.filter_map(|old| {
        let new = plain(&old.to_string());
        (new != old.to_string()).then(|| format!("{old}{new}"))
    });
    let pairs: Vec<String> = pairs.collect();
    let rows = pairs.chunks(PAIRS_IN_A_ROW);
    let rows: Vec<String> = rows.map(|row| format!("\"{}\"", row.concat())).collect();
    format!("[\n{}\n]\n", rows.join(",\n"))
}

#[test]
fn the_table_of_characters_is_the_engines() {
    assert_eq!(
        SCRIPT,
        table(),
        "write it again: --ignored write_the_table_of_characters"
    );
}

#[test]
#[ignore = "writes proto/vectors/script.json from the engine's table"]
fn write_the_table_of_characters() {
    let path = root().join("proto/vectors/script.json");
    fs::write(path, table()).expect("the table can be written");
}
