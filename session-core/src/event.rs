//! What has happened to sessions: events for observers, counters, and the log.
//!
//! This room may know handles of records, and how often something is to be logged. It may not know who reports an event.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::record::RecordKey;
use crate::time::LogThrottle;

/// Something that has happened to a session. An [`Observer`] is called with each event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A session was started, and is stored. A login over another session is [`Renewed`](Event::Renewed) instead.
    #[non_exhaustive]
    Created {
        /// The session's handle.
        handle: &'a RecordKey,
        /// The user who is signed in. `None` for an anonymous session.
        principal: Option<&'a str>,
    },
    /// A session of another library was taken over, and is stored. Instead of [`Created`](Event::Created).
    #[non_exhaustive]
    Adopted {
        /// The session's handle.
        handle: &'a RecordKey,
        /// The user who is signed in. `None` for an anonymous session.
        principal: Option<&'a str>,
    },
    /// A session got a new id, or a login replaced it by a new session.
    #[non_exhaustive]
    Renewed {
        /// The old handle, which no longer works.
        from: &'a RecordKey,
        /// The new handle.
        to: &'a RecordKey,
        /// The user who is signed in under the new handle. `None` for an anonymous session.
        principal: Option<&'a str>,
        /// Whether a new session replaced the old one, as a login does. Otherwise it is the same session under a new id.
        started: bool,
    },
    /// A session was ended: by a logout, by an administrator, or by the limit of sessions per principal.
    #[non_exhaustive]
    Ended {
        /// The handle of the session that ended.
        handle: &'a RecordKey,
        /// The user who was signed in. `None` for an anonymous session, and for one that was ended without being loaded:
        /// by [`Visit::end`](crate::visit::Visit::end), or because the request presented its id beside another.
        principal: Option<&'a str>,
    },
    /// All sessions of a principal were ended, or all except one.
    #[non_exhaustive]
    EndedAll {
        /// The user whose sessions ended.
        principal: &'a str,
        /// The number of sessions that ended.
        count: u64,
    },
    /// Expired sessions were purged.
    #[non_exhaustive]
    Expired {
        /// The number of purged sessions.
        count: u64,
    },
    /// Sessions were evicted because the store was full.
    ///
    /// The store counts evictions and reports them when it is purged, so this event may come up to one purge
    /// interval after the eviction.
    #[non_exhaustive]
    Evicted {
        /// The number of evicted sessions.
        count: u64,
    },
    /// What a request changed was dropped, because its session had ended when it was to be saved: it was removed or
    /// replaced by a login, or it expired.
    #[non_exhaustive]
    LostChanges {
        /// The handle of the session, which no longer works.
        handle: &'a RecordKey,
    },
    /// A session was bound to a device: its key is registered. A proof is demanded from the first one on.
    #[non_exhaustive]
    DeviceRegistered {
        /// The session's handle.
        handle: &'a RecordKey,
        /// The user who is signed in.
        principal: Option<&'a str>,
    },
    /// Somebody presented a session that is bound to a device, and did not prove to come from there.
    ///
    /// A stolen cookie looks so, and so does a browser that could not refresh its proof.
    #[non_exhaustive]
    DeviceRefused {
        /// The handle of the session, which goes on.
        handle: &'a RecordKey,
        /// The user who is signed in.
        principal: Option<&'a str>,
        /// What was refused.
        reason: DeviceRefusal,
        /// The layer only reports, so the request had its session.
        only_reported: bool,
    },
    /// A request opened a session that is bound to a device, without a proof: its browser said that it had to skip
    /// that, and the layer allows it for a while.
    #[non_exhaustive]
    DeviceSkipped {
        /// The session's handle.
        handle: &'a RecordKey,
        /// The user who is signed in.
        principal: Option<&'a str>,
    },
    /// No id that a client presented has a session: each is malformed, unknown, expired, ended or of another audience.
    RejectedId,
}

/// What was refused to whoever did not prove to come from the device of a session: see [`Event::DeviceRefused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceRefusal {
    /// The session: a request came without a proof. It had no session.
    NoProof,
    /// A refresh: its signature is not one of the registered key, or it has not the form.
    BadProof,
    /// The registration of a key: its signature or its challenge is not right.
    BadRegistration,
    /// The registration of a key: the session has another one.
    OtherKey,
}

/// Is called with every [`Event`], for audit logs and alarms. Any function of an [`Event`] is an observer.
///
/// It is called after the event, on the thread that caused it: that of a request, or of the background purge.
/// The request waits for it, so it should be quick. A panic in it is logged and has no other effect.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use session_core::{Event, MemoryStore, NewSession, SessionManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// let ended = Arc::new(AtomicU64::new(0));
/// let counter = Arc::clone(&ended);
/// let sessions = SessionManager::builder(MemoryStore::new())
///     .observer(move |event: Event<'_>| match event {
///         Event::Ended { principal: Some(_), .. } => {
///             counter.fetch_add(1, Ordering::Relaxed);
///         }
///         _ => {}
///     })
///     .build()?;
///
/// let session = sessions.create(NewSession::new().principal("ann")).await?;
/// sessions.end(&session.handle()).await?;
/// assert_eq!(ended.load(Ordering::Relaxed), 1);
/// # Ok(()) }
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Handles an event that has happened.
    fn observe(&self, event: Event<'_>);
}

/// Calls the function with each event.
impl<F: Fn(Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: Event<'_>) {
        self(event);
    }
}

/// How often each kind of event has happened since the manager was made. All counters start at 0.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// use session_core::{MemoryStore, NewSession, SessionManager};
///
/// let sessions = SessionManager::new(MemoryStore::new());
/// sessions.create(NewSession::new()).await?;
/// assert!(sessions.get("not-an-id").await?.is_none());
///
/// let counters = sessions.counters();
/// assert_eq!((counters.created, counters.rejected_ids), (1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Sessions that were started.
    pub created: u64,
    /// Sessions of another library that were taken over.
    pub adopted: u64,
    /// Sessions that got a new id, or were replaced by a login.
    pub renewed: u64,
    /// Sessions that were ended: by a logout, by an administrator, or by the limit of sessions per principal.
    pub ended: u64,
    /// Expired sessions that were purged.
    pub expired: u64,
    /// Sessions that were evicted because the store was full.
    pub evicted: u64,
    /// Requests that presented ids, none of which has a session.
    pub rejected_ids: u64,
    /// Requests whose changes were dropped because their session had ended.
    pub lost_changes: u64,
    /// Sessions that were bound to a device.
    pub device_registered: u64,
    /// Requests that presented a session bound to a device without a proof of it, refused or only reported.
    pub device_refused: u64,
    /// Requests that opened a session bound to a device without a proof, because their browsers had to skip it.
    pub device_skipped: u64,
    /// Ids that were presented and belong to another audience: see
    /// [`audience`](crate::manager::SessionManagerBuilder::audience).
    pub other_audiences: u64,
    /// Attempts to save that failed because another writer was faster. Each was repeated.
    pub conflicts: u64,
    /// Operations of the store that failed, after all their attempts.
    pub store_errors: u64,
}

#[derive(Default)]
struct Tally {
    created: AtomicU64,
    adopted: AtomicU64,
    renewed: AtomicU64,
    ended: AtomicU64,
    expired: AtomicU64,
    evicted: AtomicU64,
    rejected_ids: AtomicU64,
    lost_changes: AtomicU64,
    device_registered: AtomicU64,
    device_refused: AtomicU64,
    device_skipped: AtomicU64,
    other_audiences: AtomicU64,
    conflicts: AtomicU64,
    store_errors: AtomicU64,
}

/// Counts and logs events, and calls the observers.
#[derive(Default)]
pub(crate) struct Events {
    tally: Tally,
    observers: Vec<Box<dyn Observer>>,
    panics: LogThrottle,
    /// The warning about another user's attributes was logged.
    has_left_behind: AtomicBool,
}

impl Events {
    pub(crate) fn new(observers: Vec<Box<dyn Observer>>) -> Self {
        Events { observers, ..Events::default() }
    }

    /// Whether somebody is told more than the log tells.
    pub(crate) fn has_observers(&self) -> bool {
        !self.observers.is_empty()
    }

    pub(crate) fn emit(&self, event: Event<'_>) {
        let tally = &self.tally;
        let (counter, count) = match event {
            Event::Created { .. } => (&tally.created, 1),
            Event::Adopted { .. } => (&tally.adopted, 1),
            Event::Renewed { .. } => (&tally.renewed, 1),
            Event::Ended { .. } => (&tally.ended, 1),
            Event::EndedAll { count, .. } => (&tally.ended, count),
            Event::Expired { count } => (&tally.expired, count),
            Event::Evicted { count } => (&tally.evicted, count),
            Event::LostChanges { .. } => (&tally.lost_changes, 1),
            Event::DeviceRegistered { .. } => (&tally.device_registered, 1),
            Event::DeviceRefused { .. } => (&tally.device_refused, 1),
            Event::DeviceSkipped { .. } => (&tally.device_skipped, 1),
            Event::RejectedId => (&tally.rejected_ids, 1),
        };
        counter.fetch_add(count, Ordering::Relaxed);
        log(event);
        for observer in &self.observers {
            if catch_unwind(AssertUnwindSafe(|| observer.observe(event))).is_err()
                && let Some(times) = self.panics.due()
            {
                tracing::error!(
                    times,
                    "an observer of session events panicked; the event is counted, and other observers are called"
                );
            }
        }
    }

    pub(crate) fn count_other_audience(&self) {
        self.tally.other_audiences.fetch_add(1, Ordering::Relaxed);
    }

    /// Warns once: how often it happens, the client decides.
    pub(crate) fn left_another_users_behind(&self, left_behind: &[&str]) {
        if self.has_left_behind.swap(true, Ordering::Relaxed) {
            tracing::debug!(?left_behind, "`keep` left another user's attributes behind");
            return;
        }
        tracing::warn!(
            ?left_behind,
            "`keep` left another user's attributes behind; if some may be seen by whoever signs in next, name them with \
             `keep_only`. Later ones are logged at debug level"
        );
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
            adopted: read(&tally.adopted),
            renewed: read(&tally.renewed),
            ended: read(&tally.ended),
            expired: read(&tally.expired),
            evicted: read(&tally.evicted),
            rejected_ids: read(&tally.rejected_ids),
            lost_changes: read(&tally.lost_changes),
            device_registered: read(&tally.device_registered),
            device_refused: read(&tally.device_refused),
            device_skipped: read(&tally.device_skipped),
            other_audiences: read(&tally.other_audiences),
            conflicts: read(&tally.conflicts),
            store_errors: read(&tally.store_errors),
        }
    }
}

fn log(event: Event<'_>) {
    match event {
        Event::Created { handle, .. } => tracing::debug!(session = %handle.fingerprint(), "session created"),
        Event::Adopted { handle, principal, .. } => {
            let is_anonymous = principal.is_none();
            tracing::debug!(session = %handle.fingerprint(), is_anonymous, "session taken over");
        }
        Event::Renewed { from, to, started, .. } => {
            tracing::debug!(from = %from.fingerprint(), to = %to.fingerprint(), started, "session renewed");
        }
        Event::Ended { handle, .. } => tracing::debug!(session = %handle.fingerprint(), "session ended"),
        Event::EndedAll { count, .. } => tracing::debug!(count, "sessions of a principal ended"),
        Event::Expired { count } => tracing::debug!(count, "expired sessions purged"),
        Event::Evicted { count } => tracing::info!(count, "sessions evicted from a full store"),
        Event::LostChanges { handle } => {
            tracing::warn!(session = %handle.fingerprint(), "changes were dropped because the session has ended");
        }
        Event::DeviceRegistered { handle, .. } => {
            tracing::debug!(session = %handle.fingerprint(), "session bound to a device");
        }
        Event::DeviceRefused { handle, reason, only_reported, .. } => {
            let session = handle.fingerprint();
            tracing::debug!(%session, ?reason, only_reported, "no proof of the device to which a session is bound");
        }
        Event::DeviceSkipped { handle, .. } => {
            let session = handle.fingerprint();
            tracing::debug!(%session, "a session was opened without a proof of its device, which the browser had to skip");
        }
        Event::RejectedId => tracing::debug!("rejected a session id that is malformed or unknown"),
    }
}
