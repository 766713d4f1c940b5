//! Rings and the shelf: after a commit whoever waits for one of its streams is told, and what they
//! then read is read and written out once for all of them.
//!
//! Rings carry no data. The shelf holds the last ranges of shared streams, by where a reader stands
//! and where the shard's counter stood; who may read a stream is asked before the shelf is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{OnceCell, broadcast};
use xiangyi_proto::ids::{Seq, Shard};
use xiangyi_sync::pull::{FeedRow, Scan};

use crate::store::StoreError;

/// Rings kept for slow listeners; one that falls behind pulls once and goes on.
const RINGS: usize = 1_024;
/// Lines of live events and long polls that one person may hold: a big screen, two desks with a few
/// tabs each, and those of the last minutes that nobody has noticed to be dead.
const LINES_PER_PERSON: usize = 16;
/// Ranges kept: the last commits of the streams of a few busy counties.
const RANGES: usize = 64;
/// Bytes of events kept, with their rows about twice that.
const BYTES: usize = 8 * 1024 * 1024;
/// Numbers behind the head up to which others are likely to stand too. Who reads a stream from its
/// beginning reads alone.
const NEAR: Seq = 1_000;

/// A commit, as far as a listener must know.
#[derive(Debug, Clone)]
pub struct Ring {
    pub shard: Shard,
    pub head: Seq,
    /// Names of the streams that changed; none when another node wrote and nobody knows which.
    pub streams: Option<Arc<[String]>>,
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
    /// Up to where each shard's commits were told.
    told: Arc<Mutex<HashMap<Shard, Seq>>>,
    shelf: Arc<Mutex<VecDeque<(Place, Cell)>>>,
    /// Lines open now, by person.
    seats: Arc<Mutex<HashMap<String, usize>>>,
}

/// A place among a person's lines; it is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Mutex<HashMap<String, usize>>>,
    person: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = seats.get_mut(&self.person) {
            *count -= 1;
            if *count == 0 {
                seats.remove(&self.person);
            }
        }
    }
}

impl Default for Live {
    fn default() -> Self {
        Self {
            rings: Arc::new(RwLock::new(Some(broadcast::channel(RINGS).0))),
            told: Arc::default(),
            shelf: Arc::default(),
            seats: Arc::default(),
        }
    }
}

impl Live {
    /// Tells everybody about a commit of this node, which took the shard from one head to another.
    /// What another node wrote in between is told with it, by nobody knows which streams.
    pub fn ring<'a>(
        &self,
        shard: Shard,
        (from, head): (Seq, Seq),
        streams: impl Iterator<Item = &'a String>,
    ) {
        let before = self.tell(shard, head);
        let gap = before.is_some_and(|before| before < from);
        let streams = (!gap).then(|| streams.cloned().collect());
        self.send(shard, head, streams);
    }

    /// Hears how far a shard has come; tells everybody if somebody else has written.
    pub fn look(&self, shard: Shard, head: Seq) {
        let before = self.tell(shard, head);
        if before.is_some_and(|before| before < head) {
            self.send(shard, head, None);
        }
    }

    /// Notes how far a shard has been told; gives how far it was.
    fn tell(&self, shard: Shard, head: Seq) -> Option<Seq> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.get(&shard).copied();
        told.insert(shard, before.map_or(head, |before| before.max(head)));
        before
    }

    fn send(&self, shard: Shard, head: Seq, streams: Option<Arc<[String]>>) {
        let rings = self.rings.read().unwrap_or_else(PoisonError::into_inner);
        let Some(rings) = rings.as_ref().filter(|rings| rings.receiver_count() > 0) else {
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            shelf.clear();
            return;
        };
        // Nobody listening any more is no fault.
        let _ = rings.send(Arc::new(Ring {
            shard,
            head,
            streams,
        }));
    }

    /// A place for one more line of a person, unless they have as many as one may.
    pub fn seat(&self, person: &str) -> Option<Seat> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let count = seats.entry(person.to_owned()).or_default();
        if *count >= LINES_PER_PERSON {
            return None;
        }
        *count += 1;
        Some(Seat {
            seats: Arc::clone(&self.seats),
            person: person.to_owned(),
        })
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
            // Ended already: nobody begins to wait for a server that stops.
            None => broadcast::channel(1).1,
        }
    }

    /// Ends every subscription, so that whoever waits asks again elsewhere.
    pub fn close(&self) {
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
        if head - scan.after > NEAR {
            return read.await.map(Arc::new);
        }
        let cell = self.cell(place);
        let range = cell
            .get_or_try_init(|| async { read.await.map(Arc::new) })
            .await?;
        self.trim();
        Ok(Arc::clone(range))
    }

    /// Takes the oldest ranges away until the rest is small enough.
    fn trim(&self) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes_of = |(_, cell): &(Place, Cell)| {
            let events = cell.get().map_or(&[][..], |range| &range.events);
            events.iter().map(Bytes::len).sum::<usize>()
        };
        let mut bytes: usize = shelf.iter().map(bytes_of).sum();
        while bytes > BYTES
            && let Some(oldest) = shelf.pop_front()
        {
            bytes -= bytes_of(&oldest);
        }
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
        let ranges = || live.shelf.lock().expect("nobody panicked").len();
        assert_eq!(ranges(), RANGES);
        let large = vec![Bytes::from(vec![b'x'; BYTES / 2]); 1];
        for head in 200..205 {
            let (rows, events) = (Vec::new(), large.clone());
            let read = async move { Ok(Range { rows, events }) };
            live.range(&scan(5), head, read).await.expect("read");
        }
        assert_eq!(ranges(), 2, "bytes are counted too");
        let far = live.range(&scan(5), 5_000, read(7)).await.expect("read");
        assert_eq!(
            (far.events.len(), ranges()),
            (7, 2),
            "far from the head nobody joins"
        );
        live.ring(Shard(430_121), (1, 2), std::iter::empty());
        assert_eq!(ranges(), 0, "nobody listens, nothing is kept");
    }

    #[test]
    fn what_another_wrote_is_told_once_and_what_is_known_is_not_told_again() {
        let live = Live::default();
        let (here, name) = (Shard(430_121), "station:430121001".to_owned());
        let mut rings = live.listen();
        let mut next = || {
            rings
                .try_recv()
                .ok()
                .map(|ring| (ring.head, ring.streams.is_some()))
        };
        live.look(here, 5);
        assert_eq!(next(), None, "the first look is no news");
        live.ring(here, (5, 7), std::iter::once(&name));
        live.look(here, 7);
        assert_eq!((next(), next()), (Some((7, true)), None));
        live.look(here, 9);
        assert_eq!((next(), next()), (Some((9, false)), None));
        live.ring(here, (11, 12), std::iter::once(&name));
        assert_eq!(next(), Some((12, false)), "10 and 11 are somebody else's");
        live.ring(here, (12, 13), std::iter::once(&name));
        assert_eq!(next(), Some((13, true)));
    }
}
