//! Renewing and removing.

use super::{Behind, LONGEST_DOUBT, MAX_SAVES_AWAITED, NO_VERSION, doubted_until};
use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{Buried, Deleted, FastStore, Renewed, Store};
use crate::tiered::advance::{Advanced, before};
use crate::tiered::worker::Backlog;
use crate::time::Time;

impl<F: FastStore, D: Store> Behind<F, D> {
    /// Leaves a tombstone under the old key first: that alone tells whether another process has just saved.
    /// Nobody can then save to the fast tier under this key, and the durable tier decides. If that fails, the
    /// durable tier serves the session for a while.
    pub(in crate::tiered) async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let now = record.accessed;
        let _alone = self.sharing.of(old).write().await;
        let is_trusted = self.tiers.is_trusted(old, now).await;
        if is_trusted && !self.catch_up(old, expected, now).await? {
            self.note_gone(old, now).await;
            return Ok(Renewed::Missing);
        }
        let mut copy = self.tiers.doubts.unless_settled(old, doubted_until(record));
        copy.is_gone = true;
        let buried = if is_trusted { self.tiers.entomb_version(old, expected, now).await } else { None };
        copy.settled_if(buried.is_some());
        if buried == Some(Buried::Conflict) {
            return Ok(Renewed::Conflict);
        }
        self.write_waiting(old).await?;
        let renewed = self.tiers.renew_durable(old, expected, record, moved_until).await?;
        if renewed == Renewed::Done {
            self.queue().cancel(old);
            if is_trusted && buried.is_none() {
                self.tiers.delete_copy_at_least(old).await;
            }
            self.fill(record, now).await;
        }
        Ok(renewed)
    }

    /// Tells the durable tier this version, which may wait in the queue of another process, so that no change
    /// is only in the copy that a tombstone is about to replace. Whether the durable tier has the session.
    async fn catch_up(&self, key: &RecordKey, version: Version, now: Time) -> Result<bool, StoreError> {
        self.write_waiting(key).await?;
        let Some(durable) = self.tiers.durable.version(key, now).await? else { return Ok(false) };
        if durable < version
            && let Some(copy) = self.tiers.copy(key, now).await.filter(|copy| copy.version == version)
        {
            return Ok(self.tiers.advance(&copy, durable, before(version)).await? != Advanced::Gone);
        }
        Ok(true)
    }

    /// Takes the copy away first, so that whoever repeats an ending that failed finds the session: see
    /// [`Through::delete`](crate::tiered::write_through::Through::delete).
    pub(in crate::tiered) async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let _alone = self.sharing.of(key).write().await;
        let taken_away = self.take_copy_away(key).await?;
        let _nobody_writes = self.writing.of(key).lock().await;
        let (deleted, taken_away) = self.tiers.delete_durable(key, taken_away, self.ended_until()).await?;
        self.queue().cancel(key);
        taken_away.map(|()| deleted)
    }

    /// Ends a session that is renewed without a pause.
    pub(in crate::tiered) async fn end_wherever(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        let ended = self.tiers.end_wherever(key, self.ended_until()).await?;
        if let Some(key) = &ended {
            self.queue().cancel(key);
        }
        Ok(ended)
    }

    /// Until when a copy may be served that an ending has left.
    fn ended_until(&self) -> Time {
        self.tiers.last_seen.now().saturating_add(LONGEST_DOUBT)
    }

    /// Replaces the copy by a tombstone, once the durable tier has the changes that may be in the copy alone: the session
    /// goes on there if it can't be deleted. An error of the durable tier ends this. One of the fast tier is returned
    /// inside.
    async fn take_copy_away(&self, key: &RecordKey) -> Result<Result<(), StoreError>, StoreError> {
        let now = self.tiers.last_seen.now();
        for _ in 0..MAX_SAVES_AWAITED {
            let copy = match self.tiers.insist_on_copy(key, now).await {
                Ok(copy) => copy,
                Err(error) => return Ok(Err(error)),
            };
            if let Some(copy) = &copy {
                match self.catch_up(key, copy.version, now).await {
                    // What is refused for good must not keep the session alive.
                    Err(error) if !error.is_unavailable() => {}
                    caught_up => drop(caught_up?),
                }
            }
            let version = copy.map_or(NO_VERSION, |copy| copy.version);
            match self.tiers.insist_on_tombstone_over(key, version, now).await {
                Ok(Buried::Conflict) => {}
                Ok(Buried::Done) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(self.tiers.insist_on_tombstone(key).await)
    }
}
