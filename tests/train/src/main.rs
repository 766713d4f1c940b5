//! `train`: learns the weights of the text signals and tells what they are worth.
//!
//! `make train` writes them into the pack; `make folds` judges each writer by weights learned from
//! the others, with the learning curve. The same notes give the same weights.

mod corpus;
mod folds;
mod learn;
mod model;
mod report;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use xiangyi_sync::policy::signals::Signals;

use corpus::Corpus;
use folds::Scored;

#[derive(Parser)]
struct Args {
    /// The project's folder.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Judge writers by the others, a group of them at a time, choose limits, learn from all, write
    /// weights and pack.
    Learn,
    /// Judge each writer by the others and print what is found.
    Folds {
        /// Also print the notes that are judged wrongly.
        #[arg(long)]
        errors: bool,
    },
    /// Judge the same writers by ever more others.
    Curve,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let corpus = corpus::read(&args.root)?;
    let read = model::read(&corpus)?;
    match args.what {
        What::Learn => {
            let scored = in_groups(&corpus, &read);
            learn_all(&args.root, &corpus, &read, &scored)?;
        }
        What::Folds { errors } => report::print(&corpus, &all_folds(&corpus, &read), errors),
        What::Curve => report::curve(&corpus, &read),
    }
    Ok(())
}

/// Every writer's notes as weights score them that never saw that writer.
fn all_folds(corpus: &Corpus, read: &[Vec<(u32, bool)>]) -> Vec<Scored> {
    let mut scored = Vec::new();
    for (at, writer) in folds::writers(&corpus.notes).iter().enumerate() {
        eprintln!("judging {writer} by the others");
        let mut fold = folds::fold(corpus, read, &[writer], &|_| true);
        // The put-together visits are scored by every fold; the first one's count.
        fold.retain(|one| at == 0 || corpus.notes[one.note].writer != corpus::GENERATED);
        scored.extend(fold);
    }
    scored
}

/// Groups of writers that are judged together where limits are chosen: one writer at a time gives
/// much the same limits and takes four times as long.
const GROUPS: usize = 6;

fn in_groups(corpus: &Corpus, read: &[Vec<(u32, bool)>]) -> Vec<Scored> {
    let writers = folds::writers(&corpus.notes);
    let mut scored = Vec::new();
    for group in 0..GROUPS {
        let out: Vec<&str> = writers
            .iter()
            .skip(group)
            .step_by(GROUPS)
            .map(String::as_str)
            .collect();
        eprintln!("judging {} by the others", out.join(", "));
        let mut fold = folds::fold(corpus, read, &out, &|_| true);
        fold.retain(|one| group == 0 || corpus.notes[one.note].writer != corpus::GENERATED);
        scored.extend(fold);
    }
    scored
}

fn learn_all(
    root: &Path,
    corpus: &Corpus,
    read: &[Vec<(u32, bool)>],
    scored: &[Scored],
) -> Result<(), Box<dyn Error>> {
    let groups = model::groups(&corpus.notes);
    let limits = folds::choose(&corpus.notes, &groups, &scored.iter().collect::<Vec<_>>());
    let all: Vec<usize> = (0..corpus.notes.len()).collect();
    let model = model::model(&corpus.notes, read, &all);
    let file = model.file(&limits, &corpus.words, &corpus.digest);
    let digest = Signals::read(&file)?.digest;
    fs::write(root.join("proto/packs/signals.bin"), &file)?;
    let path = root.join("proto/packs/43.yaml");
    let pack = fs::read_to_string(&path)?;
    let named = |line: &str| match line.strip_prefix("signals: ") {
        Some(_) => format!("signals: {digest}"),
        None => line.to_owned(),
    };
    let lines: Vec<String> = pack.lines().map(named).collect();
    fs::write(&path, lines.join("\n") + "\n")?;
    println!("{} bytes of weights, {digest}", file.len());
    Ok(())
}
