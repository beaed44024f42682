//! Which sessions a full [`MemoryStore`](crate::memory::MemoryStore) evicts: moka keeps them in the order of
//! their last use.
//!
//! That order costs time and memory, and most stores are never full. So moka learns of a kind of sessions
//! only when there are many of them: then first of the sessions that are there, and later of each change.
//!
//! Requests count the records that they make and remove, and leave notes for moka. A background thread
//! passes the notes on, because that takes longer than everything else in a login.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use super::cell::Cell;
use crate::record::RecordKey;
use crate::time::Time;
use crate::time::background;

/// Anonymous or signed in. Each kind has its own bound, so that a flood of anonymous sessions evicts only
/// anonymous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Anonymous,
    SignedIn,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Anonymous, Kind::SignedIn];

    pub(crate) fn of(cell: &Cell) -> Self {
        if cell.principal().is_some() { Kind::SignedIn } else { Kind::Anonymous }
    }
}

/// What happened to a record.
struct Note {
    key: RecordKey,
    kind: Kind,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Made,
    Used,
    Gone,
    /// Gone because moka evicted it.
    Evicted,
}

/// The number of records of each kind, and the changes that moka does not know yet.
pub(crate) struct Notes {
    bounds: Bounds,
    tallies: [Tally; 2],
    list: Mutex<Vec<Note>>,
    /// What is to be done with the notes: a [`Due`] as a number.
    due: AtomicU8,
    /// Set while moka learns of the records that are there, which may take 1 s. Notes may wait meanwhile, as
    /// long as the store is not over its bound.
    is_listing: AtomicBool,
}

#[derive(Default)]
struct Tally {
    len: AtomicUsize,
    /// Whether moka learns of this kind. Changes under the lock of the list, so that the list never has notes
    /// of a kind that is not watched.
    is_watched: AtomicBool,
}

/// Thresholds: numbers of sessions of one kind, and of notes.
#[derive(Clone, Copy)]
struct Bounds {
    /// With more, moka evicts.
    sessions: usize,
    /// With at least so many, the kind is watched: moka learns of its changes.
    watched: usize,
    /// With fewer, it is no longer watched.
    unwatched: usize,
    /// With so many notes the thread wakes up. With twice as many, requests help.
    notes: usize,
}

impl Bounds {
    fn of(max_sessions: u64) -> Self {
        let sessions = usize::try_from(max_sessions).unwrap_or(usize::MAX);
        let watched = sessions - sessions / 4;
        Bounds { sessions, watched, unwatched: watched / 2, notes: (sessions / 16).clamp(1, 256) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Due {
    Nothing,
    /// The thread is to be woken up.
    Wake,
    /// The thread does not keep up, so the request that leaves a note passes notes on itself.
    Help,
}

impl Notes {
    /// For at most `max_sessions` of each kind.
    pub(crate) fn new(max_sessions: u64) -> Self {
        Notes {
            bounds: Bounds::of(max_sessions),
            tallies: [Tally::default(), Tally::default()],
            list: Mutex::default(),
            due: AtomicU8::new(Due::Nothing as u8),
            is_listing: AtomicBool::new(false),
        }
    }

    /// Leaves a note of what happened to each of these cells. The caller holds the lock of their shard: notes
    /// of one record must be left in order, and a thread that lists a shard must see every change before, and
    /// get a note of every change after.
    pub(crate) fn leave<'a>(&self, cells: impl IntoIterator<Item = &'a Cell>, what: What) {
        for cell in cells {
            let kind = Kind::of(cell);
            let len = self.count(kind, what);
            let waiting = self.note(Note { key: *cell.key(), kind, what });
            let due = self.due_after(kind, len, waiting);
            if due != Due::Nothing {
                self.due.store(due as u8, Ordering::Relaxed);
            }
        }
    }

    fn tally(&self, kind: Kind) -> &Tally {
        &self.tallies[kind as usize]
    }

    /// Counts the record in or out. Returns the number of records of this kind.
    fn count(&self, kind: Kind, what: What) -> usize {
        let len = &self.tally(kind).len;
        match what {
            What::Made => len.fetch_add(1, Ordering::Relaxed) + 1,
            What::Used => len.load(Ordering::Relaxed),
            What::Gone | What::Evicted => len.fetch_sub(1, Ordering::Relaxed) - 1,
        }
    }

    /// Adds a note. Returns the number of notes, if the kind is watched.
    fn note(&self, note: Note) -> Option<usize> {
        let is_watched = &self.tally(note.kind).is_watched;
        if !is_watched.load(Ordering::Relaxed) || note.what == What::Evicted {
            return None;
        }
        let mut list = self.list.lock();
        if is_watched.load(Ordering::Relaxed) {
            list.push(note);
        }
        Some(list.len())
    }

    fn due_after(&self, kind: Kind, len: usize, waiting: Option<usize>) -> Due {
        let Bounds { sessions, watched, unwatched, notes } = self.bounds;
        let is_over = len >= sessions.saturating_add(2 * notes);
        match waiting {
            _ if is_over => Due::Help,
            Some(waiting) if waiting >= 2 * notes && !self.is_listing.load(Ordering::Relaxed) => Due::Help,
            Some(waiting) if waiting >= notes || len < unwatched => Due::Wake,
            None if len >= watched && !self.tally(kind).is_watched.load(Ordering::Relaxed) => Due::Wake,
            _ => Due::Nothing,
        }
    }

    fn should_be_watched(&self, kind: Kind) -> bool {
        let Tally { len, is_watched } = self.tally(kind);
        let Bounds { watched, unwatched, .. } = self.bounds;
        len.load(Ordering::Relaxed) >= if is_watched.load(Ordering::Relaxed) { unwatched } else { watched }
    }

    fn watch(&self, kind: Kind, is_watched: bool) {
        let mut list = self.list.lock();
        list.retain(|note| note.kind != kind);
        self.tally(kind).is_watched.store(is_watched, Ordering::Relaxed);
    }

    fn take(&self) -> Vec<Note> {
        std::mem::take(&mut self.list.lock())
    }
}

/// The records that moka keeps in order.
pub(crate) trait Records: Send + Sync + 'static {
    /// The keys of all records of a kind, each with the time of its last use.
    fn used(&self, kind: Kind) -> Vec<(Time, RecordKey)>;

    /// Removes a record for which there is no room.
    fn evict(&self, key: &RecordKey);
}

type Order = Cache<RecordKey, ()>;

/// The order in which the sessions of each watched kind were used.
pub(crate) struct Recency {
    notes: Arc<Notes>,
    records: Arc<dyn Records>,
    /// Locked while notes are passed on, so that they keep their order.
    orders: Mutex<[Option<Order>; 2]>,
    thread: OnceLock<Option<Thread>>,
}

impl Recency {
    pub(crate) fn new(notes: Arc<Notes>, records: Arc<dyn Records>) -> Arc<Self> {
        Arc::new(Recency { notes, records, orders: Mutex::default(), thread: OnceLock::new() })
    }

    /// Has the notes passed on if they are many: by the thread, or by this request if the thread is too slow.
    pub(crate) fn settle_if_due(self: &Arc<Self>) {
        let due = self.notes.due.load(Ordering::Relaxed);
        if due == Due::Nothing as u8 {
            return;
        }
        match self.thread.get_or_init(|| spawn(Arc::downgrade(self))) {
            Some(thread) if due == Due::Wake as u8 => {
                self.notes.due.store(Due::Nothing as u8, Ordering::Relaxed);
                thread.unpark();
            }
            _ => self.settle(),
        }
    }

    /// Passes all notes on to moka, and lets it evict the sessions beyond the bound.
    pub(crate) fn settle(&self) {
        let mut orders = self.orders.lock();
        self.notes.due.store(Due::Nothing as u8, Ordering::Relaxed);
        for (kind, order) in Kind::ALL.into_iter().zip(&mut *orders) {
            let should_be_watched = self.notes.should_be_watched(kind);
            if should_be_watched != order.is_some() {
                // Before listing, so that a record which is made meanwhile leaves a note.
                self.notes.watch(kind, should_be_watched);
                *order = should_be_watched.then(|| self.order(kind));
            }
        }
        for Note { key, kind, what } in self.notes.take() {
            let Some(order) = &orders[kind as usize] else { continue };
            match what {
                What::Made => order.insert(key, ()),
                What::Used => drop(order.get(&key)),
                What::Gone => order.invalidate(&key),
                What::Evicted => {}
            }
        }
        orders.iter().flatten().for_each(Order::run_pending_tasks);
    }

    /// The order of the records that are there.
    fn order(&self, kind: Kind) -> Order {
        let records = Arc::clone(&self.records);
        let order = Cache::builder()
            .max_capacity(self.notes.bounds.sessions as u64)
            // moka's default policy refuses new entries when full: a login would vanish.
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |key: Arc<RecordKey>, (), cause| {
                if cause == RemovalCause::Size {
                    records.evict(&key);
                }
            })
            .build();
        self.notes.is_listing.store(true, Ordering::Relaxed);
        let mut used = self.records.used(kind);
        used.sort_unstable();
        for (_, key) in used {
            order.insert(key, ());
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
