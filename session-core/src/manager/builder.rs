use std::time::Duration;

use super::manager::SessionManager;
use crate::clock::{Clock, SystemClock};
use crate::error::ConfigError;
use crate::event::Observer;
use crate::id::SessionId;
use crate::random::{RandomSource, SystemRandom};
use crate::session::checked_timeout;
use crate::store::{AnyStore, Store};

/// The settings of a [`SessionManager`], each with its default.
#[must_use]
pub struct SessionManagerBuilder {
    pub(crate) store: AnyStore,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) random: Box<dyn RandomSource>,
    pub(crate) id_bytes: usize,
    pub(crate) idle_timeout: Duration,
    pub(crate) absolute_timeout: Option<Duration>,
    pub(crate) persistent: bool,
    pub(crate) max_sessions_per_principal: Option<usize>,
    pub(crate) time_limit: Duration,
    pub(crate) attempts: u32,
    pub(crate) purge_interval: Option<Duration>,
    pub(crate) observers: Vec<Box<dyn Observer>>,
}

impl SessionManagerBuilder {
    pub(crate) fn new(store: impl Store) -> Self {
        SessionManagerBuilder {
            store: AnyStore::new(store),
            clock: Box::new(SystemClock),
            random: Box::new(SystemRandom),
            id_bytes: SessionId::DEFAULT_BYTES,
            idle_timeout: Duration::from_secs(30 * 60),
            absolute_timeout: Some(Duration::from_secs(24 * 60 * 60)),
            persistent: false,
            max_sessions_per_principal: None,
            time_limit: Duration::from_secs(5),
            attempts: 3,
            purge_interval: Some(Duration::from_secs(10)),
            observers: Vec::new(),
        }
    }

    /// How long a session lives on unused: 30 minutes. Counted from its last request.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long a session lives however much it is used: 24 hours, as NIST SP 800-63B asks.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.absolute_timeout = Some(timeout);
        self
    }

    /// Lets sessions live for as long as they are used. A stolen id then works for as long too.
    pub fn without_absolute_timeout(mut self) -> Self {
        self.absolute_timeout = None;
        self
    }

    /// Whether clients keep their cookies when they are closed: no. Each session may differ.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = persistent;
        self
    }

    /// Random bytes of an id: 18. From 16 to 32.
    pub fn id_bytes(mut self, bytes: usize) -> Self {
        self.id_bytes = bytes;
        self
    }

    /// How many sessions one principal may have: no limit. The oldest ends when another starts.
    ///
    /// Logins within a few milliseconds of each other may leave more until the next.
    pub fn max_sessions_per_principal(mut self, sessions: usize) -> Self {
        self.max_sessions_per_principal = Some(sessions);
        self
    }

    /// How long one operation of the store may take, all its attempts together: 5 seconds.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How often an operation that is safe to repeat is tried where the store can't be reached: 3.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How often expired sessions are purged in the background: every 10 seconds.
    ///
    /// A store in memory is purged by a thread of its own, any other by a task, if the manager is
    /// built inside a tokio runtime.
    pub fn purge_interval(mut self, interval: Duration) -> Self {
        self.purge_interval = Some(interval);
        self
    }

    /// Leaves purging to whoever calls [`SessionManager::purge_expired`]. Expired sessions are
    /// refused all the same.
    pub fn without_background_purge(mut self) -> Self {
        self.purge_interval = None;
        self
    }

    /// Another clock: for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Another source of ids: for tests, or for hardware.
    pub fn random_source(mut self, random: impl RandomSource) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Tells an observer of every event. May be called more than once.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// The manager, if these settings can work.
    ///
    /// # Errors
    ///
    /// The message says which setting can't, and what to change.
    pub fn build(mut self) -> Result<SessionManager, ConfigError> {
        self.check()?;
        Ok(SessionManager::from_builder(self))
    }

    fn check(&mut self) -> Result<(), ConfigError> {
        self.idle_timeout = checked_timeout(self.idle_timeout, "idle")?;
        self.absolute_timeout =
            self.absolute_timeout.map(|timeout| checked_timeout(timeout, "absolute")).transpose()?;
        let (least, most) = (SessionId::MIN_BYTES, SessionId::MAX_BYTES);
        if !(least..=most).contains(&self.id_bytes) {
            return Err(ConfigError::new(format!(
                "an id of {} random bytes can't be made; give {least} to {most}",
                self.id_bytes
            )));
        }
        if self.attempts == 0 {
            return Err(ConfigError::new("no attempt at all never succeeds; give at least 1"));
        }
        if self.time_limit.is_zero() {
            return Err(ConfigError::new("no operation is done in no time; give a longer time limit"));
        }
        if self.purge_interval.is_some_and(|interval| interval.is_zero()) {
            return Err(ConfigError::new(
                "a purge interval of zero never rests; give a longer one, or call without_background_purge",
            ));
        }
        match self.max_sessions_per_principal {
            Some(0) => Err(ConfigError::new("with no session per principal nobody can sign in; allow at least 1")),
            Some(_) if !self.store.capabilities().principals => Err(ConfigError::new(format!(
                "the {} store can't find a principal's sessions, so it can't limit them; drop the limit or use another store",
                self.store.name()
            ))),
            _ => Ok(()),
        }
    }
}
