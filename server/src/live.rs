//! Rings and the shelf: after a commit whoever waits for one of its streams is told, and what they
//! then read is read and written out once for all of them.
//!
//! Rings carry no data. The shelf holds ranges of shared streams, by where a reader stands and
//! where the shard's counter stood; who may read a stream is asked before the shelf is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{OnceCell, broadcast};
use xiangyi_proto::ids::{Seq, Shard};
use xiangyi_sync::pull::{FeedRow, Scan};

use crate::store::StoreError;

/// Rings kept for slow listeners; one that falls behind pulls once and goes on.
const RINGS: usize = 1_024;
/// Ranges kept: the last commits of the streams of a few busy counties.
const RANGES: usize = 64;

/// A commit, as far as a listener must know.
#[derive(Debug, Clone)]
pub struct Ring {
    pub shard: Shard,
    pub head: Seq,
    /// Names of the streams that changed; empty when another node wrote and nobody knows which.
    pub streams: Arc<[String]>,
}

/// A range of a stream: its rows, and each row as an event.
#[derive(Debug, Default)]
pub struct Range {
    pub rows: Vec<FeedRow>,
    pub events: Vec<Bytes>,
}

/// Where a reader stands, and up to where the range goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    scan: Scan,
    head: Seq,
}

type Cell = Arc<OnceCell<Arc<Range>>>;

/// Where rings go out; clones share it.
#[derive(Debug, Clone)]
pub struct Live {
    /// None when the server stops: nobody waits for a ring that will not come.
    rings: Arc<RwLock<Option<broadcast::Sender<Arc<Ring>>>>>,
    shelf: Arc<Mutex<VecDeque<(Place, Cell)>>>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            rings: Arc::new(RwLock::new(Some(broadcast::channel(RINGS).0))),
            shelf: Arc::default(),
        }
    }
}

impl Live {
    /// Tells everybody about a commit.
    pub fn ring<'a>(&self, shard: Shard, head: Seq, streams: impl Iterator<Item = &'a String>) {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        let Some(rings) = rings.as_ref().filter(|rings| rings.receiver_count() > 0) else {
            return;
        };
        let streams: Vec<String> = streams.cloned().collect();
        // Nobody listening any more is no fault.
        let _ = rings.send(Arc::new(Ring {
            shard,
            head,
            streams: streams.into(),
        }));
    }

    /// How many listen now.
    pub fn listeners(&self) -> usize {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        rings.as_ref().map_or(0, broadcast::Sender::receiver_count)
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Ring>> {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        match rings.as_ref() {
            Some(rings) => rings.subscribe(),
            None => {
                // Rung already: nobody begins to wait for a server that stops.
                let (rings, listener) = broadcast::channel(1);
                let _ = rings.send(Arc::new(Ring {
                    shard: Shard(0),
                    head: 0,
                    streams: Arc::default(),
                }));
                listener
            }
        }
    }

    /// Rings once more, so that whoever waits asks again elsewhere, and ends every subscription.
    pub fn close(&self) {
        self.ring(Shard(0), 0, std::iter::empty());
        let mut rings = self.rings.write().unwrap_or_else(PoisonError::into_inner);
        *rings = None;
    }

    /// A range up to `head`, read by whoever comes first; the others wait for it.
    ///
    /// # Errors
    /// When reading fails; the next one tries again.
    pub async fn range(
        &self,
        scan: &Scan,
        head: Seq,
        read: impl Future<Output = Result<Range, StoreError>>,
    ) -> Result<Arc<Range>, StoreError> {
        let place = Place {
            scan: scan.clone(),
            head,
        };
        let cell = self.cell(place);
        let range = cell
            .get_or_try_init(|| async { read.await.map(Arc::new) })
            .await?;
        Ok(Arc::clone(range))
    }

    fn cell(&self, place: Place) -> Cell {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = shelf.iter().find(|(known, _)| *known == place) {
            return Arc::clone(cell);
        }
        if shelf.len() == RANGES {
            shelf.pop_front();
        }
        let cell = Cell::default();
        shelf.push_back((place, Arc::clone(&cell)));
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_range_is_read_once_for_all_who_stand_there() {
        let live = Live::default();
        let scan = |after| Scan {
            shard: 430_121,
            stream: 2,
            after,
            limit: 100,
        };
        let read = |rows: usize| async move {
            let events = vec![Bytes::from_static(b"x"); rows];
            let rows = Vec::new();
            Ok(Range { rows, events })
        };
        let first = live.range(&scan(5), 9, read(1)).await.expect("read");
        let second = live.range(&scan(5), 9, read(2)).await.expect("read");
        assert!(Arc::ptr_eq(&first, &second), "the second reading never ran");
        let later = live.range(&scan(5), 10, read(3)).await.expect("read");
        let behind = live.range(&scan(4), 9, read(4)).await.expect("read");
        assert_eq!((later.events.len(), behind.events.len()), (3, 4));
        for head in 11..200 {
            live.range(&scan(5), head, read(0)).await.expect("read");
        }
        let shelf = live.shelf.lock().expect("nobody panicked").len();
        assert_eq!(shelf, RANGES);
    }
}
