use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::id::SessionId;
use crate::record::{Attribute, Attributes, FormSecret, Record, RecordKey, is_device_bound, read};
use crate::time::Time;
use crate::visit::{Phase, State, Travelling, Update, Visit};

use super::attr_key::{AttrName, Name, WriteName};
use super::keep::Keep;
use super::timeout::{check_idle, checked_timeout};

/// One visitor's session.
///
/// Reading and changing attributes never waits. Changes are collected and saved together: in a request when
/// the handler has returned, elsewhere by [`save`](Session::save). `Clone` gives another handle to the same
/// session.
///
/// After the session was removed or replaced, its handles still tell its id, principal and times. Their
/// writes fail with [`Error::Gone`].
///
/// ```
/// use session_core::{AttrKey, Error, Session};
///
/// const CART: AttrKey<Vec<String>> = AttrKey::new("Cart");
///
/// async fn add_to_cart(session: &Session, article: &str) -> Result<usize, Error> {
///     if let Some(last) = session.attr::<String>("LastAdded")? {
///         println!("{:?} added {last} before", session.principal());
///     }
///     // Collected, and saved with the next save.
///     session.set_attr("LastAdded", article)?;
///     // Saved now, on top of whatever another request has saved meanwhile.
///     let cart = session.update_attr(CART, |cart| {
///         let mut cart = cart.unwrap_or_default();
///         cart.push(article.to_owned());
///         cart
///     });
///     Ok(cart.await?.len())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let sessions = session_core::SessionManager::new(session_core::MemoryStore::new());
/// # let session = sessions.create(session_core::NewSession::new()).await?;
/// # assert_eq!(add_to_cart(&session, "tea").await?, 1);
/// # assert_eq!(add_to_cart(&session, "jam").await?, 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session {
    visit: Visit,
    generation: u32,
}

impl Session {
    pub(super) fn of(visit: Visit, generation: u32) -> Self {
        Session { visit, generation }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.visit.0.state.lock()
    }

    fn writable(&self) -> Result<MutexGuard<'_, State>, Error> {
        self.visit.writable(self.generation)
    }

    fn tell<T>(&self, tell: impl FnOnce(&SessionId, &Record) -> T) -> T {
        let state = self.state();
        let (id, record) = state.told_to(self.generation).expect("a handle is made for a session that is there");
        tell(id, record)
    }

    /// The record with the changes of this request.
    pub(super) fn view(&self) -> Record {
        let state = self.state();
        let view = if state.generation() == self.generation { state.view() } else { None };
        let told = || state.told_to(self.generation).map(|(_, record)| record.clone());
        view.or_else(told).expect("a handle is made for a session that is there")
    }

    /// Reads an attribute, with the changes of this request. `None` if the session does not have it.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] if the value has another type; it is not changed. [`Error::Gone`] if another
    /// session was started in this request and has replaced this one.
    pub fn attr<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, Error> {
        let state = self.state();
        if state.generation() != self.generation {
            return Err(Error::Gone);
        }
        let name = key.name();
        Ok(state.value(name)?)
    }

    /// Whether the client has the session's id as a bearer token: the request presented it so, or has asked for one and
    /// the session was started by it. No browser sends such a token by itself. A request of another site can't have done
    /// that, so it needs no other protection against forgery. `false` without a request.
    pub fn is_by_bearer(&self) -> bool {
        self.visit.is_by_bearer()
    }

    /// Whether the session is bound to the device of its browser: a request that does not prove to come from there has
    /// no such session. An application may ask for more where it is not bound.
    ///
    /// `false` until the browser has proven for the first time that it has the key, which takes one or two requests after
    /// the login. Bound sessions come from layers that have a setting for it, such as `session-axum`'s `device_bound`.
    pub fn is_device_bound(&self) -> bool {
        is_device_bound(&self.view())
    }

    /// Reads a constant attribute. `None` if the session does not have it.
    ///
    /// [`Error::Attribute`] if the value has another type.
    pub fn constant<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, Error> {
        // Reading a value takes time, and constants never change: the lock is not needed for that.
        let constants = self.constants();
        let name = key.name();
        constants.get(name).map(|value| read(name, value)).transpose().map_err(Error::from)
    }

    /// All constant attributes. They share memory with the session: nothing is copied.
    pub fn constants(&self) -> Attributes {
        self.tell(|_, record| record.constants.clone())
    }

    /// All attributes, with the changes of this request. Later changes do not show in it.
    ///
    /// Empty if another session was started in this request and has replaced this one.
    pub fn attrs(&self) -> Attributes {
        let state = self.state();
        let view = if state.generation() == self.generation { state.view() } else { None };
        view.map(|record| record.attributes).unwrap_or_default()
    }

    /// What a new session copies.
    pub(super) fn keep(&self, travelling: Travelling) -> Result<Keep, Error> {
        let state = self.state();
        match state.view() {
            Some(Record { key, principal, attributes, .. }) if state.generation() == self.generation => {
                Ok(Keep { principal, attributes, kept: state.kept(key), travelling })
            }
            _ => Err(Error::Gone),
        }
    }

    /// Sets an attribute. It is saved together with the other changes: see [`save`](Session::save).
    ///
    /// If two requests set the same attribute, the later save wins, for this attribute alone. Use
    /// [`update_attr`](Session::update_attr) where the new value depends on the old one.
    ///
    /// Values are kept as JSON. A value comes back equal when it is read as the same type, or it is refused here:
    /// NaN and infinite numbers, 128-bit integers, bytes, `Some(None)`, the same key twice in a map, and more than 120
    /// levels. The guide "Read and change a session" lists these and what to store instead. It also lists types that
    /// nobody can judge here, such as untagged enums whose variants look alike.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] if the value would not come back, can't be written as JSON, or makes the session larger
    /// than [`MAX_SESSION_BYTES`](crate::record::MAX_SESSION_BYTES); [`Error::Gone`] if the session was removed or
    /// replaced. Nothing is changed then.
    pub fn set_attr<V: Serialize + ?Sized>(&self, key: impl WriteName<V>, value: &V) -> Result<(), Error> {
        let attribute = Attribute::new(key.name(), value)?;
        self.writable()?.set(attribute)?;
        Ok(())
    }

    /// Removes an attribute. Does nothing if the session does not have it.
    ///
    /// [`Error::Gone`] if the session was removed or replaced.
    pub fn remove_attr(&self, key: impl Name) -> Result<(), Error> {
        self.writable()?.unset(key.name());
        Ok(())
    }

    /// Reads an attribute and removes it, for messages that are shown once ("flash messages").
    ///
    /// Two requests at the same moment may both get the value.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] if the value has another type; it is not removed. [`Error::Gone`] if the session
    /// was removed or replaced.
    pub fn take_attr<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, Error> {
        let name = key.name();
        let mut state = self.writable()?;
        let value = state.value(name)?;
        if value.is_some() {
            state.unset(name);
        }
        Ok(value)
    }

    /// Changes an attribute atomically, saves it now, and returns the value that was stored.
    ///
    /// `update` is called with the present value, or `None`, and returns the new one. If another request or
    /// process saves the session in between, `update` is called again with the newer value, so it must have
    /// no side effects. Changes that were collected before are saved with it. A session that was started in
    /// this request is not stored yet, so it is only changed in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the session has ended, [`Error::Store`] if the store failed, [`Error::Conflict`] if
    /// other writers were faster at each of 1000 attempts, [`Error::Attribute`] if the value has another type,
    /// or the new one is refused as by [`set_attr`](Session::set_attr). What was collected stays collected.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the update is stored as a whole or not at all.
    ///
    /// ```
    /// # use session_core::{AttrKey, Error, Session};
    /// const COUNT: AttrKey<u32> = AttrKey::new("Count");
    ///
    /// async fn count(sess: &Session) -> Result<u32, Error> {
    ///     sess.update_attr(COUNT, |n| n.unwrap_or(0) + 1).await
    /// }
    /// ```
    pub async fn update_attr<T: Serialize + DeserializeOwned>(
        &self,
        key: impl AttrName<T>,
        mut update: impl FnMut(Option<T>) -> T,
    ) -> Result<T, Error> {
        let compute = |old| Ok::<T, Infallible>(update(old));
        let mut update = Update { generation: self.generation, name: key.name(), compute };
        let updated = match self.visit.update_now(&mut update) {
            Some(updated) => updated,
            // On the heap, because most handlers' futures never get here.
            None => Box::pin(self.visit.update(update)).await,
        };
        updated.map(|Ok(value)| value)
    }

    /// Changes an attribute atomically as [`update_attr`](Session::update_attr) does, unless `update` refuses.
    ///
    /// The inner result is what `update` returned last: the value that was stored, or the error. After a refusal
    /// nothing is saved, and what was collected stays collected.
    ///
    /// A change is saved only on top of the newest value. A refusal asks no store: it is about the value that the
    /// request has loaded, or met at a conflict, and another request may have changed it since.
    ///
    /// # Errors
    ///
    /// The outer error is that of the session, as for [`update_attr`](Session::update_attr).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the update is stored as a whole or not at all.
    ///
    /// ```
    /// use session_core::{AttrKey, Error, Session};
    ///
    /// const TICKETS: AttrKey<u32> = AttrKey::new("Tickets");
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct SoldOut;
    ///
    /// /// Takes one ticket. The inner error says that none is left.
    /// async fn take_ticket(sess: &Session) -> Result<Result<u32, SoldOut>, Error> {
    ///     sess.try_update_attr(TICKETS, |left| left.unwrap_or(0).checked_sub(1).ok_or(SoldOut)).await
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Error> {
    /// # let sessions = session_core::SessionManager::new(session_core::MemoryStore::new());
    /// # let session = sessions.create(session_core::NewSession::new().attr(TICKETS, &1)).await?;
    /// # assert_eq!(take_ticket(&session).await?, Ok(0));
    /// # assert_eq!(take_ticket(&session).await?, Err(SoldOut));
    /// # Ok(()) }
    /// ```
    pub async fn try_update_attr<T: Serialize + DeserializeOwned, E>(
        &self,
        key: impl AttrName<T>,
        update: impl FnMut(Option<T>) -> Result<T, E>,
    ) -> Result<Result<T, E>, Error> {
        let mut update = Update { generation: self.generation, name: key.name(), compute: update };
        match self.visit.update_now(&mut update) {
            Some(updated) => updated,
            None => Box::pin(self.visit.update(update)).await,
        }
    }

    /// Saves the collected changes now.
    ///
    /// - In a request this saves attributes and settings. Starting, renewing and removing a session wait until
    ///   the handler has returned.
    /// - After the response head was sent, and without a request, this saves everything.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the session has ended, or the handler has removed it; [`Error::Store`] if the store
    /// failed; [`Error::Conflict`] if other writers were faster at each of 1000 attempts; [`Error::Attribute`]
    /// if another writer has made the session so large that the changes no longer fit. What was collected
    /// stays collected.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the changes are stored together or not at all.
    pub async fn save(&self) -> Result<(), Error> {
        self.visit.save(self.generation).await
    }

    /// Gives a handle that is independent of the request, for a task that goes on when the handler has returned.
    ///
    /// The detached session begins with what is stored. What the request has collected is not in it, and what becomes of
    /// the request (it saves, panics or is cancelled) is nothing to it. Its own changes are saved by its
    /// [`save`](Session::save) and [`update_attr`](Session::update_attr) alone; dropping it with unsaved changes logs a
    /// warning. It can be removed, which `save` carries out, but not renewed ([`Error::HeadSent`]), because the client
    /// would not learn the new id.
    ///
    /// Holding it does not keep the session alive. Once the session has ended, saving fails with [`Error::Gone`] and
    /// brings nothing back. If another request gives a session with a principal a new id, what is saved within 60 s after
    /// that arrives in it; later, and after a new authentication, saving fails with [`Error::Gone`].
    ///
    /// # Errors
    ///
    /// [`Error::NotStored`] if the session was started in this request and is not stored yet; [`Error::Gone`] if it was
    /// removed or replaced.
    ///
    /// ```
    /// use session_core::{Error, Session};
    ///
    /// async fn start_export(session: &Session) -> Result<(), Error> {
    ///     let detached = session.detach()?;
    ///     tokio::spawn(async move {
    ///         // … the work …
    ///         let finished = detached.update_attr("Exports", |n: Option<u32>| n.unwrap_or(0) + 1).await;
    ///         if let Err(error) = finished {
    ///             eprintln!("the export was not noted: {error}");
    ///         }
    ///     });
    ///     Ok(())
    /// }
    /// ```
    pub fn detach(&self) -> Result<Session, Error> {
        let visit = self.visit.detached(self.generation)?;
        let generation = visit.0.state.lock().generation();
        Ok(Session { visit, generation })
    }

    /// Fails if the client came with an id that was replaced.
    pub(crate) fn check_current_id(&self, what: &'static str) -> Result<(), Error> {
        if self.state().is_by_grace() { Err(Error::OldId(what)) } else { Ok(()) }
    }

    /// The visit of this session, for integrations.
    #[doc(hidden)]
    pub fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Drops everything that this request has collected: changes, and a start, renewal or removal. What was
    /// already saved stays.
    pub fn discard(&self) {
        self.state().discard();
    }

    /// Gives the session a new id and keeps its data. Call it whenever the user's rights change.
    ///
    /// The new id is stored in one step when the handler has returned: at any time exactly one of the two ids
    /// works. [`id`](Session::id) returns the new id at once.
    ///
    /// If that response is lost, the client has the old id only, and is signed out: at once, or after the
    /// [`renewal_grace`](crate::manager::SessionManagerBuilder::renewal_grace) if there is one. The session stays in the
    /// store until its timeout, the limit of its principal, or
    /// [`end_all_of`](crate::manager::SessionManager::end_all_of) ends it. So call this where rights change, and not at
    /// every request; [`renew_every`](crate::manager::SessionManagerBuilder::renew_every) renews without that loss.
    ///
    /// # Errors
    ///
    /// [`Error::HeadSent`] if the response head was already sent, because the client would not learn the new
    /// id; [`Error::Gone`] if the session was removed or replaced; [`Error::OldId`] if the client came with an id that
    /// was replaced; [`Error::Random`] if no id could be generated.
    pub fn renew_id(&self) -> Result<(), Error> {
        let id = self.visit.environment().draw_id()?;
        self.renewable()?.renew(id);
        Ok(())
    }

    /// The state, if the session can still get a new id.
    pub(super) fn renewable(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.writable()?;
        if state.phase == Phase::Answered {
            return Err(Error::HeadSent("renewed"));
        }
        if state.is_by_grace() {
            return Err(Error::OldId("renewed"));
        }
        Ok(state)
    }

    /// The secret of the session's forms. `None` if another session has replaced it.
    pub(super) fn form_secret(&self) -> Option<FormSecret> {
        self.state().form_secret(self.generation)
    }

    /// The session is there from now on, whatever else happens to it: somebody knows its id, or what is made of it.
    pub(super) fn note_id_is_known(&self) {
        self.state().note_id_is_known();
    }

    /// Ends the session: a logout. From then on this request has no session.
    ///
    /// In a handler nothing else is needed: the session is deleted when the handler has returned.
    /// [`save`](Session::save) before that fails with [`Error::Gone`]. After the response head was sent, and
    /// without a request, `save` deletes it.
    ///
    /// Every session ends that the request presented an id of, also one with a principal that another request has
    /// renewed within the last 60 s.
    pub fn remove(&self) {
        // If another session has replaced this one, nothing is left to remove.
        if let Ok(mut state) = self.writable() {
            state.remove();
        }
    }

    /// Changes how long the session lives after its last request. Cut to whole milliseconds.
    ///
    /// The absolute timeout stays: it is given when the session starts. Saved like an attribute: see [`set_attr`](Session::set_attr).
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if it is below 1 ms, or longer than the absolute timeout; [`Error::Gone`] if the session was removed or replaced.
    pub fn set_idle_timeout(&self, timeout: Duration) -> Result<(), Error> {
        let timeout = checked_timeout(timeout, "idle_timeout")?;
        let mut state = self.writable()?;
        if let Some(record) = state.view()
            && let Some(deadline) = record.absolute_deadline
        {
            let absolute = deadline.since(record.created);
            check_idle(timeout, absolute, "give the session a longer `absolute_timeout` when it starts")?;
        }
        state.change(|changes| changes.idle_timeout = Some(timeout));
        Ok(())
    }

    /// Changes whether the session's cookie survives closing the browser. Saved like an attribute.
    ///
    /// The absolute timeout stays: it is given when the session starts, by
    /// [`NewSession::absolute_timeout`](super::NewSession::absolute_timeout) or to the manager.
    ///
    /// [`Error::Gone`] if the session was removed or replaced.
    pub fn set_persistent(&self, persistent: bool) -> Result<(), Error> {
        self.writable()?.change(|changes| changes.persistent = Some(persistent));
        Ok(())
    }

    /// Whether the session was started in this request.
    pub fn is_new(&self) -> bool {
        let state = self.state();
        state.is_new() && state.generation() == self.generation
    }

    /// The secret id that the client has, or will have after this request.
    ///
    /// Asking for it before a new session is stored fixes it. If the store can't be reached when it is stored, the request
    /// then fails. Otherwise the library tries again, under another id.
    ///
    /// Whoever knows it is the visitor, so keep it out of logs and pages. To name a session, use
    /// [`handle`](Session::handle).
    pub fn id(&self) -> SessionId {
        self.note_id_is_known();
        self.tell(|id, _| id.clone())
    }

    /// A public name of the session, for lists and logs: the hash of its id. It does not work as a cookie.
    ///
    /// It changes when the session is renewed: until the renewal is stored, this is the old handle. Asking a new
    /// session for it fixes the id, as [`id`](Session::id) does.
    pub fn handle(&self) -> RecordKey {
        self.note_id_is_known();
        self.tell(|_, record| record.key)
    }

    /// The id or name of the user who is signed in. `None` for an anonymous session.
    pub fn principal(&self) -> Option<Arc<str>> {
        self.tell(|_, record| record.principal.clone())
    }

    /// When the session was started.
    pub fn created(&self) -> Time {
        self.tell(|_, record| record.created)
    }

    /// When the session was last used before this request. Up to 1/30 of the idle timeout earlier than the
    /// true time, at most 60 s, because not every use is written to the store.
    pub fn accessed(&self) -> Time {
        self.tell(|_, record| record.accessed)
    }

    /// How long the session lives after its last request.
    pub fn idle_timeout(&self) -> Duration {
        self.view().idle_timeout
    }

    /// Whether the session's cookie survives closing the browser.
    pub fn persistent(&self) -> bool {
        self.view().persistent
    }

    /// When the session ends if this request is its last: at the idle or the absolute deadline, whichever is
    /// earlier.
    pub fn expires_at(&self) -> Time {
        let mut record = self.view();
        record.accessed = record.accessed.max(self.visit.environment().now());
        record.expires_at()
    }
}

/// Shows only the fingerprint of the handle.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.tell(|_, record| record.key.fingerprint()))
    }
}
