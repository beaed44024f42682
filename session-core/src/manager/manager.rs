use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::builder::SessionManagerBuilder;
use super::purge;
use crate::clock::Clock;
use crate::error::{ConfigError, Error, RandomError, causes};
use crate::event::{Counters, Event, Events};
use crate::id::PresentedIds;
use crate::id::SessionId;
use crate::random::RandomSource;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::session::{NewSession, Session};
use crate::session::{Values, checked_timeout};
use crate::store::PatientStore;
use crate::store::{Capabilities, Purged, Store};
use crate::time::Time;
use crate::visit::ConflictQueue;
use crate::visit::Phase;
use crate::visit::Started;
use crate::visit::Visit;

/// Sessions in a store: everything that does not need a request.
///
/// A web layer, a WebSocket server and an admin tool share one by cloning it.
///
/// ```
/// # async fn example() -> Result<(), session_core::Error> {
/// use session_core::{MemoryStore, NewSession, SessionManager};
///
/// let sessions = SessionManager::new(MemoryStore::new());
/// let sess = sessions.create(NewSession::new().principal("ann")).await?;
/// let again = sessions.get(sess.id().as_str()).await?.expect("it was just stored");
/// again.set_attr("Count", &1)?;
/// again.save().await?;
/// sessions.remove_all("ann").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionManager(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: PatientStore,
    pub(crate) clock: Arc<dyn Clock>,
    random: Box<dyn RandomSource>,
    id_bytes: usize,
    idle_timeout: Duration,
    absolute_timeout: Option<Duration>,
    persistent: bool,
    max_sessions_per_principal: Option<usize>,
    pub(crate) events: Events,
    /// Marks each attempt to write; starts at random, so that processes differ.
    mark: AtomicU32,
    queues: Box<[ConflictQueue]>,
    /// Read by each commit under way, so that closing can wait for them.
    commits: tokio::sync::RwLock<()>,
    purger: std::sync::OnceLock<purge::Purger>,
}

/// Records deleted by one call of the store while purging.
pub(crate) const PURGE_BATCH: usize = 100;

/// How far apart two logins begin at most that may not know of each other.
const SAME_MOMENT: Duration = Duration::from_secs(10);

impl SessionManager {
    /// A manager with every default, which always works.
    pub fn new(store: impl Store) -> Self {
        SessionManager::from_builder(SessionManager::builder(store))
    }

    /// A manager with settings.
    pub fn builder(store: impl Store) -> SessionManagerBuilder {
        SessionManagerBuilder::new(store)
    }

    pub(crate) fn from_builder(settings: SessionManagerBuilder) -> Self {
        let mut mark = [0; 4];
        // The mark is no secret and its start need not be random for ids to be.
        let _ = getrandom::fill(&mut mark);
        let manager = SessionManager(Arc::new(Inner {
            store: PatientStore::new(settings.store, settings.time_limit, settings.attempts),
            clock: settings.clock,
            random: settings.random,
            id_bytes: settings.id_bytes,
            idle_timeout: settings.idle_timeout,
            absolute_timeout: settings.absolute_timeout,
            persistent: settings.persistent,
            max_sessions_per_principal: settings.max_sessions_per_principal,
            events: Events::new(settings.observers),
            mark: AtomicU32::new(u32::from_ne_bytes(mark)),
            queues: (0..64).map(|_| ConflictQueue::default()).collect(),
            commits: tokio::sync::RwLock::default(),
            purger: std::sync::OnceLock::new(),
        }));
        if let Some(interval) = settings.purge_interval
            && let Some(purger) = purge::start(&manager.0, interval)
        {
            let _ = manager.0.purger.set(purger);
        }
        manager
    }

    /// Starts a session and stores it at once.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] if a value has no JSON form or the session is too large,
    /// [`Error::Config`] if a timeout is zero, [`Error::Random`] if no id could be made,
    /// [`Error::Store`] if the store failed, [`Error::Conflict`] if each of several ids was taken.
    /// When the store failed or this was cancelled, a session may be stored whose id nobody knows;
    /// it expires.
    pub async fn create(&self, new: NewSession) -> Result<Session, Error> {
        let visit = Visit::in_phase(Arc::new(self.clone()), Phase::Direct);
        let session = visit.start(new)?;
        visit.commit().await?;
        Ok(session)
    }

    /// The session of this id; `None` if the id is malformed or unknown, or the session ended.
    ///
    /// It counts as a use of the session. [`Error::Store`] if the store failed: there may be a
    /// session. May be cancelled.
    pub async fn get(&self, id: &str) -> Result<Option<Session>, Error> {
        let visit = Visit::in_phase(Arc::new(self.clone()), Phase::Direct);
        let mut presented = PresentedIds::default();
        presented.push(id);
        let session = visit.open(&presented).await?;
        if session.is_some() {
            visit.commit().await?;
        }
        Ok(session)
    }

    /// Ends the session of this handle at once; silent if there is none.
    ///
    /// [`Error::Store`] if the store failed. Then, and when this was cancelled, the session may have
    /// ended or not; removing it again is safe.
    pub async fn remove(&self, handle: &RecordKey) -> Result<(), Error> {
        self.checked(self.store().delete(handle).await)?;
        self.events().emit(Event::Removed { handle });
        Ok(())
    }

    /// The live sessions of a principal, newest first.
    ///
    /// [`Error::Store`] if the store failed, or does not support it: see
    /// [`capabilities`](Self::capabilities). May be cancelled.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<Record>, Error> {
        let key = PrincipalKey::of(principal);
        let store = self.store();
        let mut records = self.checked(store.within_limit(store.store().of_principal(&key, self.now())).await)?;
        // The index holds hashes; the record says who it really is.
        records.retain(|record| record.principal.as_deref() == Some(principal));
        records.sort_by_key(|record| std::cmp::Reverse(record.created));
        Ok(records)
    }

    /// Ends all sessions of a principal: "log out everywhere". How many there were.
    ///
    /// [`Error::Store`] if the store failed, or does not support it. Then, and when this was
    /// cancelled, some may have ended and others not; the next call ends the rest.
    pub async fn remove_all(&self, principal: &str) -> Result<usize, Error> {
        self.remove_of(principal, None).await
    }

    /// Ends all other sessions of this session's principal. How many there were; none if nobody
    /// is signed in. Fails and may be cancelled like [`remove_all`](Self::remove_all).
    ///
    /// The session itself, too, counts as another one if another request renews it at that moment.
    /// [`Error::Config`] if it is another manager's, as only that one knows of the others.
    pub async fn remove_others(&self, session: &Session) -> Result<usize, Error> {
        if !session.shared.manager().is_same(self) {
            return Err(ConfigError::new("the session is another manager's; build one and share it by cloning").into());
        }
        match session.principal() {
            Some(principal) => self.remove_of(&principal, Some(&session.handle())).await,
            None => Ok(0),
        }
    }

    async fn remove_of(&self, principal: &str, except: Option<&RecordKey>) -> Result<usize, Error> {
        let key = PrincipalKey::of(principal);
        let store = self.store();
        let removing = store.store().delete_of_principal(&key, except, self.now());
        let count = self.checked(store.within_limit(removing).await)?;
        self.events().emit(Event::RemovedAll { principal, count: count as u64 });
        Ok(count)
    }

    /// Live sessions of anybody, at most `limit`, in no particular order.
    ///
    /// [`Error::Store`] if the store failed, or does not support it. May be cancelled.
    pub async fn list(&self, limit: usize) -> Result<Vec<Record>, Error> {
        let store = self.store();
        self.checked(store.within_limit(store.store().list(self.now(), limit)).await)
    }

    /// Deletes expired sessions in batches until none are left, or until `time` has passed by the
    /// clock. What [`Purged::more`] says is true in either case.
    ///
    /// [`Error::Store`] if the store failed. Then, and when this was cancelled, what was purged
    /// stays so, and observers were told of each batch; the next call goes on.
    pub async fn purge_expired(&self, time: Duration) -> Result<Purged, Error> {
        let start = self.now();
        let mut total = Purged { more: true, ..Purged::default() };
        while total.more {
            let batch = self.store().store().purge_expired(self.now(), PURGE_BATCH);
            let batch = self.checked(self.store().within_limit(batch).await)?;
            self.note_purged(&batch);
            total.expired += batch.expired;
            total.evicted += batch.evicted;
            total.more = batch.more;
            if self.now().since(start) >= time {
                break;
            }
        }
        Ok(total)
    }

    /// How often things happened since the manager was made.
    pub fn counters(&self) -> Counters {
        self.events().counters()
    }

    /// What the store can do beyond the contract.
    pub fn capabilities(&self) -> Capabilities {
        self.store().store().capabilities()
    }

    /// Waits for commits under way, then closes the store. May be called twice.
    ///
    /// [`Error::Store`] if the store could not write what it still had to. When cancelled, the
    /// store may be open still; the next call closes it.
    pub async fn close(&self) -> Result<(), Error> {
        if let Some(purger) = self.0.purger.get() {
            purger.stop();
        }
        let _none_under_way = self.commits().write().await;
        self.checked(self.store().store().close().await)
    }

    /// The place for the session of one request.
    pub fn visit(&self) -> Visit {
        Visit::new(Arc::new(self.clone()))
    }

    /// The present time by this manager's clock.
    pub fn now(&self) -> Time {
        self.0.clock.now()
    }

    /// Whether the two are clones of one manager.
    pub fn is_same(&self, other: &SessionManager) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A fresh id, and the record of a session that starts now.
    pub(crate) fn draw_session(&self, mut new: NewSession) -> Result<Started, Error> {
        let inner = &*self.0;
        let idle_timeout = new.idle_timeout.map(|timeout| checked_timeout(timeout, "idle")).transpose()?;
        let absolute_timeout = match new.absolute_timeout {
            Some(timeout) => timeout.map(|timeout| checked_timeout(timeout, "absolute")).transpose()?,
            None => inner.absolute_timeout,
        };
        let (principal, persistent) = (new.principal.take(), new.persistent.unwrap_or(inner.persistent));
        let Values { constants, attributes, kept } = new.values()?;
        let id = self.draw_id()?;
        let now = self.now();
        let record = Record {
            key: id.key(),
            version: Version::first(self.next_mark()),
            created: now,
            accessed: now,
            idle_timeout: idle_timeout.unwrap_or(inner.idle_timeout),
            absolute_deadline: absolute_timeout.map(|timeout| now.saturating_add(timeout)),
            persistent,
            principal,
            constants,
            attributes,
        };
        Ok(Started::new(id, record, kept))
    }

    pub(crate) fn draw_id(&self) -> Result<SessionId, RandomError> {
        SessionId::generate(&*self.0.random, self.0.id_bytes)
    }

    /// Of an attempt to write; 0 where none is ever in doubt.
    pub(crate) fn next_mark(&self) -> u32 {
        if self.0.store.never_waits() {
            return 0;
        }
        self.0.mark.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn store(&self) -> &PatientStore {
        &self.0.store
    }

    pub(crate) fn events(&self) -> &Events {
        &self.0.events
    }

    pub(crate) fn commits(&self) -> &tokio::sync::RwLock<()> {
        &self.0.commits
    }

    pub(crate) fn queue_of(&self, key: &RecordKey) -> &ConflictQueue {
        &self.0.queues[usize::from(key.as_bytes()[0]) % self.0.queues.len()]
    }

    pub(crate) fn note_purged(&self, purged: &Purged) {
        self.0.note_purged(purged);
    }

    /// Ends the oldest sessions of the principal of a session that was just stored.
    pub(crate) async fn keep_to_the_limit(&self, newest: &Record) {
        let (Some(limit), Some(principal)) = (self.0.max_sessions_per_principal, newest.principal.as_deref()) else {
            return;
        };
        let result = async {
            let mut others = self.sessions_of(principal).await?;
            others.retain(|other| other.key != newest.key);
            // Two that start at the same moment must not end each other. A session that began much
            // later than now is the work of a clock that was set back.
            let is_newer = |other: &Record| {
                (other.created, other.key) > (newest.created, newest.key)
                    && other.created.since(newest.created) < SAME_MOMENT
            };
            let (newer, older): (Vec<_>, Vec<_>) = others.iter().partition(|other| is_newer(other));
            for record in older.into_iter().skip(limit.saturating_sub(1 + newer.len())) {
                self.remove(&record.key).await?;
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = result.await {
            // The login stands; the next one tries again.
            tracing::warn!(%error, causes = causes(&error), "the limit of sessions of a principal could not be kept");
        }
    }
}

impl Inner {
    pub(crate) fn note_purged(&self, purged: &Purged) {
        if purged.expired > 0 {
            self.events.emit(Event::Expired { count: purged.expired });
        }
        if purged.evicted > 0 {
            self.events.emit(Event::Evicted { count: purged.evicted });
        }
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager")
            .field("store", &self.store().store().name())
            .field("idle_timeout", &self.0.idle_timeout)
            .field("absolute_timeout", &self.0.absolute_timeout)
            .finish_non_exhaustive()
    }
}

/// What a web layer can be made for: a [`Store`], which then gets a manager with every default,
/// or a [`SessionManager`] that is shared with it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a session store nor a `SessionManager`",
    note = "implement `session_core::Store` for it, or use `session_core::MemoryStore`",
    note = "a `Result` from a builder's `build()` needs a `?` first"
)]
pub trait IntoSessionManager {
    /// The manager.
    fn into_session_manager(self) -> SessionManager;
}

impl<S: Store> IntoSessionManager for S {
    fn into_session_manager(self) -> SessionManager {
        SessionManager::new(self)
    }
}

impl IntoSessionManager for SessionManager {
    fn into_session_manager(self) -> SessionManager {
        self
    }
}
