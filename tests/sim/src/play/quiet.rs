//! The end: everybody has a working link until nothing moves; then everything is counted.

use xiangyi_proto::time::MINUTE_MS;
use xiangyi_sync::phone::{Entry, Place};

use super::Play;
use crate::handset::Handset;
use crate::laws;
use crate::server::{Crash, Sent};
use crate::story::{Check, broken, holds};

/// Rounds in which a quiet world must come to rest.
const QUIET_ROUNDS: usize = 80;

impl Play {
    /// Everybody has a working link until nothing moves any more; then everything is counted.
    pub(super) fn quiet(&mut self) -> Check {
        self.pass(0)?;
        let mut rest = 0;
        for _ in 0..QUIET_ROUNDS {
            let before = self.marks();
            for who in 0..self.hands.len() {
                self.quiet_exchange(who)?;
            }
            self.now += MINUTE_MS + 1;
            self.pass(0)?;
            rest = if self.marks() == before { rest + 1 } else { 0 };
            if rest == 2 {
                break;
            }
        }
        holds("7", rest == 2, || {
            "the world does not come to rest".to_owned()
        })?;
        let store = &self.server.core.store;
        for hand in &self.hands {
            laws::quiet::law_5_each_in_one_place(&hand.phone, &hand.created)?;
            laws::quiet::law_7_outbox_empties(&hand.phone)?;
            laws::quiet::law_1_nothing_lost(store, &hand.phone)?;
            laws::quiet::law_1_nothing_turned_away(hand)?;
            laws::quiet::law_24_finals_arrive(store, &hand.phone)?;
            let view = store.view(hand.who.name, self.now, None);
            laws::pages::law_10_and_11(&hand.phone, store, &view, &hand.kinds())?;
        }
        for county in store.counties.values() {
            let shard = county.shard.0;
            laws::quiet::law_24_waits_for_a_reason(&self.server.core, shard, self.now)?;
            laws::quiet::recounts(store, county, self.now)?;
        }
        Ok(())
    }

    pub(super) fn quiet_exchange(&mut self, who: usize) -> Check {
        let request = self.hands[who].request(self.now, 200, 32_768);
        let person = self.hands[who].who.name;
        let sent = [Sent {
            person,
            exchange: &request,
        }];
        let mut told = self.server.push(&sent, self.now, Crash::Never)?;
        self.exchanges += 1;
        let Some(push) = told.pop().flatten() else {
            return broken("2", format!("d-{who} is told that it is forked"));
        };
        let push = request.push.is_some().then_some(push);
        let answer = self.answer(who, &request, push, None)?;
        self.take_in(who, &request, answer).map(drop)
    }

    /// What changes as long as something moves.
    pub(super) fn marks(&self) -> Vec<(Option<String>, i64, usize)> {
        let mark = |hand: &Handset| {
            let waits = hand.phone.entries.values();
            let lost = |entry: &Entry| hand.phone.is_lost(entry);
            let waits = waits.filter(|entry| entry.place == Place::Outbox || lost(entry));
            let waits = waits.count();
            (
                hand.phone.cursor.clone(),
                hand.phone.rows.len() as i64,
                waits,
            )
        };
        let counties = self.server.core.store.counties.values();
        let heads = counties.map(|county| (None, county.head, 0));
        self.hands.iter().map(mark).chain(heads).collect()
    }
}
