//! Up to where a verified backup holds each shard, as this process last read it.
//!
//! Read by the ticker each second with the heads, so that a backup made by another process is told
//! to phones soon and no exchange asks the database for it.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use xiangyi_proto::exchange::{JournalAt, Position};

use crate::store::shards::ShardRow;

/// What is known of every shard.
#[derive(Debug, Default)]
pub struct Durable(RwLock<BTreeMap<i64, Position>>);

impl Durable {
    /// Keeps what was read.
    pub fn keep(&self, heads: &[ShardRow]) {
        let position = |head: &ShardRow| Position {
            epoch: head.epoch,
            seq: head.durable_seq,
        };
        let read = heads.iter().map(|head| (head.id, position(head)));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = read.collect();
    }

    /// Whether a phone does not know yet in which epoch a shard answers.
    pub fn is_other(&self, shard: i64, journal: &BTreeMap<String, JournalAt>) -> bool {
        let Some(said) = journal.get(&shard.to_string()) else {
            return false;
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&shard).is_some_and(|at| at.epoch != said.epoch)
    }

    /// Whether an epoch came before the one in which a shard answers now: what was answered in this
    /// one is in the log, and nobody answers in a later one. Of a county that the backup does not
    /// hold nothing is known yet.
    pub fn is_past(&self, shard: i64, epoch: i64) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&shard).is_none_or(|at| epoch < at.epoch)
    }

    /// What is news to a phone: another epoch, or a backup that holds some of its journal.
    pub fn news(&self, journal: &BTreeMap<String, JournalAt>) -> BTreeMap<String, Position> {
        if journal.is_empty() {
            return BTreeMap::new();
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let news = journal.iter().filter_map(|(shard, said)| {
            let at = *known.get(&shard.parse().ok()?)?;
            let moved = at.epoch != said.epoch || said.seq.is_some_and(|seq| seq <= at.seq);
            moved.then(|| (shard.clone(), at))
        });
        news.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_is_told() {
        let durable = Durable::default();
        let row = ShardRow {
            id: 430_121,
            epoch: 7,
            head_seq: 90,
            durable_seq: 50,
            chain: Vec::new(),
        };
        durable.keep(&[row]);
        let asked = |epoch, seq| {
            let journal = [("430121".to_owned(), JournalAt { epoch, seq })].into();
            durable.news(&journal).get("430121").copied()
        };
        let told = Some(Position { epoch: 7, seq: 50 });
        assert_eq!(asked(7, Some(51)), None, "no backup holds that yet");
        assert_eq!(asked(7, Some(50)), told);
        assert_eq!(asked(6, Some(99)), told, "another epoch");
        assert_eq!(asked(7, None), None);
        let other = [(
            "430181".to_owned(),
            JournalAt {
                epoch: 1,
                seq: None,
            },
        )]
        .into();
        assert!(
            durable.news(&other).is_empty(),
            "of a county that is not here"
        );
    }
}
