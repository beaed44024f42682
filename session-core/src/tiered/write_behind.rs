//! The fast tier decides between writers, and a queue tells the durable one.
//!
//! Where the fast tier does not have a session or fails, what waits in the queue is written first,
//! and the durable tier is asked. Then one task of this process has the session to itself, so that
//! nobody saves against a copy while it is being replaced. Those who save against a copy in the
//! fast tier share it, and who only reads one needs neither.
//!
//! # Versions
//!
//! A session's versions form one line, because each save is accepted against the version before
//! it by the fast tier. The durable tier gets some of them, in that order: of several saves in
//! the queue only the last is written, against whatever earlier version of the line the durable
//! tier has. If it has the same or a later one, from another process, there is nothing left to
//! do. If it has none, the session is gone, and so is what waits.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{Buried, FastStore, Renewed, Saved, Store};
use crate::time::Time;

use super::queue::{Queue, Work};
use super::tiers::Tiers;
use super::worker;

/// The state of a store that writes behind.
pub(super) struct Behind {
    queue: Mutex<Queue>,
    pub(super) delay: Duration,
    max_queued: usize,
    sharing: Locks<tokio::sync::RwLock<()>>,
    /// Taken last, by whoever writes what waits.
    writing: Locks<tokio::sync::Mutex<()>>,
}

impl Behind {
    pub(super) fn new(delay: Duration, max_queued: usize) -> Self {
        Behind { queue: Mutex::default(), delay, max_queued, sharing: Locks::new(), writing: Locks::new() }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    fn due(&self) -> Instant {
        Instant::now() + self.delay
    }

    fn has_room_for(&self, key: &RecordKey) -> bool {
        let queue = self.queue();
        queue.len() < self.max_queued || queue.contains(key)
    }
}

/// Each lock is that of many sessions.
struct Locks<L>(Box<[L]>);

impl<L: Default> Locks<L> {
    fn new() -> Self {
        Locks((0..256).map(|_| L::default()).collect())
    }

    fn of(&self, key: &RecordKey) -> &L {
        &self.0[usize::from(key.as_bytes()[0]) % self.0.len()]
    }
}

/// Attempts to save over what other processes write meanwhile; each of theirs is a step forward, so
/// that few are needed.
const MOST_ATTEMPTS: usize = 100;

/// How bringing the durable tier up to a version ended.
#[derive(Debug, PartialEq)]
enum Advanced {
    Done,
    /// It has this version, which is later, or was written by an earlier attempt.
    Passed(Version),
    Gone,
}

impl<F: FastStore, D: Store> Tiers<F, D> {
    pub(super) fn load_now_behind(&self, behind: &Behind, key: &RecordKey, now: Time) -> Option<Record> {
        let copy = self.fast.store.immediate()?.load_now(key, now)?.ok()??;
        (!behind.queue().is_ahead_of(key, copy.version)).then_some(copy)
    }

    pub(super) async fn load_behind(
        &self,
        behind: &Behind,
        key: &RecordKey,
        now: Time,
    ) -> Result<Option<Record>, StoreError> {
        if self.is_trusted(key, now).await
            && let Some(copy) = self.copy(key, now).await
            && !behind.queue().is_ahead_of(key, copy.version)
        {
            return Ok(Some(copy));
        }
        let _alone = behind.sharing.of(key).write().await;
        self.load_durable(behind, key, now).await
    }

    /// What the durable tier has once it knows what waits; a copy of it goes to the fast tier.
    async fn load_durable(&self, behind: &Behind, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.write_waiting(behind, key).await?;
        let record = self.durable.load(key, now).await?;
        if let Some(record) = &record
            && self.doubts.about(key, now).is_none()
        {
            self.fill(record, now).await;
        }
        Ok(record)
    }

    pub(super) fn save_now_behind(
        self: &Arc<Self>,
        behind: &Behind,
        record: &Record,
        expected: Version,
    ) -> Option<Saved> {
        if self.doubts.about(&record.key, record.accessed).is_some() || !behind.has_room_for(&record.key) {
            return None;
        }
        let _shared = behind.sharing.of(&record.key).try_read().ok()?;
        worker::can_be_employed(behind).then_some(())?;
        match self.fast.store.immediate()?.save_now(record, expected)? {
            Ok(Saved::Done) => {
                behind.queue().put_save(record, expected, behind.due());
                worker::employ(self, behind);
                Some(Saved::Done)
            }
            _ => None,
        }
    }

    pub(super) async fn save_behind(
        self: &Arc<Self>,
        behind: &Behind,
        record: &Record,
        expected: Version,
    ) -> Result<Saved, StoreError> {
        self.make_room_for(behind, &record.key).await?;
        let mut doubt = None;
        match (self.save_somewhere(behind, record, expected, &mut doubt).await?, doubt) {
            // The conflict may be with this very save, or with what others saved upon it; who
            // applied the changes again could apply them twice.
            (Saved::Conflict, Some(doubt)) => Err(doubt),
            (written, _) => Ok(written),
        }
    }

    async fn save_somewhere(
        self: &Arc<Self>,
        behind: &Behind,
        record: &Record,
        expected: Version,
        doubt: &mut Option<StoreError>,
    ) -> Result<Saved, StoreError> {
        let shared = behind.sharing.of(&record.key).read().await;
        if let Some(written) = self.save_fast(behind, record, expected, doubt).await? {
            return Ok(written);
        }
        drop(shared);
        let _alone = behind.sharing.of(&record.key).write().await;
        if let Some(written) = self.save_fast(behind, record, expected, doubt).await? {
            return Ok(written);
        }
        match self.load_durable(behind, &record.key, record.accessed).await? {
            None => {
                self.note_gone(&record.key, record.accessed).await;
                return Ok(Saved::Missing);
            }
            Some(stored) if stored.version > expected => return Ok(Saved::Conflict),
            Some(_) => {}
        }
        // Other processes may have a copy by now, so it is again for the fast tier to decide.
        match self.save_fast(behind, record, expected, doubt).await? {
            Some(written) => Ok(written),
            None => self.save_durable(behind, record, expected).await,
        }
    }

    /// `None` where the fast tier does not have the session, or can't be trusted.
    async fn save_fast(
        self: &Arc<Self>,
        behind: &Behind,
        record: &Record,
        expected: Version,
        doubt: &mut Option<StoreError>,
    ) -> Result<Option<Saved>, StoreError> {
        if !self.is_trusted(&record.key, record.accessed).await {
            return Ok(None);
        }
        match self.fast.attempt_write(self.fast.store.save(record, expected)).await {
            Ok(Some(Saved::Done)) => {
                self.queue_save(behind, record, expected).await?;
                Ok(Some(Saved::Done))
            }
            Ok(Some(Saved::Conflict)) => {
                let copy = self.copy(&record.key, record.accessed).await;
                if let Some(copy) = copy.filter(|copy| copy.version == record.version) {
                    // An earlier attempt had arrived, as the caller is about to find out.
                    self.queue_save(behind, &copy, expected).await?;
                }
                Ok(Some(Saved::Conflict))
            }
            Ok(Some(Saved::Missing) | None) => Ok(None),
            Err(error) => {
                *doubt = Some(error);
                Ok(None)
            }
        }
    }

    async fn queue_save(
        self: &Arc<Self>,
        behind: &Behind,
        record: &Record,
        expected: Version,
    ) -> Result<(), StoreError> {
        behind.queue().put_save(record, expected, behind.due());
        if worker::employ(self, behind) { Ok(()) } else { self.write_waiting(behind, &record.key).await }
    }

    /// For a session that the fast tier does not hold: the durable one decides.
    async fn save_durable(&self, behind: &Behind, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.write_waiting(behind, &record.key).await?;
        // Until the copy is mended, it is not read: whoever saved against it would lose this.
        let copy = self.doubts.unless_settled(&record.key, self.doubted_until(record));
        match self.advance(record, expected, expected).await? {
            Advanced::Done => {
                let is_new = self.drop_copy(&record.key).await && self.fill(record, record.accessed).await;
                copy.settled_if(is_new);
                Ok(Saved::Done)
            }
            Advanced::Passed(_) => {
                copy.settled_if(self.drop_copy(&record.key).await);
                Ok(Saved::Conflict)
            }
            Advanced::Gone => {
                copy.settled_if(true);
                self.note_gone(&record.key, record.accessed).await;
                Ok(Saved::Missing)
            }
        }
    }

    /// The durable tier does not have the session, so nothing else may.
    async fn note_gone(&self, key: &RecordKey, now: Time) {
        let mut copy = self.doubts.unless_settled(key, now.saturating_add(super::store::LONG));
        copy.is_gone = true;
        copy.settled_if(self.bury(key, now).await);
    }

    /// Writes a record over an earlier version of the same line, `latest` at most.
    async fn advance(&self, record: &Record, durable: Version, latest: Version) -> Result<Advanced, StoreError> {
        let mut expected = durable;
        for _ in 0..MOST_ATTEMPTS {
            match self.durable.save(record, expected).await? {
                Saved::Done => return Ok(Advanced::Done),
                Saved::Missing => return Ok(Advanced::Gone),
                Saved::Conflict => {}
            }
            match self.durable.version(&record.key, record.accessed).await? {
                None => return Ok(Advanced::Gone),
                Some(version) if version > latest => return Ok(Advanced::Passed(version)),
                Some(version) => expected = version,
            }
        }
        Err(StoreError::unavailable("tiered", "other processes wrote the session at each of many attempts"))
    }

    pub(super) async fn touch_behind(
        self: &Arc<Self>,
        behind: &Behind,
        key: &RecordKey,
        accessed: Time,
    ) -> Result<(), StoreError> {
        if self.is_trusted(key, accessed).await {
            self.fast.attempt(self.fast.store.touch(key, accessed)).await;
        }
        if !behind.has_room_for(key) {
            return self.durable.touch(key, accessed).await;
        }
        behind.queue().put_touch(key, accessed, behind.due());
        if worker::employ(self, behind) { Ok(()) } else { self.write_waiting(behind, key).await }
    }

    /// The old key is buried first, which alone tells whether another process has just saved. Then
    /// nobody can save to the fast tier under it, and the durable one decides; where that fails,
    /// the session is served by the durable tier for a while.
    pub(super) async fn renew_behind(
        &self,
        behind: &Behind,
        old: &RecordKey,
        expected: Version,
        record: &Record,
    ) -> Result<Renewed, StoreError> {
        let now = record.accessed;
        let _alone = behind.sharing.of(old).write().await;
        let is_trusted = self.is_trusted(old, now).await;
        if is_trusted && !self.catch_up(behind, old, expected, now).await? {
            self.note_gone(old, now).await;
            return Ok(Renewed::Missing);
        }
        let mut copy = self.doubts.unless_settled(old, self.doubted_until(record));
        copy.is_gone = true;
        let buried = if is_trusted { self.bury_version(old, expected, now).await } else { None };
        copy.settled_if(buried.is_some());
        if buried == Some(Buried::Conflict) {
            return Ok(Renewed::Conflict);
        }
        self.write_waiting(behind, old).await?;
        let written = self.renew_durable(old, expected, record).await?;
        if written == Renewed::Done {
            behind.queue().cancel(old);
            self.fill(record, now).await;
        }
        Ok(written)
    }

    /// Tells the durable tier what the fast one has of this version, which may wait in another
    /// process, so that nothing is only there where it is about to be buried. Whether the durable
    /// tier has the session.
    async fn catch_up(
        &self,
        behind: &Behind,
        key: &RecordKey,
        version: Version,
        now: Time,
    ) -> Result<bool, StoreError> {
        self.write_waiting(behind, key).await?;
        let Some(durable) = self.durable.version(key, now).await? else { return Ok(false) };
        if durable < version
            && let Some(copy) = self.copy(key, now).await.filter(|copy| copy.version == version)
        {
            return Ok(self.advance(&copy, durable, before(version)).await? != Advanced::Gone);
        }
        Ok(true)
    }

    async fn renew_durable(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        let mut durable = expected;
        loop {
            match self.durable.renew(old, durable, record).await? {
                Renewed::Conflict => {}
                written => return Ok(written),
            }
            match self.durable.version(old, record.accessed).await? {
                None => return Ok(Renewed::Missing),
                Some(version) if version > expected || version == durable => return Ok(Renewed::Conflict),
                Some(version) => durable = version,
            }
        }
    }

    pub(super) async fn delete_behind(&self, behind: &Behind, key: &RecordKey) -> Result<(), StoreError> {
        let _alone = behind.sharing.of(key).write().await;
        let _nobody_writes = behind.writing.of(key).lock().await;
        self.durable.delete(key).await?;
        behind.queue().cancel(key);
        let mut copy = self.doubts.unless_settled(key, self.last_seen.now().saturating_add(super::store::LONG));
        copy.is_gone = true;
        self.insist_on_burying(key).await?;
        copy.settled_if(true);
        Ok(())
    }

    /// A full queue slows writers down to the pace of the durable tier.
    async fn make_room_for(&self, behind: &Behind, key: &RecordKey) -> Result<(), StoreError> {
        while !behind.has_room_for(key) {
            let first = behind.queue().first();
            if let Some(first) = first {
                self.write_waiting(behind, &first).await?;
            }
        }
        Ok(())
    }

    /// Writes what waits of this session, and waits for whoever is writing it already.
    pub(super) async fn write_waiting(&self, behind: &Behind, key: &RecordKey) -> Result<(), StoreError> {
        if !behind.queue().contains(key) {
            return Ok(());
        }
        let _nobody_else = behind.writing.of(key).lock().await;
        let Some(work) = behind.queue().work(key) else { return Ok(()) };
        let (durable, now) = match &work {
            Work::Save { record, durable } => {
                let advanced = self.advance(record, *durable, before(record.version)).await?;
                (advanced, record.accessed)
            }
            Work::Touch { accessed } => {
                self.durable.touch(key, *accessed).await?;
                let version = self.durable.version(key, *accessed).await?;
                (version.map_or(Advanced::Gone, Advanced::Passed), *accessed)
            }
        };
        match durable {
            Advanced::Gone => {
                behind.queue().cancel(key);
                self.note_gone(key, now).await;
            }
            Advanced::Done => behind.queue().written(key, &work),
            Advanced::Passed(version) => {
                behind.queue().written(key, &work);
                self.drop_older_copy(key, version, now).await;
            }
        }
        Ok(())
    }

    /// Copies live as long as their sessions here, so each session that is used is compared with
    /// the durable tier now and then: the fast one may have missed something while it was down.
    async fn drop_older_copy(&self, key: &RecordKey, durable: Version, now: Time) {
        let copy = self.copy(key, now).await;
        if copy.is_some_and(|copy| copy.version < durable) {
            self.drop_copy(key).await;
        }
    }
}

/// The latest version that is earlier than this.
fn before(version: Version) -> Version {
    Version::from_number(version.get().saturating_sub(1))
}
