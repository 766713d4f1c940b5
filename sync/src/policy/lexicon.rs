//! Lexicons of a pack: phrases with their markers, and learned weights for those that have them.
//!
//! A lexicon is mentioned where one of its phrases stands in a clause that no marker of the same
//! lexicon opens before it; a learned one also where its weights say so. The scan says which
//! lexicons a text mentions; what follows from a mention is the rule's business.

use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use xiangyi_proto::pack::LexiconDoc;

use super::fault::PackFault;
use super::mentions::{CLAUSE_END, both, fold};
use super::signals::{self, Signals};

/// Lexicons of one pack: their set is one machine word.
pub const LEXICONS_MAX: usize = 64;

/// A set of lexicons by their index.
pub type LexiconSet = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Act,
    Marker,
}

#[derive(Debug, Clone, Copy)]
struct Phrase {
    lexicon: usize,
    part: Part,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    phrase: Phrase,
    start: usize,
}

/// A text as lexicons hear it: folded for phrases, plain for weights.
#[derive(Debug)]
pub struct Heard {
    folded: String,
    pub plain: String,
}

impl Heard {
    /// Prepares a text, once for all packs.
    pub fn of(text: &str) -> Self {
        let (folded, level) = both(text);
        let plain = signals::of_level(&level);
        Self { folded, plain }
    }
}

/// All lexicons of a pack: phrases behind one automaton, weights in one table.
#[derive(Debug)]
pub struct Lexicons {
    names: Vec<String>,
    phrases: Vec<Phrase>,
    machine: AhoCorasick,
    signals: Option<Arc<Signals>>,
    /// The groups of the weights, with the lexicon each decides.
    learned: Vec<(usize, usize)>,
}

impl Lexicons {
    /// Builds the automaton; a phrase that folds to nothing is a fault, and so is a learned lexicon
    /// that the weights do not know.
    pub fn new(
        docs: &BTreeMap<String, LexiconDoc>,
        signals: Option<Arc<Signals>>,
    ) -> Result<Self, Vec<PackFault>> {
        let mut faults = Vec::new();
        let mut learned = Vec::new();
        let (mut texts, mut phrases) = (Vec::new(), Vec::new());
        for (lexicon, (name, doc)) in docs.iter().enumerate() {
            let place = || format!("lexicons/{name}");
            if doc.learned {
                match signals.as_ref().and_then(|signals| signals.group(name)) {
                    Some(group) => learned.push((group, lexicon)),
                    None => faults.push(PackFault::of_pack(place(), "the weights do not know it")),
                }
            } else if doc.acts.is_empty() {
                faults.push(PackFault::of_pack(place(), "names no act"));
            }
            let acts = doc.acts.iter().map(|text| (text, Part::Act));
            let markers = doc.not_when.iter().map(|text| (text, Part::Marker));
            for (text, part) in acts.chain(markers) {
                let folded = fold(text);
                if folded.is_empty() || folded.contains(CLAUSE_END) {
                    let message = format!("phrase {text:?} is empty or spans clauses");
                    faults.push(PackFault::of_pack(place(), message));
                } else {
                    texts.push(folded);
                    phrases.push(Phrase { lexicon, part });
                }
            }
        }
        if docs.len() > LEXICONS_MAX {
            faults.push(PackFault::of_pack("lexicons", "more than 64 lexicons"));
        }
        let machine = AhoCorasick::new(&texts);
        match machine {
            Ok(machine) if faults.is_empty() => {
                let names = docs.keys().cloned().collect();
                Ok(Self {
                    names,
                    phrases,
                    machine,
                    signals,
                    learned,
                })
            }
            Ok(_) => Err(faults),
            Err(error) => {
                faults.push(PackFault::of_pack("lexicons", error.to_string()));
                Err(faults)
            }
        }
    }

    /// The index of a lexicon.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|own| own == name)
    }

    /// The lexicons that a text mentions.
    pub fn scan(&self, heard: &Heard) -> LexiconSet {
        let said = self.phrases_in(&heard.folded);
        let (Some(signals), false) = (&self.signals, self.learned.is_empty()) else {
            return said;
        };
        let groups = signals.mentioned(&heard.plain);
        let learned = self.learned.iter();
        let decided = learned.filter(|(group, _)| groups >> group & 1 == 1);
        decided.fold(said, |set, (_, lexicon)| set | 1 << lexicon)
    }

    /// The weights of a learned lexicon, with its group.
    pub fn weights(&self, lexicon: usize) -> Option<(&Signals, usize)> {
        let group = self.learned.iter().find(|(_, own)| *own == lexicon)?.0;
        self.signals.as_deref().map(|signals| (signals, group))
    }

    fn phrases_in(&self, folded: &str) -> LexiconSet {
        let mut found: Vec<Found> = Vec::new();
        let mut acts = false;
        for hit in self.machine.find_overlapping_iter(folded) {
            let phrase = self.phrases[hit.pattern().as_usize()];
            acts |= phrase.part == Part::Act;
            let start = hit.start();
            found.push(Found { phrase, start });
        }
        if !acts {
            return 0;
        }
        let free = |act: &&Found| act.phrase.part == Part::Act && !is_marked(act, &found, folded);
        let mentioned = found.iter().filter(free);
        mentioned.fold(0, |set, act| set | 1 << act.phrase.lexicon)
    }

    /// Says whether a text mentions a lexicon; false when there is no such lexicon.
    pub fn mentions(&self, text: &str, name: &str) -> bool {
        self.index(name)
            .is_some_and(|index| self.scan(&Heard::of(text)) >> index & 1 == 1)
    }
}

fn is_marked(act: &Found, found: &[Found], folded: &str) -> bool {
    let clause = folded[..act.start].rfind(CLAUSE_END).map_or(0, |at| at + 1);
    found.iter().any(|other| {
        other.phrase.part == Part::Marker
            && other.phrase.lexicon == act.phrase.lexicon
            && (clause..act.start).contains(&other.start)
    })
}
