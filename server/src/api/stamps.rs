//! Stamps of answers, and proofs that come back after a restore: see `xiangyi_sync::stamp`.

use std::collections::{BTreeMap, HashMap};

use xiangyi_proto::exchange::{Exchange, Position, Proof, PushAnswer, Unanswered};
use xiangyi_proto::problem;
use xiangyi_proto::time::Millis;
use xiangyi_sync::digest::Digest;
use xiangyi_sync::stamp::{self, Whose};
use xiangyi_sync::world::Admitted;

use crate::app::App;
use crate::store::sessions::DeviceRow;

/// What was asked under each number: its shard and its bytes.
pub type Numbers = HashMap<i64, (i64, Digest)>;

/// What was asked, before it goes to the writer.
pub fn asked(items: &[Admitted]) -> Numbers {
    let one = |item: &Admitted| (item.mutation.n, (item.shard.0, item.digest));
    items.iter().map(one).collect()
}

/// Takes those items out that come from before a restore: a phone that does not know of it yet, or
/// a request that was under way for long. Judged now they would be judged without their proofs.
pub fn too_early(app: &App, items: &mut Vec<Admitted>, ask: &Exchange) -> Vec<Unanswered> {
    let early = |item: &mut Admitted| {
        item.proof.is_none() && app.durable.is_other(item.shard.0, &ask.journal)
    };
    let left = items.extract_if(.., early).map(|item| Unanswered {
        n: item.mutation.n,
        code: problem::EPOCH_CHANGED.name.to_owned(),
        retry_ms: 0,
    });
    left.collect()
}

/// Takes those items as answered before whose proof fits; the others are judged as they come.
pub fn prove(app: &App, items: &mut [Admitted], proofs: &[Proof]) {
    if proofs.is_empty() {
        return;
    }
    let proofs: HashMap<i64, &Proof> = proofs.iter().map(|proof| (proof.n, proof)).collect();
    let packs = app.writer.packs();
    for item in items {
        let Some(proof) = proofs.get(&item.mutation.n) else {
            continue;
        };
        let is_past = app.durable.is_past(item.shard.0, proof.epoch);
        let fits = is_past && app.stamps.prove(item, proof);
        let what = if fits { "fits" } else { "fits not" };
        metrics::counter!("xiangyi_proofs_total", "proof" => what).increment(1);
        if fits && item.faults.is_empty() {
            // As of the moment of the first answer.
            xiangyi_sync::admit::judge(item, &packs);
        }
    }
}

/// Puts its stamp on each verdict that a phone keeps.
pub fn put(
    app: &App,
    device: &DeviceRow,
    asked: &Numbers,
    stamps: &BTreeMap<i64, Position>,
    answer: &mut PushAnswer,
    at: Millis,
) {
    for verdict in &mut answer.verdicts {
        let Some((shard, digest)) = asked.get(&verdict.n) else {
            continue;
        };
        let Some(position) = stamps.get(shard) else {
            continue;
        };
        let whose = Whose {
            shard: *shard,
            person: &device.person,
            device: &device.id,
            n: verdict.n,
            digest,
        };
        let mac = stamp::bound(verdict).map(|it| app.stamps.mac(&whose, it, (*position, at)));
        verdict.mac = mac;
    }
    let told = stamps.iter();
    answer.stamps = told.map(|(shard, at)| (shard.to_string(), *at)).collect();
}
