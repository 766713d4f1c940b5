//! Photographs: uploads that survive a kill, checks, renditions, and the jobs that make them.
//!
//! The blob is durable before the row, the row before the stream. Nothing is decoded outside the
//! `Darkroom`, one picture at a time. Handlers live in `api`, SQL in `store`.

pub mod camera;
pub mod complete;
pub mod jobs;
pub mod receive;
pub mod rendition;
pub mod sniff;
pub mod staging;
pub mod strip;
pub mod sweep;
pub mod tus;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, oneshot};

use crate::tasks;

/// How long one picture may take: the largest takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pictures in memory at a time: the one whose turn it is, and two that were given up and cannot
/// be stopped. When there are more, everything waits.
const ROOMS: usize = 3;

/// Where pictures are decoded: one at a time, beside the threads that answer requests.
#[derive(Debug)]
pub struct Darkroom {
    turn: Arc<Semaphore>,
    rooms: Arc<Semaphore>,
    patience: Duration,
    bell: Notify,
}

/// Why a picture's work came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoilt {
    Panicked,
    TooLong,
}

impl Default for Darkroom {
    fn default() -> Self {
        Self::new(PATIENCE)
    }
}

impl Darkroom {
    /// A darkroom that gives a picture so long.
    pub fn new(patience: Duration) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            rooms: Arc::new(Semaphore::new(ROOMS)),
            patience,
            bell: Notify::new(),
        }
    }

    /// Does one picture's work when its turn comes.
    ///
    /// # Errors
    /// When the work panicked, or took too long: then the next picture has its turn already.
    pub async fn develop<T, W>(&self, work: W) -> Result<T, Spoilt>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let closed = |_| Spoilt::Panicked;
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(closed)?;
        let room = Arc::clone(&self.rooms).acquire_owned().await;
        let room = room.map_err(closed)?;
        let (patience, (reply, answer)) = (self.patience, oneshot::channel());
        // The turn goes with the work: whoever waits for it may be gone before it ends.
        tasks::spawn("develop", async move {
            let working = tokio::task::spawn_blocking(move || {
                let _room = room;
                work()
            });
            let made = match tokio::time::timeout(patience, working).await {
                Ok(done) => done.map_err(|_| Spoilt::Panicked),
                Err(_) => Err(Spoilt::TooLong),
            };
            drop(turn);
            // Nobody may wait any more.
            let _ = reply.send(made);
        });
        answer.await.unwrap_or(Err(Spoilt::Panicked))
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
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{Darkroom, Spoilt};

    #[tokio::test]
    async fn work_that_panics_spoils_nothing() {
        let room = Darkroom::default();
        let spoilt: Result<(), _> = room.develop(|| panic!("a spoilt picture")).await;
        assert_eq!(spoilt, Err(Spoilt::Panicked));
        assert_eq!(room.develop(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_picture_that_takes_too_long_gives_its_turn_away() {
        let room = Darkroom::new(Duration::from_millis(5));
        let (go, hold) = mpsc::channel::<()>();
        // Ends when the test drops its end of the channel.
        let slow = room.develop(move || hold.recv().is_ok()).await;
        assert_eq!(slow, Err(Spoilt::TooLong));
        let room = Darkroom {
            patience: Duration::from_secs(60),
            ..room
        };
        assert_eq!(
            room.develop(|| 7).await,
            Ok(7),
            "while the slow one goes on"
        );
        drop(go);
    }

    #[tokio::test]
    async fn pictures_given_up_are_counted_and_their_room_comes_back() {
        let room = Darkroom::new(Duration::from_millis(5));
        let mut held = Vec::new();
        for _ in 0..super::ROOMS {
            let (go, hold) = mpsc::channel::<()>();
            held.push(go);
            let slow = room.develop(move || hold.recv().is_ok()).await;
            assert_eq!(slow, Err(Spoilt::TooLong));
        }
        assert_eq!(room.rooms.available_permits(), 0, "the next waits");
        held.pop();
        assert_eq!(room.develop(|| 7).await, Ok(7));
    }
}
