//! What phones say of themselves: when they were heard and what waits on them.
//!
//! Noted in memory and written once a second and at a stop, so that no exchange costs a commit of
//! its own. A crash loses at most that second of news about silence, and no record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::sessions::{self, Seen};
use crate::store::{Db, StoreError};

/// News that is not written yet; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<HashMap<String, Seen>>>);

impl Heard {
    /// Notes what a device said; its latest word stands, and what it has saved stays saved.
    pub fn note(&self, device: &str, seen: Seen) {
        let mut news = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = news.entry(device.to_owned()).or_insert(seen);
        let saved_below = known.saved_below.max(seen.saved_below);
        *known = if known.at > seen.at { *known } else { seen };
        known.saved_below = saved_below;
    }

    fn take(&self) -> HashMap<String, Seen> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what was noted; what cannot be written now is kept for the next time.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn write(&self, db: &Db) -> Result<(), StoreError> {
        let news = self.take();
        if news.is_empty() {
            return Ok(());
        }
        let written = Self::all(db, &news).await;
        if written.is_err() {
            news.iter()
                .for_each(|(device, seen)| self.note(device, *seen));
        }
        written
    }

    async fn all(db: &Db, news: &HashMap<String, Seen>) -> Result<(), StoreError> {
        let mut tx = db.write().await?;
        // One order for everybody, or two nodes could wait for each other.
        let mut news: Vec<(&String, &Seen)> = news.iter().collect();
        news.sort_by_key(|(device, _)| *device);
        for (device, seen) in news {
            sessions::seen(&mut tx, device, *seen).await?;
        }
        tx.commit().await
    }
}
