//! Photographs: uploads that survive a kill, checks, renditions, and the jobs that make them.
//!
//! The blob is durable before the row, the row before the stream. Nothing is decoded outside the
//! `Darkroom`, one picture at a time. Handlers live in `api`, SQL in `store`.

pub mod complete;
pub mod jobs;
pub mod receive;
pub mod rendition;
pub mod sniff;
pub mod staging;
pub mod tus;

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

/// Where pictures are decoded: one at a time, beside the threads that answer requests.
#[derive(Debug)]
pub struct Darkroom {
    turn: Arc<Semaphore>,
    bell: Notify,
}

impl Default for Darkroom {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            bell: Notify::new(),
        }
    }
}

impl Darkroom {
    /// Does one picture's work when its turn comes; nothing when the work panicked.
    pub async fn develop<T, W>(&self, work: W) -> Option<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        let turned = move || {
            // The turn goes with the work: whoever waits for it may be gone before it ends.
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(turned).await.ok()
    }

    /// Tells the jobs that there is one.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits for a ring.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::Darkroom;

    #[tokio::test]
    async fn work_that_panics_spoils_nothing() {
        let room = Darkroom::default();
        let spoilt: Option<()> = room.develop(|| panic!("a spoilt picture")).await;
        assert!(spoilt.is_none());
        assert_eq!(room.develop(|| 7).await, Some(7));
    }
}
