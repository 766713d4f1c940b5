//! Reading a page in one snapshot: the view, the cursor, the ranges, the sums.

use std::collections::{BTreeMap, BTreeSet};

use xiangyi_proto::exchange::{PullAnswer, PullAsk, StreamRef, StreamSum};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::{PAGE_BYTES_DEFAULT, PAGE_BYTES_MAX};
use xiangyi_proto::region;
use xiangyi_proto::time::Millis;
use xiangyi_sync::cursor::{Cursor, NotACursor};
use xiangyi_sync::echo::Said;
use xiangyi_sync::project;
use xiangyi_sync::pull::{FeedRow, Puller, Scan, ShardView, StreamView};
use xiangyi_sync::view;

use super::Store;
use crate::cast::STATIONS;
use crate::fault::Fault;

/// A page with the view it was read in.
pub struct Page {
    pub answer: PullAnswer,
    pub view: Vec<StreamRef>,
}

impl Store {
    /// The streams a person may read.
    pub fn view(&self, person: &str, now: Millis, fault: Option<Fault>) -> Vec<StreamRef> {
        let mut grants = self.grants.get(person).cloned().unwrap_or_default();
        if fault == Some(Fault::GrantsNeverEnd) {
            grants.iter_mut().for_each(|grant| grant.to_at = None);
        }
        let own = self.mailboxes.iter().filter(|(whose, _)| whose == person);
        let mailboxes: Vec<Shard> = own.map(|(_, shard)| Shard(*shard)).collect();
        let stations = |shard: Shard| {
            let inside = STATIONS.iter().map(|unit| (*unit).to_owned());
            inside
                .filter(|unit| region::shard_of(unit) == Some(shard))
                .collect()
        };
        view::view(person, &grants, &mailboxes, stations, now)
    }

    fn shard_views(&self, view: &[StreamRef], fault: Option<Fault>) -> Vec<ShardView> {
        let mut shards: BTreeMap<i64, ShardView> = BTreeMap::new();
        for name in view {
            let Some(county) = self.counties.get(&name.shard) else {
                continue;
            };
            let shard = shards.entry(name.shard).or_insert_with(|| ShardView {
                shard: name.shard,
                epoch: county.epoch,
                head: county.head,
                streams: Vec::new(),
            });
            if let Some(stream) = county.streams.get(&name.stream) {
                let blind = fault == Some(Fault::FloorForgotten);
                shard.streams.push(StreamView {
                    id: stream.id,
                    name: name.stream.clone(),
                    floor: if blind { 0 } else { stream.floor },
                });
            }
        }
        shards.into_values().collect()
    }

    fn scan(&self, scan: &Scan) -> Vec<FeedRow> {
        let county = &self.counties[&scan.shard];
        let stream = county
            .streams
            .values()
            .find(|stream| stream.id == scan.stream);
        let stream = stream.expect("only streams of the view are read");
        let range = stream.order.range(scan.after + 1..);
        let row = |(seq, id): (&i64, &uuid::Uuid)| {
            let row = &stream.rows[id];
            FeedRow {
                seq: *seq,
                rm: row.rm,
                id: *id,
                kind: row.kind.number(),
                rev: row.rev,
                author: row.author.clone(),
                unit: row.unit.clone(),
                village: row.village.clone(),
                occurred_at: row.occurred_at,
                received_at: row.received_at,
                estimated_at: row.estimated_at,
                quality: row.quality,
                body: project::join(&row.open, row.sealed.as_deref()),
            }
        };
        range.take(scan.limit).map(row).collect()
    }

    fn sums(&self, view: &[StreamRef], kinds: &BTreeSet<u64>) -> Vec<StreamSum> {
        let mut sums = Vec::new();
        for name in view {
            let county = self.counties.get(&name.shard);
            let stream = county.and_then(|county| county.streams.get(&name.stream));
            for (kind, sum) in stream.iter().flat_map(|stream| &stream.sums) {
                if kinds.contains(&(*kind as u64)) {
                    sums.push(StreamSum {
                        shard: name.shard,
                        stream: name.stream.clone(),
                        kind: Kind::of_number(*kind).map_or("", Kind::name).to_owned(),
                        live: sum.live,
                        sum1: sum.sum1,
                        sum2: sum.sum2,
                    });
                }
            }
        }
        sums
    }
}

/// Reads one page for a person who has just said something, or nothing.
pub fn ask(
    store: &Store,
    person: &str,
    kinds: &BTreeSet<u64>,
    ask: &PullAsk,
    said: Said,
    (now, fault): (Millis, Option<Fault>),
) -> Result<Page, NotACursor> {
    let old = ask.cursor.as_deref();
    let old = old.map(|text| Cursor::decode(text, person)).transpose()?;
    let view = store.view(person, now, fault);
    let shards = store.shard_views(&view, fault);
    let max_bytes = ask.max_bytes.unwrap_or(PAGE_BYTES_DEFAULT);
    let name_of = |shard: i64, id: i64| {
        let streams = &store.counties.get(&shard)?.streams;
        let named = streams.iter().find(|(_, stream)| stream.id == id);
        named.map(|(name, _)| name.clone())
    };
    let max_bytes = max_bytes.min(PAGE_BYTES_MAX);
    let puller = Puller::start(person, old, kinds, shards, max_bytes, name_of);
    let mut puller = puller.having_said(said);
    while let Some(scan) = puller.next() {
        let rows = store.scan(&scan);
        puller.take(&scan, rows);
    }
    let mut answer = puller.finish();
    if !answer.more && ask.sums {
        answer.sums = store.sums(&view, kinds);
    }
    if fault == Some(Fault::LeaveForgotten) {
        answer.leave.clear();
    }
    if fault == Some(Fault::MoreForgotten) {
        answer.more = false;
    }
    Ok(Page { answer, view })
}
