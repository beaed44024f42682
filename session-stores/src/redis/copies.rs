use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, PushInfo, PushKind, Value};
use session_core::{Record, RecordKey, Time};

use super::keys::Keys;
use super::server::Watch;

/// Copies of records in this process's memory, which the server invalidates.
///
/// A copy is kept only if the server has not invalidated its key between the question and the answer. Whoever asks
/// for a record first takes a [`Ticket`]. An invalidation of the key, or the loss of the connection, makes the
/// ticket void.
pub(crate) struct Copies {
    shards: Box<[Mutex<HashMap<RecordKey, Slot>>]>,
    max_per_shard: usize,
    tickets: AtomicU64,
    start: Instant,
    /// The last moment up to which all invalidations are known, in microseconds after `start`. 0 for none.
    known_up_to: AtomicU64,
    trusted_for: Duration,
}

enum Slot {
    Awaited(u64),
    Copy(Record),
}

impl Slot {
    fn is_awaited(&self, number: u64) -> bool {
        matches!(self, Slot::Awaited(awaited) if *awaited == number)
    }
}

const SHARDS: usize = 64;

impl Copies {
    pub(crate) fn new(max: usize, trusted_for: Duration) -> Self {
        Copies {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            max_per_shard: max.div_ceil(SHARDS).max(1),
            tickets: AtomicU64::new(0),
            start: Instant::now(),
            known_up_to: AtomicU64::new(0),
            trusted_for,
        }
    }

    /// The copy of a live record, if copies can be trusted now.
    pub(crate) fn get(&self, key: &RecordKey, now: Time) -> Option<Record> {
        if !self.are_trusted() {
            return None;
        }
        match self.shard(key).get(key) {
            // An expired copy is not served, because another process may have used the session since.
            Some(Slot::Copy(record)) if !record.is_expired(now) => Some(record.clone()),
            _ => None,
        }
    }

    /// The copy of a record, trusted or not.
    pub(crate) fn untrusted(&self, key: &RecordKey) -> Option<Record> {
        match self.shard(key).get(key) {
            Some(Slot::Copy(record)) => Some(record.clone()),
            _ => None,
        }
    }

    /// Takes a ticket. Call it before the server is asked for the record.
    pub(crate) fn expect(&self, key: RecordKey) -> Ticket<'_> {
        Ticket { copies: self, key, number: self.reserve(key) }
    }

    /// Drops the copy. Call it before the record is changed, whether or not the change succeeds.
    pub(crate) fn change(&self, key: RecordKey) -> Change<'_> {
        Change { copies: self, key, number: self.reserve(key) }
    }

    fn reserve(&self, key: RecordKey) -> u64 {
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(&key);
        if shard.len() >= self.max_per_shard && !shard.contains_key(&key) {
            let any = shard.keys().next().copied();
            any.and_then(|any| shard.remove(&any));
        }
        shard.insert(key, Slot::Awaited(number));
        number
    }

    /// Stores a copy if the slot still has this number.
    fn put(&self, key: &RecordKey, number: u64, record: &Record) -> bool {
        match self.shard(key).get_mut(key) {
            Some(slot) if slot.is_awaited(number) => {
                *slot = Slot::Copy(record.clone());
                true
            }
            _ => false,
        }
    }

    /// Moves the `accessed` of the copy forward, after the server has done so.
    pub(crate) fn touch(&self, key: &RecordKey, accessed: Time) {
        let mut shard = self.shard(key);
        match shard.get_mut(key) {
            Some(Slot::Copy(record)) if !record.is_expired(accessed) => {
                record.accessed = record.accessed.max(accessed);
            }
            // The awaited answer may be from before or after the touch.
            Some(Slot::Awaited(_)) => drop(shard.remove(key)),
            _ => {}
        }
    }

    pub(crate) fn forget(&self, key: &RecordKey) {
        self.shard(key).remove(key);
    }

    pub(crate) fn forget_expired(&self, now: Time) {
        for shard in &self.shards {
            let expired = |slot: &Slot| matches!(slot, Slot::Copy(record) if record.is_expired(now));
            lock(shard).retain(|_, slot| !expired(slot));
        }
    }

    pub(crate) fn forget_all(&self) {
        self.shards.iter().for_each(|shard| lock(shard).clear());
    }

    pub(crate) fn len(&self) -> usize {
        let is_copy = |slot: &&Slot| matches!(slot, Slot::Copy(_));
        self.shards.iter().map(|shard| lock(shard).values().filter(is_copy).count()).sum()
    }

    fn are_trusted(&self) -> bool {
        match self.known_up_to.load(Ordering::Acquire) {
            0 => false,
            micros => self.start + Duration::from_micros(micros) + self.trusted_for > Instant::now(),
        }
    }

    fn shard(&self, key: &RecordKey) -> MutexGuard<'_, HashMap<RecordKey, Slot>> {
        // Keys are hashes, so their first bytes are evenly distributed.
        lock(&self.shards[usize::from(key.as_bytes()[0]) % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reserves the slot for a copy of a record that the server is asked for.
#[must_use]
pub(crate) struct Ticket<'a> {
    copies: &'a Copies,
    key: RecordKey,
    number: u64,
}

impl Ticket<'_> {
    /// Stores the copy, unless its key was invalidated meanwhile.
    pub(crate) fn fill(self, record: &Record) {
        self.copies.put(&self.key, self.number, record);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut shard = self.copies.shard(&self.key);
        if shard.get(&self.key).is_some_and(|slot| slot.is_awaited(self.number)) {
            shard.remove(&self.key);
        }
    }
}

/// A change of a record that was sent to the server.
///
/// The server does not tell this connection of its own changes. A caller that asked for the record meanwhile may
/// have got the version from before the change, and must not keep it.
#[must_use]
pub(crate) struct Change<'a> {
    copies: &'a Copies,
    key: RecordKey,
    number: u64,
}

impl Change<'_> {
    /// Stores the changed record as the copy, unless somebody asked for the record meanwhile.
    pub(crate) fn done(self, record: &Record) {
        if self.copies.put(&self.key, self.number, record) {
            // Dropping it would delete the new copy.
            std::mem::forget(self);
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.copies.forget(&self.key);
    }
}

impl Watch for Copies {
    fn greeting(&self) -> Cmd {
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("NOLOOP");
        tracking
    }

    fn lost(&self) {
        self.known_up_to.store(0, Ordering::Release);
        self.forget_all();
    }

    fn answered(&self, sent: Instant) {
        let micros = sent.saturating_duration_since(self.start).as_micros();
        self.known_up_to.fetch_max(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    fn pushed(&self, push: &PushInfo) {
        if push.kind != PushKind::Invalidate {
            return;
        }
        match push.data.first() {
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(|name| match name {
                    Value::BulkString(name) => Some(&name[..]),
                    _ => None,
                });
                names.filter_map(Keys::parse_any_record).for_each(|key| self.forget(&key));
            }
            // The server has deleted all keys, or no longer knows which keys this process has read.
            _ => self.forget_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use session_core::Version;

    const NOW: Time = Time::from_unix_millis(1_767_225_600_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn record(number: u8) -> Record {
        Record::new(RecordKey::from_bytes([number; 32]), Version::from_number(1), NOW, HOUR)
    }

    fn connected() -> Copies {
        let copies = Copies::new(1000, HOUR);
        copies.answered(Instant::now() + Duration::from_millis(1));
        copies
    }

    fn news_of(key: &RecordKey) -> PushInfo {
        let name = Value::BulkString(format!("any prefix:{key}").into_bytes());
        PushInfo { kind: PushKind::Invalidate, data: vec![Value::Array(vec![name])] }
    }

    #[test]
    fn a_copy_is_kept_until_there_is_news() {
        let (copies, record) = (connected(), record(1));
        copies.expect(record.key).fill(&record);
        assert_eq!(copies.get(&record.key, NOW), Some(record.clone()));
        assert_eq!(copies.get(&record.key, record.expires_at()), None);
        copies.pushed(&news_of(&record.key));
        assert_eq!(copies.get(&record.key, NOW), None);
        assert_eq!(copies.len(), 0);
    }

    #[test]
    fn news_while_asking_make_the_answer_void() {
        let (copies, record) = (connected(), record(1));
        let ticket = copies.expect(record.key);
        copies.pushed(&news_of(&record.key));
        ticket.fill(&record);
        let ticket = copies.expect(record.key);
        copies.pushed(&PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] });
        ticket.fill(&record);
        let ticket = copies.expect(record.key);
        copies.lost();
        copies.answered(Instant::now() + Duration::from_millis(1));
        ticket.fill(&record);
        assert_eq!(copies.get(&record.key, NOW), None);
    }

    #[test]
    fn a_change_makes_what_others_asked_for_void() {
        let (copies, record) = (connected(), record(1));
        // Asked before, answered after.
        let (ticket, change) = (copies.expect(record.key), copies.change(record.key));
        change.done(&record);
        ticket.fill(&record);
        assert_eq!(copies.len(), 1, "the change's own result");
        // Asked meanwhile, and answered before and after.
        let (change, ticket) = (copies.change(record.key), copies.expect(record.key));
        ticket.fill(&record);
        change.done(&record);
        assert_eq!(copies.len(), 0);
        let (change, ticket) = (copies.change(record.key), copies.expect(record.key));
        change.done(&record);
        ticket.fill(&record);
        assert_eq!(copies.len(), 0);
        // Of unknown outcome.
        copies.expect(record.key).fill(&record);
        drop(copies.change(record.key));
        assert_eq!(copies.len(), 0);
    }

    #[test]
    fn nothing_is_trusted_without_a_connection_or_after_a_long_silence() {
        let copies = Copies::new(1000, Duration::ZERO);
        let record = record(1);
        copies.expect(record.key).fill(&record);
        assert_eq!(copies.get(&record.key, NOW), None, "nothing was heard yet");
        copies.answered(Instant::now());
        assert_eq!(copies.get(&record.key, NOW), None, "too long ago");
        copies.answered(Instant::now() + HOUR);
        assert_eq!(copies.get(&record.key, NOW), Some(record.clone()));
        copies.lost();
        assert_eq!(copies.get(&record.key, NOW), None);
    }

    #[test]
    fn memory_is_bounded_and_abandoned_questions_leave_nothing() {
        let copies = Copies::new(SHARDS, HOUR);
        for number in 0..=255 {
            let record = record(number);
            copies.expect(record.key).fill(&record);
            drop(copies.expect(RecordKey::from_bytes([number; 32])));
        }
        assert!(copies.len() <= SHARDS);
        assert!(copies.shards.iter().all(|shard| lock(shard).len() <= 1));
    }
}
