//! What is done with, and handing a phone to its next person once everything is.

use std::collections::BTreeSet;

use xiangyi_sync::phone::{Phone, Place};

use super::{Handset, Trouble, show};

impl Handset {
    /// Empties the phone for its next person; what only this phone has stays with its owner.
    pub(super) async fn hand_over(&mut self) -> Result<(), Trouble> {
        let (open, photos) = self.unfinished().await?;
        if open + photos > 0 {
            return Err(Trouble::Words(
                format!(
                    "这台手机上还有别人的 {open} 条记录、{photos} 张照片没有了结，请先由本人处理\
                     （show refused 查看，set-aside 收起）；急用请另选文件夹（--home）。"
                ),
                format!(
                    "{open} records and {photos} photographs of another person are still open on \
                     this phone; they come first (show refused, set-aside). In a hurry use another \
                     folder (--home)."
                ),
            ));
        }
        self.store.clear().await?;
        let photos = self.home.join("photos");
        let emptied = tokio::fs::remove_dir_all(&photos).await;
        emptied.map_err(|error| Trouble::file(&photos, &error))?;
        let made = tokio::fs::create_dir(&photos).await;
        made.map_err(|error| Trouble::file(&photos, &error))?;
        self.state = Phone::default();
        Ok(())
    }

    /// Entries that wait for the server or for their person, and photographs that are only here.
    async fn unfinished(&self) -> Result<(usize, usize), Trouble> {
        let aside = self.store.aside().await?;
        let entries = self.state.entries.values();
        let open = entries.filter(|entry| match entry.place {
            Place::Outbox => true,
            Place::Refused | Place::NeedsYou | Place::Quarantined => {
                show::done_with(&self.state, &aside, entry).is_none()
            }
            Place::Held | Place::Committed => false,
        });
        // Those of a record that was not accepted are not sent, and are nowhere else; they go
        // once all that was said of their record was set aside.
        let is_kept = |record: &str| {
            let entries = self.state.entries.values();
            let mut own = entries
                .filter(|entry| entry.record.to_string() == record)
                .peekable();
            own.peek().is_none() || own.any(|entry| !aside.contains(&entry.n))
        };
        let waiting = self.store.photos_waiting().await?;
        let refused = self.store.photos_refused().await?;
        let records = waiting.iter().map(|photo| &photo.record);
        let records = records.chain(refused.iter().map(|photo| &photo.record));
        let photos = records.filter(|record| is_kept(record)).count();
        Ok((open.count(), photos))
    }

    /// Sets an entry aside that was not accepted, needs its person or was not understood: read,
    /// and done with.
    ///
    /// # Errors
    /// When there is no such entry.
    pub async fn set_aside(&mut self, n: i64) -> Result<(), Trouble> {
        let entry = self.state.entries.get(&n);
        let place = entry.map(|entry| entry.place);
        if !matches!(
            place,
            Some(Place::Refused | Place::NeedsYou | Place::Quarantined)
        ) {
            return Err(Trouble::Words(
                format!("#{n} 不需要收起：只有“没有收下”“需要您决定”和“内容有误”的才可以。"),
                format!(
                    "#{n} is not to be set aside: it was not turned down, needs no decision and \
                     was not misunderstood."
                ),
            ));
        }
        self.store.set_aside(n).await
    }

    /// Numbers of the entries that were set aside.
    ///
    /// # Errors
    /// When the phone's file cannot be read.
    pub async fn aside(&self) -> Result<BTreeSet<i64>, Trouble> {
        self.store.aside().await
    }
}
