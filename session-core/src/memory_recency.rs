//! Which sessions of a full [`MemoryStore`](crate::MemoryStore) give way: moka knows which one was
//! used longest ago.
//!
//! Requests only leave notes of what they made, used and removed. A thread tells moka, because
//! that takes longer than all else that a login does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::{self, Thread};

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use parking_lot::Mutex;

use crate::RecordKey;
use crate::memory_cell::Cell;

/// What happened to a record.
pub(crate) struct Note {
    key: RecordKey,
    is_signed_in: bool,
    what: What,
}

#[derive(Clone, Copy)]
pub(crate) enum What {
    Made,
    Used,
    Gone,
}

/// What moka does not know yet. Notes of one record must be left in their order, so under a lock
/// that they share.
#[derive(Default)]
pub(crate) struct Notes {
    list: Mutex<Vec<Note>>,
    len: AtomicUsize,
}

impl Notes {
    pub(crate) fn leave<'a>(&self, cells: impl IntoIterator<Item = &'a Arc<Cell>>, what: What) {
        let notes =
            cells.into_iter().map(|cell| Note { key: *cell.key(), is_signed_in: cell.principal().is_some(), what });
        let mut list = self.list.lock();
        list.extend(notes);
        self.len.store(list.len(), Ordering::Relaxed);
    }

    fn take(&self) -> Vec<Note> {
        let mut list = self.list.lock();
        self.len.store(0, Ordering::Relaxed);
        std::mem::take(&mut list)
    }
}

/// Two caches, so that a flood of anonymous sessions finds only anonymous ones to push out.
pub(crate) struct Recency {
    notes: Arc<Notes>,
    anonymous: Cache<RecordKey, ()>,
    signed_in: Cache<RecordKey, ()>,
    /// Held while notes are passed on, so that they keep their order.
    settling: Mutex<()>,
    /// So many notes are worth waking the thread for; twice as many are too many.
    limit: usize,
    thread: OnceLock<Option<Thread>>,
}

impl Recency {
    /// For so many sessions of each kind; `evict` removes one, and is called while settling.
    pub(crate) fn new(
        max_sessions: u64,
        notes: Arc<Notes>,
        evict: impl Fn(&RecordKey) + Clone + Send + Sync + 'static,
    ) -> Arc<Self> {
        let cache = || {
            let evict = evict.clone();
            Cache::builder()
                .max_capacity(max_sessions)
                // moka's default policy refuses newcomers when full: a login would vanish.
                .eviction_policy(EvictionPolicy::lru())
                .eviction_listener(move |key: Arc<RecordKey>, (), cause| {
                    if cause == RemovalCause::Size {
                        evict(&key);
                    }
                })
                .build()
        };
        let limit = (max_sessions / 16).clamp(1, 256) as usize;
        let (anonymous, signed_in) = (cache(), cache());
        Arc::new(Recency { notes, anonymous, signed_in, settling: Mutex::new(()), limit, thread: OnceLock::new() })
    }

    /// Sees to it that the notes are passed on, if they are many.
    pub(crate) fn settle_if_due(self: &Arc<Self>) {
        let waiting = self.notes.len.load(Ordering::Relaxed);
        if waiting < self.limit {
            return;
        }
        match self.thread.get_or_init(|| spawn(Arc::downgrade(self))) {
            Some(thread) if waiting < 2 * self.limit => thread.unpark(),
            // The thread does not keep up, so whoever brings more lends a hand.
            _ => self.settle(),
        }
    }

    /// Passes all notes on to moka, and lets it evict what is too much.
    pub(crate) fn settle(&self) {
        let _turn = self.settling.lock();
        for Note { key, is_signed_in, what } in self.notes.take() {
            let cache = if is_signed_in { &self.signed_in } else { &self.anonymous };
            match what {
                What::Made => cache.insert(key, ()),
                What::Used => drop(cache.get(&key)),
                What::Gone => cache.invalidate(&key),
            }
        }
        self.anonymous.run_pending_tasks();
        self.signed_in.run_pending_tasks();
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
