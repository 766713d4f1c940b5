//! What phones say of themselves: when they were heard and what waits on them.
//!
//! Noted in memory and written once a second for all, so that no exchange costs a commit of its
//! own. A crash loses at most that second of news about silence, and no record.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::sessions::{self, Seen};
use crate::store::{Db, StoreError};

/// News that is not written yet; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<HashMap<String, Seen>>>);

impl Heard {
    /// Notes what a device said; its latest word stands.
    pub fn note(&self, device: &str, seen: Seen) {
        let mut news = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        news.insert(device.to_owned(), seen);
    }

    fn take(&self) -> HashMap<String, Seen> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what was noted. What cannot be written is told again by the phones.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn write(&self, db: &Db) -> Result<(), StoreError> {
        let news = self.take();
        if news.is_empty() {
            return Ok(());
        }
        let mut tx = db.write().await?;
        // One order for everybody, or two nodes could wait for each other.
        let mut news: Vec<(String, Seen)> = news.into_iter().collect();
        news.sort_by(|a, b| a.0.cmp(&b.0));
        for (device, seen) in news {
            sessions::seen(&mut tx, &device, seen).await?;
        }
        tx.commit().await
    }
}
