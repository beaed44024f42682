use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::adoption::refuse_old_sessions_of;
use crate::error::{ConfigError, Error, StoreError};
use crate::event::{Counters, Event, Events};
use crate::id::PresentedIds;
use crate::record::{Audience, PrincipalKey, Record, RecordKey, hide_device};
use crate::session::{NewSession, Session};
use crate::store::{Capabilities, PatientStore, Purged, Store};
use crate::time::Time;
use crate::visit::{Environment, Host, Phase, Visit};

use super::purge::{self, Purger};

/// Creates, finds, lists and ends the sessions of one store, without a request.
///
/// `Clone` shares the manager: a web layer, a WebSocket server and an admin tool of one application use clones
/// of the same manager.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// use session_core::{MemoryStore, NewSession, SessionManager};
///
/// let sessions = SessionManager::new(MemoryStore::new());
/// let session = sessions.create(NewSession::new().principal("ann")).await?;
///
/// let again = sessions.get(session.id().as_str()).await?.expect("it was just stored");
/// again.set_attr("Count", &1)?;
/// again.save().await?;
///
/// assert_eq!(sessions.end_all_of("ann").await?, 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SessionManager {
    environment: Arc<Environment>,
    /// Shared by all clones: purging stops when the last is dropped.
    purger: Arc<OnceLock<Purger>>,
}

impl SessionManager {
    /// Makes a manager whose visits share this environment, and starts purging if there is an interval.
    pub(super) fn of(environment: Environment, purge_interval: Option<Duration>) -> Self {
        let (environment, purger) = (Arc::new(environment), Arc::default());
        if let Some(interval) = purge_interval {
            purge::start(&environment, interval, &purger);
        }
        SessionManager { environment, purger }
    }

    /// Starts a session and stores it at once.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] if a value can't be written as JSON or the session is too large, [`Error::Config`]
    /// if a timeout is below 1 ms, [`Error::Random`] if no unused id could be generated, [`Error::Store`] if
    /// the store failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, or the store failed, a session may be stored whose id nobody knows. It
    /// expires like any other.
    pub async fn create(&self, new: NewSession) -> Result<Session, Error> {
        let visit = self.visit_in(Phase::Direct);
        let session = visit.start(new)?;
        visit.commit().await?;
        Ok(session)
    }

    /// Looks up the session of this id. `None` if the id is malformed or unknown, or the session has ended.
    ///
    /// The id opens the session however the client came by it, as a cookie or as a bearer token, but for a session that
    /// is [bound to a device](Session::is_device_bound): an id alone opens none. This counts as a use of
    /// the session: its idle timeout starts again. [`Error::Store`] if the store
    /// failed; it is then unknown whether there is a session. The future may be dropped at any time.
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

    /// Ends the session with this handle at once. Returns whether there was one.
    ///
    /// A session with a principal that was renewed within the last 60 s, and so has another handle now, ends as well.
    ///
    /// [`Error::Store`] if the store failed. After that, or if the future is dropped, the session may have
    /// ended or not; calling this again is safe.
    pub async fn end(&self, handle: &RecordKey) -> Result<bool, Error> {
        // Only observers ask whose it was. If the store can't tell, the session ends all the same.
        let found = if self.events().has_observers() { self.find(handle).await.ok().flatten() } else { None };
        self.end_found(handle, found.and_then(|record| record.principal).as_deref()).await
    }

    /// Ends the session with this handle at once, if it belongs to this principal. Returns whether it did: `false` also
    /// if there is no such session, and for a session of another [`audience`](Self::audience).
    ///
    /// For pages on which users end their own sessions, because a handle is no secret. A session that was renewed within
    /// the last 60 s, and so has another handle now, ends as well. A session of somebody else goes on, whatever happens
    /// at the same moment. An empty principal has no session.
    ///
    /// [`Error::Store`] if the store failed. After that, or if the future is dropped, the session may have
    /// ended or not; calling this again is safe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), session_core::Error> {
    /// use session_core::{MemoryStore, NewSession, SessionManager};
    ///
    /// let sessions = SessionManager::new(MemoryStore::new());
    /// let phone = sessions.create(NewSession::new().principal("ann")).await?.handle();
    ///
    /// assert!(!sessions.end_one_of("bob", &phone).await?);
    /// assert!(sessions.end_one_of("ann", &phone).await?);
    /// # Ok(()) }
    /// ```
    pub async fn end_one_of(&self, principal: &str, handle: &RecordKey) -> Result<bool, Error> {
        let Some(found) = self.checked(self.find(handle).await)? else { return Ok(false) };
        // Whose a session is never changes, and moved notes lead only to the same session under another key. So nothing
        // that happens from here on leads to somebody else's.
        let is_theirs = found.principal.as_deref() == Some(principal) && found.audience.as_str() == self.audience();
        if is_theirs { self.end_found(&found.key, Some(principal)).await } else { Ok(false) }
    }

    /// The session under this key, or where moved notes lead from it.
    async fn find(&self, handle: &RecordKey) -> Result<Option<Record>, StoreError> {
        match self.store().load(handle, self.now()).await? {
            None => self.store().follow(handle, self.now()).await,
            found => Ok(found),
        }
    }

    async fn end_found(&self, handle: &RecordKey, principal: Option<&str>) -> Result<bool, Error> {
        let ended = self.checked(self.store().end(handle).await)?;
        if let Some(handle) = &ended {
            self.events().emit(Event::Ended { handle, principal });
        }
        Ok(ended.is_some())
    }

    /// The live sessions of a principal, newest first; those of one millisecond in any order. None for an empty principal,
    /// which no session can have. The use by a request that is under way may not be in its record yet.
    ///
    /// [`Error::Store`] if the store failed, or can't find sessions by principal: see
    /// [`capabilities`](Self::capabilities). The future may be dropped at any time.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<Record>, Error> {
        let key = PrincipalKey::of(principal);
        let store = self.store();
        let mut records = self.checked(store.of_principal(&key, self.now()).await)?;
        // The store's index holds hashes. Only the record tells the principal itself.
        records.retain(|record| record.principal.as_deref() == Some(principal));
        records.sort_by_key(|record| std::cmp::Reverse(record.created));
        self.environment().upgrade_listed(&mut records);
        records.iter_mut().for_each(hide_device);
        Ok(records)
    }

    /// Ends all sessions of a principal ("log out everywhere") and returns how many there were. An empty principal
    /// has none: anonymous sessions go on.
    ///
    /// Once it has answered, no id leads to a session that was there before the call, also if it was renewed at the same
    /// moment. Logins at the same moment may go either way.
    ///
    /// [`Error::Store`] if the store failed, or can't find sessions by principal: see
    /// [`capabilities`](Self::capabilities). After that, or if the future is dropped, some sessions may have
    /// ended and others not; the next call ends the rest.
    pub async fn end_all_of(&self, principal: &str) -> Result<usize, Error> {
        self.end_of(principal, None).await
    }

    /// Ends all sessions of this session's principal except this one, and returns how many there were.
    ///
    /// Ends nothing if the session has no principal. This session stays, also if another request renews it at the same
    /// moment.
    ///
    /// [`Error::Store`] as in [`end_all_of`](Self::end_all_of), with the same effects. [`Error::OldId`] if the session came
    /// by an id that was replaced. [`Error::Config`] if the
    /// session was made by another manager, which may have another store.
    pub async fn end_others(&self, session: &Session) -> Result<usize, Error> {
        if !std::ptr::eq(session.visit().environment(), self.environment()) {
            return Err(ConfigError::new(
                "`session` belongs to another manager; build one manager and share it by cloning",
            )
            .into());
        }
        session.check_current_id("used to end others")?;
        match session.principal() {
            Some(principal) => self.end_of(&principal, Some(&session.handle())).await,
            None => Ok(0),
        }
    }

    async fn end_of(&self, principal: &str, except: Option<&RecordKey>) -> Result<usize, Error> {
        refuse_old_sessions_of(self.environment(), principal).await.inspect_err(|error| {
            if error.is_store_failure() {
                self.events().count_store_error();
            }
        })?;
        let key = PrincipalKey::of(principal);
        let store = self.store();
        let ending = store.store().delete_of_principal(&key, except, self.now());
        let count = self.checked(store.within_limit(ending).await)?;
        self.events().emit(Event::EndedAll { principal, count: count as u64 });
        Ok(count)
    }

    /// Live sessions of all users, at most `limit`, in no particular order.
    ///
    /// [`Error::Store`] if the store failed, or can't list sessions: see [`capabilities`](Self::capabilities).
    /// The future may be dropped at any time.
    pub async fn list(&self, limit: usize) -> Result<Vec<Record>, Error> {
        let store = self.store();
        let mut records = self.checked(store.within_limit(store.store().list(self.now(), limit)).await)?;
        // Notes of the library's own are no sessions.
        records.retain(|record| record.audience != Audience::of_notes());
        self.environment().upgrade_listed(&mut records);
        records.iter_mut().for_each(hide_device);
        Ok(records)
    }

    /// Deletes expired sessions in batches of 100, until none are left or until `time` has passed by the
    /// manager's clock. [`Purged::more`] tells which of the two.
    ///
    /// [`Error::Store`] if the store failed. After that, or if the future is dropped, finished batches stay
    /// deleted, and observers were told of them; the next call continues.
    pub async fn purge_expired(&self, time: Duration) -> Result<Purged, Error> {
        self.checked(purge::purge(self.environment(), time, || false).await)
    }

    /// How often each kind of event has happened since the manager was made.
    pub fn counters(&self) -> Counters {
        self.events().counters()
    }

    /// Which optional operations the store has: listing sessions, and finding those of a principal.
    pub fn capabilities(&self) -> Capabilities {
        self.store().store().capabilities()
    }

    /// Stops purging, waits until running requests have saved their sessions, then closes the store. May be
    /// called twice.
    ///
    /// [`Error::Store`] if the store could not write what was still in its queue. If the future is dropped, the
    /// store may still be open; the next call closes it.
    pub async fn close(&self) -> Result<(), Error> {
        self.environment().late_purge.cancel();
        if let Some(purger) = self.purger.get() {
            purger.stop();
        }
        let _none_under_way = self.environment().commits.write().await;
        self.checked(self.store().store().close().await)
    }

    /// Makes the place for the session of one request: for integrations with a web framework.
    pub fn visit(&self) -> Visit {
        self.visit_in(Phase::Request)
    }

    fn visit_in(&self, phase: Phase) -> Visit {
        Visit::in_phase(Arc::new(self.clone()), phase)
    }

    /// The present time by the manager's clock.
    pub fn now(&self) -> Time {
        self.environment().now()
    }

    /// The name of the audience whose sessions the manager opens: see
    /// [`SessionManagerBuilder::audience`](crate::manager::SessionManagerBuilder::audience).
    pub fn audience(&self) -> &str {
        self.environment().rules.audience.as_str()
    }

    /// Notes that a layer takes sessions of another library over until then; [`Time::MAX`] without an end. For integrations.
    #[doc(hidden)]
    pub fn expect_old_sessions(&self, until: Time) {
        self.environment().old_sessions.expect_until(until);
    }

    /// Whether a layer whose cookie has this name may open the manager's sessions.
    pub(super) fn has_audience_of(&self, cookie: &str) -> bool {
        self.environment().audience_is_set || self.audience() == cookie
    }

    /// Whether both are clones of the same manager.
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
            .field("audience", &self.audience())
            .field("idle_timeout", &self.environment().lifetime.idle_timeout)
            .field("absolute_timeout", &self.environment().lifetime.absolute_timeout)
            .finish_non_exhaustive()
    }
}
