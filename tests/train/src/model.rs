//! From notes to a file of weights: which features count, gate and decider of each group, limits.

use std::collections::{BTreeMap, HashMap, HashSet};

use xiangyi_sync::policy::signals::{
    Classes, Feature, Frame, Group, STEP, Signals, plain, written,
};

use crate::corpus::{Corpus, GENERATED, Note};
use crate::learn::{Example, Learned, Matrix, Strength, learn};

/// Notes in which a feature must stand to be learned.
const NOTES_MIN: usize = 3;
/// Features that are kept, those with the most weight; each costs 40 bytes of the file.
const FEATURES: usize = 64_000;
/// A class of words beside a run of letters.
const CLASS_VALUE: f32 = 0.7;
/// Values of a long note are divided by its size to this power.
const LENGTH_POWER: f64 = -0.3;
const LENGTH_SCALE: f64 = 2.5;
/// Below this size a note counts as this long.
const SIZE_MIN: f64 = 20.0;
/// Steps of length that are told apart, see [`STEP`].
const STEPS: usize = 160;
/// The gate: hits of a group against ordinary notes and notes of other groups.
const GATE: Strength = Strength {
    cost: 0.3,
    shared: 0.5,
};
/// The decider: hits of a group against those of its notes that are none.
const DECIDER: Strength = Strength {
    cost: 0.3,
    shared: 0.3,
};
/// What an example counts beside one of the group's own.
const ORDINARY: f64 = 0.3;
const OTHER_GROUP: f64 = 0.1;
const ORDINARY_FOR_DECIDER: f64 = 0.1;
/// Put-together visits, beside ordinary notes.
const GENERATED_PART: f64 = 1.0 / 3.0;

/// The limits of a group, in the units in which examples are learned: 0 lies between hits and
/// others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub gate: f64,
    pub decide: f64,
}

/// Gate and decider of each group before limits are chosen.
pub struct Model {
    pub groups: Vec<String>,
    numbers: Vec<u32>,
    gate: Quantized,
    decide: Quantized,
}

/// Weights in whole steps.
struct Quantized {
    weights: Vec<Vec<i8>>,
    bias: Vec<f64>,
    step: Vec<f64>,
}

/// The groups of the notes, in order.
pub fn groups(notes: &[Note]) -> Vec<String> {
    let named: std::collections::BTreeSet<_> =
        notes.iter().filter_map(|n| n.group.clone()).collect();
    named.into_iter().collect()
}

/// Danger shares nothing with acts, and orders with neither.
pub fn family(group: &str) -> usize {
    match group {
        "ordered" => 2,
        _ if group.starts_with("danger") => 1,
        _ => 0,
    }
}

/// What each note consists of; the work that all folds share.
pub fn read(corpus: &Corpus) -> Result<Vec<Vec<(u32, bool)>>, String> {
    let classes = Classes::new(&corpus.words)?;
    let one = |note: &Note| {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        classes.features(&plain(&note.text), &mut |feature: Feature| {
            if seen.insert(feature.number) {
                found.push((feature.number, feature.is_class));
            }
        });
        found
    };
    Ok(corpus.notes.iter().map(one).collect())
}

/// Learns from some of the notes.
pub fn model(notes: &[Note], read: &[Vec<(u32, bool)>], of: &[usize]) -> Model {
    let groups = groups(notes);
    let mut counts: HashMap<u32, (usize, bool)> = HashMap::new();
    for &note in of.iter().filter(|note| notes[**note].writer != GENERATED) {
        for (number, is_class) in &read[note] {
            counts.entry(*number).or_insert((0, *is_class)).0 += 1;
        }
    }
    let mut known: Vec<(u32, bool)> = counts
        .iter()
        .filter(|(_, (count, _))| *count >= NOTES_MIN)
        .map(|(number, (_, is_class))| (*number, *is_class))
        .collect();
    known.sort_unstable();
    let gates = for_gate(notes, of, &groups);
    let deciders = for_decider(notes, of, &groups);
    let families: Vec<usize> = groups.iter().map(|group| family(group)).collect();
    let pair = |known: &[(u32, bool)]| {
        let matrix = matrix(read, of, known);
        std::thread::scope(|scope| {
            let gate = scope.spawn(|| learn(&matrix, &gates, &families, GATE));
            let decide = learn(&matrix, &deciders, &families, DECIDER);
            (gate.join().expect("learning ends"), decide)
        })
    };
    if known.len() > FEATURES {
        let (gate, decide) = pair(&known);
        known = heaviest(&known, &[&gate, &decide]);
    }
    let (gate, decide) = pair(&known);
    Model {
        groups,
        numbers: known.iter().map(|(number, _)| *number).collect(),
        gate: quantized(&gate, &known),
        decide: quantized(&decide, &known),
    }
}

fn for_gate(notes: &[Note], of: &[usize], groups: &[String]) -> Vec<Example> {
    let mut examples = Vec::new();
    for &note in of {
        let read = &notes[note];
        for (group, name) in groups.iter().enumerate() {
            let weight = match &read.group {
                Some(own) if own == name => f64::from(u8::from(read.hit)),
                Some(own) => other_weight(own, name, read.hit),
                None => ordinary_weight(read, ORDINARY),
            };
            let hit = read.group.as_ref() == Some(name);
            if weight > 0.0 {
                examples.push(Example {
                    note,
                    group,
                    hit,
                    weight,
                });
            }
        }
    }
    examples
}

/// A hit of another group may well be one of this group too: an order is about something, and
/// dangers come together.
fn other_weight(own: &str, name: &str, hit: bool) -> f64 {
    let may_be_both = name == "ordered"
        || hit && own == "ordered"
        || hit && family(own) == 1 && family(name) == 1;
    match (may_be_both, hit) {
        (true, _) => 0.0,
        (false, true) => OTHER_GROUP / 2.0,
        (false, false) => OTHER_GROUP,
    }
}

fn ordinary_weight(note: &Note, weight: f64) -> f64 {
    if note.writer == GENERATED {
        weight * GENERATED_PART
    } else {
        weight
    }
}

fn for_decider(notes: &[Note], of: &[usize], groups: &[String]) -> Vec<Example> {
    let mut examples = Vec::new();
    for &note in of {
        let read = &notes[note];
        match &read.group {
            Some(own) => {
                let group = groups
                    .iter()
                    .position(|name| name == own)
                    .expect("it is listed");
                examples.push(Example {
                    note,
                    group,
                    hit: read.hit,
                    weight: 1.0,
                });
            }
            None => {
                let weight = ordinary_weight(read, ORDINARY_FOR_DECIDER);
                let group = 0..groups.len();
                examples.extend(group.map(|group| Example {
                    note,
                    group,
                    hit: false,
                    weight,
                }));
            }
        }
    }
    examples
}

fn matrix(read: &[Vec<(u32, bool)>], of: &[usize], known: &[(u32, bool)]) -> Matrix {
    let at: HashMap<u32, u32> = (0_u32..)
        .zip(known)
        .map(|(at, (number, _))| (*number, at))
        .collect();
    let mut rows = vec![Vec::new(); read.len()];
    let mut scales = vec![0.0; read.len()];
    for &note in of {
        let found = read[note]
            .iter()
            .filter_map(|(number, is_class)| at.get(number).map(|at| (*at, *is_class)));
        let found: Vec<(u32, bool)> = found.collect();
        let size = found
            .iter()
            .map(|(_, is_class)| if *is_class { 1 } else { 2 })
            .sum();
        scales[note] = LENGTH_SCALE * length(size).powf(LENGTH_POWER);
        rows[note] = found.into_iter().map(|(at, _)| at).collect();
    }
    let value = |(_, is_class): &(u32, bool)| if *is_class { CLASS_VALUE } else { 1.0 };
    let values = known.iter().map(value).collect();
    Matrix {
        rows,
        values,
        scales,
    }
}

/// The length of a note of a size, as limits see it.
fn length(size: usize) -> f64 {
    let step = (size / STEP).min(STEPS - 1);
    ((step * STEP + STEP / 2) as f64 / 2.0).max(SIZE_MIN)
}

fn heaviest(known: &[(u32, bool)], learned: &[&Learned]) -> Vec<(u32, bool)> {
    let mut weight = vec![0.0_f64; known.len()];
    for weights in learned.iter().flat_map(|learned| &learned.weights) {
        let most = f64::from(largest(weights));
        for (sum, weight) in weight.iter_mut().zip(weights) {
            *sum += (f64::from(*weight) / most).powi(2);
        }
    }
    let mut order: Vec<usize> = (0..known.len()).collect();
    order.sort_by(|a, b| weight[*b].total_cmp(&weight[*a]).then(a.cmp(b)));
    order.truncate(FEATURES);
    order.sort_unstable();
    order.into_iter().map(|at| known[at]).collect()
}

fn largest(weights: &[f32]) -> f32 {
    weights
        .iter()
        .fold(1e-9, |most, weight| most.max(weight.abs()))
}

fn quantized(learned: &Learned, known: &[(u32, bool)]) -> Quantized {
    let mut quantized = Quantized {
        weights: Vec::new(),
        bias: learned.bias.clone(),
        step: Vec::new(),
    };
    for weights in &learned.weights {
        let valued = weights
            .iter()
            .zip(known)
            .map(|(weight, (_, is_class))| weight * if *is_class { CLASS_VALUE } else { 1.0 });
        let valued: Vec<f32> = valued.collect();
        let step = largest(&valued) / 127.0;
        quantized.weights.push(
            valued
                .iter()
                .map(|weight| (weight / step).round() as i8)
                .collect(),
        );
        quantized.step.push(f64::from(step));
    }
    quantized
}

impl Quantized {
    /// The limit of a group for a threshold, in whole steps at the length where limits reach once.
    fn limit(&self, group: usize, threshold: f64) -> i32 {
        let whole = REACH_ONCE.powf(-LENGTH_POWER) / LENGTH_SCALE;
        ((threshold - self.bias[group]) * whole / self.step[group]).round() as i32
    }
}

/// The length at which a limit is what is written.
const REACH_ONCE: f64 = 100.0;

impl Model {
    /// The file of the weights with these limits.
    pub fn file(
        &self,
        limits: &[Limits],
        words: &BTreeMap<String, Vec<String>>,
        learned_from: &str,
    ) -> Vec<u8> {
        let group = |(at, name): (usize, &String)| Group {
            name: name.clone(),
            gate: self.gate.limit(at, limits[at].gate),
            decide: self.decide.limit(at, limits[at].decide),
        };
        let reach = |step: usize| {
            let part = length(step * STEP) / REACH_ONCE;
            (1_024.0 * part.powf(-LENGTH_POWER)).round() as i32
        };
        let frame = Frame {
            learned_from: learned_from.to_owned(),
            words: words.clone(),
            groups: self.groups.iter().enumerate().map(group).collect(),
            reach: (0..STEPS).map(reach).collect(),
            features: self.numbers.len(),
        };
        let row = |(at, number): (usize, &u32)| {
            let both =
                |group: usize| [self.gate.weights[group][at], self.decide.weights[group][at]];
            (*number, (0..self.groups.len()).flat_map(both).collect())
        };
        let rows: Vec<(u32, Vec<i8>)> = self.numbers.iter().enumerate().map(row).collect();
        written(&frame, &rows)
    }

    /// How far a plain text is above 0 in gate and decider of every group, in the units of
    /// [`Limits`], by the very sums that a server takes.
    pub fn scores(&self, signals: &Signals, text: &str) -> Vec<Limits> {
        let sums = signals.sums(text);
        let one = |group: usize| {
            let (gate, decide) = signals.margins(&sums, group);
            // A margin is (threshold passed) x reach x whole / step, in 1/1024.
            let back = |margin: i64, quantized: &Quantized| {
                let whole = REACH_ONCE.powf(-LENGTH_POWER) / LENGTH_SCALE;
                margin as f64 / signals.reach(&sums) as f64 / whole * quantized.step[group]
            };
            Limits {
                gate: back(gate, &self.gate),
                decide: back(decide, &self.decide),
            }
        };
        (0..self.groups.len()).map(one).collect()
    }
}
