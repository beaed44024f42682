//! The records of a [`MemoryStore`](crate::memory::MemoryStore) by key, in shards that are locked one by
//! one, and the keys of each principal.
//!
//! Every change of a record, and of its place on its principal's list, happens under the lock of its shard,
//! so that nothing brings back a removed record. loom explores the schedules of two threads:
//! `memory/index/loom_tests.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;

use super::cell::Cell;
use super::recency::{Kind, Notes, Records, What};
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{Buried, Created, Deleted, Renewed, Saved};
use crate::time::Time;
use lock::{Mutex, RwLock, RwLockWriteGuard};

/// Enough shards that sweeping or growing one delays its readers by less than 1 ms at 1,000,000 sessions.
pub(crate) const SHARDS: usize = if cfg!(session_loom) { 2 } else { 256 };

/// How many expired records are removed before others may lock the shard.
const PURGED_AT_ONCE: usize = 64;

type Table = HashTable<Cell>;

/// Locked briefly, by callers that hold the lock of a shard; never the other way round.
type KeysOfPrincipals = Mutex<HashMap<PrincipalKey, HashSet<RecordKey>>>;

pub(crate) struct Index {
    shards: Box<[Shard]>,
    principals: Box<[KeysOfPrincipals]>,
    notes: Arc<Notes>,
    evicted: AtomicU64,
}

/// A shard on cache lines of its own, so that the lock of one does not slow its neighbours.
#[repr(align(128))]
#[derive(Default)]
struct Shard(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    cells: Table,
    tombstones: HashTable<Tombstone>,
    moved: HashTable<Moved>,
}

/// A moved note: the record of this key was renewed, and is under the key `to`.
struct Moved {
    key: RecordKey,
    to: RecordKey,
    until: Time,
}

/// Stands for a removed record: copies of this key are refused until then.
struct Tombstone {
    key: RecordKey,
    until: Time,
}

/// A key is a SHA-256, so its own bytes are as good as any hash of them.
fn hash(key: &RecordKey) -> u64 {
    let [first, ..] = key.as_bytes().as_chunks::<8>().0 else { unreachable!("a key has 32 bytes") };
    u64::from_le_bytes(*first)
}

fn shard_of(key: &RecordKey) -> usize {
    usize::from(key.as_bytes()[31]) % SHARDS
}

fn find<'a>(table: &'a Table, key: &RecordKey) -> Option<&'a Cell> {
    table.find(hash(key), |cell| cell.key() == key)
}

fn find_mut<'a>(table: &'a mut Table, key: &RecordKey) -> Option<&'a mut Cell> {
    table.find_mut(hash(key), |cell| cell.key() == key)
}

fn insert(table: &mut Table, cell: Cell) {
    table.insert_unique(hash(cell.key()), cell, |cell| hash(cell.key()));
}

impl Entries {
    /// The keys of expired cells, and whether the time of any tombstone or moved note is over.
    fn expired(&self, now: Time) -> (Vec<RecordKey>, bool) {
        let cells = self.cells.iter().filter(|cell| cell.is_expired(now));
        let has_old_tombstones = || self.tombstones.iter().any(|tombstone| tombstone.until <= now);
        let has_old_notes = || self.moved.iter().any(|moved| moved.until <= now);
        (cells.map(|cell| *cell.key()).collect(), has_old_tombstones() || has_old_notes())
    }

    fn note_of(&self, key: &RecordKey) -> Option<&Moved> {
        self.moved.find(hash(key), |moved| moved.key == *key)
    }

    fn leave_note(&mut self, key: RecordKey, to: RecordKey, until: Time) {
        self.moved.insert_unique(hash(&key), Moved { key, to, until }, |moved| hash(&moved.key));
    }

    fn has_tombstone(&self, key: &RecordKey, now: Time) -> bool {
        let tombstone = self.tombstones.find(hash(key), |tombstone| tombstone.key == *key);
        tombstone.is_some_and(|tombstone| now < tombstone.until)
    }

    fn leave_tombstone(&mut self, key: &RecordKey, until: Time) {
        match self.tombstones.find_mut(hash(key), |tombstone| tombstone.key == *key) {
            Some(tombstone) => tombstone.until = tombstone.until.max(until),
            None => {
                let tombstone = Tombstone { key: *key, until };
                self.tombstones.insert_unique(hash(key), tombstone, |tombstone| hash(&tombstone.key));
            }
        }
    }
}

fn take_if(table: &mut Table, key: &RecordKey, condition: impl Fn(&Cell) -> bool) -> Option<Cell> {
    let found = table.find_entry(hash(key), |cell| cell.key() == key && condition(cell)).ok()?;
    Some(found.remove().0)
}

impl Index {
    /// An empty index, which leaves notes of its changes in `notes`.
    pub(crate) fn new(notes: Arc<Notes>) -> Self {
        Index {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            principals: (0..64).map(|_| Mutex::default()).collect(),
            notes,
            evicted: AtomicU64::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().cells.len()).sum()
    }

    fn shard(&self, key: &RecordKey) -> &RwLock<Entries> {
        &self.shards[shard_of(key)].0
    }

    pub(crate) fn load(&self, key: &RecordKey, now: Time) -> Option<Record> {
        find(&self.shard(key).read().cells, key)?.record(now)
    }

    pub(crate) fn save(&self, record: &Record, expected: Version) -> Saved {
        let mut entries = self.shard(&record.key).write();
        let Some(cell) = find_mut(&mut entries.cells, &record.key) else { return Saved::Missing };
        let written = cell.admits(expected, record.accessed);
        if written == Saved::Done {
            let (replaced, is_used_again) = cell.save(record);
            if is_used_again {
                self.notes.leave([&*cell], What::Used);
            }
            // Freeing what was replaced may take a while.
            drop(entries);
            drop(replaced);
        }
        written
    }

    pub(crate) fn touch(&self, key: &RecordKey, accessed: Time) {
        let mut entries = self.shard(key).write();
        if let Some(cell) = find_mut(&mut entries.cells, key)
            && cell.touch(accessed)
        {
            self.notes.leave([&*cell], What::Used);
        }
    }

    pub(crate) fn insert(&self, record: &Record) -> Created {
        let mut entries = self.shard(&record.key).write();
        if find(&entries.cells, &record.key).is_some() {
            return Created::Exists;
        }
        self.make(&mut entries.cells, Cell::new(record));
        Created::Done
    }

    /// Puts a copy here, unless the key has a tombstone or what is here is as new.
    pub(crate) fn fill(&self, record: &Record, now: Time, until: Time) {
        let mut entries = self.shard(&record.key).write();
        if let Some(holder) = find_mut(&mut entries.cells, &record.key) {
            let replaced = holder.refill(record, now, until);
            drop(entries);
            drop(replaced);
        } else if !entries.has_tombstone(&record.key, now) {
            self.make(&mut entries.cells, Cell::copy(record, until));
        }
    }

    fn make(&self, cells: &mut Table, cell: Cell) {
        self.list(&cell);
        self.notes.leave([&cell], What::Made);
        insert(cells, cell);
    }

    /// Removes the record of this key and leaves a tombstone, which refuses copies until then.
    pub(crate) fn bury(&self, key: &RecordKey, until: Time) {
        let mut entries = self.shard(key).write();
        entries.leave_tombstone(key, until);
        self.remove_from(entries, key, What::Gone);
    }

    /// Removes the record and leaves a tombstone, unless a live record of another version is here.
    pub(crate) fn bury_version(&self, key: &RecordKey, expected: Version, now: Time, until: Time) -> Buried {
        let mut entries = self.shard(key).write();
        if find(&entries.cells, key).is_some_and(|cell| cell.admits(expected, now) == Saved::Conflict) {
            return Buried::Conflict;
        }
        entries.leave_tombstone(key, until);
        self.remove_from(entries, key, What::Gone);
        Buried::Done
    }

    /// Where the record of this key was renewed to.
    pub(crate) fn moved(&self, key: &RecordKey, now: Time) -> Option<RecordKey> {
        self.shard(key).read().note_of(key).filter(|moved| now < moved.until).map(|moved| moved.to)
    }

    pub(crate) fn remove(&self, key: &RecordKey) -> Deleted {
        let entries = self.shard(key).write();
        let moved = entries.note_of(key).map(|moved| moved.to);
        match (self.remove_from(entries, key, What::Gone), moved) {
            (true, _) => Deleted::Done,
            (false, Some(to)) => Deleted::Moved(to),
            (false, None) => Deleted::Missing,
        }
    }

    /// Whether there was a record to remove.
    fn remove_from(&self, mut entries: RwLockWriteGuard<'_, Entries>, key: &RecordKey, what: What) -> bool {
        let removed = self.unmake(&mut entries.cells, key, what);
        drop(entries);
        removed.is_some()
    }

    fn unmake(&self, cells: &mut Table, key: &RecordKey, what: What) -> Option<Cell> {
        let cell = take_if(cells, key, |_| true)?;
        self.unlist(&cell);
        self.notes.leave([&cell], what);
        Some(cell)
    }

    /// Replaces one cell by another under the locks of both shards.
    pub(crate) fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Renewed {
        let mut shards = self.lock_both(old, &record.key);
        let Some(cell) = find(&shards.of(old).cells, old) else { return Renewed::Missing };
        let admitted = cell.admits(expected, record.accessed);
        if find(&shards.of(&record.key).cells, &record.key).is_some() {
            return Renewed::Exists;
        }
        match admitted {
            Saved::Missing => Renewed::Missing,
            Saved::Conflict => Renewed::Conflict,
            Saved::Done => {
                self.make(&mut shards.of(&record.key).cells, Cell::new(record));
                let replaced = self.unmake(&mut shards.of(old).cells, old, What::Gone);
                if let Some(until) = moved_until {
                    shards.of(old).leave_note(*old, record.key, until);
                }
                drop(shards);
                drop(replaced);
                Renewed::Done
            }
        }
    }

    /// Removes the expired cells of one shard, and tombstones and moved notes whose time is over. Returns how many
    /// cells there were.
    pub(crate) fn remove_expired(&self, shard: usize, now: Time) -> u64 {
        let shard = &self.shards[shard].0;
        // Loads go on during the search, because it only needs the lock for reading.
        let (expired, has_old_marks) = shard.read().expired(now);
        if has_old_marks {
            let mut entries = shard.write();
            entries.tombstones.retain(|tombstone| now < tombstone.until);
            entries.moved.retain(|moved| now < moved.until);
        }
        expired.chunks(PURGED_AT_ONCE).map(|keys| self.remove_if_expired(shard, keys, now)).sum()
    }

    fn remove_if_expired(&self, shard: &RwLock<Entries>, keys: &[RecordKey], now: Time) -> u64 {
        let mut entries = shard.write();
        // They may have been used since.
        let take = |key| take_if(&mut entries.cells, key, |cell| cell.is_expired(now));
        let expired: Vec<Cell> = keys.iter().filter_map(take).collect();
        self.notes.leave(&expired, What::Gone);
        drop(entries);
        for cell in expired.iter().filter(|cell| cell.principal().is_some()) {
            let entries = shard.read();
            if find(&entries.cells, cell.key()).is_none() {
                self.unlist(cell);
            }
        }
        expired.len() as u64
    }

    pub(crate) fn live(&self, now: Time, limit: usize) -> Vec<Record> {
        let mut records = Vec::new();
        for shard in &self.shards {
            let entries = shard.0.read();
            records.extend(entries.cells.iter().filter_map(|cell| cell.record(now)).take(limit - records.len()));
        }
        records
    }

    /// The live records of a principal. A record that is renewed after its key was listed is found by its moved note.
    pub(crate) fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Vec<Record> {
        let keys = self.keys_of(principal);
        let listed: HashSet<&RecordKey> = keys.iter().collect();
        let find = |key: &RecordKey| match self.load(key, now) {
            Some(record) => Some(record),
            None => self.renewed_since(key, &listed, now),
        };
        keys.iter().filter_map(find).collect()
    }

    fn keys_of(&self, principal: &PrincipalKey) -> Vec<RecordKey> {
        let mut keys: Vec<RecordKey> =
            self.keys(principal).lock().get(principal).into_iter().flatten().copied().collect();
        // So that a simulation is the same at every run.
        keys.sort_unstable();
        keys
    }

    /// The record to which the notes lead from this key, unless it is listed itself.
    fn renewed_since(&self, key: &RecordKey, listed: &HashSet<&RecordKey>, now: Time) -> Option<Record> {
        let mut key = self.moved(key, now)?;
        while !listed.contains(&key) {
            if let Some(record) = self.load(&key, now) {
                return Some(record);
            }
            key = self.moved(&key, now)?;
        }
        None
    }

    pub(crate) fn take_evicted(&self) -> u64 {
        self.evicted.swap(0, Ordering::Relaxed)
    }

    fn keys(&self, principal: &PrincipalKey) -> &KeysOfPrincipals {
        &self.principals[usize::from(principal.as_bytes()[0]) % self.principals.len()]
    }

    /// Puts a record on its principal's list.
    fn list(&self, cell: &Cell) {
        if let Some(principal) = cell.principal().map(PrincipalKey::of) {
            self.keys(&principal).lock().entry(principal).or_default().insert(*cell.key());
        }
    }

    fn unlist(&self, cell: &Cell) {
        let Some(principal) = cell.principal().map(PrincipalKey::of) else { return };
        let mut lists = self.keys(&principal).lock();
        if let Some(list) = lists.get_mut(&principal) {
            list.remove(cell.key());
            if list.is_empty() {
                lists.remove(&principal);
            }
        }
    }

    /// Locks the shards of two keys, always in the same order, so that two renewals don't wait for each other.
    fn lock_both(&self, a: &RecordKey, b: &RecordKey) -> TwoShards<'_> {
        let (low, high) = (shard_of(a).min(shard_of(b)), shard_of(a).max(shard_of(b)));
        let first = self.shards[low].0.write();
        let second = (low != high).then(|| self.shards[high].0.write());
        TwoShards { low, first, second }
    }
}

impl Records for Index {
    fn used(&self, kind: Kind) -> Vec<(Time, RecordKey)> {
        let mut used = Vec::new();
        for shard in &self.shards {
            let entries = shard.0.read();
            let cells = entries.cells.iter().filter(|cell| Kind::of(cell) == kind);
            used.extend(cells.map(|cell| (cell.accessed(), *cell.key())));
        }
        used
    }

    fn evict(&self, key: &RecordKey) {
        if self.remove_from(self.shard(key).write(), key, What::Evicted) {
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct TwoShards<'a> {
    low: usize,
    first: RwLockWriteGuard<'a, Entries>,
    second: Option<RwLockWriteGuard<'a, Entries>>,
}

impl TwoShards<'_> {
    fn of(&mut self, key: &RecordKey) -> &mut Entries {
        match &mut self.second {
            Some(second) if shard_of(key) != self.low => second,
            _ => &mut self.first,
        }
    }
}

#[cfg(not(session_loom))]
mod lock {
    pub(super) use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
}

#[cfg(session_loom)]
mod lock {
    pub(super) use loom::sync::MutexGuard as RwLockWriteGuard;

    /// loom's under the interface of parking_lot's.
    #[derive(Default)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no thread panicked while it held the lock")
        }
    }

    /// A mutex, because loom's own lock of this kind gives up when two threads wait to write. Readers then
    /// exclude each other, which no test can tell.
    #[derive(Default)]
    pub(super) struct RwLock<T>(Mutex<T>);

    impl<T> RwLock<T> {
        pub(super) fn read(&self) -> RwLockWriteGuard<'_, T> {
            self.0.lock()
        }

        pub(super) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.lock()
        }
    }
}

#[cfg(all(test, session_loom))]
mod loom_tests;
