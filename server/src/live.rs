//! Rings: after a commit, whoever waits for one of its streams is told. Rings carry no data.

use std::sync::Arc;

use tokio::sync::broadcast;
use xiangyi_proto::ids::{Seq, Shard};

/// Rings kept for slow listeners; one that falls behind pulls once and goes on.
const RINGS: usize = 1_024;

/// A commit, as far as a listener must know.
#[derive(Debug, Clone)]
pub struct Ring {
    pub shard: Shard,
    pub head: Seq,
    /// Names of the streams that changed; empty when another node wrote and nobody knows which.
    pub streams: Arc<[String]>,
}

/// Where rings go out; clones share it.
#[derive(Debug, Clone)]
pub struct Live {
    rings: broadcast::Sender<Arc<Ring>>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            rings: broadcast::channel(RINGS).0,
        }
    }
}

impl Live {
    /// Tells everybody about a commit.
    pub fn ring<'a>(&self, shard: Shard, head: Seq, streams: impl Iterator<Item = &'a String>) {
        if self.rings.receiver_count() > 0 {
            let streams: Vec<String> = streams.cloned().collect();
            // Nobody listening any more is no fault.
            let _ = self.rings.send(Arc::new(Ring {
                shard,
                head,
                streams: streams.into(),
            }));
        }
    }

    /// How many listen now.
    pub fn listeners(&self) -> usize {
        self.rings.receiver_count()
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Ring>> {
        self.rings.subscribe()
    }
}
