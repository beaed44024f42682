//! The fast tier decides between writers, and a queue tells the durable one later.
//!
//! If the fast tier does not have a session or fails, what waits in the queue is written first, and the
//! durable tier decides. One task of this process then has the session to itself (`sharing`, held alone), so
//! that nobody saves against a copy while it is being replaced. Tasks that save against a copy in the fast
//! tier share it. A task that only reads a copy needs no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::error::{StoreError, causes};
use crate::record::{PrincipalKey, Record, RecordKey, Version, json_bytes_above};
use crate::store::{Buried, Created, Deleted, FastStore, Purged, Renewed, Saved, Store, within};
use crate::time::background::Instant;
use crate::time::{LogThrottle, Time};

use super::advance::{Advanced, before};
use super::locks::Locks;
use super::queue::{Queue, Work};
use super::settings::WriteBehind;
use super::tiers::Tiers;
use super::worker::{self, Backlog};

/// A store that writes behind.
pub(super) struct Behind<F, D> {
    pub(super) tiers: Tiers<F, D>,
    settings: WriteBehind,
    queue: Mutex<Queue>,
    sharing: Locks<tokio::sync::RwLock<()>>,
    /// Taken last, by whoever writes what waits.
    writing: Locks<tokio::sync::Mutex<()>>,
    /// How many saves the durable tier has refused for good.
    refused: AtomicU64,
    refused_warning: LogThrottle,
}

/// A copy is served for as long as its session lives: if it became stale by itself, an older record in the
/// durable tier would be seen again.
const NEVER_STALE: Time = Time::MAX;
/// How long a copy stays in doubt at least, because its session's deadline is not known.
const LONGEST_DOUBT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many saves of other processes a removal lets come first. Then it goes on: whoever saves again and again must not
/// keep the session alive.
const MAX_SAVES_AWAITED: usize = 10;
/// No record has it.
const NO_VERSION: Version = Version::from_number(0);
/// How long one write of a worker may take. A session whose deadline is nearer than that is written at once.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Until when a copy is in doubt that this record did not replace. It may have a longer idle timeout than the record.
fn doubted_until(record: &Record) -> Time {
    record.expires_at().max(record.accessed.saturating_add(LONGEST_DOUBT))
}

impl<F: FastStore, D: Store> Backlog for Behind<F, D> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    async fn write(&self, key: &RecordKey) -> Result<(), StoreError> {
        within(WRITE_LIMIT, self.tiers.durable.name(), self.write_waiting(key)).await.map(drop)
    }
}

impl<F: FastStore, D: Store> Behind<F, D> {
    pub(super) fn new(tiers: Tiers<F, D>, settings: WriteBehind) -> Self {
        Behind {
            tiers,
            settings,
            queue: Mutex::default(),
            sharing: Locks::new(),
            writing: Locks::new(),
            refused: AtomicU64::new(0),
            refused_warning: LogThrottle::new(),
        }
    }

    fn due(&self) -> Instant {
        Instant::now() + self.settings.delay
    }

    fn has_room_for(&self, record: &Record) -> bool {
        self.queue().has_room_for(record, self.settings.max_sessions, self.settings.max_bytes)
    }

    async fn fill(&self, record: &Record, now: Time) -> bool {
        self.tiers.fill(record, now, NEVER_STALE).await
    }

    /// The durable tier does not have the session, so nothing else may.
    async fn note_gone(&self, key: &RecordKey, now: Time) {
        let mut copy = self.tiers.doubts.unless_settled(key, now.saturating_add(LONGEST_DOUBT));
        copy.is_gone = true;
        copy.settled_if(self.tiers.entomb(key, now).await);
    }
}

/// Creating and loading.
impl<F: FastStore, D: Store> Behind<F, D> {
    pub(super) async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.tiers.create(record, NEVER_STALE).await
    }

    /// `None` if the answer has to wait.
    pub(super) fn load_now(&self, key: &RecordKey, now: Time) -> Option<Record> {
        if self.tiers.doubts.about(key, now).is_some() {
            return None;
        }
        let copy = self.tiers.fast.load_now(key, now)?;
        (!self.queue().is_ahead_of(key, copy.version)).then_some(copy)
    }

    pub(super) async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        if self.tiers.is_trusted(key, now).await
            && let Some(copy) = self.tiers.copy(key, now).await
            && !self.queue().is_ahead_of(key, copy.version)
        {
            return Ok(Some(copy));
        }
        let _alone = self.sharing.of(key).write().await;
        self.load_durable(key, now).await
    }

    /// What the durable tier has once it knows what waits. A copy of it goes to the fast tier.
    async fn load_durable(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.write_waiting(key).await?;
        let record = self.tiers.durable.load(key, now).await?;
        // What the durable tier refuses is here alone.
        let record = record.map(|record| self.queue().over(record));
        if let Some(record) = &record
            && self.tiers.doubts.about(key, now).is_none()
        {
            self.fill(record, now).await;
        }
        Ok(record)
    }
}

/// Saving and touching.
impl<F: FastStore, D: Store> Behind<F, D> {
    /// `None` if the answer has to wait. Nothing has been done then.
    pub(super) fn save_now(self: &Arc<Self>, record: &Record, expected: Version) -> Option<Saved> {
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

    pub(super) async fn save(self: &Arc<Self>, record: &Record, expected: Version) -> Result<Saved, StoreError> {
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
        match fast.attempt_write(fast.store.save(record, expected)).await {
            Ok(Some(Saved::Done)) => self.queue_save(record, expected, is_urgent).await.map(Some),
            Ok(Some(Saved::Conflict)) => {
                let copy = self.tiers.copy(&record.key, record.accessed).await;
                if let Some(copy) = copy.filter(|copy| copy.version == record.version) {
                    // An earlier attempt had arrived, as the caller is about to find out. It may have been urgent.
                    self.queue().put_save(&copy, expected, self.due());
                    self.see_that_it_is_written(&record.key, true).await?;
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

    pub(super) async fn touch(self: &Arc<Self>, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        let Tiers { fast, durable, .. } = &self.tiers;
        let is_urgent = self.is_urgent(key, accessed).await;
        if self.tiers.is_trusted(key, accessed).await {
            fast.attempt(fast.store.touch(key, accessed)).await;
        }
        let is_full = self.queue().len() >= self.settings.max_sessions && !self.queue().contains(key);
        if is_full {
            return durable.touch(key, accessed).await;
        }
        self.queue().put_touch(key, accessed, self.due());
        self.see_that_it_is_written(key, is_urgent).await.map(drop)
    }
}

/// Renewing and removing.
impl<F: FastStore, D: Store> Behind<F, D> {
    /// Leaves a tombstone under the old key first: that alone tells whether another process has just saved.
    /// Nobody can then save to the fast tier under this key, and the durable tier decides. If that fails, the
    /// durable tier serves the session for a while.
    pub(super) async fn renew(
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
    /// [`Through::delete`](super::write_through::Through::delete).
    pub(super) async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let _alone = self.sharing.of(key).write().await;
        let taken_away = self.take_copy_away(key).await?;
        let _nobody_writes = self.writing.of(key).lock().await;
        let (deleted, taken_away) = self.tiers.delete_durable(key, taken_away, self.ended_until()).await?;
        self.queue().cancel(key);
        taken_away.map(|()| deleted)
    }

    /// Ends a session that is renewed without a pause.
    pub(super) async fn end_wherever(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
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

/// Listing, with what waits in the queue.
impl<F: FastStore, D: Store> Behind<F, D> {
    pub(super) async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        let records = self.tiers.durable.list(self.listed_as_of(now), limit).await?;
        Ok(self.with_what_waits(records, now))
    }

    pub(super) async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        let records = self.tiers.durable.of_principal(principal, self.listed_as_of(now)).await?;
        Ok(self.with_what_waits(records, now))
    }

    /// The time to list as of, so that sessions whose use waits to be noted have not expired.
    fn listed_as_of(&self, now: Time) -> Time {
        self.queue().earliest_use().map_or(now, |earliest| earliest.min(now))
    }

    /// Records of the durable tier as they will be once what waits is written.
    fn with_what_waits(&self, records: Vec<Record>, now: Time) -> Vec<Record> {
        let queue = self.queue();
        let records = records.into_iter().map(|record| queue.over(record));
        records.filter(|record| !record.is_expired(now)).collect()
    }
}

/// The queue.
impl<F: FastStore, D: Store> Behind<F, D> {
    /// How many sessions wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue().len()
    }

    /// Purges the durable tier, unless it has missed uses of sessions, and so would take them for expired.
    pub(super) async fn purge_durable(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let is_failing = {
            let mut queue = self.queue();
            queue.forget_expired(now);
            queue.is_failing()
        };
        if is_failing {
            let cause = "it could not be told of all uses of sessions, so that none is purged yet";
            return Err(StoreError::unavailable(self.tiers.durable.name(), cause));
        }
        self.tiers.durable.purge_expired(now, limit).await
    }

    /// How many saves are set aside, and how often one was since the store was made.
    pub(super) fn refused(&self) -> (usize, u64) {
        (self.queue().aside(), self.refused.load(Ordering::Relaxed))
    }

    /// Writes all that waits. From now on, saving waits for the durable tier.
    pub(super) async fn drain(self: &Arc<Self>) -> Result<(), StoreError> {
        let drained = worker::drain(self, self.settings.close_limit).await;
        let sessions = self.queue().aside();
        if sessions > 0 {
            tracing::error!(sessions, "changes that the durable tier refuses are lost when the program ends");
        }
        drained
    }

    /// A full queue slows writers down to the pace of the durable tier. Returns whether there is room now: others may have
    /// taken what this one made.
    async fn make_room_for(&self, record: &Record) -> Result<bool, StoreError> {
        if self.has_room_for(record) {
            return Ok(true);
        }
        let first = self.queue().first();
        if let Some(first) = first {
            self.write_waiting(&first).await?;
        }
        Ok(self.has_room_for(record))
    }

    /// Writes what waits of this session, and waits for whoever is writing it already. `false` if the session is gone.
    async fn write_waiting(&self, key: &RecordKey) -> Result<bool, StoreError> {
        if !self.queue().contains(key) {
            return Ok(true);
        }
        let _nobody_else = self.writing.of(key).lock().await;
        let Some(work) = self.queue().work(key) else { return Ok(true) };
        let now = work.accessed();
        let mut advanced = match self.write(key, &work).await {
            Err(error) if !error.is_unavailable() => {
                self.set_aside(key, &work, &error);
                return Ok(true);
            }
            written => written?,
        };
        let first_use = self.queue().first_use(key).filter(|first_use| *first_use < now);
        if let (Advanced::Gone, Some(first_use)) = (&advanced, first_use) {
            // It may have expired between the uses that wait. The first one keeps it alive for the others.
            self.tiers.durable.touch(key, first_use).await?;
            advanced = self.write(key, &work).await?;
        }
        match advanced {
            Advanced::Gone => {
                self.queue().cancel(key);
                self.note_gone(key, now).await;
                return Ok(false);
            }
            Advanced::Done => self.queue().written(key, &work),
            Advanced::Passed(version) => {
                self.queue().written(key, &work);
                self.drop_older_copy(key, version, now).await;
            }
        }
        Ok(true)
    }

    /// What is refused for good holds nothing else up.
    fn set_aside(&self, key: &RecordKey, work: &Work, error: &StoreError) {
        if self.queue().set_aside(key, work) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            if let Some(times) = self.refused_warning.due() {
                let (session, causes) = (key.fingerprint(), causes(error));
                tracing::warn!(times, %session, %error, causes, "the durable tier refuses changes for good; they are kept in the fast tier and here");
            }
        }
    }

    async fn write(&self, key: &RecordKey, work: &Work) -> Result<Advanced, StoreError> {
        match work {
            Work::Save { record, durable } => self.tiers.advance(record, *durable, before(record.version)).await,
            Work::Touch { accessed } => {
                self.tiers.durable.touch(key, *accessed).await?;
                let version = self.tiers.durable.version(key, *accessed).await?;
                Ok(version.map_or(Advanced::Gone, Advanced::Passed))
            }
        }
    }

    /// Copies never become stale by themselves here, so the copy of each session in use is compared with the
    /// durable tier now and then: the fast tier may have missed a write while it was down.
    async fn drop_older_copy(&self, key: &RecordKey, durable: Version, now: Time) {
        let copy = self.tiers.copy(key, now).await;
        if copy.is_some_and(|copy| copy.version < durable) {
            self.tiers.drop_copy(key).await;
        }
    }
}
