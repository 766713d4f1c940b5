//! A day: people write things down, time passes, grants move, phones are mishandled.

use std::collections::BTreeSet;

use serde_json::json;
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::time::{MINUTE_MS, TimeQuality};
use xiangyi_sync::world::{Granted, Record};

use super::Play;
use crate::acts::{self, Draft, Scene};
use crate::cast::STATIONS;
use crate::fault::Fault;
use crate::handset;
use crate::story::Check;

impl Play {
    pub(super) fn act(&mut self) {
        let who = self.dice.below(self.hands.len());
        let mut scene = Scene {
            now: self.now,
            calm: self.options.calm,
            mood: self.mood,
            people: &self.names,
            dice: &mut self.dice,
        };
        let drafts = acts::act(&self.hands[who], &mut scene);
        for draft in drafts {
            self.write_down(who, draft);
        }
    }

    pub(super) fn write_down(&mut self, who: usize, draft: Draft) {
        let hand = &mut self.hands[who];
        let n = hand.phone.number();
        let (op, kind, id) = (draft.op, draft.kind, draft.id);
        let mutation = draft.mutation(n, hand, self.now);
        let name = hand.who.name;
        for photo in mutation
            .body
            .iter()
            .chain(mutation.add.get("/photos"))
            .flat_map(photos)
        {
            let shard = xiangyi_proto::region::shard_of(&mutation.unit).map_or(43, |shard| shard.0);
            self.photos.push((photo, name.to_owned(), shard));
        }
        if self.dice.chance(3) {
            // Killed before it was written down: the person never saw it saved.
            self.hands[who].phone.next_n = n;
            return self.tell(format!("{name} d-{who} is killed before {kind} {op:?}"));
        }
        self.hands[who].write_down(&mutation, self.now);
        self.tell(format!("{name} d-{who} #{n} {op:?} {kind} {id}"));
    }

    /// Time passes; timers fire, perhaps late.
    pub(super) fn pass(&mut self, ms: i64) -> Check {
        self.now += ms;
        let shards: Vec<i64> = self.server.core.store.counties.keys().copied().collect();
        let mut fired = 0;
        for shard in shards {
            fired += self.server.fire(shard, self.now)?;
        }
        self.tell(format!(
            "{} minutes pass, {fired} timers fire",
            ms / MINUTE_MS
        ));
        Ok(())
    }

    pub(super) fn photo_arrives(&mut self) -> Check {
        if self.photos.is_empty() {
            return Ok(());
        }
        let (sha, owner, shard) = self.photos.remove(self.dice.below(self.photos.len()));
        self.tell(format!("a photograph of {owner} is complete"));
        self.server.photo(shard, &sha, &owner, self.now)
    }

    /// A grant ends; most of the time another begins somewhere else.
    pub(super) fn move_somebody(&mut self) -> Check {
        if self.options.calm {
            return Ok(());
        }
        let who = self.dice.below(self.hands.len());
        let name = self.hands[who].who.name;
        let (now, station) = (self.now, *self.dice.pick(&STATIONS[..2]));
        let stays = self.dice.chance(70);
        let grants = self
            .server
            .core
            .store
            .grants
            .entry(name.to_owned())
            .or_default();
        let Some(last) = grants.iter_mut().rfind(|grant| grant.to_at.is_none()) else {
            let again = grants.last().cloned().map(|grant| Granted {
                from_at: now,
                to_at: None,
                ..grant
            });
            grants.extend(again);
            self.tell(format!("{name} serves again"));
            return Ok(());
        };
        last.to_at = Some(now);
        let mut next = last.clone();
        next.from_at = now;
        next.to_at = None;
        if next.unit.len() == 9 {
            station.clone_into(&mut next.unit);
        }
        let unit = next.unit.clone();
        let role = next.role.name();
        if stays {
            grants.push(next);
            for hand in self.hands.iter_mut().filter(|hand| hand.who.name == name) {
                hand.unit.clone_from(&unit);
            }
        }
        self.tell(format!("{name} moves, to {unit}: {stays}"));
        let body = json!({"role": role, "unit": unit, "from_at": now});
        let record = self.own_record(Kind::Grant, &unit, name, body);
        let shard = xiangyi_proto::region::shard_of(&unit).unwrap_or(Shard(43));
        self.server.write(shard.0, record, now)
    }

    pub(super) fn own_record(
        &mut self,
        kind: Kind,
        unit: &str,
        author: &str,
        body: serde_json::Value,
    ) -> Record {
        Record {
            id: self.dice.id(),
            kind,
            rev: 1,
            author: author.to_owned(),
            unit: unit.to_owned(),
            village: None,
            occurred_at: self.now,
            received_at: self.now,
            estimated_at: self.now,
            quality: TimeQuality::Monotonic,
            body,
            field_revs: Default::default(),
            placed: Default::default(),
            void: false,
            seq: 0,
        }
    }

    /// Tombstones go; a shard gets a new epoch.
    pub(super) fn collect(&mut self) {
        let shard = *self.dice.pick(&[430_121, 430_181]);
        let raises = self.options.fault != Some(Fault::FloorForgotten);
        let back = self.dice.between(0, 40);
        let county = self.server.core.store.counties.get_mut(&shard);
        let county = county.expect("both counties are there");
        if back > 35 && raises {
            county.epoch += 1;
            return self.tell(format!("{shard} begins a new epoch"));
        }
        let up_to = county.head - back;
        county.collect(up_to, true);
        self.tell(format!("{shard} forgets tombstones up to {up_to}"));
    }

    /// A backup is made, or the county burns and comes back from the last one.
    pub(super) fn burn(&mut self) {
        if self.options.calm {
            return;
        }
        if self.dice.chance(50) && self.server.restore(self.now) {
            return self.tell("everything is lost and comes back from the backup".to_owned());
        }
        self.server.back_up(self.now);
        self.tell("a backup is made".to_owned());
    }

    /// What people and systems do to phones.
    pub(super) fn mishandle(&mut self) {
        let who = self.dice.below(self.hands.len());
        let skew = handset::skew(&mut self.dice, self.options.calm);
        let what = self.dice.below(4);
        let hand = &mut self.hands[who];
        match what {
            0 => hand.reboot(self.now),
            1 if !self.options.calm => hand.set_clock(skew),
            2 => hand.is_old = false,
            3 => {
                // The system took the rows away and left the cursor.
                hand.evicted |= !hand.phone.rows.is_empty() && hand.phone.cursor.is_some();
                hand.phone.rows.clear();
            }
            _ => {}
        }
        self.tell(format!("d-{who}: mishap {what}"));
    }
}

fn photos(body: &serde_json::Value) -> BTreeSet<String> {
    let list = body.get("photos").unwrap_or(body);
    xiangyi_sync::kinds::photos_in(Some(list))
        .into_iter()
        .collect()
}
