use std::error::Error as StdError;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use triomphe::Arc;

use crate::error::ConfigError;
use crate::event::{Events, Observer};
use crate::id::SessionId;
use crate::random::{RandomSource, SystemRandom};
use crate::record::{Audience, Record, RecordFormat};
use crate::session::{AskedLifetime, AttributeUpgrade};
use crate::store::{AnyStore, PatientStore, Store};
use crate::time::background::LateStart;
use crate::time::{Clock, SystemClock, Time};
use crate::visit::{ConflictQueues, Environment, Lifetime, OldSessions, Renewals, Rules, Upgrades, Warnings};

use super::manager::SessionManager;

/// A shorter time limit or interval is no time at all.
const MILLISECOND: Duration = Duration::from_millis(1);

/// The settings of a [`SessionManager`]. Each has a default that works.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{ConfigError, MemoryStore, SessionManager};
///
/// # fn main() -> Result<(), ConfigError> {
/// let sessions = SessionManager::builder(MemoryStore::new())
///     .idle_timeout(Duration::from_secs(15 * 60))
///     .absolute_timeout(Duration::from_secs(8 * 60 * 60))
///     .max_sessions_per_principal(5)
///     .build()?;
/// # Ok(()) }
/// ```
#[must_use]
pub struct SessionManagerBuilder {
    store: AnyStore,
    audience: Option<String>,
    clock: Box<dyn Clock>,
    random: Box<dyn RandomSource>,
    id_bytes: usize,
    lifetime: AskedLifetime,
    record_format: RecordFormat,
    renewals: Renewals,
    upgrades: Option<Upgrades>,
    max_sessions_per_principal: Option<usize>,
    time_limit: Duration,
    attempts: u32,
    purge_interval: Option<Duration>,
    observers: Vec<Box<dyn Observer>>,
    old_sessions: OldSessions,
}

const DEFAULT_LIFETIME: Lifetime = Lifetime {
    idle_timeout: Duration::from_secs(30 * 60),
    absolute_timeout: Some(Duration::from_secs(24 * 60 * 60)),
    absolute_is_stated: false,
    persistent: false,
};

impl SessionManager {
    /// Makes a manager with default settings.
    ///
    /// The defaults are listed at [`SessionManagerBuilder`]. Purging in the background needs a tokio runtime
    /// at this moment, unless the store is in memory: see
    /// [`purge_interval`](SessionManagerBuilder::purge_interval).
    pub fn new(store: impl Store) -> Self {
        SessionManager::builder(store).make(DEFAULT_LIFETIME, Audience::default())
    }

    /// Begins a manager with other settings.
    pub fn builder(store: impl Store) -> SessionManagerBuilder {
        SessionManagerBuilder::new(store)
    }
}

impl SessionManagerBuilder {
    fn new(store: impl Store) -> Self {
        SessionManagerBuilder {
            store: AnyStore::new(store),
            audience: None,
            clock: Box::new(SystemClock),
            random: Box::new(SystemRandom),
            id_bytes: SessionId::DEFAULT_BYTES,
            lifetime: AskedLifetime::default(),
            record_format: RecordFormat::default(),
            renewals: Renewals::default(),
            upgrades: None,
            max_sessions_per_principal: None,
            time_limit: Duration::from_secs(5),
            attempts: 3,
            purge_interval: Some(Duration::from_secs(10)),
            observers: Vec::new(),
            old_sessions: OldSessions::default(),
        }
    }

    /// The application to which the sessions belong. A session opens only where the audience is that of its start.
    ///
    /// Default: the name of the cookie for a manager that a web layer makes of a store, without the prefix
    /// `__Host-` or `__Secure-`; otherwise `sessid`, which is the default name of the cookie. Allowed: 1 to 128
    /// visible ASCII characters.
    ///
    /// Set it to different names for applications that share a store and whose cookies have the same name:
    /// otherwise the id of one opens a session in the other. Set it to the same name for managers that are to open
    /// each other's sessions. If you change it, every session that was started before counts as missing.
    ///
    /// It is checked when an id is presented. Lists, the limit, and endings by handle or by principal are about all
    /// sessions of the store. Applications that must not see each other's sessions need stores, prefixes or tables
    /// of their own.
    pub fn audience(mut self, name: impl Into<String>) -> Self {
        self.audience = Some(name.into());
        self
    }

    /// How long a session lives after its last request.
    ///
    /// Default: 30 minutes. Allowed: at least 1 ms, at most the
    /// [`absolute_timeout`](SessionManagerBuilder::absolute_timeout), which would end the session first; more than 1000
    /// years counts as 1000. [`NewSession`](crate::session::NewSession) can set it for one session. A short timeout signs
    /// users out while they read a page; a long one leaves a forgotten browser signed in.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.lifetime.idle_timeout = Some(timeout);
        self
    }

    /// How long a session lives after its start, however much it is used.
    ///
    /// Default: 24 hours, as NIST SP 800-63B asks for. Allowed: at least 1 ms; more than 1000 years counts as 1000.
    /// [`NewSession`](crate::session::NewSession) can set it for one session. A short timeout makes users sign
    /// in again in the middle of their work; a long one lets a stolen id work for as long.
    pub fn absolute_timeout(mut self, timeout: Duration) -> Self {
        self.lifetime.absolute_timeout = Some(Some(timeout));
        self
    }

    /// Lets sessions live for as long as they are used. A stolen id then works for as long too.
    ///
    /// Default: sessions have an [`absolute_timeout`](SessionManagerBuilder::absolute_timeout).
    pub fn without_absolute_timeout(mut self) -> Self {
        self.lifetime.absolute_timeout = Some(None);
        self
    }

    /// Whether cookies survive closing the browser.
    ///
    /// Default: `false`. With `true`, also say how long a session may live: by
    /// [`absolute_timeout`](SessionManagerBuilder::absolute_timeout) or
    /// [`without_absolute_timeout`](SessionManagerBuilder::without_absolute_timeout). [`NewSession`](crate::session::NewSession) and
    /// [`Session::set_persistent`](crate::session::Session::set_persistent) can set it for one session.
    /// Whoever uses the computer next finds the user of a persistent session signed in until a timeout ends the session.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.lifetime.persistent = Some(persistent);
        self
    }

    /// The format in which records are written.
    ///
    /// Default: [`RecordFormat::V1`], which processes of the release before read too. Records of both formats are
    /// read, whatever is set here. Set a later format only when all processes that share the store read it: to
    /// others, a session in that format does not exist. To go back, set the earlier format first, and wait until
    /// every session was saved or has expired.
    pub fn record_format(mut self, format: RecordFormat) -> Self {
        self.record_format = format;
        self
    }

    /// Numbers the shape of the application's attributes, and brings those of older releases up to date.
    ///
    /// Default: attributes have no number. Allowed: at least 1. Raise it by one when a release gives attributes another
    /// name or type. 0 is the version of sessions for which no number is noted.
    ///
    /// When a session is loaded that has a lower number, `upgrade` is called with its attributes and
    /// [its number](AttributeUpgrade::version): where a session is opened, found by its id, met again after a conflict,
    /// and listed. What it changes is in memory, and is saved with the next change of the session, together with the
    /// number. Sessions with a higher number are served as they are.
    ///
    /// `upgrade` must be repeatable: it may meet attributes that have the new shape already, and what it did may be
    /// lost. While two releases run side by side, the older one saves its own number (or none, without this setting), as
    /// it may have written in the old shape, so `upgrade` runs again on the whole session. The older release must be
    /// able to do without what `upgrade` removes. `upgrade` must be quick, as requests wait for it, and should have no
    /// side effects. It runs on the thread of the request.
    ///
    /// If it fails, the session is not served: the call fails with [`Error::Upgrade`](crate::error::Error::Upgrade), a
    /// request of a web layer is answered 500 and logged with the cause. The client keeps its id, and the session stays as
    /// it is in the store. It can be ended, and a later release can serve it. In a list, such a session has its
    /// attributes as they are stored, and a warning is logged.
    ///
    /// A record with a number is written in [`RecordFormat::V2`], whatever the
    /// [`record_format`](Self::record_format) says.
    ///
    /// ```
    /// use session_core::{ConfigError, MemoryStore, SessionManager};
    ///
    /// # fn main() -> Result<(), ConfigError> {
    /// let sessions = SessionManager::builder(MemoryStore::new())
    ///     // 1: the cart has articles with a quantity. Before, it had names of articles.
    ///     .attributes_version(1, |session| {
    ///         if let Ok(Some(names)) = session.attr::<Vec<String>>("Cart") {
    ///             let cart: Vec<(String, u32)> = names.into_iter().map(|name| (name, 1)).collect();
    ///             session.set_attr("Cart", &cart)?;
    ///         }
    ///         session.rename_attr("Lang", "Language")?;
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn attributes_version(
        mut self,
        number: u32,
        upgrade: impl Fn(&mut AttributeUpgrade<'_>) -> Result<(), Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        let run = move |record: &mut Record, from| upgrade(&mut AttributeUpgrade::of(record, from));
        self.upgrades = Some(Upgrades::new(number, run));
        self
    }

    /// How many random bytes an id has.
    ///
    /// Default: 18 (144 bits, 24 characters). Allowed: 16 to 32. Fewer than 16 could be guessed (OWASP ASVS
    /// 5.0 asks for 128 bits); more only make the cookie longer.
    pub fn id_bytes(mut self, bytes: usize) -> Self {
        self.id_bytes = bytes;
        self
    }

    /// Gives each session with a principal a new id every so often.
    ///
    /// Default: only [`Session::renew_id`](crate::session::Session::renew_id) does. Allowed: at least 1 s. A short time
    /// bounds what a stolen id is worth, and costs two writes each time; OWASP asks for it where sessions are long.
    ///
    /// A response offers the new id. It counts when the client presents it for the first time; until then both ids work,
    /// so a response that is lost costs nothing. The next offer then comes 60 s later than it would otherwise, because the
    /// clocks of processes differ. The old id goes on for the [`renewal_grace`](Self::renewal_grace), for requests that were
    /// sent before. A session that came by such an id can't be renewed, and can't end others.
    ///
    /// An id without a session costs one more call of the store.
    pub fn renew_every(mut self, interval: Duration) -> Self {
        self.renewals.every = Some(interval);
        self
    }

    /// How long an old id goes on after it was replaced, by [`renew_every`](Self::renew_every) or by
    /// [`Session::renew_id`](crate::session::Session::renew_id), in a session with a principal.
    ///
    /// Default: 10 s after `renew_every`, and not at all after `renew_id`. Allowed: at most 60 s. Without it, requests
    /// that were sent before the new id arrived have no session; with it, a stolen id works that much longer.
    ///
    /// An id without a session then costs one more call of the store.
    pub fn renewal_grace(mut self, grace: Duration) -> Self {
        self.renewals.grace = Some(grace);
        self
    }

    /// How many sessions one principal may have. When one more starts, the oldest ends.
    ///
    /// Default: no limit. Allowed: at least 1, with a store that can find the sessions of a principal
    /// ([`Capabilities::principals`](crate::store::Capabilities::principals)). A low limit signs a user out on
    /// one device by signing in on another. Logins at the same moment may leave more sessions until the next
    /// login.
    pub fn max_sessions_per_principal(mut self, sessions: usize) -> Self {
        self.max_sessions_per_principal = Some(sessions);
        self
    }

    /// How long one operation of the store may take, all its attempts together. It then fails with
    /// [`Error::Store`](crate::error::Error::Store).
    ///
    /// Default: 5 s. Allowed: at least 1 ms. A short limit fails requests when the store is only slow; with a
    /// long one, requests pile up while the store is down. Without a tokio runtime there is no timer and so no
    /// limit.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How often an operation is tried while the store can't be reached, if repeating it is safe. The pauses
    /// between attempts grow from 20 ms to 1 s, with jitter.
    ///
    /// Default: 3. Allowed: at least 1, which means no retry. With one attempt each broken connection fails a
    /// request; many attempts only use up the [`time_limit`](SessionManagerBuilder::time_limit).
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long to wait between two purges of expired sessions in the background.
    ///
    /// Default: 10 s. Allowed: at least 1 ms. A short interval puts load on the store; a long one lets expired
    /// sessions take up space. They are refused in either case.
    ///
    /// A store in memory is purged by a thread of its own. Any other store is purged by a task. If the manager is built
    /// outside a tokio runtime, the task starts with the first request that waits for the store inside one. An
    /// application that has no tokio runtime calls [`SessionManager::purge_expired`].
    pub fn purge_interval(mut self, interval: Duration) -> Self {
        self.purge_interval = Some(interval);
        self
    }

    /// Purges nothing in the background: for an application that calls [`SessionManager::purge_expired`]
    /// itself, for example in one of many processes. Expired sessions are refused in any case.
    ///
    /// Default: sessions are purged every [`purge_interval`](SessionManagerBuilder::purge_interval).
    pub fn without_background_purge(mut self) -> Self {
        self.purge_interval = None;
        self
    }

    /// The clock that decides whether a session has expired. Default: [`SystemClock`]. Tests give a
    /// [`ManualClock`](crate::time::ManualClock).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The source of the random bytes of ids. Default: [`SystemRandom`], the operating system.
    ///
    /// It must be cryptographically secure, or ids can be guessed.
    pub fn random_source(mut self, random: impl RandomSource) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Adds an observer, which is called with every [`Event`](crate::event::Event). Default: none. Call it once
    /// for each observer.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Until when sessions of another library are taken over by other processes that share the store: for a manager that ends
    /// sessions without a request, such as that of an admin tool.
    ///
    /// Default: they are not. A web layer that takes sessions over says it to its own manager. What ends all sessions of a
    /// principal then also refuses those of the other library until this time: they would be taken over later.
    pub fn old_sessions_until(self, end: Time) -> Self {
        self.old_sessions.expect_until(end);
        self
    }

    /// Checks the settings and makes the manager.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a setting is not allowed. Its message names the setting and what to write instead.
    pub fn build(self) -> Result<SessionManager, ConfigError> {
        self.build_for(Audience::DEFAULT)
    }

    /// Does what [`build`](SessionManagerBuilder::build) does. The audience is `audience` unless one was set.
    pub(super) fn build_for(self, audience: &str) -> Result<SessionManager, ConfigError> {
        let lifetime = self.lifetime.or(DEFAULT_LIFETIME, Time::from_unix_millis(0))?;
        self.check()?;
        let audience = Audience::new(self.audience.as_deref().unwrap_or(audience))?;
        Ok(self.make(lifetime, audience))
    }

    fn make(self, lifetime: Lifetime, audience: Audience) -> SessionManager {
        let store = PatientStore::new(self.store, self.time_limit, self.attempts);
        let mut mark = [0; 4];
        if !store.never_waits() {
            // The mark is no secret, and ids are random without it.
            let _ = self.random.fill(&mut mark);
        }
        let environment = Environment {
            store,
            clock: self.clock,
            random: self.random,
            id_bytes: self.id_bytes,
            rules: Arc::new(Rules {
                record_format: self.record_format,
                audience,
                renewals: self.renewals,
                attributes_version: self.upgrades.as_ref().map_or(0, Upgrades::version),
            }),
            upgrades: self.upgrades,
            audience_is_set: self.audience.is_some(),
            old_sessions: self.old_sessions,
            lifetime,
            max_sessions_per_principal: self.max_sessions_per_principal,
            events: Events::new(self.observers),
            mark: AtomicU32::new(u32::from_ne_bytes(mark)),
            warnings: Warnings::default(),
            queues: ConflictQueues::default(),
            late_purge: LateStart::default(),
            commits: tokio::sync::RwLock::default(),
        };
        SessionManager::of(environment, self.purge_interval)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let (least, most) = (SessionId::MIN_BYTES, SessionId::MAX_BYTES);
        if !(least..=most).contains(&self.id_bytes) {
            return Err(ConfigError::new(format!(
                "`id_bytes` is {}; it must be from {least} to {most}",
                self.id_bytes
            )));
        }
        if self.renewals.every.is_some_and(|every| every < Duration::from_secs(1)) {
            return Err(ConfigError::new(
                "`renew_every` must be at least 1 s; leave it out to renew by `renew_id` only",
            ));
        }
        if self.renewals.grace.is_some_and(|grace| grace > Duration::from_secs(60)) {
            return Err(ConfigError::new("`renewal_grace` must be at most 60 s"));
        }
        if self.upgrades.as_ref().is_some_and(|upgrades| upgrades.version() == 0) {
            return Err(ConfigError::new(
                "`attributes_version` must be at least 1; 0 is the version of sessions without a number",
            ));
        }
        if self.attempts == 0 {
            return Err(ConfigError::new("`attempts` must be at least 1"));
        }
        if self.time_limit < MILLISECOND {
            return Err(ConfigError::new(format!("`time_limit` is {:?}; it must be at least 1 ms", self.time_limit)));
        }
        if let Some(interval) = self.purge_interval.filter(|interval| *interval < MILLISECOND) {
            return Err(ConfigError::new(format!(
                "`purge_interval` is {interval:?}; it must be at least 1 ms; to purge nothing, call \
                 `without_background_purge`"
            )));
        }
        match self.max_sessions_per_principal {
            Some(0) => Err(ConfigError::new("`max_sessions_per_principal` must be at least 1")),
            Some(_) if !self.store.capabilities().principals => Err(ConfigError::new(format!(
                "`max_sessions_per_principal` needs a store that can find the sessions of a principal; \
                 the store `{}` can't: leave the setting out or use another store",
                self.store.name()
            ))),
            _ => Ok(()),
        }
    }
}
