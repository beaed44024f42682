use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use triomphe::Arc;

use crate::error::{RandomError, StoreError, causes};
use crate::event::{DeviceRefusal, Event, Events};
use crate::id::SessionId;
use crate::random::RandomSource;
use crate::record::{Audience, Record, RecordKey, note_of_replaced};
use crate::store::{PatientStore, Store};
use crate::time::background::LateStart;
use crate::time::{Clock, LogThrottle, Time};

use super::conflict_queue::ConflictQueues;
use super::old_sessions::OldSessions;
use super::rules::Rules;
use super::state::{Moment, Notice, Operation, State};
use super::upgrades::Upgrades;

/// What all visits of one manager share: the store, the clock, the source of ids, the observers of events, and the
/// queues of writers that met a conflict.
pub struct Environment {
    pub(crate) store: PatientStore,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) random: Box<dyn RandomSource>,
    pub(crate) id_bytes: usize,
    pub(crate) rules: Arc<Rules>,
    /// Older attributes are brought up to date. `None` if the application does not number them.
    pub(crate) upgrades: Option<Upgrades>,
    /// Whether the application has set the audience. Otherwise it is named after a cookie.
    pub(crate) audience_is_set: bool,
    /// Whether, and until when, sessions of other libraries are taken over.
    pub(crate) old_sessions: OldSessions,
    /// How long a new session lives that asks for nothing else.
    pub(crate) lifetime: Lifetime,
    pub(crate) max_sessions_per_principal: Option<usize>,
    pub(crate) events: Events,
    /// The next mark of a write attempt. It starts at random, so that processes use different marks.
    pub(crate) mark: AtomicU32,
    pub(crate) queues: ConflictQueues,
    pub(crate) warnings: Warnings,
    /// The purge of a manager that was built outside a runtime. Whoever waits for the store begins it.
    pub(crate) late_purge: LateStart,
    /// Each commit holds it for reading while it runs, so that closing can wait for all of them.
    pub(crate) commits: tokio::sync::RwLock<()>,
}

/// How often each warning is logged that a request may cause.
#[derive(Default)]
pub(crate) struct Warnings {
    beyond_us: LogThrottle,
    other_audience: LogThrottle,
    touch_failed: LogThrottle,
    limit_failed: LogThrottle,
    offer_failed: LogThrottle,
    pub(super) unsaved: LogThrottle,
    pub(super) upgrade_failed: LogThrottle,
}

/// How long a session lives, and whether its cookie survives closing the browser.
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

    /// What the decider must know before the next step of this visit.
    pub(super) fn moment(&self, state: &State) -> Moment {
        Moment {
            now: self.now(),
            mark: self.next_mark(),
            is_contended: state.stored_key().is_some_and(|key| self.queues.is_contended(key)),
            // In memory, another attempt takes less time than waiting for a turn.
            hasty_attempts: if self.store.never_waits() { 8 } else { 1 },
        }
    }

    /// The note about a session that a login has just replaced.
    pub(super) fn note_of_replaced(&self, operation: &Operation<'_>) -> Record {
        let replaced = operation.replaced().expect("the step is about a session");
        note_of_replaced(replaced, operation.now(), self.next_mark())
    }

    /// Tells that the key of a device was registered.
    pub(super) fn report_registered(&self, record: &Record) {
        let (handle, principal) = (&record.key, record.principal.as_deref());
        self.events.emit(Event::DeviceRegistered { handle, principal });
    }

    /// Tells that the device's request was refused.
    pub(super) fn report_device_refused(&self, record: &Record, reason: DeviceRefusal) {
        let (handle, principal) = (&record.key, record.principal.as_deref());
        self.events.emit(Event::DeviceRefused { handle, principal, reason, only_reported: false });
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
            Notice::Renewed { from, to, principal, started } => {
                self.events.emit(Event::Renewed { from, to, principal: principal.as_deref(), started: *started });
            }
            Notice::Ended { key, principal } => {
                self.events.emit(Event::Ended { handle: key, principal: principal.as_deref() });
            }
            Notice::RejectedId => self.events.emit(Event::RejectedId),
            Notice::DeviceRefused { key, principal, is_reported } => self.events.emit(Event::DeviceRefused {
                handle: key,
                principal: principal.as_deref(),
                reason: DeviceRefusal::NoProof,
                only_reported: *is_reported,
            }),
            Notice::DeviceSkipped { key, principal } => {
                self.events.emit(Event::DeviceSkipped { handle: key, principal: principal.as_deref() });
            }
            Notice::BeyondUs { key } => self.warn_beyond_us(key),
            Notice::OtherAudience(other) => self.warn_other_audience(other),
            Notice::Conflict => self.events.count_conflict(),
            Notice::LostChanges { key } => self.events.emit(Event::LostChanges { handle: key }),
            Notice::StoreFailed => self.events.count_store_error(),
            Notice::TouchFailed { key, error } => self.warn_touch_failed(key, error),
            Notice::LimitFailed(error) => self.warn_limit_failed(error),
            Notice::OfferFailed(error) => self.warn_offer_failed(error),
        }
    }

    fn warn_beyond_us(&self, key: &RecordKey) {
        let Some(times) = self.warnings.beyond_us.due() else { return };
        let session = key.fingerprint();
        tracing::warn!(%session, times, "a session needs a later release of this library: it is left alone, and its visitor has none here");
    }

    fn warn_other_audience(&self, other: &Audience) {
        self.events.count_other_audience();
        let Some(times) = self.warnings.other_audience.due() else { return };
        tracing::warn!(
            times,
            presented = other.as_str(),
            expected = self.rules.audience.as_str(),
            "a session of another audience was presented, which opens nothing here; if both belong to one application, \
             give their managers the same `audience`, otherwise give each application a store, prefix or table of its own"
        );
    }

    fn warn_touch_failed(&self, key: &RecordKey, error: &StoreError) {
        let Some(times) = self.warnings.touch_failed.due() else { return };
        let (session, causes) = (key.fingerprint(), causes(error));
        tracing::warn!(%session, times, %error, causes, "the use of a session could not be stored; it may expire too early");
    }

    fn warn_offer_failed(&self, error: &StoreError) {
        let Some(times) = self.warnings.offer_failed.due() else { return };
        let causes = causes(error);
        tracing::warn!(times, %error, causes, "a session could not be given a new id; the next request tries again");
    }

    fn warn_limit_failed(&self, error: &StoreError) {
        let Some(times) = self.warnings.limit_failed.due() else { return };
        let (store, causes) = (self.store.store().name(), causes(error));
        tracing::warn!(
            store,
            times,
            %error,
            causes,
            "max_sessions_per_principal could not be enforced at a login; the next login tries again"
        );
    }
}
