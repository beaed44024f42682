//! Which sessions of a full [`MemoryStore`](crate::memory::MemoryStore) give way: moka knows which one was
//! used longest ago.
//!
//! That knowledge has its price, in time and memory, and most stores are never full. So moka is told
//! of a kind of sessions only when there are many, and then first of those that are there.
//!
//! Requests count what they made and removed, and leave notes for moka. A thread tells it, because
//! that takes longer than all else that a login does.

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

/// Anonymous or signed in: each kind has a bound of its own, so that a flood of anonymous sessions
/// finds only anonymous ones to push out.
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
    /// Gone because moka said so.
    Evicted,
}

/// How many records there are, and what moka does not know yet.
pub(crate) struct Notes {
    bounds: Bounds,
    tallies: [Tally; 2],
    list: Mutex<Vec<Note>>,
    /// What is to be done about it, as a number of `Due`.
    due: AtomicU8,
    /// Moka is told of those that are there, which may take a second. Notes may wait meanwhile, as long
    /// as there is room.
    is_listing: AtomicBool,
}

#[derive(Default)]
struct Tally {
    len: AtomicUsize,
    /// Moka is told of this kind. Changes under the lock of the list, so that it never has notes of a
    /// kind that is not watched.
    is_watched: AtomicBool,
}

/// Numbers of sessions of a kind, and of notes.
#[derive(Clone, Copy)]
struct Bounds {
    sessions: usize,
    /// From so many on, moka is told.
    watched: usize,
    /// With fewer, it no longer is.
    unwatched: usize,
    /// So many notes are worth waking the thread for; twice as many are too many.
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
    /// The thread has something to do.
    Wake,
    /// The thread does not keep up, so whoever brings more lends a hand.
    Help,
}

impl Notes {
    /// For so many sessions of each kind.
    pub(crate) fn new(max_sessions: u64) -> Self {
        Notes {
            bounds: Bounds::of(max_sessions),
            tallies: [Tally::default(), Tally::default()],
            list: Mutex::default(),
            due: AtomicU8::new(Due::Nothing as u8),
            is_listing: AtomicBool::new(false),
        }
    }

    /// To be called under the lock of the cells' shard: notes of one record must be left in their
    /// order, and whoever lists a shard must see what was done before and get a note of what comes
    /// after.
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

    /// How many there are now.
    fn count(&self, kind: Kind, what: What) -> usize {
        let len = &self.tally(kind).len;
        match what {
            What::Made => len.fetch_add(1, Ordering::Relaxed) + 1,
            What::Used => len.load(Ordering::Relaxed),
            What::Gone | What::Evicted => len.fetch_sub(1, Ordering::Relaxed) - 1,
        }
    }

    /// How many notes there are, if the kind is watched.
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

/// The records that moka puts in order.
pub(crate) trait Records: Send + Sync + 'static {
    /// Those of a kind, and when they were used.
    fn used(&self, kind: Kind) -> Vec<(Time, RecordKey)>;

    /// Removes one for which there is no room.
    fn evict(&self, key: &RecordKey);
}

type Order = Cache<RecordKey, ()>;

/// The order in which the sessions of each kind were used, where it is watched.
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

    /// Sees to it that the notes are passed on, if they are many.
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

    /// Passes all notes on to moka, and lets it evict what is too much.
    pub(crate) fn settle(&self) {
        let mut orders = self.orders.lock();
        self.notes.due.store(Due::Nothing as u8, Ordering::Relaxed);
        for (kind, order) in Kind::ALL.into_iter().zip(&mut *orders) {
            let should_be_watched = self.notes.should_be_watched(kind);
            if should_be_watched != order.is_some() {
                // Before listing, so that no record is missed that is made meanwhile.
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

    /// The order of those that are there.
    fn order(&self, kind: Kind) -> Order {
        let records = Arc::clone(&self.records);
        let order = Cache::builder()
            .max_capacity(self.notes.bounds.sessions as u64)
            // moka's default policy refuses newcomers when full: a login would vanish.
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
    match thread::Builder::new().name("session-recency".into()).spawn(settle) {
        Ok(thread) => Some(thread.thread().clone()),
        Err(error) => {
            tracing::warn!(%error, "no thread to keep order in a store of sessions: requests do it");
            None
        }
    }
}
