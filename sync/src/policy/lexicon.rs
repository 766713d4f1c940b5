//! Lexicons of a pack: one scan over all their phrases, then the markers before each act.
//!
//! A lexicon is mentioned where an act stands in a clause that no marker of the same lexicon
//! opens before it. The scan says which lexicons a text mentions; what follows from a mention is
//! the rule's business. A learned decider would take the acts found here as candidates.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use xiangyi_proto::pack::LexiconDoc;

use super::fault::PackFault;
use super::mentions::{CLAUSE_END, fold};

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

/// All lexicons of a pack behind one automaton.
#[derive(Debug)]
pub struct Lexicons {
    names: Vec<String>,
    phrases: Vec<Phrase>,
    machine: AhoCorasick,
}

impl Lexicons {
    /// Builds the automaton; a phrase that folds to nothing is a fault.
    pub fn new(docs: &BTreeMap<String, LexiconDoc>) -> Result<Self, Vec<PackFault>> {
        let mut faults = Vec::new();
        let (mut texts, mut phrases) = (Vec::new(), Vec::new());
        for (lexicon, (name, doc)) in docs.iter().enumerate() {
            let place = || format!("lexicons/{name}");
            if doc.acts.is_empty() {
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

    /// The lexicons that a folded text mentions.
    pub fn scan(&self, folded: &str) -> LexiconSet {
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
            .is_some_and(|index| self.scan(&fold(text)) >> index & 1 == 1)
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
