//! `sim`: plays seeds until one breaks a law, one seed again, or each planted fault until it is
//! seen.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use xiangyi_sim::{Failure, Fault, Options, Tally, run, run_with_other_clocks};

/// Worlds allocate and free all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Plants each fault in turn and plays until a law sees it, or the seeds are used up.
    #[arg(long)]
    mutants: bool,
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
    if args.mutants {
        return mutants(&args, options);
    }
    let seeds = match args.seed {
        Some(seed) => seed..seed + 1,
        None => args.from..args.from + args.seeds,
    };
    let worlds = seeds.end - seeds.start;
    let began = now();
    let played = Played::default();
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    let holds = played.count(whole(seed, options));
                    stop.fetch_or(!holds && !args.all, Ordering::Relaxed);
                }
            });
        }
    });
    let (total, failed) = played.all();
    let seconds = began.elapsed().as_secs_f64();
    let rate = total.exchanges as f64 / seconds;
    println!(
        "{worlds} seeds, {failed} failed, {} exchanges in {seconds:.0} s ({rate:.0} a second), at \
         most {} rounds of loading",
        total.exchanges, total.rounds
    );
    if args.verdicts {
        for (told, n) in &total.told {
            println!("{n:>7} {told}");
        }
    }
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The worlds of a seed: one with every trouble, two calm ones with each other's clocks.
fn whole(seed: u64, options: Options) -> Result<Tally, Box<Failure>> {
    let mut tally = run(seed, options)?;
    tally.exchanges += run_with_other_clocks(seed, options)?;
    Ok(tally)
}

/// Plants each fault and says at which seed which law saw it.
fn mutants(args: &Args, options: Options) -> ExitCode {
    let mut unseen = 0;
    for fault in Fault::ALL {
        let options = Options {
            fault: Some(*fault),
            deep: 0,
            ..options
        };
        let mut seeds = args.from..args.from + args.seeds;
        match seeds.find_map(|seed| run(seed, options).err()) {
            Some(failure) => {
                let (law, seed) = (failure.broken.law, failure.seed);
                println!("{fault:?}: law {law} at seed {seed}");
            }
            None => {
                println!("{fault:?}: NOT SEEN in {} seeds", args.seeds);
                unseen += 1;
            }
        }
    }
    let planted = Fault::ALL.len();
    println!("{} of {planted} planted faults seen", planted - unseen);
    match unseen {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What all threads have played.
#[derive(Default)]
struct Played {
    total: Mutex<(Tally, usize)>,
}

impl Played {
    /// Counts a world; says whether every law held.
    fn count(&self, played: Result<Tally, Box<Failure>>) -> bool {
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        match played {
            Ok(tally) => {
                add(&mut total.0, &tally);
                true
            }
            Err(failure) => {
                println!("{failure}");
                total.1 += 1;
                false
            }
        }
    }

    fn all(self) -> (Tally, usize) {
        let total = self.total.into_inner();
        total.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The monotonic clock, for the rate that is printed.
#[expect(clippy::disallowed_methods, reason = "no world sees it")]
fn now() -> Instant {
    Instant::now()
}

fn add(total: &mut Tally, one: &Tally) {
    total.exchanges += one.exchanges;
    total.rounds = total.rounds.max(one.rounds);
    for (name, n) in &one.told {
        *total.told.entry(name.clone()).or_default() += n;
    }
}
