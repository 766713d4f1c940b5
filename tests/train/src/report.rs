//! Tables of what was found: by group, by writer, on ordinary notes, and with ever more writers.

use crate::corpus::{Corpus, GENERATED, Note};
use crate::folds::{self, Counts, Scored};
use crate::model::{self, Limits};

/// Standard deviations of a 95 % interval.
const WIDE: f64 = 1.96;

/// Prints the table of all folds. The limits by which a writer is judged were chosen on the others'
/// notes, as the weights were learned from them.
pub fn print(corpus: &Corpus, scored: &[Scored], errors: bool) {
    let notes = &corpus.notes;
    let groups = model::groups(notes);
    let writers = folds::writers(notes);
    let mut by_group = vec![Counts::default(); groups.len()];
    let mut by_writer = Vec::new();
    let mut told = Vec::new();
    for writer in &writers {
        let is_own = |one: &&Scored| notes[one.note].writer == *writer;
        let others: Vec<&Scored> = scored.iter().filter(|one| !is_own(one)).collect();
        let own: Vec<&Scored> = scored.iter().filter(is_own).collect();
        let limits = folds::choose(notes, &groups, &others);
        let measured = folds::measure(notes, &groups, &own, &limits, false);
        let mut all = Counts::default();
        for (sum, counts) in by_group.iter_mut().zip(&measured.groups) {
            sum.join(*counts);
            all.join(*counts);
        }
        told.extend(
            own.iter()
                .flat_map(|one| wrongly(notes, &groups, one, &limits)),
        );
        by_writer.push((writer, all, measured.warned, measured.alarmed));
    }
    tables(&groups, &by_writer, &by_group);
    let mut pooled = Counts::default();
    by_group.iter().for_each(|counts| pooled.join(*counts));
    let labelled = by_writer
        .iter()
        .filter(|(_, all, ..)| all.found + all.missed > 0);
    let each: Vec<f64> = labelled.map(|(_, all, ..)| all.f1()).collect();
    let (mean, off) = interval(&each);
    let danger = groups
        .iter()
        .zip(&by_group)
        .filter(|(name, _)| model::family(name) == 1);
    let mut dangers = Counts::default();
    danger.for_each(|(_, counts)| dangers.join(*counts));
    println!(
        "\npooled F1 {:.3} (precision {:.3}, recall {:.3}); by writer {mean:.3} ± {off:.3} (95 %); danger recall {:.3}",
        pooled.f1(),
        pooled.precision(),
        pooled.recall(),
        dangers.recall()
    );
    let all: Vec<&Scored> = scored.iter().collect();
    let limits = folds::choose(notes, &groups, &all);
    let ordinary = folds::measure(notes, &groups, &all, &limits, false);
    let visits = folds::measure(notes, &groups, &all, &limits, true);
    println!(
        "ordinary notes: {:.2} % warned, {:.2} % alarmed; put-together visits: {:.2} %, {:.2} %",
        ordinary.warned, ordinary.alarmed, visits.warned, visits.alarmed
    );
    if errors {
        told.iter().for_each(|line| println!("{line}"));
    }
}

/// Counts of one writer, and how many ordinary notes in a hundred were warned and alarmed.
type Row<'a> = (&'a String, Counts, f64, f64);

fn tables(groups: &[String], by_writer: &[Row<'_>], by_group: &[Counts]) {
    println!(
        "| writer | F1 | precision | recall | ordinary warned % | alarmed % |\n|---|---|---|---|---|---|"
    );
    for (writer, all, warned, alarmed) in by_writer {
        println!(
            "| {writer} | {:.3} | {:.3} | {:.3} | {warned:.1} | {alarmed:.1} |",
            all.f1(),
            all.precision(),
            all.recall()
        );
    }
    println!("\n| group | F1 | precision | recall | notes that hit |\n|---|---|---|---|---|");
    for (name, counts) in groups.iter().zip(by_group) {
        println!(
            "| {name} | {:.3} | {:.3} | {:.3} | {} |",
            counts.f1(),
            counts.precision(),
            counts.recall(),
            counts.found + counts.missed
        );
    }
}

/// The lines of a note that was judged wrongly.
fn wrongly(notes: &[Note], groups: &[String], one: &Scored, limits: &[Limits]) -> Vec<String> {
    let note = &notes[one.note];
    let wrong = (0..groups.len()).filter(|at| {
        let said = folds::says(one.scores[*at], limits[*at]);
        match &note.group {
            Some(own) => *own == groups[*at] && said != note.hit,
            None => said,
        }
    });
    let line = |at: usize| {
        let what = if note.group.is_none() {
            "ordinary"
        } else if note.hit {
            "missed"
        } else {
            "wrong"
        };
        format!(
            "{what} {} {} {:.2} {:.2} {}",
            groups[at], note.id, one.scores[at].gate, one.scores[at].decide, note.text
        )
    };
    wrong.map(line).collect()
}

/// Mean and half the width of its 95 % interval.
fn interval(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / (count - 1.0).max(1.0);
    (mean, WIDE * (spread / count).sqrt())
}

/// Judges three writers by ever more of the others.
pub fn curve(corpus: &Corpus, read: &[Vec<(u32, bool)>]) {
    let notes = &corpus.notes;
    let groups = model::groups(notes);
    let judged = ["b", "c", "n"];
    let others: Vec<String> = folds::writers(notes)
        .into_iter()
        .filter(|writer| !judged.contains(&writer.as_str()))
        .collect();
    println!(
        "| writers learned from | labelled notes | F1 on {} |\n|---|---|---|",
        judged.join(", ")
    );
    let counts = [1, 2, 4, 8, 12]
        .into_iter()
        .filter(|count| *count < others.len());
    for count in counts.chain([others.len()]) {
        let taught = &others[others.len() - count..];
        let scored = folds::fold(corpus, read, &judged, &|writer| {
            taught.iter().any(|own| own == writer)
        });
        let labelled = notes
            .iter()
            .filter(|note| note.group.is_some() && taught.contains(&note.writer))
            .count();
        let own: Vec<&Scored> = scored
            .iter()
            .filter(|one| notes[one.note].writer != GENERATED)
            .collect();
        let mut all = Counts::default();
        for writer in judged {
            // The limits of each are chosen on the other two.
            let (its, others): (Vec<&Scored>, Vec<&Scored>) =
                own.iter().partition(|one| notes[one.note].writer == writer);
            let limits = folds::choose(notes, &groups, &others);
            let measured = folds::measure(notes, &groups, &its, &limits, false);
            measured.groups.iter().for_each(|counts| all.join(*counts));
        }
        println!("| {count} | {labelled} | {:.3} |", all.f1());
    }
}
