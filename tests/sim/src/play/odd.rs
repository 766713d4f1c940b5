//! What should not happen: muddled bytes, clones, keys that are used twice.

use xiangyi_sync::admit::{self, Sender};
use xiangyi_sync::digest;

use super::Play;
use crate::acts::{self, Scene};
use crate::core::Work;
use crate::laws;
use crate::server::{Crash, Sent, Server};
use crate::story::{Check, holds};

impl Play {
    pub(super) fn trouble(&mut self) -> Check {
        let who = self.dice.below(self.hands.len());
        let n = self.hands[who].phone.number();
        let mut scene = Scene {
            now: self.now,
            calm: self.options.calm,
            mood: self.mood,
            people: &self.names,
            dice: &mut self.dice,
        };
        let hand = &self.hands[who];
        let what = scene.dice.below(4);
        let (what, said) = match what {
            0 | 1 => ("says again", acts::same_again(n, hand, &mut scene)),
            2 => ("muddles", Some(acts::malformed(n, hand, &mut scene))),
            _ => ("steals", acts::stolen(n, hand, &mut scene)),
        };
        let Some((record, kind, raw)) = said else {
            self.hands[who].phone.next_n = n;
            return Ok(());
        };
        self.hands[who].write_raw(n, record, &kind, raw, self.now);
        self.tell(format!("d-{who} #{n} {what} {kind} {record}"));
        Ok(())
    }

    pub(super) fn forge(&mut self) -> Check {
        let who = self.dice.below(self.hands.len());
        let hand = &self.hands[who];
        let person = hand.who.name;
        let Some(exchange) = acts::forged(hand, hand.request(self.now, 1, 300)) else {
            return Ok(());
        };
        let raw = exchange
            .push
            .as_ref()
            .map(|push| push.mutations[0].get().to_owned());
        let n = raw.and_then(|raw| {
            let said: serde_json::Value = serde_json::from_str(&raw).ok()?;
            said.get("n")?.as_i64()
        });
        let number = (hand.phone.device.clone(), n.unwrap_or(0));
        let counties = || self.server.core.store.counties.values();
        if !counties().any(|county| county.log.contains_key(&number)) {
            // A restore has lost it: nobody can tell yet that it was used.
            return Ok(());
        }
        let head = |server: &Server| -> i64 {
            server
                .core
                .store
                .counties
                .values()
                .map(|county| county.head)
                .sum()
        };
        self.pass(0)?;
        let before = head(&self.server);
        let sent = [Sent {
            person,
            exchange: &exchange,
        }];
        let told = self.server.push(&sent, self.now, Crash::Never)?;
        self.tell(format!("a clone of d-{who} uses a number again"));
        // A phone that does not know of a restore is told so first.
        let untouched = told[0].as_ref().is_none_or(|told| told.verdicts.is_empty());
        let refused = untouched && head(&self.server) == before;
        holds("2", refused, || {
            format!("a number of d-{who} was used twice")
        })
    }

    /// Somebody shows what another was answered, as their own.
    pub(super) fn take_proof(&mut self) -> Check {
        if self.options.calm {
            return Ok(());
        }
        let (who, owner) = (
            self.dice.below(self.hands.len()),
            self.dice.below(self.hands.len()),
        );
        let (hand, owner) = (&self.hands[who], &self.hands[owner]);
        if hand.who.name == owner.who.name {
            return Ok(());
        }
        let request = hand.request(self.now, 1, 300);
        let Some(mut exchange) = acts::taken(owner, request, &mut self.dice) else {
            return Ok(());
        };
        // A phone of their own for it, or the number would stand in their way.
        self.keys += 1;
        exchange.device = format!("x-{}", self.keys);
        let person = hand.who.name;
        let sent = [Sent {
            person,
            exchange: &exchange,
        }];
        self.server.push(&sent, self.now, Crash::AfterCommit)?;
        self.tell(format!("{person} shows a proof of another"));
        Ok(())
    }

    /// A write over REST, at times the same key again.
    pub(super) fn rest(&mut self) -> Check {
        let who = self.dice.below(self.hands.len());
        let mut scene = Scene {
            now: self.now,
            calm: self.options.calm,
            mood: self.mood,
            people: &self.names,
            dice: &mut self.dice,
        };
        let hand = &self.hands[who];
        let Some(draft) = acts::act(hand, &mut scene).into_iter().next() else {
            return Ok(());
        };
        let person = hand.who.name;
        let mutation = draft.mutation(0, hand, self.now);
        let sender = Sender {
            person: person.to_owned(),
            device: format!("rest-{person}"),
            clock: None,
            received_at: self.now,
        };
        self.keys += 1;
        let key = format!("k{}", self.keys);
        let sent = serde_json::to_string(&mutation).expect("a mutation can be written");
        let mut item = admit::admit_built(mutation, key, &sent, &sender, self.server.core.packs);
        if !self.server.core.store.counties.contains_key(&item.shard.0) {
            item.shard = self.server.home(person);
        }
        self.tell(format!("{person} writes {} over REST", item.mutation.kind));
        let shard = item.shard.0;
        let works = [Work::Push(vec![item.clone()])];
        let first = self
            .server
            .transact(shard, &works, self.now, Crash::Never)?;
        let again = self
            .server
            .transact(shard, &works, self.now, Crash::Never)?;
        laws::verdicts::law_3_same_key(&first, &again)?;
        item.digest = digest::as_sent("another body");
        let other = [Work::Push(vec![item])];
        let other = self
            .server
            .transact(shard, &other, self.now, Crash::Never)?;
        laws::verdicts::law_3_key_is_taken(&other)
    }
}
