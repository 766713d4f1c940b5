//! Loading: one read for each kind of key, and nothing that was not asked for.

use std::collections::BTreeSet;

use uuid::Uuid;
use xiangyi_proto::ids::{DeviceId, RecordId};
use xiangyi_proto::kinds::Kind;
use xiangyi_sync::effects::FINAL;
use xiangyi_sync::policy::Fact;
use xiangyi_sync::wants::Wants;
use xiangyi_sync::world::{ClaimState, Held, Past, World};

use super::{County, HeldRow, Store};
use crate::fault::Fault;

impl Store {
    /// Loads what a batch asks for into its world.
    pub fn load(&self, county: &County, world: &mut World, wants: Wants, fault: Option<Fault>) {
        let broken = |this: Fault| fault == Some(this);
        if !broken(Fault::NumbersForgotten) {
            wants
                .numbers
                .iter()
                .for_each(|key| county.load_answer(world, key));
        }
        if !broken(Fault::ContentsForgotten) {
            for key in &wants.contents {
                let number = county.contents.get(key);
                world.by_content.extend(number.map(|n| (*key, n.clone())));
            }
        }
        for key in &wants.keys {
            let met = county.keys.get(key);
            let met = met.filter(|_| !broken(Fault::KeysForgotten));
            world.by_key.extend(met.map(|met| (key.clone(), *met)));
            let next = county.next_n.get(&key.0).copied().unwrap_or(1);
            world.next_n.insert(key.0.clone(), next);
        }
        for id in &wants.records {
            world.records.extend(county.record(*id).map(|r| (*id, r)));
        }
        if !broken(Fault::HeldLeftOut) {
            county.load_held(world, &wants.held);
        }
        for device in &wants.held_by {
            world.held_by.insert(device.clone(), county.held_of(device));
        }
        county.load_slots(world, &wants, broken(Fault::LineLeftOut));
        let fits = |fact: &&Fact| wants.facts.iter().any(|key| fact.is_under(key));
        let facts = county.facts.iter().filter(fits);
        for fact in facts.filter(|_| !broken(Fault::FactsLeftOut)) {
            if !world.facts.contains(fact) {
                world.facts.push(fact.clone());
            }
        }
        if !broken(Fault::RefusalsLeftOut) {
            county.load_refusals(world, &wants);
        }
        county.load_deciders(world, &wants);
        for person in &wants.grants {
            let grants = self.grants.get(person).cloned().unwrap_or_default();
            world.grants.insert(person.clone(), grants);
        }
        if !broken(Fault::PhotosLeftOut) {
            let here = wants.photos.iter().filter(|key| self.photos.contains(*key));
            world.photos.extend(here.cloned());
        }
        for key in &wants.photo_refs {
            let records = county.photo_refs.get(key).cloned().unwrap_or_default();
            world.photo_refs.insert(key.clone(), records);
        }
        world.seen.absorb(wants);
    }

    /// Loads everything: what no database does, to see whether anything was not asked for.
    pub fn load_all(&self, county: &County, world: &mut World) {
        for key in county.log.keys() {
            county.load_answer(world, key);
        }
        world.by_content = county.contents.clone().into_iter().collect();
        world.by_key = county.keys.clone().into_iter().collect();
        world.next_n = county.next_n.clone().into_iter().collect();
        world.records = county.records().map(|record| (record.id, record)).collect();
        for (id, row) in &county.held {
            world.held.insert(*id, held(*id, row));
            world
                .held_by
                .insert(row.device.clone(), county.held_of(&row.device));
        }
        world.slots = county.slots.clone().into_iter().collect();
        world.claims = county.claims.clone().into_iter().collect();
        world.facts.clone_from(&county.facts);
        world.refusals = county.refusals.clone().into_iter().collect();
        world.grants = self.grants.clone().into_iter().collect();
        world.photos.clone_from(&self.photos);
        world.photo_refs.clone_from(&county.photo_refs);
        for review in county.live(Kind::Review) {
            if let Some(about) = review.text("/record").and_then(|id| id.parse().ok()) {
                let who = world.deciders.entry(about).or_default();
                who.insert(review.author);
            }
        }
    }
}

impl County {
    fn load_answer(&self, world: &mut World, key: &(DeviceId, i64)) {
        for device in [key.0.clone(), format!("{FINAL}{}", key.0)] {
            let key = (device, key.1);
            if let Some(row) = self.log.get(&key) {
                let past = Past {
                    digest: row.digest,
                    author: row.author.clone(),
                    record: row.record,
                    verdict: row.verdict.clone(),
                };
                world.by_number.insert(key, past);
            }
        }
    }

    fn held_of(&self, device: &str) -> usize {
        self.held
            .values()
            .filter(|row| row.device == device)
            .count()
    }

    fn load_held(&self, world: &mut World, keys: &BTreeSet<RecordId>) {
        for (id, row) in &self.held {
            let waits = || row.needs.iter().any(|need| keys.contains(need));
            if keys.contains(id) || keys.contains(&row.record) || waits() {
                world.held.insert(*id, held(*id, row));
            }
        }
    }

    fn load_slots(&self, world: &mut World, wants: &Wants, line_left_out: bool) {
        for (key, slot) in &self.slots {
            if wants.slots.contains(&key.0) {
                world.slots.insert(key.clone(), slot.clone());
            }
        }
        for claim in self.claims.values() {
            let slot = (claim.slot, claim.name.clone());
            let own = (claim.slot, claim.name.clone(), claim.person.clone());
            let named = wants.claims.contains(&claim.record);
            let lives = claim.state.is_live() && wants.live_claims.contains(&own);
            let in_line = claim.state == ClaimState::Waiting && wants.lines.contains(&slot);
            if named || lives || in_line && !line_left_out {
                world.claims.insert(claim.record, claim.clone());
            }
        }
    }

    fn load_refusals(&self, world: &mut World, wants: &Wants) {
        for (id, refusal) in &self.refusals {
            let named = wants.refusals.contains(id);
            if named || wants.refusals_of.contains(&refusal.record) {
                world.refusals.insert(*id, refusal.clone());
            }
        }
    }

    fn load_deciders(&self, world: &mut World, wants: &Wants) {
        if wants.reviews_of.is_empty() {
            return;
        }
        for review in self.live(Kind::Review) {
            let about = review
                .text("/record")
                .and_then(|id| Uuid::try_parse(id).ok());
            if let Some(about) = about.filter(|about| wants.reviews_of.contains(about)) {
                let who = world.deciders.entry(about).or_default();
                who.insert(review.author);
            }
        }
    }
}

fn held(id: RecordId, row: &HeldRow) -> Held {
    Held {
        id,
        item: serde_json::from_str(&row.item).expect("a held item was written as JSON"),
        reason: row.reason,
        rule: row.rule.clone(),
        until_at: row.until_at,
        escalated: row.escalated,
        needs: row.needs.clone(),
    }
}
