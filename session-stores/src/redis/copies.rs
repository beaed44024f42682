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
///
/// Stores that share a connection share its copies, because each must hear of what the others change. A copy is served
/// only to the store that made it: another has another prefix or codec, and would find somebody else's session.
pub(crate) struct Copies {
    shards: Box<[Mutex<Shard>]>,
    max_per_shard: usize,
    max_bytes_per_shard: usize,
    tickets: AtomicU64,
    spaces: AtomicU64,
    start: Instant,
    /// The last moment up to which all invalidations are known, in microseconds after `start`. 0 for none.
    known_up_to: AtomicU64,
    trusted_for: Duration,
}

/// The number of one prefix and codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space(u64);

/// A record as one store names and reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub(crate) space: Space,
    pub(crate) key: RecordKey,
}

enum Slot {
    Awaited(u64),
    Copy(Space, Record),
}

/// The slots of one lock, and what their copies take.
#[derive(Default)]
struct Shard {
    slots: HashMap<RecordKey, Slot>,
    bytes: usize,
}

impl Shard {
    fn remove(&mut self, key: &RecordKey) {
        let removed = self.slots.remove(key);
        self.bytes -= removed.map_or(0, |slot| slot.bytes());
    }

    fn put(&mut self, key: RecordKey, slot: Slot) {
        self.bytes += slot.bytes();
        let replaced = self.slots.insert(key, slot);
        self.bytes -= replaced.map_or(0, |slot| slot.bytes());
    }

    /// Removes any slot but this one. `false` if there is no other.
    fn evict_beside(&mut self, key: &RecordKey) -> bool {
        let any = self.slots.keys().find(|other| *other != key).copied();
        any.map(|any| self.remove(&any)).is_some()
    }

    fn retain(&mut self, stays: impl Fn(&Slot) -> bool) {
        self.slots.retain(|_, slot| stays(slot));
        self.bytes = self.slots.values().map(Slot::bytes).sum();
    }
}

impl Slot {
    fn bytes(&self) -> usize {
        match self {
            Slot::Awaited(_) => 0,
            Slot::Copy(_, record) => record.memory_bytes(),
        }
    }

    fn is_awaited(&self, number: u64) -> bool {
        matches!(self, Slot::Awaited(awaited) if *awaited == number)
    }
}

const SHARDS: usize = 64;

impl Copies {
    pub(crate) fn new(max: usize, max_bytes: usize, trusted_for: Duration) -> Self {
        Copies {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            max_per_shard: max.div_ceil(SHARDS).max(1),
            max_bytes_per_shard: max_bytes.div_ceil(SHARDS),
            tickets: AtomicU64::new(0),
            spaces: AtomicU64::new(0),
            start: Instant::now(),
            known_up_to: AtomicU64::new(0),
            trusted_for,
        }
    }

    /// The space of a store that names or reads records in another way than all before it.
    pub(crate) fn new_space(&self) -> Space {
        Space(self.spaces.fetch_add(1, Ordering::Relaxed))
    }

    /// The copy of a live record, if copies can be trusted now.
    pub(crate) fn get(&self, name: Name, now: Time) -> Option<Record> {
        if !self.are_trusted() {
            return None;
        }
        // An expired copy is not served, because another process may have used the session since.
        self.untrusted(name).filter(|record| !record.is_expired(now))
    }

    /// The copy of a record, trusted or not.
    pub(crate) fn untrusted(&self, Name { space, key }: Name) -> Option<Record> {
        match self.shard(&key).slots.get(&key) {
            Some(Slot::Copy(owner, record)) if *owner == space => Some(record.clone()),
            _ => None,
        }
    }

    /// Takes a ticket. Call it before the server is asked for the record.
    pub(crate) fn expect(&self, name: Name) -> Ticket<'_> {
        Ticket { copies: self, name, number: self.reserve(name.key) }
    }

    /// Drops the copy. Call it before the record is changed, whether or not the change succeeds.
    pub(crate) fn change(&self, name: Name) -> Change<'_> {
        Change { copies: self, name, number: self.reserve(name.key) }
    }

    fn reserve(&self, key: RecordKey) -> u64 {
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(&key);
        if shard.slots.len() >= self.max_per_shard && !shard.slots.contains_key(&key) {
            shard.evict_beside(&key);
        }
        shard.put(key, Slot::Awaited(number));
        number
    }

    /// Stores a copy if the slot still has this number.
    fn put(&self, Name { space, key }: Name, number: u64, record: &Record) -> bool {
        let mut shard = self.shard(&key);
        if !shard.slots.get(&key).is_some_and(|slot| slot.is_awaited(number)) {
            return false;
        }
        shard.put(key, Slot::Copy(space, record.clone()));
        while shard.bytes > self.max_bytes_per_shard && shard.evict_beside(&key) {}
        let fits = shard.bytes <= self.max_bytes_per_shard;
        if !fits {
            shard.remove(&key);
        }
        fits
    }

    /// Moves the `accessed` of the copy forward, after the server has done so.
    pub(crate) fn touch(&self, Name { space, key }: Name, accessed: Time) {
        let mut shard = self.shard(&key);
        match shard.slots.get_mut(&key) {
            Some(Slot::Copy(owner, record)) if *owner == space && !record.is_expired(accessed) => {
                record.accessed = record.accessed.max(accessed);
            }
            // The awaited answer may be from before or after the touch, and so may another store's copy.
            Some(_) => shard.remove(&key),
            None => {}
        }
    }

    pub(crate) fn forget(&self, key: &RecordKey) {
        self.shard(key).remove(key);
    }

    pub(crate) fn forget_expired(&self, now: Time) {
        for shard in &self.shards {
            let expired = |slot: &Slot| matches!(slot, Slot::Copy(_, record) if record.is_expired(now));
            lock(shard).retain(|slot| !expired(slot));
        }
    }

    pub(crate) fn forget_all(&self) {
        self.shards.iter().for_each(|shard| *lock(shard) = Shard::default());
    }

    pub(crate) fn len(&self) -> usize {
        let is_copy = |slot: &&Slot| matches!(slot, Slot::Copy(..));
        self.shards.iter().map(|shard| lock(shard).slots.values().filter(is_copy).count()).sum()
    }

    fn are_trusted(&self) -> bool {
        match self.known_up_to.load(Ordering::Acquire) {
            0 => false,
            micros => self.start + Duration::from_micros(micros) + self.trusted_for > Instant::now(),
        }
    }

    fn shard(&self, key: &RecordKey) -> MutexGuard<'_, Shard> {
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
    name: Name,
    number: u64,
}

impl Ticket<'_> {
    /// Stores the copy, unless its key was invalidated meanwhile.
    pub(crate) fn fill(self, record: &Record) {
        self.copies.put(self.name, self.number, record);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let key = &self.name.key;
        let mut shard = self.copies.shard(key);
        if shard.slots.get(key).is_some_and(|slot| slot.is_awaited(self.number)) {
            shard.remove(key);
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
    name: Name,
    number: u64,
}

impl Change<'_> {
    /// Stores the changed record as the copy, unless somebody asked for the record meanwhile.
    pub(crate) fn done(self, record: &Record) {
        if self.copies.put(self.name, self.number, record) {
            // Dropping it would delete the new copy.
            std::mem::forget(self);
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.copies.forget(&self.name.key);
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
    const MANY: usize = 1 << 30;

    fn record(number: u8) -> Record {
        Record::new(RecordKey::from_bytes([number; 32]), Version::from_number(1), NOW, HOUR)
    }

    /// The record as the first store names it.
    fn of(record: &Record) -> Name {
        Name { space: Space(0), key: record.key }
    }

    fn connected() -> Copies {
        let copies = Copies::new(1000, MANY, HOUR);
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
        copies.expect(of(&record)).fill(&record);
        assert_eq!(copies.get(of(&record), NOW), Some(record.clone()));
        assert_eq!(copies.get(of(&record), record.expires_at()), None);
        copies.pushed(&news_of(&record.key));
        assert_eq!(copies.get(of(&record), NOW), None);
        assert_eq!(copies.len(), 0);
    }

    #[test]
    fn a_copy_is_served_to_the_store_that_made_it_and_to_no_other() {
        let (copies, record) = (connected(), record(1));
        let [own, other] = [copies.new_space(), copies.new_space()].map(|space| Name { space, key: record.key });
        copies.expect(own).fill(&record);
        assert_eq!((copies.get(own, NOW), copies.get(other, NOW)), (Some(record.clone()), None));
        assert_eq!(copies.untrusted(other), None);
        // What the other changes, is changed for both if they have one prefix.
        copies.touch(other, NOW);
        assert_eq!(copies.get(own, NOW), None);
        copies.expect(own).fill(&record);
        copies.change(other).done(&record);
        assert_eq!((copies.get(own, NOW), copies.get(other, NOW)), (None, Some(record)));
    }

    #[test]
    fn news_while_asking_make_the_answer_void() {
        let (copies, record) = (connected(), record(1));
        let ticket = copies.expect(of(&record));
        copies.pushed(&news_of(&record.key));
        ticket.fill(&record);
        let ticket = copies.expect(of(&record));
        copies.pushed(&PushInfo { kind: PushKind::Invalidate, data: vec![Value::Nil] });
        ticket.fill(&record);
        let ticket = copies.expect(of(&record));
        copies.lost();
        copies.answered(Instant::now() + Duration::from_millis(1));
        ticket.fill(&record);
        assert_eq!(copies.get(of(&record), NOW), None);
    }

    #[test]
    fn a_change_makes_what_others_asked_for_void() {
        let (copies, record) = (connected(), record(1));
        // Asked before, answered after.
        let (ticket, change) = (copies.expect(of(&record)), copies.change(of(&record)));
        change.done(&record);
        ticket.fill(&record);
        assert_eq!(copies.len(), 1, "the change's own result");
        // Asked meanwhile, and answered before and after.
        let (change, ticket) = (copies.change(of(&record)), copies.expect(of(&record)));
        ticket.fill(&record);
        change.done(&record);
        assert_eq!(copies.len(), 0);
        let (change, ticket) = (copies.change(of(&record)), copies.expect(of(&record)));
        change.done(&record);
        ticket.fill(&record);
        assert_eq!(copies.len(), 0);
        // Of unknown outcome.
        copies.expect(of(&record)).fill(&record);
        drop(copies.change(of(&record)));
        assert_eq!(copies.len(), 0);
    }

    #[test]
    fn nothing_is_trusted_without_a_connection_or_after_a_long_silence() {
        let copies = Copies::new(1000, MANY, Duration::ZERO);
        let record = record(1);
        copies.expect(of(&record)).fill(&record);
        assert_eq!(copies.get(of(&record), NOW), None, "nothing was heard yet");
        copies.answered(Instant::now());
        assert_eq!(copies.get(of(&record), NOW), None, "too long ago");
        copies.answered(Instant::now() + HOUR);
        assert_eq!(copies.get(of(&record), NOW), Some(record.clone()));
        copies.lost();
        assert_eq!(copies.get(of(&record), NOW), None);
    }

    #[test]
    fn memory_is_bounded_and_abandoned_questions_leave_nothing() {
        let copies = Copies::new(SHARDS, MANY, HOUR);
        for number in 0..=255 {
            let record = record(number);
            copies.expect(of(&record)).fill(&record);
            drop(copies.expect(of(&record)));
        }
        assert!(copies.len() <= SHARDS);
        assert!(copies.shards.iter().all(|shard| lock(shard).slots.len() <= 1));
    }

    #[test]
    fn copies_take_no_more_memory_than_they_may() {
        let bytes = record(0).memory_bytes();
        let copies = Copies::new(10_000, 2 * bytes * SHARDS, HOUR);
        for number in 0..=255 {
            let record = record(number);
            copies.expect(of(&record)).fill(&record);
        }
        assert_eq!(copies.len(), 2 * SHARDS);
        let mut large = record(7);
        large.principal = Some("x".repeat(2 * bytes).into());
        copies.expect(of(&large)).fill(&large);
        assert_eq!(copies.untrusted(of(&large)), None, "what has no room is not kept");
        copies.forget_all();
        assert!(copies.shards.iter().all(|shard| lock(shard).bytes == 0));
    }
}
