//! The records of a [`MemoryStore`](crate::MemoryStore) by key, in shards that are locked one by
//! one, and the keys of each principal.
//!
//! A record lives in a [`Cell`] whose lock guards what changes. Saving happens inside the cell
//! and never touches the map, so it can't bring back what was removed: whoever removes a cell
//! marks it gone under its lock, and a writer that still holds it is told so.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashTable;
use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use crate::store::Written;
use crate::{Attributes, PrincipalKey, Record, RecordKey, Time, Version};

/// Enough that sweeping or growing one holds up its readers for less than a millisecond at a
/// million sessions.
pub(crate) const SHARDS: usize = 256;

type Table = HashTable<Arc<Cell>>;

pub(crate) struct Index {
    shards: Box<[Shard]>,
    principals: Box<[Mutex<HashMap<PrincipalKey, Vec<RecordKey>>>]>,
    evicted: AtomicU64,
}

/// A shard on cache lines of its own, so that the lock of one does not slow its neighbours.
#[repr(align(128))]
#[derive(Default)]
struct Shard(RwLock<Table>);

/// One record.
pub(crate) struct Cell {
    key: RecordKey,
    created: Time,
    absolute_deadline: Time,
    principal: Option<Arc<str>>,
    constants: Attributes,
    state: Mutex<State>,
}

/// The part of a record that saves and touches change.
struct State {
    version: Version,
    accessed: Time,
    idle_timeout: Duration,
    attributes: Attributes,
    persistent: bool,
    gone: bool,
}

impl Cell {
    fn new(record: &Record) -> Arc<Self> {
        Arc::new(Cell {
            key: record.key,
            created: record.created,
            absolute_deadline: record.absolute_deadline.unwrap_or(Time::MAX),
            principal: record.principal.clone(),
            constants: record.constants.clone(),
            state: Mutex::new(State {
                version: record.version,
                accessed: record.accessed,
                idle_timeout: record.idle_timeout,
                attributes: record.attributes.clone(),
                persistent: record.persistent,
                gone: false,
            }),
        })
    }

    pub(crate) fn key(&self) -> &RecordKey {
        &self.key
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.principal.is_some()
    }

    fn is_over(&self, state: &State, now: Time) -> bool {
        let idle_deadline = state.accessed.saturating_add(state.idle_timeout);
        state.gone || self.absolute_deadline.min(idle_deadline) <= now
    }

    /// The record, if it is live.
    fn record(&self, now: Time) -> Option<Record> {
        let state = self.state.lock();
        if self.is_over(&state, now) {
            return None;
        }
        Some(Record {
            key: self.key,
            version: state.version,
            created: self.created,
            accessed: state.accessed,
            idle_timeout: state.idle_timeout,
            absolute_deadline: (self.absolute_deadline < Time::MAX).then_some(self.absolute_deadline),
            persistent: state.persistent,
            principal: self.principal.clone(),
            constants: self.constants.clone(),
            attributes: state.attributes.clone(),
        })
    }

    /// Marks the cell gone, if it is live and of that version.
    fn end(&self, expected: Version, now: Time) -> Written {
        let mut state = self.state.lock();
        if self.is_over(&state, now) {
            return Written::Missing;
        }
        if state.version != expected {
            return Written::Conflict;
        }
        state.gone = true;
        Written::Done
    }

    fn save(&self, record: &Record, expected: Version) -> Written {
        let mut state = self.state.lock();
        if self.is_over(&state, record.accessed) {
            return Written::Missing;
        }
        if state.version != expected {
            return Written::Conflict;
        }
        state.version = record.version;
        state.accessed = state.accessed.max(record.accessed);
        state.idle_timeout = record.idle_timeout;
        state.persistent = record.persistent;
        let replaced = std::mem::replace(&mut state.attributes, record.attributes.clone());
        // The old values may take a while to free.
        drop(state);
        drop(replaced);
        Written::Done
    }

    /// Whether the record was live and is now used later than before.
    pub(crate) fn touch(&self, accessed: Time) -> bool {
        let mut state = self.state.lock();
        let moves = !self.is_over(&state, accessed) && state.accessed < accessed;
        if moves {
            state.accessed = accessed;
        }
        moves
    }
}

/// A key is a SHA-256, so its own bytes are as good as any hash of them.
fn hash(key: &RecordKey) -> u64 {
    let [first, ..] = key.as_bytes().as_chunks::<8>().0 else { unreachable!("a key has 32 bytes") };
    u64::from_le_bytes(*first)
}

fn shard_of(key: &RecordKey) -> usize {
    usize::from(key.as_bytes()[31]) % SHARDS
}

fn find<'a>(table: &'a Table, key: &RecordKey) -> Option<&'a Arc<Cell>> {
    table.find(hash(key), |cell| cell.key == *key)
}

fn insert(table: &mut Table, cell: Arc<Cell>) {
    table.insert_unique(hash(&cell.key), cell, |cell| hash(&cell.key));
}

fn take(table: &mut Table, key: &RecordKey) -> Option<Arc<Cell>> {
    let found = table.find_entry(hash(key), |cell| cell.key == *key).ok()?;
    Some(found.remove().0)
}

impl Index {
    pub(crate) fn new() -> Self {
        Index {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            principals: (0..64).map(|_| Mutex::default()).collect(),
            evicted: AtomicU64::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    pub(crate) fn find(&self, key: &RecordKey) -> Option<Arc<Cell>> {
        find(&self.shards[shard_of(key)].0.read(), key).cloned()
    }

    pub(crate) fn load(&self, key: &RecordKey, now: Time) -> Option<Record> {
        find(&self.shards[shard_of(key)].0.read(), key)?.record(now)
    }

    /// Whether the key was free.
    pub(crate) fn insert(&self, record: &Record) -> bool {
        // Before the record, so that the list never names too few.
        let listed = self.list_principal(record);
        let mut table = self.shards[shard_of(&record.key)].0.write();
        if find(&table, &record.key).is_none() {
            insert(&mut table, Cell::new(record));
            return true;
        }
        drop(table);
        if listed {
            self.unlist_principal(&record.key, record.principal.as_deref());
        }
        false
    }

    pub(crate) fn save(&self, record: &Record, expected: Version) -> Written {
        // The shard's lock is not held while saving: a cell that is removed meanwhile says so.
        self.find(&record.key).map_or(Written::Missing, |cell| cell.save(record, expected))
    }

    pub(crate) fn remove(&self, key: &RecordKey) -> Option<Arc<Cell>> {
        let cell = take(&mut self.shards[shard_of(key)].0.write(), key)?;
        cell.state.lock().gone = true;
        self.unlist_principal(key, cell.principal.as_deref());
        Some(cell)
    }

    /// Replaces one cell by another under the locks of both shards; gives the one replaced.
    pub(crate) fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> (Written, Option<Arc<Cell>>) {
        let listed = self.list_principal(record);
        let mut shards = self.lock_both(old, &record.key);
        let taken = find(shards.of(&record.key), &record.key).is_some();
        let written = match find(shards.of(old), old) {
            None => Written::Missing,
            Some(_) if taken => Written::Exists,
            Some(cell) => cell.end(expected, record.accessed),
        };
        if written != Written::Done {
            drop(shards);
            if listed {
                self.unlist_principal(&record.key, record.principal.as_deref());
            }
            return (written, None);
        }
        insert(shards.of(&record.key), Cell::new(record));
        let replaced = take(shards.of(old), old);
        drop(shards);
        self.unlist_principal(old, replaced.as_ref().and_then(|cell| cell.principal.as_deref()));
        (written, replaced)
    }

    /// Removes and gives the expired cells of one shard.
    pub(crate) fn take_expired(&self, shard: usize, now: Time) -> Vec<Arc<Cell>> {
        let shard = &self.shards[shard].0;
        // Readers go on while there is nothing to remove.
        if !shard.read().iter().any(|cell| cell.is_over(&cell.state.lock(), now)) {
            return Vec::new();
        }
        let expire = |cell: &mut Arc<Cell>| {
            let mut state = cell.state.lock();
            state.gone = cell.is_over(&state, now);
            state.gone
        };
        let mut table = shard.write();
        let expired: Vec<Arc<Cell>> = table.extract_if(expire).collect();
        drop(table);
        for cell in &expired {
            self.unlist_principal(&cell.key, cell.principal.as_deref());
        }
        expired
    }

    pub(crate) fn live(&self, now: Time, limit: usize) -> Vec<Record> {
        let mut records = Vec::new();
        for shard in &self.shards {
            let table = shard.0.read();
            records.extend(table.iter().filter_map(|cell| cell.record(now)).take(limit - records.len()));
        }
        records
    }

    pub(crate) fn keys_of(&self, principal: &PrincipalKey) -> Vec<RecordKey> {
        self.keys(principal).lock().get(principal).cloned().unwrap_or_default()
    }

    pub(crate) fn count_evicted(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take_evicted(&self) -> u64 {
        self.evicted.swap(0, Ordering::Relaxed)
    }

    fn keys(&self, principal: &PrincipalKey) -> &Mutex<HashMap<PrincipalKey, Vec<RecordKey>>> {
        &self.principals[usize::from(principal.as_bytes()[0]) % self.principals.len()]
    }

    /// Whether the record was not yet on its principal's list.
    fn list_principal(&self, record: &Record) -> bool {
        let Some(principal) = record.principal.as_deref().map(PrincipalKey::of) else { return false };
        let mut lists = self.keys(&principal).lock();
        let list = lists.entry(principal).or_default();
        let new = !list.contains(&record.key);
        if new {
            list.push(record.key);
        }
        new
    }

    fn unlist_principal(&self, key: &RecordKey, principal: Option<&str>) {
        let Some(principal) = principal.map(PrincipalKey::of) else { return };
        let mut lists = self.keys(&principal).lock();
        if let Some(list) = lists.get_mut(&principal) {
            list.retain(|listed| listed != key);
            if list.is_empty() {
                lists.remove(&principal);
            }
        }
    }

    /// Locks the shards of two keys, always in the same order, so that two renewals don't wait
    /// for each other.
    fn lock_both(&self, a: &RecordKey, b: &RecordKey) -> TwoShards<'_> {
        let (low, high) = (shard_of(a).min(shard_of(b)), shard_of(a).max(shard_of(b)));
        let first = self.shards[low].0.write();
        let second = (low != high).then(|| self.shards[high].0.write());
        TwoShards { low, first, second }
    }
}

struct TwoShards<'a> {
    low: usize,
    first: RwLockWriteGuard<'a, Table>,
    second: Option<RwLockWriteGuard<'a, Table>>,
}

impl TwoShards<'_> {
    fn of(&mut self, key: &RecordKey) -> &mut Table {
        match &mut self.second {
            Some(second) if shard_of(key) != self.low => second,
            _ => &mut self.first,
        }
    }
}
