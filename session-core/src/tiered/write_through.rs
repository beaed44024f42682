//! Writes go to the durable tier first, then to the fast one. The durable tier alone decides between writers.

use std::time::Duration;

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{Created, Deleted, FastStore, Renewed, Saved, Store};
use crate::time::Time;

use super::tiers::Tiers;

/// A store that writes through.
pub(super) struct Through<F, D> {
    pub(super) tiers: Tiers<F, D>,
    max_staleness: Duration,
    is_strict: bool,
}

impl<F: FastStore, D: Store> Through<F, D> {
    pub(super) fn new(tiers: Tiers<F, D>, max_staleness: Duration, is_strict: bool) -> Self {
        Through { tiers, max_staleness, is_strict }
    }

    /// Until when a copy that is right at `now` may be served.
    fn stale_from(&self, now: Time) -> Time {
        now.saturating_add(self.max_staleness)
    }

    async fn fill(&self, record: &Record, now: Time) -> bool {
        self.tiers.fill(record, now, self.served_until(record, now)).await
    }

    async fn refill(&self, record: &Record, now: Time) -> bool {
        self.tiers.refill(record, now, self.served_until(record, now)).await
    }

    fn served_until(&self, record: &Record, now: Time) -> Time {
        record.expires_at().min(self.stale_from(now))
    }

    pub(super) async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.tiers.create(record, self.served_until(record, record.accessed)).await
    }

    /// `None` if the answer has to wait.
    pub(super) fn load_now(&self, key: &RecordKey, now: Time) -> Option<Record> {
        if self.is_strict || self.tiers.doubts.about(key, now).is_some() {
            return None;
        }
        self.tiers.fast.load_now(key, now)
    }

    pub(super) async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let Tiers { durable, .. } = &self.tiers;
        let is_trusted = self.tiers.is_trusted(key, now).await;
        let copy = if is_trusted { self.tiers.copy(key, now).await } else { None };
        if let Some(copy) = copy {
            if !self.is_strict || durable.version(key, now).await? == Some(copy.version) {
                return Ok(Some(copy));
            }
            // The durable tier is right, also where its version counts as older.
            self.tiers.drop_copy(key).await;
        }
        let record = durable.load(key, now).await?;
        if let Some(record) = &record
            && is_trusted
        {
            self.fill(record, now).await;
        }
        Ok(record)
    }

    pub(super) async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let Tiers { durable, doubts, .. } = &self.tiers;
        let mut copy = doubts.unless_settled(&record.key, self.stale_from(record.accessed));
        let saved = durable.save(record, expected).await?;
        copy.is_gone = saved == Saved::Missing;
        copy.settled_if(match saved {
            Saved::Done => self.refill(record, record.accessed).await,
            Saved::Conflict => self.replace_copy(&record.key, record.accessed).await,
            Saved::Missing => self.tiers.entomb(&record.key, record.accessed).await,
        });
        Ok(saved)
    }

    /// Puts what the durable tier has in the place of a copy that may have misled a writer: the next load must not find
    /// it again. It is not dropped, or a slow reader could put an older one back. Whether both tiers answered.
    async fn replace_copy(&self, key: &RecordKey, now: Time) -> bool {
        // Asked for first: the durable tier is then as new, unless it was set back, and is right all the same.
        let copy = self.tiers.copy(key, now).await;
        match self.tiers.durable.load(key, now).await {
            Err(_) => false,
            Ok(None) => self.tiers.entomb(key, now).await,
            Ok(Some(record)) => {
                if copy.is_some_and(|copy| copy.version > record.version) {
                    self.tiers.drop_copy(key).await;
                }
                self.refill(&record, now).await
            }
        }
    }

    pub(super) async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let Tiers { fast, durable, .. } = &self.tiers;
        durable.touch(key, accessed).await?;
        // If this fails, the copy ends a little earlier and is filled in again.
        fast.attempt(fast.store.touch(key, accessed)).await;
        Ok(())
    }

    pub(super) async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let Tiers { durable, doubts, .. } = &self.tiers;
        let mut copy = doubts.unless_settled(old, self.stale_from(record.accessed));
        let renewed = durable.renew(old, expected, record, moved_until).await?;
        copy.is_gone = matches!(renewed, Renewed::Done | Renewed::Missing);
        copy.settled_if(match renewed {
            Renewed::Done | Renewed::Missing => self.tiers.entomb(old, record.accessed).await,
            Renewed::Conflict => self.replace_copy(old, record.accessed).await,
            Renewed::Exists => true,
        });
        if renewed == Renewed::Done {
            self.fill(record, record.accessed).await;
        }
        Ok(renewed)
    }

    /// Takes the copy away first. If the durable tier then fails, the tombstone stays, requests read the session in the
    /// durable tier, and whoever repeats the ending finds it there. The other way round, a copy could be left of a session
    /// that nobody finds again.
    pub(super) async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let taken_away = self.tiers.insist_on_tombstone(key).await;
        // Also if the fast tier fails: a session must end while that is down.
        let (deleted, taken_away) = self.tiers.delete_durable(key, taken_away, self.ended_until()).await?;
        taken_away.map(|()| deleted)
    }

    /// Ends a session that is renewed without a pause.
    pub(super) async fn end_wherever(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        self.tiers.end_wherever(key, self.ended_until()).await
    }

    /// Until when a copy may be served that an ending has left.
    fn ended_until(&self) -> Time {
        self.stale_from(self.tiers.last_seen.now())
    }
}
