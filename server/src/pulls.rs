//! A page for a phone: the view, the ranges and the sums, all in one read snapshot.

use std::collections::{BTreeMap, BTreeSet};

use xiangyi_proto::exchange::{PullAnswer, PullAsk};
use xiangyi_proto::ids::Shard;
use xiangyi_proto::kinds::Kind;
use xiangyi_proto::limits::{PAGE_BYTES_DEFAULT, PAGE_BYTES_MAX};
use xiangyi_sync::cursor::Cursor;
use xiangyi_sync::echo::Said;
use xiangyi_sync::pull::Puller;

use crate::accounts::seal::Sealer;
use crate::store::views::{self, View};
use crate::store::{StoreError, Tx, feed, shards};

/// A page, or the news that the cursor is none.
pub enum Page {
    Ready(Box<PullAnswer>),
    NotACursor,
}

/// Stands in the list of kinds of a phone that knows none of this build's, because an empty list
/// means all.
const NO_KIND: u64 = 0;

/// What a phone has of its own.
#[derive(Default)]
pub struct Knows {
    /// The kinds it knows by number; none means all of this build.
    pub kinds: BTreeSet<u64>,
    /// What it has just said.
    pub said: Said,
}

/// The kinds that a phone's list of schemas names.
pub fn kinds_of(schemas: Option<&BTreeMap<String, u32>>) -> BTreeSet<u64> {
    let known = schemas.into_iter().flatten();
    let mut kinds: BTreeSet<u64> = known
        .filter_map(|(name, _)| u64::try_from(Kind::parse(name)?.number()).ok())
        .collect();
    if kinds.is_empty() && schemas.is_some_and(|schemas| !schemas.is_empty()) {
        kinds.insert(NO_KIND);
    }
    kinds
}

/// Builds a page.
pub async fn page(
    tx: &mut Tx,
    sealer: &Sealer,
    person: &str,
    view: &View,
    ask: &PullAsk,
    knows: Knows,
) -> Result<Page, StoreError> {
    let Knows { kinds, said } = knows;
    let old = match ask
        .cursor
        .as_deref()
        .map(|text| Cursor::decode(text, person))
    {
        None => None,
        Some(Ok(cursor)) => Some(cursor),
        Some(Err(_)) => return Ok(Page::NotACursor),
    };
    let names = gone_names(tx, person, view, old.as_ref()).await?;
    let max_bytes = ask
        .max_bytes
        .unwrap_or(PAGE_BYTES_DEFAULT)
        .clamp(1, PAGE_BYTES_MAX);
    let fresh = old.is_none();
    let mut puller = Puller::start(
        person,
        old,
        &kinds,
        view.shards.clone(),
        max_bytes,
        |shard, id| names.get(&(shard, id)).cloned(),
    )
    .having_said(said);
    while let Some(scan) = puller.next() {
        let rows = feed::after(tx, sealer, &scan).await?;
        puller.take(&scan, rows);
    }
    let mut answer = puller.finish();
    if ask.sums && !answer.more && (fresh || answer.cursor.is_some()) {
        for shard in &view.shards {
            let ids: BTreeSet<i64> = shard.streams.iter().map(|stream| stream.id).collect();
            answer
                .sums
                .extend(feed::sums(tx, Shard(shard.shard), &ids).await?);
        }
        if !kinds.is_empty() {
            let known = |kind: &str| {
                Kind::parse(kind).is_some_and(|kind| kinds.contains(&(kind.number() as u64)))
            };
            answer.sums.retain(|sum| known(&sum.kind));
        }
    }
    Ok(Page::Ready(Box::new(answer)))
}

/// Names of streams that the cursor holds and the view does not. Only such as the person can have
/// read at some time are named: what a made-up cursor lists stays unknown.
pub async fn gone_names(
    tx: &mut Tx,
    person: &str,
    view: &View,
    old: Option<&Cursor>,
) -> Result<BTreeMap<(i64, i64), String>, StoreError> {
    let mut names = BTreeMap::new();
    let gone: Vec<(i64, i64)> = gone(view, old).collect();
    if gone.is_empty() {
        return Ok(names);
    }
    let grants = views::grants(tx, person).await?;
    let had = |name: &str| match name.split_once(':') {
        Some(("person", id)) => id == person,
        Some(("vault", _)) | None => false,
        Some((_, unit)) => grants
            .iter()
            .any(|grant| unit.starts_with(&grant.unit) || grant.unit.starts_with(unit)),
    };
    for (shard, id) in gone {
        if let Some(name) = shards::name_of(tx, shard, id).await?
            && had(&name)
        {
            names.insert((shard, id), name);
        }
    }
    Ok(names)
}

/// Streams that the cursor holds and the view does not.
fn gone(view: &View, old: Option<&Cursor>) -> impl Iterator<Item = (i64, i64)> {
    let here = |shard: i64, id: i64| {
        let mut shards = view.shards.iter().filter(|here| here.shard == shard);
        shards.any(|here| here.streams.iter().any(|stream| stream.id == id))
    };
    let places = old.into_iter().flat_map(|old| &old.shards);
    let all = places.flat_map(|place| place.streams.iter().map(|id| (place.shard, *id)));
    all.filter(move |(shard, id)| !here(*shard, *id))
}
