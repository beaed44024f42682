//! The records of a [`MemoryStore`](crate::memory::MemoryStore) by key, in shards that are locked one by
//! one.
//!
//! Every change of a record, and of its place among those of its owner, happens under the lock of its shard,
//! so that nothing brings back a removed record. loom explores the schedules of two threads:
//! `memory/index/loom_tests.rs`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::store::{Buried, Created, Deleted, Renewed, Saved};
use crate::time::Time;

use super::budget::Budget;
use super::cell::{Cell, Weight};
use super::hash::hash;
use super::kind::Kind;
use super::lock::{RwLock, RwLockWriteGuard};
use super::marks::Marks;
use super::notes::{Notes, What};
use super::owners::Owners;
use super::recency::Records;

/// Enough shards that sweeping or growing one delays its readers by less than 1 ms at 1,000,000 sessions.
pub(crate) const SHARDS: usize = if cfg!(session_loom) { 2 } else { 256 };

/// How many expired records are removed before others may lock the shard.
const PURGED_AT_ONCE: usize = 32;

/// How many sessions give way at once to one that comes or grows. Those who take much more than others must be fewer.
const MOST_EVICTED: usize = 64;

/// How many sessions are compared if one must give way before moka knows which.
const COMPARED: usize = 8;

/// In each shard.
const FEWEST_MARKS: usize = 16;

type Table = HashTable<Cell>;

pub(crate) struct Index {
    shards: Box<[Shard]>,
    owners: Owners,
    budget: Budget,
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
    marks: Marks,
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
    /// The keys of expired cells, and whether the time of any mark is over.
    fn expired(&self, now: Time) -> (Vec<RecordKey>, bool) {
        let cells = self.cells.iter().filter(|cell| cell.is_expired(now));
        (cells.map(|cell| *cell.key()).collect(), self.marks.any_is_over(now))
    }
}

fn take_if(table: &mut Table, key: &RecordKey, condition: impl Fn(&Cell) -> bool) -> Option<Cell> {
    let found = table.find_entry(hash(key), |cell| cell.key() == key && condition(cell)).ok()?;
    Some(found.remove().0)
}

impl Index {
    /// An empty index, which leaves notes of its changes in `notes`.
    pub(crate) fn new(budget: Budget, notes: Arc<Notes>) -> Self {
        Index {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            owners: Owners::new(),
            budget,
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

    pub(crate) fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let mut entries = self.shard(&record.key).write();
        let Some(cell) = find_mut(&mut entries.cells, &record.key) else { return Ok(Saved::Missing) };
        let written = cell.admits(expected, record.accessed);
        if written == Saved::Done {
            let is_resized = !cell.keeps_its_size(record);
            if is_resized {
                self.reweigh(cell, record)?;
            }
            let (replaced, is_used_again) = cell.save(record);
            if is_used_again {
                self.notes.leave([&*cell], What::Used);
            }
            // Freeing what was replaced may take a while.
            drop(entries);
            drop(replaced);
            if is_resized {
                self.make_room_for(Kind::of(record), &record.key);
            }
        }
        Ok(written)
    }

    #[cold]
    fn reweigh(&self, cell: &mut Cell, record: &Record) -> Result<(), StoreError> {
        let weight = Weight::of(record, &self.budget);
        self.budget.check_weight(cell.kind(), weight.weight)?;
        let before = cell.reweigh(weight);
        if before != cell.weight() {
            self.owners.reweigh(cell, before);
            self.notes.reweigh(cell, before);
        }
        Ok(())
    }

    pub(crate) fn touch(&self, key: &RecordKey, accessed: Time) {
        let mut entries = self.shard(key).write();
        if let Some(cell) = find_mut(&mut entries.cells, key)
            && cell.touch(accessed)
        {
            self.notes.leave([&*cell], What::Used);
        }
    }

    pub(crate) fn insert(&self, record: &Record) -> Result<Created, StoreError> {
        let cell = self.cell(record)?;
        let mut entries = self.shard(&record.key).write();
        if find(&entries.cells, &record.key).is_some() {
            return Ok(Created::Exists);
        }
        let kind = self.make(&mut entries.cells, cell);
        drop(entries);
        self.make_room_for(kind, &record.key);
        Ok(Created::Done)
    }

    fn cell(&self, record: &Record) -> Result<Cell, StoreError> {
        let cell = Cell::new(record, &self.budget);
        self.budget.check_weight(cell.kind(), cell.weight())?;
        Ok(cell)
    }

    /// Puts a copy here, unless the key has a tombstone or what is here is as new.
    pub(crate) fn fill(&self, record: &Record, now: Time, until: Time) {
        let copy = Cell::copy(record, until, &self.budget);
        let mut entries = self.shard(&record.key).write();
        let Entries { cells, marks } = &mut *entries;
        let known = find(cells, &record.key);
        if known.map_or_else(|| marks.keep_out(record, now), |cell| !cell.is_older_than(record, now)) {
            return;
        }
        let replaced = if known.is_some() { self.unmake(cells, &record.key, What::Gone) } else { None };
        let copy = copy.used_like(replaced.as_ref());
        let kind = copy.kind();
        // A copy that has no room is not kept: the session is read where it was stored.
        if self.budget.check_weight(kind, copy.weight()).is_ok() {
            self.make(cells, copy);
        }
        drop(entries);
        drop(replaced);
        self.make_room_for(kind, &record.key);
    }

    fn make(&self, cells: &mut Table, cell: Cell) -> Kind {
        let kind = cell.kind();
        self.owners.add(&cell);
        self.notes.leave([&cell], What::Made);
        insert(cells, cell);
        kind
    }

    /// Ends sessions of those who take much more than others, if there is little room. The session `newest` has just come
    /// or grown.
    #[inline]
    fn make_room_for(&self, kind: Kind, newest: &RecordKey) {
        if self.notes.crowd(kind).is_some() {
            self.evict_the_largest(kind, Some(newest));
        }
    }

    #[cold]
    fn evict_the_largest(&self, kind: Kind, newest: Option<&RecordKey>) {
        for _ in 0..MOST_EVICTED {
            let Some(all) = self.notes.crowd(kind) else { return };
            let Some(key) = self.owners.first_to_give_way(kind, all, newest) else { return };
            self.evict_as(&key, What::Gone);
        }
    }

    /// Of a few sessions, the one that was not used for longest.
    fn unused(&self, kind: Kind) -> Option<RecordKey> {
        // Another shard each time.
        let first = self.evicted.load(Ordering::Relaxed) as usize;
        let mut found: Option<(Time, RecordKey)> = None;
        let mut compared = 0;
        for step in 0..SHARDS {
            let entries = self.shards[(first + step) % SHARDS].0.read();
            for cell in entries.cells.iter().filter(|cell| cell.kind() == kind).take(COMPARED - compared) {
                let this = (cell.accessed(), *cell.key());
                found = Some(found.map_or(this, |found| found.min(this)));
                compared += 1;
            }
            if compared == COMPARED {
                break;
            }
        }
        found.map(|(_, key)| key)
    }

    /// Removes the record of this key and leaves a tombstone, which refuses copies until then.
    pub(crate) fn bury(&self, key: &RecordKey, now: Time, until: Time) {
        let mut entries = self.shard(key).write();
        entries.marks.leave_tombstone(key, now, until, self.marks_of_a_shard());
        self.remove_from(entries, key, What::Gone);
    }

    /// Removes the record and leaves a tombstone, unless a live record of another version is here.
    pub(crate) fn bury_version(&self, key: &RecordKey, expected: Version, now: Time, until: Time) -> Buried {
        let mut entries = self.shard(key).write();
        if find(&entries.cells, key).is_some_and(|cell| cell.admits(expected, now) == Saved::Conflict) {
            return Buried::Conflict;
        }
        entries.marks.leave_tombstone(key, now, until, self.marks_of_a_shard());
        self.remove_from(entries, key, What::Gone);
        Buried::Done
    }

    /// Where the record of this key was renewed to.
    pub(crate) fn moved(&self, key: &RecordKey, now: Time) -> Option<RecordKey> {
        self.shard(key).read().marks.moved(key, now)
    }

    pub(crate) fn remove(&self, key: &RecordKey) -> Deleted {
        let entries = self.shard(key).write();
        let moved = entries.marks.note_of(key);
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
        self.owners.remove(&cell);
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
    ) -> Result<Renewed, StoreError> {
        let new = self.cell(record)?;
        let mut shards = self.lock_both(old, &record.key);
        let Some(cell) = find(&shards.of(old).cells, old) else { return Ok(Renewed::Missing) };
        let admitted = cell.admits(expected, record.accessed);
        // By another clock the session may have been used later. A login begins another one.
        let new = new.used_like(moved_until.and(Some(cell)));
        if find(&shards.of(&record.key).cells, &record.key).is_some() {
            return Ok(Renewed::Exists);
        }
        Ok(match admitted {
            Saved::Missing => Renewed::Missing,
            Saved::Conflict => Renewed::Conflict,
            Saved::Done => {
                let kind = self.make(&mut shards.of(&record.key).cells, new);
                let replaced = self.unmake(&mut shards.of(old).cells, old, What::Gone);
                if let Some(until) = moved_until {
                    shards.of(old).marks.leave_note(*old, record.key, until, self.marks_of_a_shard());
                }
                drop(shards);
                drop(replaced);
                self.make_room_for(kind, &record.key);
                Renewed::Done
            }
        })
    }

    /// Removes the expired cells of one shard, and tombstones and moved notes whose time is over. Returns how many
    /// cells there were.
    pub(crate) fn remove_expired(&self, shard: usize, now: Time) -> u64 {
        let shard = &self.shards[shard].0;
        // Loads go on during the search, because it only needs the lock for reading.
        let (expired, has_old_marks) = shard.read().expired(now);
        if has_old_marks {
            shard.write().marks.remove_what_is_over(now);
        }
        expired.chunks(PURGED_AT_ONCE).map(|keys| self.remove_if_expired(shard, keys, now)).sum()
    }

    fn remove_if_expired(&self, shard: &RwLock<Entries>, keys: &[RecordKey], now: Time) -> u64 {
        let mut entries = shard.write();
        // They may have been used since.
        let take = |key| take_if(&mut entries.cells, key, |cell| cell.is_expired(now));
        let expired: Vec<Cell> = keys.iter().filter_map(take).collect();
        self.notes.leave(&expired, What::Gone);
        expired.iter().for_each(|cell| self.owners.remove(cell));
        drop(entries);
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
        let keys = self.owners.keys_of(principal);
        let listed: HashSet<&RecordKey> = keys.iter().collect();
        let find = |key: &RecordKey| match self.load(key, now) {
            Some(record) => Some(record),
            None => self.renewed_since(key, &listed, now),
        };
        keys.iter().filter_map(find).collect()
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

    fn evict_as(&self, key: &RecordKey, what: What) {
        if self.remove_from(self.shard(key).write(), key, what) {
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many tombstones, and how many moved notes.
    fn marks_of_a_shard(&self) -> usize {
        (self.budget.marks / SHARDS).max(FEWEST_MARKS)
    }

    pub(crate) fn take_evicted(&self) -> u64 {
        self.evicted.swap(0, Ordering::Relaxed)
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
    fn used(&self, kind: Kind) -> Vec<(Time, RecordKey, u32)> {
        let mut used = Vec::new();
        for shard in &self.shards {
            let entries = shard.0.read();
            let cells = entries.cells.iter().filter(|cell| cell.kind() == kind);
            used.extend(cells.map(|cell| (cell.accessed(), *cell.key(), cell.weight())));
        }
        used
    }

    fn evict(&self, key: &RecordKey) {
        self.evict_as(key, What::Evicted);
    }

    fn make_room(&self, kind: Kind) {
        if self.notes.crowd(kind).is_some() {
            self.evict_the_largest(kind, None);
        }
    }

    fn evict_any(&self, kind: Kind) {
        if let Some(key) = self.unused(kind) {
            self.evict_as(&key, What::Gone);
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

#[cfg(all(test, session_loom))]
mod loom_tests;
#[cfg(all(test, not(session_loom), not(session_shuttle)))]
mod tests;
