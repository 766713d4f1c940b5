//! `xiangyi pack score` and `pack explain`: what a pack's signals are worth, and why a record got
//! its answer.

use std::path::Path;

use serde_json::Value;
use xiangyi_proto::kinds::{Kind, Op};
use xiangyi_proto::time::TimeQuality;
use xiangyi_sync::policy::{self, Explained, Heard, Note, Question, Score};

use super::pack::{text, unsound};
use crate::app::StartError;

/// Prints what the signals of a pack are worth on notes, one JSON object a line.
pub fn score(file: &Path, notes: &Path, json: bool) -> Result<(), StartError> {
    let doc = policy::read(&text(file)?).map_err(|faults| unsound(file, &faults))?;
    let mut read: Vec<Note> = Vec::new();
    let lines = text(notes)?;
    for (at, line) in lines.lines().enumerate() {
        if !line.trim().is_empty() {
            let note = serde_json::from_str(line);
            let place = |error| format!("{}:{}: {error}", notes.display(), at + 1);
            read.push(note.map_err(place)?);
        }
    }
    let score = policy::score(&doc, &read).map_err(|faults| unsound(file, &faults))?;
    if json {
        println!("{}", serde_json::to_string(&score)?);
    } else {
        table(
            &score,
            read.iter().filter(|note| note.group.is_none()).count(),
        );
    }
    Ok(())
}

fn table(score: &Score, ordinary: usize) {
    println!("group 类别              F1   precision 准  recall 全     n");
    for one in &score.groups {
        let rates = one.rates;
        println!(
            "{:<18} {:>8.3} {:>12.3} {:>9.3} {:>5}",
            one.group, rates.f1, rates.precision, rates.recall, one.n
        );
    }
    let pooled = score.pooled;
    println!(
        "{:<18} {:>8.3} {:>12.3} {:>9.3}",
        "pooled 合计", pooled.f1, pooled.precision, pooled.recall
    );
    println!(
        "普通记录 {ordinary} 条：误报 {}，提示 {}。Of {ordinary} ordinary notes {} alarmed, {} warned.",
        score.false_alarms, score.warned, score.false_alarms, score.warned
    );
}

/// Prints why a record gets its answer: a mutation with `kind` and `body`, or the body of a visit.
pub fn explain(file: &Path, record: &Path, json: bool) -> Result<(), StartError> {
    let doc = policy::read(&text(file)?).map_err(|faults| unsound(file, &faults))?;
    let given: Value = serde_json::from_str(&text(record)?)
        .map_err(|error| format!("{}: {error}", record.display()))?;
    let (kind, body) = match (given.get("kind").and_then(Value::as_str), given.get("body")) {
        (Some(name), Some(body)) => {
            let kind = Kind::parse(name).ok_or_else(|| format!("unknown kind {name}"))?;
            (kind, body)
        }
        _ => (Kind::Visit, &given),
    };
    let time = |name: &str| body.get(name).or(given.get(name)).and_then(Value::as_i64);
    let started = time("started_at").or(time("occurred_at")).unwrap_or(0);
    let ended = time("ended_at").unwrap_or(started);
    let unit = given.get("unit").and_then(Value::as_str);
    let question = Question {
        kind,
        record: body,
        unit: unit.unwrap_or(&doc.pack),
        author: "explain",
        op: Op::Create,
        estimated_at: started,
        received_at: time("received_at").unwrap_or(ended),
        quality: TimeQuality::Offset,
        ended_at: ended,
    };
    let explained = policy::explain(&doc, &question).map_err(|faults| unsound(file, &faults))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&explained)?);
    } else {
        told(&explained);
    }
    Ok(())
}

fn told(explained: &Explained) {
    println!(
        "结论 verdict: {}    类别 class: {}",
        explained.verdict, explained.class
    );
    for rule in &explained.rules {
        println!(
            "\n{} [{}] {} / {}",
            rule.rule, rule.verdict, rule.title_zh, rule.title_en
        );
        println!("  依据 clause: {}；{}", rule.clause, rule.basis);
        println!("  位置 at: {}", rule.at.join(" "));
        if let Some(condition) = &rule.condition {
            println!("  条件 condition: {condition}");
        }
        rule.heard.iter().for_each(signal);
        println!("  {}\n  {}", rule.message_zh, rule.message_en);
    }
    for heard in &explained.quiet {
        println!("\n听到而未提示 heard and found to be somebody else’s, asked, told or refused:");
        signal(heard);
    }
    if !explained.lifted.is_empty() {
        println!("\n豁免 exempted: {}", explained.lifted.join(" "));
    }
    if !explained.not_looked_at.is_empty() {
        let rules = explained.not_looked_at.join(" ");
        println!(
            "\n需对照其他记录、此处未判 these look at other records and were not run: {rules}"
        );
    }
}

fn signal(heard: &Heard) {
    let words = heard.words.iter();
    let words: Vec<String> = words
        .map(|word| format!("{}({:+})", word.text, word.weight))
        .collect();
    println!(
        "  信号 signal {} in {}: gate {:+}, decider {:+}; {}",
        heard.lexicon,
        heard.at,
        heard.gate,
        heard.decide,
        words.join(" ")
    );
}
