//! Saving and touching.

use std::sync::Arc;

use super::{Behind, WRITE_LIMIT, doubted_until};
use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version, json_bytes_above};
use crate::store::{FastStore, Saved, Store};
use crate::tiered::advance::Advanced;
use crate::tiered::tiers::Tiers;
use crate::tiered::worker;
use crate::tiered::worker::Backlog;
use crate::time::{Time, background};

impl<F: FastStore, D: Store> Behind<F, D> {
    /// `None` if the answer has to wait. Nothing has been done then.
    pub(in crate::tiered) fn save_now(self: &Arc<Self>, record: &Record, expected: Version) -> Option<Saved> {
        let Tiers { fast, doubts, .. } = &self.tiers;
        if doubts.about(&record.key, record.accessed).is_some() || !self.has_room_for(record) {
            return None;
        }
        self.check_size(record).ok()?;
        let _shared = self.sharing.of(&record.key).try_read().ok()?;
        worker::is_available(&**self).then_some(())?;
        if !self.queue().contains(&record.key) {
            let copy = fast.load_now(&record.key, record.accessed)?;
            self.can_wait(&copy, record.accessed).then_some(())?;
        }
        match fast.immediate()?.save_now(record, expected)? {
            Ok(Saved::Done) => {
                self.queue().put_save(record, expected, self.due());
                worker::ensure(self);
                Some(Saved::Done)
            }
            _ => None,
        }
    }

    pub(in crate::tiered) async fn save(
        self: &Arc<Self>,
        record: &Record,
        expected: Version,
    ) -> Result<Saved, StoreError> {
        self.check_size(record)?;
        let has_room = self.make_room_for(record).await?;
        let mut doubt = None;
        let saved = self.save_somewhere(record, expected, &mut doubt).await?;
        if saved == Saved::Done && !has_room {
            // Others took the room. This one's change is written at once, so that it waits for nobody else's.
            self.write_waiting(&record.key).await?;
        }
        match (saved, doubt) {
            // The conflict may be with this very save, or with what others saved upon it. A caller that
            // applies its changes again could apply them twice.
            (Saved::Conflict, Some(doubt)) => Err(doubt),
            (saved, _) => Ok(saved),
        }
    }

    /// Refuses at once what the durable tier would refuse later.
    fn check_size(&self, record: &Record) -> Result<(), StoreError> {
        let Some(limit) = self.tiers.durable.capabilities().max_session_bytes else { return Ok(()) };
        match json_bytes_above(record, limit) {
            None => Ok(()),
            Some(bytes) => {
                let name = self.tiers.durable.name();
                let cause =
                    format!("the session has {bytes} bytes of JSON, and {name} holds {limit}: store less in it");
                Err(StoreError::refused(name, cause))
            }
        }
    }

    async fn save_somewhere(
        self: &Arc<Self>,
        record: &Record,
        expected: Version,
        doubt: &mut Option<StoreError>,
    ) -> Result<Saved, StoreError> {
        let shared = self.sharing.of(&record.key).read().await;
        if let Some(saved) = self.save_fast(record, expected, doubt).await? {
            return Ok(saved);
        }
        drop(shared);
        let _alone = self.sharing.of(&record.key).write().await;
        if let Some(saved) = self.save_fast(record, expected, doubt).await? {
            return Ok(saved);
        }
        match self.load_durable(&record.key, record.accessed).await? {
            None => {
                self.note_gone(&record.key, record.accessed).await;
                return Ok(Saved::Missing);
            }
            Some(stored) if stored.version > expected => return Ok(Saved::Conflict),
            Some(_) => {}
        }
        // Other processes may have a copy by now, so it is again for the fast tier to decide.
        match self.save_fast(record, expected, doubt).await? {
            Some(saved) => Ok(saved),
            None => self.save_durable(record, expected).await,
        }
    }

    /// `None` if the fast tier does not have the session, or can't be trusted. An error of the fast tier is
    /// left in `doubt`: the save may have taken effect.
    async fn save_fast(
        self: &Arc<Self>,
        record: &Record,
        expected: Version,
        doubt: &mut Option<StoreError>,
    ) -> Result<Option<Saved>, StoreError> {
        if !self.tiers.is_trusted(&record.key, record.accessed).await {
            return Ok(None);
        }
        let Tiers { fast, .. } = &self.tiers;
        let is_urgent = self.is_urgent(&record.key, record.accessed).await;
        let under_way = UnderWay { behind: self, record, expected };
        let saved = fast.attempt_write(fast.store.save(record, expected)).await;
        std::mem::forget(under_way);
        match saved {
            Ok(Some(Saved::Done)) => self.queue_save(record, expected, is_urgent).await.map(Some),
            Ok(Some(Saved::Conflict)) => {
                // An earlier attempt may have arrived, as the caller is about to find out.
                self.queue_if_saved(&record.key, record.version, expected, record.accessed).await?;
                Ok(Some(Saved::Conflict))
            }
            Ok(Some(Saved::Missing) | None) => Ok(None),
            Err(error) => {
                *doubt = Some(error);
                Ok(None)
            }
        }
    }

    /// Puts a save that the fast tier has accepted into the queue.
    async fn queue_save(
        self: &Arc<Self>,
        record: &Record,
        expected: Version,
        is_urgent: bool,
    ) -> Result<Saved, StoreError> {
        self.queue().put_save(record, expected, self.due());
        let is_there = self.see_that_it_is_written(&record.key, is_urgent).await?;
        Ok(if is_there { Saved::Done } else { Saved::Missing })
    }

    /// Puts a save into the queue whose answer nobody got, if the fast tier has accepted it. It may be urgent.
    async fn queue_if_saved(
        self: &Arc<Self>,
        key: &RecordKey,
        version: Version,
        expected: Version,
        now: Time,
    ) -> Result<(), StoreError> {
        let copy = self.tiers.copy(key, now).await;
        let Some(copy) = copy.filter(|copy| copy.version == version) else { return Ok(()) };
        self.queue().put_save(&copy, expected, self.due());
        self.see_that_it_is_written(key, true).await.map(drop)
    }

    /// Whether the durable tier must be told of a use at once, or the session expires there before it is.
    ///
    /// Only the first use that waits can be urgent: later ones are written with it.
    async fn is_urgent(&self, key: &RecordKey, now: Time) -> bool {
        if self.queue().contains(key) {
            return false;
        }
        self.tiers.copy(key, now).await.is_none_or(|copy| !self.can_wait(&copy, now))
    }

    /// Whether a session with this copy, of which nothing waits here, can be written when it is due. Its last use is
    /// durable, or another process is about to write it.
    fn can_wait(&self, copy: &Record, now: Time) -> bool {
        now.saturating_add(self.settings.delay).saturating_add(WRITE_LIMIT) < copy.expires_at()
    }

    /// Leaves what waits of this session to a worker, or writes it now if that is urgent or there can be no worker.
    /// Whether the session is there, as far as is known.
    async fn see_that_it_is_written(self: &Arc<Self>, key: &RecordKey, is_urgent: bool) -> Result<bool, StoreError> {
        let has_worker = worker::ensure(self);
        if has_worker && !is_urgent {
            return Ok(true);
        }
        match self.write_waiting(key).await {
            // The worker tries again: a durable tier that fails does not fail this request.
            Err(_) if has_worker => Ok(true),
            written => written,
        }
    }

    /// For a session that the fast tier does not hold: the durable one decides.
    async fn save_durable(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.write_waiting(&record.key).await?;
        // The copy is not read until it is replaced: whoever saved against it would lose this save.
        let copy = self.tiers.doubts.unless_settled(&record.key, doubted_until(record));
        match self.tiers.advance(record, expected, expected).await? {
            Advanced::Done => {
                let is_new = self.tiers.drop_copy(&record.key).await && self.fill(record, record.accessed).await;
                copy.settled_if(is_new);
                Ok(Saved::Done)
            }
            Advanced::Passed(_) => {
                copy.settled_if(self.tiers.drop_copy(&record.key).await);
                Ok(Saved::Conflict)
            }
            Advanced::Gone => {
                copy.settled_if(true);
                self.note_gone(&record.key, record.accessed).await;
                Ok(Saved::Missing)
            }
        }
    }

    pub(in crate::tiered) async fn touch(self: &Arc<Self>, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let Tiers { fast, durable, .. } = &self.tiers;
        let is_urgent = self.is_urgent(key, accessed).await;
        let is_full = self.queue().len() >= self.settings.max_sessions && !self.queue().contains(key);
        // Before the fast tier: a touch that is cancelled between them must not be known there alone.
        let touched = if is_full { Some(durable.touch(key, accessed).await) } else { None };
        if touched.is_none() {
            self.queue().put_touch(key, accessed, self.due());
        }
        if self.tiers.is_trusted(key, accessed).await {
            fast.attempt(fast.store.touch(key, accessed)).await;
        }
        match touched {
            Some(touched) => touched,
            None => self.see_that_it_is_written(key, is_urgent).await.map(drop),
        }
    }
}

/// A save in the fast tier that is under way. Dropped, it was cancelled: the durable tier would not hear of it, and would
/// go on counting from the use before, until the session expires there.
struct UnderWay<'a, F: FastStore, D: Store> {
    behind: &'a Arc<Behind<F, D>>,
    record: &'a Record,
    expected: Version,
}

impl<F: FastStore, D: Store> Drop for UnderWay<'_, F, D> {
    fn drop(&mut self) {
        let (behind, key, expected) = (Arc::clone(self.behind), self.record.key, self.expected);
        let (version, now) = (self.record.version, self.record.accessed);
        background::spawn(async move {
            let _shared = behind.sharing.of(&key).read().await;
            // If that fails, a worker tries again.
            let _ = behind.queue_if_saved(&key, version, expected, now).await;
        });
    }
}
