use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::record::RecordKey;

/// Something that happened to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A session was started.
    Created {
        /// Its handle.
        handle: &'a RecordKey,
        /// Who is signed in.
        principal: Option<&'a str>,
    },
    /// A session got a new id, or was replaced by one that a login started.
    Renewed {
        /// The handle that ended.
        from: &'a RecordKey,
        /// The handle that took its place.
        to: &'a RecordKey,
        /// Who is signed in under the new one.
        principal: Option<&'a str>,
    },
    /// A session was ended: by logging out, by an administrator, or by the limit of a user.
    Ended {
        /// The handle that ended.
        handle: &'a RecordKey,
    },
    /// Sessions of a principal were ended together.
    EndedAll {
        /// Whose.
        principal: &'a str,
        /// How many.
        count: u64,
    },
    /// Expired sessions were purged.
    Expired {
        /// How many.
        count: u64,
    },
    /// Sessions gave way to newer ones in a store that was full.
    ///
    /// A store counts them and tells when it is purged, so this comes with a purge and not at the
    /// moment itself.
    Evicted {
        /// How many.
        count: u64,
    },
    /// A client presented an id that is malformed, unknown, or no longer known.
    RejectedId,
}

/// Is told of every [`Event`], for auditing and alarms.
///
/// It is called on the request's thread after the event, so it should be quick. A panic in it is
/// logged and changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of an event.
    fn observe(&self, event: Event<'_>);
}

/// Any function of an event observes.
impl<F: Fn(Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: Event<'_>) {
        self(event);
    }
}

/// How often things happened since the manager was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Sessions started.
    pub created: u64,
    /// Sessions renewed or replaced.
    pub renewed: u64,
    /// Sessions ended on purpose.
    pub ended: u64,
    /// Sessions purged after their deadline.
    pub expired: u64,
    /// Sessions that gave way to newer ones.
    pub evicted: u64,
    /// Ids presented that were malformed or not known.
    pub rejected_ids: u64,
    /// Saves that met another writer and were applied again.
    pub conflicts: u64,
    /// Operations of the store that failed.
    pub store_errors: u64,
}

#[derive(Default)]
struct Tally {
    created: AtomicU64,
    renewed: AtomicU64,
    ended: AtomicU64,
    expired: AtomicU64,
    evicted: AtomicU64,
    rejected_ids: AtomicU64,
    conflicts: AtomicU64,
    store_errors: AtomicU64,
}

/// Counts, logs and passes on what happens.
#[derive(Default)]
pub(crate) struct Events {
    tally: Tally,
    observers: Vec<Box<dyn Observer>>,
}

impl Events {
    pub(crate) fn new(observers: Vec<Box<dyn Observer>>) -> Self {
        Events { tally: Tally::default(), observers }
    }

    pub(crate) fn emit(&self, event: Event<'_>) {
        let tally = &self.tally;
        let (counter, count) = match event {
            Event::Created { .. } => (&tally.created, 1),
            Event::Renewed { .. } => (&tally.renewed, 1),
            Event::Ended { .. } => (&tally.ended, 1),
            Event::EndedAll { count, .. } => (&tally.ended, count),
            Event::Expired { count } => (&tally.expired, count),
            Event::Evicted { count } => (&tally.evicted, count),
            Event::RejectedId => (&tally.rejected_ids, 1),
        };
        counter.fetch_add(count, Ordering::Relaxed);
        log(event);
        for observer in &self.observers {
            if catch_unwind(AssertUnwindSafe(|| observer.observe(event))).is_err() {
                tracing::error!("an observer of session events panicked");
            }
        }
    }

    pub(crate) fn count_conflict(&self) {
        self.tally.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_store_error(&self) {
        self.tally.store_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> Counters {
        let tally = &self.tally;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            created: read(&tally.created),
            renewed: read(&tally.renewed),
            ended: read(&tally.ended),
            expired: read(&tally.expired),
            evicted: read(&tally.evicted),
            rejected_ids: read(&tally.rejected_ids),
            conflicts: read(&tally.conflicts),
            store_errors: read(&tally.store_errors),
        }
    }
}

fn log(event: Event<'_>) {
    match event {
        Event::Created { handle, .. } => tracing::debug!(session = %handle.fingerprint(), "session created"),
        Event::Renewed { from, to, .. } => {
            tracing::debug!(from = %from.fingerprint(), to = %to.fingerprint(), "session renewed");
        }
        Event::Ended { handle } => tracing::debug!(session = %handle.fingerprint(), "session ended"),
        Event::EndedAll { count, .. } => tracing::debug!(count, "all sessions of a principal ended"),
        Event::Expired { count } => tracing::debug!(count, "expired sessions purged"),
        Event::Evicted { count } => tracing::info!(count, "sessions evicted from a full store"),
        Event::RejectedId => tracing::debug!("rejected a session id that is malformed or not known"),
    }
}
