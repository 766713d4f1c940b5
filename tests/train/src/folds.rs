//! What weights are worth: each writer judged by weights that were learned from all others, and
//! the limits that follow.

use std::collections::BTreeSet;

use xiangyi_sync::policy::signals::{Signals, plain};

use crate::corpus::{Corpus, GENERATED, Note};
use crate::model::{self, Limits};

/// Ordinary notes of which that many in a hundred may be warned, or taken for danger, when limits
/// are chosen. The ordinary notes of the corpus lean to the difficult: most use the groups' words.
const WARNED_MAX: f64 = 2.5;
const ALARMED_MAX: f64 = 3.0;

/// A note with what weights that never saw its writer say of it, by group.
pub struct Scored {
    pub note: usize,
    pub scores: Vec<Limits>,
}

/// Hits found, false ones and missed ones.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub found: usize,
    pub wrong: usize,
    pub missed: usize,
}

impl Counts {
    pub fn f1(self) -> f64 {
        2.0 * self.found as f64 / (2 * self.found + self.wrong + self.missed).max(1) as f64
    }

    pub fn precision(self) -> f64 {
        self.found as f64 / (self.found + self.wrong).max(1) as f64
    }

    pub fn recall(self) -> f64 {
        self.found as f64 / (self.found + self.missed).max(1) as f64
    }

    pub fn add(&mut self, said: bool, hit: bool) {
        match (said, hit) {
            (true, true) => self.found += 1,
            (true, false) => self.wrong += 1,
            (false, true) => self.missed += 1,
            (false, false) => {}
        }
    }

    pub fn join(&mut self, other: Self) {
        self.found += other.found;
        self.wrong += other.wrong;
        self.missed += other.missed;
    }
}

/// The writers of labelled and of ordinary notes.
pub fn writers(notes: &[Note]) -> Vec<String> {
    let named: BTreeSet<_> = notes.iter().map(|note| note.writer.clone()).collect();
    named
        .into_iter()
        .filter(|writer| writer != GENERATED)
        .collect()
}

/// Scores the notes of one writer by what the others teach; put-together visits are learned from in
/// their even half and scored in the odd one.
pub fn fold(
    corpus: &Corpus,
    read: &[Vec<(u32, bool)>],
    out: &[&str],
    taught: &dyn Fn(&str) -> bool,
) -> Vec<Scored> {
    let notes = &corpus.notes;
    let mut visits = 0;
    let (mut of, mut to) = (Vec::new(), Vec::new());
    for (at, note) in notes.iter().enumerate() {
        if note.writer == GENERATED {
            visits += 1;
            if visits % 2 == 0 {
                of.push(at)
            } else {
                to.push(at)
            }
        } else if out.contains(&note.writer.as_str()) {
            to.push(at);
        } else if taught(&note.writer) {
            of.push(at);
        }
    }
    let model = model::model(notes, read, &of);
    let zero = vec![
        Limits {
            gate: 0.0,
            decide: 0.0
        };
        model.groups.len()
    ];
    let file = model.file(&zero, &corpus.words, "");
    let signals = Signals::read(&file).expect("what was written reads");
    let score = |note: usize| Scored {
        note,
        scores: model.scores(&signals, &plain(&notes[note].text)),
    };
    to.into_iter().map(score).collect()
}

/// Does a note pass the limits of a group?
pub fn says(score: Limits, limits: Limits) -> bool {
    score.gate > limits.gate && score.decide > limits.decide
}

/// Counts per group, and ordinary notes that were warned or alarmed, in a hundred.
pub struct Measured {
    pub groups: Vec<Counts>,
    pub warned: f64,
    pub alarmed: f64,
}

/// Measures limits on scored notes; put-together visits count as ordinary notes only in `visits`.
pub fn measure(
    notes: &[Note],
    groups: &[String],
    scored: &[&Scored],
    limits: &[Limits],
    visits: bool,
) -> Measured {
    let mut counts = vec![Counts::default(); groups.len()];
    let (mut ordinary, mut warned, mut alarmed) = (0_usize, 0_usize, 0_usize);
    for one in scored {
        let note = &notes[one.note];
        if let Some(own) = &note.group {
            let at = groups
                .iter()
                .position(|name| name == own)
                .expect("it is listed");
            counts[at].add(says(one.scores[at], limits[at]), note.hit);
        } else if (note.writer == GENERATED) == visits {
            let said = |danger: bool| {
                let mut all =
                    (0..groups.len()).filter(|at| (model::family(&groups[*at]) == 1) == danger);
                all.any(|at| says(one.scores[at], limits[at]))
            };
            ordinary += 1;
            alarmed += usize::from(said(true));
            warned += usize::from(said(false));
        }
    }
    let part = |count: usize| 100.0 * count as f64 / ordinary.max(1) as f64;
    Measured {
        groups: counts,
        warned: part(warned),
        alarmed: part(alarmed),
    }
}

/// Limits that find the most within what ordinary notes may suffer: first one pair for all groups
/// of acts and one for danger, then each group by itself.
pub fn choose(notes: &[Note], groups: &[String], scored: &[&Scored]) -> Vec<Limits> {
    let steps = |from: i32, to: i32| (from..=to).map(|step| f64::from(step) * 0.05);
    let mut limits = vec![
        Limits {
            gate: 0.0,
            decide: 0.0
        };
        groups.len()
    ];
    for danger in [false, true] {
        let mine: Vec<usize> = (0..groups.len())
            .filter(|at| (model::family(&groups[*at]) == 1) == danger)
            .collect();
        let mut best = (
            f64::MIN,
            Limits {
                gate: 0.0,
                decide: 0.0,
            },
        );
        for gate in steps(-20, 4) {
            for decide in steps(-10, 8) {
                let one = Limits { gate, decide };
                let worth = worth(notes, groups, scored, &|_| one, &mine, danger);
                if worth > best.0 {
                    best = (worth, one);
                }
            }
        }
        for at in &mine {
            limits[*at] = best.1;
        }
        for _ in 0..2 {
            for at in &mine {
                let mut kept = (
                    worth(notes, groups, scored, &|g| limits[g], &mine, danger),
                    limits[*at],
                );
                let now = limits[*at];
                for gate in [-0.2, -0.1, 0.0, 0.1, 0.2] {
                    for decide in [-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15] {
                        let tried = Limits {
                            gate: now.gate + gate,
                            decide: now.decide + decide,
                        };
                        let with = |g: usize| if g == *at { tried } else { limits[g] };
                        let worth = worth(notes, groups, scored, &with, &mine, danger);
                        if worth > kept.0 + 1e-4 {
                            kept = (worth, tried);
                        }
                    }
                }
                limits[*at] = kept.1;
            }
        }
    }
    limits
}

/// Pooled F1 of some groups, less what ordinary notes suffer beyond the bound.
fn worth(
    notes: &[Note],
    groups: &[String],
    scored: &[&Scored],
    limits: &dyn Fn(usize) -> Limits,
    mine: &[usize],
    danger: bool,
) -> f64 {
    let mut all = Counts::default();
    let (mut ordinary, mut hurt) = (0_usize, 0_usize);
    for one in scored {
        let note = &notes[one.note];
        match &note.group {
            Some(own) => {
                if let Some(at) = mine.iter().find(|at| groups[**at] == *own) {
                    all.add(says(one.scores[*at], limits(*at)), note.hit);
                }
            }
            None if note.writer == GENERATED => {}
            None => {
                ordinary += 1;
                hurt += usize::from(mine.iter().any(|at| says(one.scores[*at], limits(*at))));
            }
        }
    }
    let bound = if danger { ALARMED_MAX } else { WARNED_MAX };
    let over = 100.0 * hurt as f64 / ordinary.max(1) as f64 - bound;
    all.f1() - 0.05 * over.max(0.0)
}
