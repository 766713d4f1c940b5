//! A world from its first morning to a quiet end: people act, links break, servers die, time
//! passes. Everything follows from the seed.

mod life;
mod meet;
mod odd;
mod quiet;

use std::collections::BTreeMap;

use serde_json::json;
use xiangyi_proto::exchange::Exchange;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, Millis, day_of_text, day_start};

use crate::acts::Mood;
use crate::cast;
use crate::dice::Dice;
use crate::fault::Fault;
use crate::handset::{self, Handset};
use crate::laws;
use crate::model::{County, Store};
use crate::packs;
use crate::server::Server;
use crate::story::{Broken, Check, Story};

/// How a world is played.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub steps: usize,
    /// Share of commits that are run again in other ways, in a hundred.
    pub deep: u32,
    pub fault: Option<Fault>,
    /// No rules about time, no grants that end, no clocks in forms.
    pub calm: bool,
    /// Which phone has which clock; for calm worlds that are compared.
    pub turn: usize,
    pub traced: bool,
}

/// What a world amounted to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub exchanges: usize,
    pub rounds: usize,
    pub print: u64,
    pub told: BTreeMap<String, usize>,
}

/// A world.
pub struct Play {
    options: Options,
    dice: Dice,
    now: Millis,
    server: Server,
    hands: Vec<Handset>,
    names: Vec<String>,
    mood: Mood,
    /// Requests that are still under way somewhere and may arrive later.
    late: Vec<(usize, Exchange)>,
    photos: Vec<(String, String, i64)>,
    keys: usize,
    pub story: Story,
    pub step: usize,
    exchanges: usize,
}

impl Play {
    /// The first morning of a seed.
    pub fn new(seed: u64, options: Options) -> Result<Self, Broken> {
        let mut dice = Dice::new(seed);
        let now = day_start(day_of_text("2026-03-02").expect("a day")) + 8 * HOUR_MS;
        let people = cast::choose(&mut dice);
        let skew = |_| handset::skew(&mut dice, options.calm);
        let skews: Vec<i64> = people.iter().map(skew).collect();
        let hand = |(index, person): (usize, &cast::Person)| {
            let skew = skews[(index + options.turn) % skews.len()];
            Handset::new(*person, &format!("d-{index}"), skew, now)
        };
        let mut hands: Vec<Handset> = people.iter().enumerate().map(hand).collect();
        for hand in &mut hands {
            hand.is_old = dice.chance(15);
        }
        let mut store = Store {
            grants: cast::grants(&people, now - 90 * DAY_MS),
            ..Store::default()
        };
        for shard in [43, 430_121, 430_181] {
            store.counties.insert(shard, County::new(shard));
        }
        let mood = *dice.pick(Mood::ALL);
        let packs = packs::of(options.calm);
        let mut play = Self {
            options,
            dice,
            now,
            server: Server::new(store, packs, options.fault, options.deep, seed),
            hands,
            names: people.iter().map(|person| person.name.to_owned()).collect(),
            late: Vec::new(),
            photos: Vec::new(),
            mood,
            keys: 0,
            story: Story::new(options.traced),
            step: 0,
            exchanges: 0,
        };
        let body = json!({"pack": "43", "version": 1});
        let pack = play.own_record(Kind::RulePack, "43", "p-province", body);
        play.server.write(43, pack, now)?;
        Ok(play)
    }

    /// Plays it to its end.
    pub fn run(&mut self) -> Check {
        for step in 1..=self.options.steps {
            self.step = step;
            self.one()?;
            self.now += self.dice.between(1_000, 20 * MINUTE_MS);
        }
        self.step += 1;
        self.quiet()?;
        // Long enough for everything that waits.
        for days in [11, 9, 9, 9] {
            self.pass(days * DAY_MS)?;
        }
        self.step += 1;
        self.quiet()?;
        for county in self.server.core.store.counties.values() {
            laws::quiet::law_24_holds_end(county, self.now)?;
        }
        Ok(())
    }

    /// What it amounted to.
    pub fn tally(&self) -> Tally {
        Tally {
            exchanges: self.exchanges,
            rounds: self.server.rounds,
            print: self.story.print(),
            told: self.server.ledger.told.clone(),
        }
    }

    /// The store at the end.
    pub fn store(&self) -> &Store {
        &self.server.core.store
    }

    fn one(&mut self) -> Check {
        match self.dice.below(100) {
            0..=42 => {
                self.act();
                Ok(())
            }
            43..=71 => self.meet(),
            72..=78 => {
                let ms = match self.dice.below(10) {
                    0 => self.dice.between(1, 15) * DAY_MS,
                    1..=4 => self.dice.between(2, 12) * HOUR_MS,
                    _ => self.dice.between(5, 60) * MINUTE_MS,
                };
                self.pass(ms)
            }
            79..=82 => self.photo_arrives(),
            83 => self.move_somebody(),
            84..=86 => self.late_arrival(),
            87..=89 => self.trouble(),
            90..=91 => self.forge(),
            92..=93 => self.rest(),
            94..=95 => {
                self.collect();
                Ok(())
            }
            96 => {
                self.burn();
                Ok(())
            }
            97 => self.take_proof(),
            _ => {
                self.mishandle();
                Ok(())
            }
        }
    }

    fn tell(&mut self, line: String) {
        let hours = (self.now / HOUR_MS) % 100_000;
        self.story.tell(format!("{:>4} {hours}h {line}", self.step));
    }
}
