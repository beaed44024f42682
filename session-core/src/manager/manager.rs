use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::error::{ConfigError, Error, StoreError};
use crate::event::{Counters, Event, Events};
use crate::id::PresentedIds;
use crate::record::{PrincipalKey, Record, RecordKey};
use crate::session::{NewSession, Session};
use crate::store::{Capabilities, PatientStore, Purged, Store};
use crate::time::Time;
use crate::visit::{ConflictQueue, Defaults, Environment, Host, Phase, Visit};

use super::builder::SessionManagerBuilder;
use super::purge::{self, Purger};

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
/// sessions.end_all_of("ann").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionManager {
    environment: Arc<Environment>,
    /// Shared by all clones: purging ends with the last.
    purger: Option<Arc<Purger>>,
}

impl SessionManager {
    /// A manager with every default, which always works.
    pub fn new(store: impl Store) -> Self {
        SessionManager::from_builder(SessionManager::builder(store))
    }

    /// A manager with settings.
    pub fn builder(store: impl Store) -> SessionManagerBuilder {
        SessionManagerBuilder::new(store)
    }

    pub(super) fn from_builder(settings: SessionManagerBuilder) -> Self {
        let mut mark = [0; 4];
        // The mark is no secret and its start need not be random for ids to be.
        let _ = getrandom::fill(&mut mark);
        let environment = Arc::new(Environment {
            store: PatientStore::new(settings.store, settings.time_limit, settings.attempts),
            clock: settings.clock,
            random: settings.random,
            id_bytes: settings.id_bytes,
            defaults: Defaults {
                idle_timeout: settings.idle_timeout,
                absolute_timeout: settings.absolute_timeout,
                persistent: settings.persistent,
                record_format: settings.record_format,
            },
            max_sessions_per_principal: settings.max_sessions_per_principal,
            events: Events::new(settings.observers),
            mark: AtomicU32::new(u32::from_ne_bytes(mark)),
            queues: (0..64).map(|_| ConflictQueue::default()).collect(),
            commits: tokio::sync::RwLock::default(),
        });
        let purger = settings.purge_interval.and_then(|interval| purge::start(&environment, interval));
        SessionManager { environment, purger: purger.map(Arc::new) }
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
        let visit = self.visit_in(Phase::Direct);
        let session = visit.start(new)?;
        visit.commit().await?;
        Ok(session)
    }

    /// The session of this id; `None` if the id is malformed or unknown, or the session ended.
    ///
    /// It counts as a use of the session. [`Error::Store`] if the store failed: there may be a
    /// session. May be cancelled.
    pub async fn get(&self, id: &str) -> Result<Option<Session>, Error> {
        let visit = self.visit_in(Phase::Direct);
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
    /// ended or not; ending it again is safe.
    pub async fn end(&self, handle: &RecordKey) -> Result<(), Error> {
        self.checked(self.store().delete(handle).await)?;
        self.events().emit(Event::Ended { handle });
        Ok(())
    }

    /// The live sessions of a principal, newest first.
    ///
    /// [`Error::Store`] if the store failed, or does not support it: see
    /// [`capabilities`](Self::capabilities). May be cancelled.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<Record>, Error> {
        let key = PrincipalKey::of(principal);
        let store = self.store();
        let mut records = self.checked(store.of_principal(&key, self.now()).await)?;
        // The index holds hashes; the record says who it really is.
        records.retain(|record| record.principal.as_deref() == Some(principal));
        records.sort_by_key(|record| std::cmp::Reverse(record.created));
        Ok(records)
    }

    /// Ends all sessions of a principal: "log out everywhere". How many there were.
    ///
    /// [`Error::Store`] if the store failed, or does not support it. Then, and when this was
    /// cancelled, some may have ended and others not; the next call ends the rest.
    pub async fn end_all_of(&self, principal: &str) -> Result<usize, Error> {
        self.end_of(principal, None).await
    }

    /// Ends all other sessions of this session's principal. How many there were; none if nobody
    /// is signed in. Fails and may be cancelled like [`end_all_of`](Self::end_all_of).
    ///
    /// The session itself, too, counts as another one if another request renews it at that moment.
    /// [`Error::Config`] if it is another manager's, as only that one knows of the others.
    pub async fn end_others(&self, session: &Session) -> Result<usize, Error> {
        if !std::ptr::eq(session.visit().environment(), self.environment()) {
            return Err(ConfigError::new("the session is another manager's; build one and share it by cloning").into());
        }
        match session.principal() {
            Some(principal) => self.end_of(&principal, Some(&session.handle())).await,
            None => Ok(0),
        }
    }

    async fn end_of(&self, principal: &str, except: Option<&RecordKey>) -> Result<usize, Error> {
        let key = PrincipalKey::of(principal);
        let store = self.store();
        let ending = store.store().delete_of_principal(&key, except, self.now());
        let count = self.checked(store.within_limit(ending).await)?;
        self.events().emit(Event::EndedAll { principal, count: count as u64 });
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
        self.checked(purge::purge(self.environment(), time, || false).await)
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
        if let Some(purger) = &self.purger {
            purger.stop();
        }
        let _none_under_way = self.environment().commits.write().await;
        self.checked(self.store().store().close().await)
    }

    /// The place for the session of one request.
    pub fn visit(&self) -> Visit {
        self.visit_in(Phase::Request)
    }

    fn visit_in(&self, phase: Phase) -> Visit {
        Visit::in_phase(Arc::new(self.clone()), phase)
    }

    /// The present time by this manager's clock.
    pub fn now(&self) -> Time {
        self.environment().now()
    }

    /// Whether the two are clones of one manager.
    pub fn is_same(&self, other: &SessionManager) -> bool {
        Arc::ptr_eq(&self.environment, &other.environment)
    }

    fn store(&self) -> &PatientStore {
        &self.environment().store
    }

    fn events(&self) -> &Events {
        &self.environment().events
    }

    fn checked<T>(&self, answer: Result<T, StoreError>) -> Result<T, Error> {
        answer.map_err(|error| {
            self.events().count_store_error();
            Error::Store(error)
        })
    }
}

impl Host for SessionManager {
    fn environment(&self) -> &Environment {
        &self.environment
    }
}

impl fmt::Debug for SessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionManager")
            .field("store", &self.store().store().name())
            .field("idle_timeout", &self.environment().defaults.idle_timeout)
            .field("absolute_timeout", &self.environment().defaults.absolute_timeout)
            .finish_non_exhaustive()
    }
}

/// What a web layer can be made for: a [`Store`], which gets a manager of its own, or a
/// [`SessionManager`] that others share.
///
/// A layer's builder keeps the [`Builder`](Self::Builder), so that settings of the manager can be given
/// only where it is not built yet.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a session store nor a `SessionManager`",
    note = "implement `Store` for it, or use `MemoryStore`",
    note = "a `Result` from a builder's `build()` needs a `?` first"
)]
pub trait IntoSessionManager {
    /// A [`SessionManagerBuilder`] for a store; for a manager the manager itself, which has its settings.
    type Builder;

    /// Begins to build the manager.
    fn into_builder(self) -> Self::Builder;

    /// The manager, if its settings can work.
    fn build(builder: Self::Builder) -> Result<SessionManager, ConfigError>;
}

impl<S: Store> IntoSessionManager for S {
    type Builder = SessionManagerBuilder;

    fn into_builder(self) -> SessionManagerBuilder {
        SessionManager::builder(self)
    }

    fn build(builder: SessionManagerBuilder) -> Result<SessionManager, ConfigError> {
        builder.build()
    }
}

impl IntoSessionManager for SessionManager {
    type Builder = SessionManager;

    fn into_builder(self) -> SessionManager {
        self
    }

    fn build(manager: SessionManager) -> Result<SessionManager, ConfigError> {
        Ok(manager)
    }
}
