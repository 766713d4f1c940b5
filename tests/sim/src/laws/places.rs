//! Laws about places: capacity, ranks, the order of offers, one sign-up, no clash.

use std::collections::BTreeSet;

use xiangyi_proto::ids::RecordId;
use xiangyi_sync::policy::{Fact, FactKind};
use xiangyi_sync::world::{Claim, ClaimState};

use super::Commit;
use crate::model::County;
use crate::story::{Check, holds};

/// 18: confirmed and offered fit, equal what the claims say, and ranks are distinct.
pub fn law_18_places(county: &County) -> Check {
    for ((owner, name), slot) in &county.slots {
        let claims = || of_slot(county, *owner, name);
        let what = || {
            format!(
                "{owner} {name} {slot:?} with {:?}",
                claims().collect::<Vec<_>>()
            )
        };
        let fits = slot.confirmed >= 0
            && slot.offered >= 0
            && slot.confirmed + slot.offered <= slot.capacity;
        holds("18", fits, || format!("too many places: {}", what()))?;
        let confirmed: i64 = claims().map(Claim::promised).sum();
        let offers = claims().filter(|claim| claim.state == ClaimState::Offered);
        let offered: i64 = offers.map(|claim| claim.quantity).sum();
        let counts = confirmed == slot.confirmed && offered == slot.offered;
        holds("18", counts, || format!("places do not count: {}", what()))?;
        let mut ranks = BTreeSet::new();
        let twice = claims().any(|claim| claim.rank > 0 && !ranks.insert(claim.rank));
        holds("18", !twice, || format!("a rank twice: {}", what()))?;
    }
    Ok(())
}

fn of_slot<'a>(
    county: &'a County,
    owner: RecordId,
    name: &'a str,
) -> impl Iterator<Item = &'a Claim> {
    let claims = county.claims.values();
    claims.filter(move |claim| claim.slot == owner && claim.name == name)
}

/// 18: an offer goes to the first in line who has no clash and asks for no more than is free.
pub fn law_18_by_rank(county: &County, commit: &Commit) -> Check {
    let fresh = |claim: &&Claim| {
        let before = commit.claims.get(&claim.record);
        claim.state == ClaimState::Offered
            && before.is_none_or(|before| before.state != ClaimState::Offered)
    };
    if commit.claims.is_empty() {
        return Ok(());
    }
    for offered in county.claims.values().filter(fresh) {
        let passed_over = |claim: &&Claim| {
            claim.state == ClaimState::Waiting
                && claim.rank < offered.rank
                && claim.quantity <= offered.quantity
                && !is_busy(county, claim)
        };
        let mut line = of_slot(county, offered.slot, &offered.name);
        let passed_over = line.find(|claim| passed_over(claim));
        holds("18", passed_over.is_none(), || {
            format!("{offered:?} was offered before {passed_over:?}")
        })?;
    }
    Ok(())
}

fn is_busy(county: &County, claim: &Claim) -> bool {
    let Some(slot) = county.slots.get(&(claim.slot, claim.name.clone())) else {
        return false;
    };
    let busy = |fact: &&Fact| fact.kind == FactKind::Busy && fact.key == claim.person;
    let mut facts = county.facts.iter().filter(busy);
    facts.any(|fact| fact.from_ms < slot.ends_at && slot.starts_at < fact.to_ms)
}

/// 18: nobody passes a line: who comes while somebody waits is not confirmed at once.
pub fn law_18_nobody_passes(county: &County, commit: &Commit) -> Check {
    let fresh = |claim: &&Claim| {
        !commit.claims.contains_key(&claim.record)
            && claim.state == ClaimState::Confirmed
            && claim.offer == 0
    };
    if commit.claims.is_empty() {
        return Ok(());
    }
    for claim in county.claims.values().filter(fresh) {
        let waited = |other: &&Claim| {
            let before = commit.claims.get(&other.record);
            other.state == ClaimState::Waiting
                && before.is_some_and(|before| before.state == ClaimState::Waiting)
        };
        let waited = of_slot(county, claim.slot, &claim.name).find(|other| waited(other));
        holds("18", waited.is_none(), || {
            format!("{claim:?} passed {waited:?}")
        })?;
    }
    Ok(())
}

/// 18: nobody has two confirmed places at one time in a county.
pub fn law_18_no_clash(county: &County) -> Check {
    let busy: Vec<&Fact> = county
        .facts
        .iter()
        .filter(|fact| fact.kind == FactKind::Busy)
        .collect();
    for (at, a) in busy.iter().enumerate() {
        for b in &busy[at + 1..] {
            let clash = a.key == b.key && a.from_ms < b.to_ms && b.from_ms < a.to_ms;
            holds("18", !clash, || {
                format!("{} is in two places: {a:?}, {b:?}", a.key)
            })?;
        }
    }
    Ok(())
}

/// 19: one live sign-up for each person and slot.
pub fn law_19_one_sign_up(county: &County) -> Check {
    let mut seen = BTreeSet::new();
    let lives = |claim: &&Claim| claim.state.is_live() && claim.name != xiangyi_sync::kinds::LOT;
    for claim in county.claims.values().filter(lives) {
        let key = (claim.slot, claim.name.as_str(), claim.person.as_str());
        holds("19", seen.insert(key), || {
            format!("{key:?} is signed up twice")
        })?;
    }
    Ok(())
}
