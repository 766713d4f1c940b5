//! `sim`: plays seeds until one breaks a law, or one seed again.

use std::process::ExitCode;

use clap::Parser;
use xiangyi_sim::{Options, Tally, run, run_with_other_clocks};

/// Plays small worlds and checks what must always hold.
#[derive(Debug, Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// One seed only.
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Prints every action.
    #[arg(long, env = "TRACE", num_args = 0..=1, default_missing_value = "1")]
    trace: Option<String>,
    /// Actions in a world.
    #[arg(long, default_value_t = 160)]
    steps: usize,
    /// Share of commits that are run again in other ways, in a hundred.
    #[arg(long, default_value_t = 15)]
    deep: u32,
    /// Lists the verdicts that were given.
    #[arg(long)]
    verdicts: bool,
    /// Goes on after a failure and counts.
    #[arg(long)]
    all: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let options = Options {
        steps: args.steps,
        deep: args.deep,
        fault: None,
        calm: false,
        turn: 0,
        traced: args.trace.is_some(),
    };
    let seeds = match args.seed {
        Some(seed) => seed..seed + 1,
        None => args.from..args.from + args.seeds,
    };
    let (mut total, mut failed) = (Tally::default(), 0);
    for seed in seeds.clone() {
        let played = run(seed, options).and_then(|tally| {
            run_with_other_clocks(seed, options)?;
            Ok(tally)
        });
        match played {
            Ok(tally) => add(&mut total, &tally),
            Err(failure) => {
                println!("{failure}");
                failed += 1;
                if !args.all {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let worlds = seeds.end - seeds.start;
    println!(
        "{worlds} seeds, {failed} failed, {} exchanges, at most {} rounds of loading",
        total.exchanges, total.rounds
    );
    if args.verdicts {
        for (told, n) in &total.told {
            println!("{n:>7} {told}");
        }
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn add(total: &mut Tally, one: &Tally) {
    total.exchanges += one.exchanges;
    total.rounds = total.rounds.max(one.rounds);
    for (name, n) in &one.told {
        *total.told.entry(name.clone()).or_default() += n;
    }
}
