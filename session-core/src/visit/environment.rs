use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{RandomError, causes};
use crate::event::{Event, Events};
use crate::id::SessionId;
use crate::random::RandomSource;
use crate::record::{RecordFormat, RecordKey};
use crate::store::{PatientStore, Store};
use crate::time::Clock;
use crate::time::Time;

use super::conflict_queue::ConflictQueue;
use super::state::{Moment, Notice, State};

/// What all visits of one manager share: the store, the clock, the source of ids, the observers of events, and the
/// queues of writers that met a conflict.
pub struct Environment {
    pub(crate) store: PatientStore,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) random: Box<dyn RandomSource>,
    pub(crate) id_bytes: usize,
    pub(crate) defaults: Defaults,
    pub(crate) max_sessions_per_principal: Option<usize>,
    pub(crate) events: Events,
    /// The next mark of a write attempt. It starts at random, so that processes use different marks.
    pub(crate) mark: AtomicU32,
    pub(crate) queues: Box<[ConflictQueue]>,
    /// Each commit holds it for reading while it runs, so that closing can wait for all of them.
    pub(crate) commits: tokio::sync::RwLock<()>,
}

/// The settings of a new session that asks for nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) lifetime: Lifetime,
    pub(crate) record_format: RecordFormat,
}

/// How long a new session lives, and whether its cookie survives closing the browser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) idle_timeout: Duration,
    pub(crate) absolute_timeout: Option<Duration>,
    /// Somebody chose the absolute timeout, or chose to have none.
    pub(crate) absolute_is_stated: bool,
    pub(crate) persistent: bool,
}

impl Environment {
    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn draw_id(&self) -> Result<SessionId, RandomError> {
        SessionId::generate(&*self.random, self.id_bytes)
    }

    /// Marks one write attempt. 0 for stores that never wait, because the outcome of their writes is always known.
    pub(crate) fn next_mark(&self) -> u32 {
        if self.store.never_waits() {
            return 0;
        }
        self.mark.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn queue_of(&self, key: &RecordKey) -> &ConflictQueue {
        &self.queues[usize::from(key.as_bytes()[0]) % self.queues.len()]
    }

    /// What the decider must know before the next step of this visit.
    pub(super) fn moment(&self, state: &State) -> Moment {
        Moment {
            now: self.now(),
            mark: self.next_mark(),
            is_contended: state.stored_key().is_some_and(|key| !self.queue_of(key).is_empty()),
            // In memory, another attempt takes less time than waiting for a turn.
            hasty_attempts: if self.store.never_waits() { 8 } else { 1 },
        }
    }

    /// Tells observers, counters and the log. Call it without the state's lock, because observers are the application's
    /// code.
    pub(super) fn report(&self, notices: Vec<Notice>) {
        for notice in &notices {
            self.report_one(notice);
        }
    }

    fn report_one(&self, notice: &Notice) {
        match notice {
            Notice::Created { key, principal } => {
                self.events.emit(Event::Created { handle: key, principal: principal.as_deref() });
            }
            Notice::Renewed { from, to, principal } => {
                self.events.emit(Event::Renewed { from, to, principal: principal.as_deref() });
            }
            Notice::Ended { key } => self.events.emit(Event::Ended { handle: key }),
            Notice::RejectedId => self.events.emit(Event::RejectedId),
            Notice::BeyondUs { key } => {
                let session = key.fingerprint();
                tracing::warn!(%session, "a session needs a later release of this library: it is left alone, and its visitor has none here");
            }
            Notice::Conflict => self.events.count_conflict(),
            Notice::StoreFailed => self.events.count_store_error(),
            Notice::TouchFailed { key, error } => {
                let session = key.fingerprint();
                tracing::warn!(%session, %error, causes = causes(error), "the use of a session could not be stored; it may expire too early");
            }
            Notice::LimitFailed(error) => {
                tracing::warn!(
                    store = self.store.store().name(),
                    %error,
                    causes = causes(error),
                    "max_sessions_per_principal could not be enforced at a login; the next login tries again"
                );
            }
        }
    }
}
