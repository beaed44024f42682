//! Which sessions a full [`MemoryStore`](crate::memory::MemoryStore) evicts: moka keeps them in the order of
//! their last use.
//!
//! That order costs time and memory, and most stores are never full. So moka learns of a kind of sessions
//! only when there are many of them: then first of the sessions that are there, and later of each change.
//!
//! Requests count the records that they make and remove, and leave notes for moka. A background thread
//! passes the notes on, because that takes longer than everything else in a login.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::{Mutex, MutexGuard};

use crate::record::RecordKey;
use crate::time::Time;
use crate::time::background;

use super::kind::Kind;
use super::notes::{Due, Note, Notes, What};

/// How many notes a request passes on when it helps. It leaves one itself.
const HELPED_AT_ONCE: usize = 64;

/// How many notes the thread passes on before it lets others in.
const PASSED_AT_ONCE: usize = 512;

/// How long a request waits for the thread before it helps. The thread takes less than 1 ms for what it does at once.
const PATIENCE: Duration = Duration::from_millis(10);

/// So many sessions a request puts in order. That takes about 1 ms.
const LISTED_BY_REQUESTS: usize = 2000;

/// The records that moka keeps in order.
pub(crate) trait Records: Send + Sync + 'static {
    /// The keys of all records of a kind, each with the time of its last use and its weight.
    fn used(&self, kind: Kind) -> Vec<(Time, RecordKey, u32)>;

    /// Removes a record for which there is no room.
    fn evict(&self, key: &RecordKey);

    /// Removes the records of those who take much more than others, while there is little room.
    fn make_room(&self, kind: Kind);

    /// Removes a record that was not used lately, although it is not known which was used longest ago.
    fn evict_any(&self, kind: Kind);
}

/// Keys with their weights.
type Order = Cache<RecordKey, u32>;

/// By kind, the order in which its sessions were used. `None` for a kind that is not watched.
type Orders = [Option<Order>; 2];

/// What a batch of notes says of one record.
#[derive(Default)]
struct Fate {
    /// Which note is the last.
    last: usize,
    is_made: bool,
    is_resized: bool,
}

/// The order in which the sessions of each watched kind were used.
pub(crate) struct Recency {
    notes: Arc<Notes>,
    records: Arc<dyn Records>,
    /// Locked while notes are passed on, so that they keep their order.
    orders: Mutex<Orders>,
    thread: OnceLock<Option<Thread>>,
}

impl Recency {
    pub(crate) fn new(notes: Arc<Notes>, records: Arc<dyn Records>) -> Arc<Self> {
        Arc::new(Recency { notes, records, orders: Mutex::default(), thread: OnceLock::new() })
    }

    /// Has the notes passed on if they are many: by the thread, and some by this request if the thread is too slow.
    #[inline]
    pub(crate) fn settle_if_due(self: &Arc<Self>) {
        let due = self.notes.due.load(Ordering::Relaxed);
        if due != Due::Nothing as u8 {
            self.have_it_settled(due);
        }
    }

    #[cold]
    fn have_it_settled(self: &Arc<Self>, due: u8) {
        match self.thread.get_or_init(|| spawn(Arc::downgrade(self))) {
            Some(thread) => {
                self.notes.due.store(Due::Nothing as u8, Ordering::Relaxed);
                thread.unpark();
                if due == Due::Help as u8 {
                    self.help();
                }
            }
            None => self.settle(),
        }
    }

    /// Does a little of what the thread does, however much there is to do. Who gives way while the thread puts many
    /// sessions in order, is not known: memory must not grow meanwhile, and nobody waits for it.
    fn help(&self) {
        let is_listing = self.notes.is_listing.load(Ordering::Relaxed);
        let patience = if is_listing { Duration::ZERO } else { PATIENCE };
        if let Some(mut orders) = self.orders.try_lock_for(patience) {
            self.watch(&mut orders, LISTED_BY_REQUESTS);
            self.pass_on(&orders, HELPED_AT_ONCE);
        }
        for kind in Kind::ALL.into_iter().filter(|kind| self.notes.is_overfull(*kind)) {
            self.records.evict_any(kind);
        }
    }

    /// Passes all notes on to moka, and lets it evict the sessions beyond the bound.
    pub(crate) fn settle(&self) {
        let mut orders = self.orders.lock();
        self.notes.due.store(Due::Nothing as u8, Ordering::Relaxed);
        self.watch(&mut orders, usize::MAX);
        while self.pass_on(&orders, PASSED_AT_ONCE) {
            // A request that helps takes its turn.
            MutexGuard::bump(&mut orders);
        }
    }

    /// Begins to watch the kinds that have many sessions, if that is not too much work, and ceases to watch others.
    fn watch(&self, orders: &mut Orders, limit: usize) {
        for (kind, order) in Kind::ALL.into_iter().zip(orders) {
            let should_be_watched = self.notes.should_be_watched(kind);
            if should_be_watched != order.is_some() && self.notes.weight(kind) <= limit {
                // Before listing, so that a record which is made meanwhile leaves a note.
                self.notes.watch(kind, should_be_watched);
                *order = should_be_watched.then(|| self.order(kind));
            }
        }
    }

    /// Passes on notes, at most `limit`. Returns whether more are waiting.
    fn pass_on(&self, orders: &Orders, limit: usize) -> bool {
        let (mut notes, _) = self.notes.take(limit);
        // The request that brings a large record has others give way afterwards. It may not have come to that yet, and moka
        // would evict many small ones instead.
        Kind::ALL.into_iter().for_each(|kind| self.records.make_room(kind));
        let (gone, more) = self.notes.take(limit);
        notes.extend(gone);
        let mut fates: HashMap<RecordKey, Fate> = HashMap::with_capacity(notes.len());
        for (at, note) in notes.iter().enumerate() {
            let fate = fates.entry(note.key).or_default();
            fate.last = at;
            fate.is_made |= note.what == What::Made;
            fate.is_resized |= note.what == What::Resized;
        }
        // First who went: moka must not evict somebody to make room for whom another has made it already.
        let last = |(at, note): &(usize, &Note)| fates[&note.key].last == *at;
        let (gone, others): (Vec<_>, Vec<_>) =
            notes.iter().enumerate().filter(last).partition(|(_, note)| note.what == What::Gone);
        for (_, Note { key, kind, weight, what }) in gone.into_iter().chain(others) {
            let Some(order) = &orders[*kind as usize] else { continue };
            match what {
                What::Gone | What::Evicted => order.invalidate(key),
                _ if fates[key].is_made => order.insert(*key, *weight),
                // moka may have evicted it meanwhile.
                _ if fates[key].is_resized && order.contains_key(key) => order.insert(*key, *weight),
                What::Made | What::Resized | What::Used => drop(order.get(key)),
            }
        }
        orders.iter().flatten().for_each(Order::run_pending_tasks);
        more
    }

    /// The order of the records that are there.
    fn order(&self, kind: Kind) -> Order {
        let records = Arc::clone(&self.records);
        let order = Cache::builder()
            .max_capacity(self.notes.bound(kind) as u64)
            .weigher(|_, weight| *weight)
            // moka's default policy refuses new entries when full: a login would vanish.
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |key: Arc<RecordKey>, _, cause| {
                if cause == RemovalCause::Size {
                    records.evict(&key);
                }
            })
            .build();
        self.notes.is_listing.store(true, Ordering::Relaxed);
        let mut used = self.records.used(kind);
        used.sort_unstable();
        for (_, key, weight) in used {
            order.insert(key, weight);
        }
        self.notes.is_listing.store(false, Ordering::Relaxed);
        order
    }
}

/// The thread ends with the store.
impl Drop for Recency {
    fn drop(&mut self) {
        if let Some(Some(thread)) = self.thread.get() {
            thread.unpark();
        }
    }
}

fn spawn(recency: Weak<Recency>) -> Option<Thread> {
    let settle = move || {
        while let Some(recency) = recency.upgrade() {
            recency.settle();
            drop(recency);
            thread::park();
        }
    };
    let thread = background::spawn_thread("session-recency", settle);
    let log = |error| tracing::warn!(%error, "the memory store has no thread for eviction: requests evict instead");
    thread.map_err(log).ok()
}
