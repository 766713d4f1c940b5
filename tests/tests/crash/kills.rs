//! SIGKILL at random moments and a death at each named place, again and again.
//!
//! `KILLS` says how often on both engines together, in worlds of at most 25, each with its seed.

use std::collections::BTreeMap;
use std::path::Path;

use xiangyi_server::entropy::Entropy;
use xiangyi_tests::engine::Engine;
use xiangyi_tests::field::{Field, asked, below, seed};
use xiangyi_tests::on_both;
use xiangyi_tests::program::{Serving, until};
use xiangyi_tests::scratch::Scratch;

use crate::{adds_up, everybody, serving, started, worked};

/// Kills of an ordinary run, on both engines together.
const KILLS: u64 = 12;
const WORLD: u64 = 25;
/// Places that a running server comes to; how often it may pass before it dies, at most.
const PLACES: &[(&str, u64)] = &[
    ("commit-before", 30),
    ("commit-after", 30),
    ("photo-staged", 1),
    ("photo-stored", 1),
    ("photo-noted", 1),
    ("photo-shown", 1),
    ("timers-read", 3),
    ("timers-fired", 3),
    ("start-keys", 1),
    ("start-confirmed", 1),
    ("start-seeded", 1),
];
/// Acknowledgements after which a place is not waited for any longer.
const ENOUGH: u64 = 300;

/// How often the server died where.
type Deaths = BTreeMap<&'static str, u64>;

/// The moments and places of one world.
struct Killer<'a> {
    room: &'a Path,
    database: &'a str,
    moments: Entropy,
    deaths: Deaths,
}

impl Killer<'_> {
    /// One run of the server and its end; gives nothing when it died before it listened.
    async fn run(&mut self, field: &Field) {
        let place = match below(&self.moments, 3) {
            0 => None,
            _ => Some(PLACES[below(&self.moments, PLACES.len() as u64) as usize]),
        };
        let dies_at = place.map(|(place, most)| {
            let count = 1 + below(&self.moments, most);
            format!("{place}:{count}")
        });
        let more = ["--database", self.database];
        let died = match started(self.room, &more, dies_at.as_deref()).await {
            Ok(server) => {
                field.is_at(server.nobody());
                self.died(server, field, place.map(|(place, _)| place))
                    .await
            }
            Err(said) => {
                let (place, _) = place.expect("it only dies where it was told to");
                assert!(place.starts_with("start-"), "{place}: {said:?}");
                place
            }
        };
        *self.deaths.entry(died).or_default() += 1;
        adds_up(self.room, self.database).await;
    }

    /// Waits for the place, or draws a moment; gives where it died.
    async fn died(
        &self,
        mut server: Serving,
        field: &Field,
        place: Option<&'static str>,
    ) -> &'static str {
        let begun = field.acknowledged();
        if let Some(place) = place {
            let over = until("it dies, or much is acknowledged", || {
                let dead = server.is_dead().then_some(true);
                dead.or_else(|| (field.acknowledged() > begun + ENOUGH).then_some(false))
            });
            if over.await {
                return place;
            }
        } else {
            let goal = begun + 1 + below(&self.moments, 60);
            until("so much is acknowledged", || {
                (field.acknowledged() >= goal).then_some(())
            })
            .await;
            // A moment of its own, not one right behind an answer.
            let moment = std::time::Duration::from_micros(below(&self.moments, 20_000));
            tokio::time::sleep(moment).await;
        }
        server.kill().await;
        "moment"
    }
}

/// A world: fresh data, everybody at work, so many kills. Gives where the server died.
async fn world(engine: Engine, seed: u64, kills: u64) -> Deaths {
    println!("a world of {kills} kills, seed {seed}");
    let scratch = Scratch::new("crash");
    let database = engine.address(&scratch).await;
    let more = ["--database", database.as_str()];
    let first = serving(scratch.path(), &more).await;
    let field = Field::new(first.nobody());
    let people = everybody(&first.nobody(), seed).await;
    let mut killer = Killer {
        room: scratch.path(),
        database: &database,
        moments: Entropy::seeded(seed),
        deaths: Deaths::new(),
    };
    let story = async {
        let mut first = Some(first);
        for _ in 0..kills {
            if let Some(first) = first.take() {
                first.kill().await;
            }
            killer.run(&field).await;
        }
        let last = serving(scratch.path(), &more).await;
        field.is_at(last.nobody());
        last
    };
    let last = worked(people, &field, story).await;
    last.kill().await;
    adds_up(scratch.path(), &database).await;
    killer.deaths
}

on_both!(killed_servers_keep_what_they_acknowledged, |engine| {
    let seed = seed();
    let mut left = asked("KILLS").unwrap_or(KILLS).div_ceil(2);
    let (mut deaths, mut number) = (Deaths::new(), 0);
    while left > 0 {
        let kills = left.min(WORLD);
        for (place, times) in world(engine, seed + number, kills).await {
            *deaths.entry(place).or_default() += times;
        }
        (left, number) = (left - kills, number + 1);
    }
    let all: u64 = deaths.values().sum();
    println!("{engine:?}: {all} kills survived: {deaths:?}");
});
