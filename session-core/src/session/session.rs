use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;
use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use crate::error::Error;
use crate::id::{PresentedIds, SessionId};
use crate::record::{Attribute, Attributes, Record, RecordKey, read};
use crate::time::Time;
use crate::visit::{Kept, Phase, State, Update, Visit};

use super::attr_key::{AttrName, Name, WriteName};
use super::new_session::{NewSession, checked_timeout};

/// One visitor's session.
///
/// Reading and changing attributes never waits: changes are collected and saved together, in a
/// request when the handler has returned, elsewhere by [`save`](Session::save). Cloning gives
/// another handle to the same session.
///
/// A handle whose session was removed or replaced goes on telling what the session was, and
/// answers writes with [`Error::Gone`].
#[derive(Clone)]
pub struct Session {
    visit: Visit,
    generation: u32,
}

impl Session {
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
    fn view(&self) -> Record {
        let state = self.state();
        let view = if state.generation() == self.generation { state.view() } else { None };
        let told = || state.told_to(self.generation).map(|(_, record)| record.clone());
        view.or_else(told).expect("a handle is made for a session that is there")
    }

    /// The value of an attribute; `None` if there is none.
    ///
    /// A value of another type is [`Error::Attribute`], and stays as it is. [`Error::Gone`] if
    /// another session has taken this one's place in the request.
    pub fn attr<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, Error> {
        let state = self.state();
        if state.generation() != self.generation {
            return Err(Error::Gone);
        }
        let name = key.name();
        Ok(state.value(name)?)
    }

    /// The value of a constant attribute; `None` if there is none.
    pub fn constant<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, Error> {
        // Out of the lock, as constants can't change.
        let constants = self.constants();
        let name = key.name();
        constants.get(name).map(|value| read(name, value)).transpose().map_err(Error::from)
    }

    /// All constant attributes.
    pub fn constants(&self) -> Attributes {
        self.tell(|_, record| record.constants.clone())
    }

    /// A copy of all attributes, with the changes of this request. None where another session
    /// has taken this one's place.
    pub fn attrs(&self) -> Attributes {
        let state = self.state();
        let view = if state.generation() == self.generation { state.view() } else { None };
        view.map(|record| record.attributes).unwrap_or_default()
    }

    /// The attributes, for a new session.
    pub(crate) fn kept(&self) -> Result<(Attributes, Kept), Error> {
        let state = self.state();
        match state.view() {
            Some(view) if state.generation() == self.generation => {
                Ok((view.attributes, Kept { key: view.key, changes: state.all_changes() }))
            }
            _ => Err(Error::Gone),
        }
    }

    /// Sets an attribute, to be saved with the rest.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] if the value has no JSON form or makes the session too large, and
    /// [`Error::Gone`] if the session ended; nothing is changed then.
    pub fn set_attr<V: Serialize + ?Sized>(&self, key: impl WriteName<V>, value: &V) -> Result<(), Error> {
        let attribute = Attribute::new(key.name(), value)?;
        let mut state = self.writable()?;
        state.check_growth(&attribute)?;
        state.change(|changes| changes.set(attribute));
        Ok(())
    }

    /// Removes an attribute; silent if there is none.
    pub fn remove_attr(&self, key: impl Name) -> Result<(), Error> {
        self.writable()?.change(|changes| changes.remove(key.name()));
        Ok(())
    }

    /// Reads an attribute and removes it, for messages that are shown once.
    ///
    /// A value of another type is an error, and stays.
    pub fn take_attr<T: DeserializeOwned>(&self, key: impl AttrName<T>) -> Result<Option<T>, Error> {
        let name = key.name();
        let mut state = self.writable()?;
        let value = state.value(name)?;
        if value.is_some() {
            state.change(|changes| changes.remove(name));
        }
        Ok(value)
    }

    /// Changes an attribute now and atomically, and gives what was stored.
    ///
    /// `update` gets the stored value, or `None`, and returns the new one. If another request or
    /// process saves the session meanwhile, it runs again on the newer value, so it must have no
    /// side effects. Changes collected before are saved with it. A session that was started in
    /// this request is not stored yet: the update happens in memory.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] if the session ended, [`Error::Store`] if the store failed,
    /// [`Error::Conflict`] if others were faster at each of many attempts, [`Error::Attribute`]
    /// if the value has another type. What was collected stays collected.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the update is stored as a whole or not at all.
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
        update: impl FnMut(Option<T>) -> T,
    ) -> Result<T, Error> {
        let mut update = Update { generation: self.generation, name: key.name(), compute: update };
        if let Some(updated) = self.visit.update_now(&mut update) {
            return updated;
        }
        // On the heap, because most handlers' futures never get here.
        Box::pin(self.visit.update(update)).await
    }

    /// Saves now what was collected.
    ///
    /// In a request, attributes and settings; starting, renewing and removing wait until the
    /// handler has returned. After the response head has left, and without a request, everything.
    /// Nothing is to be saved of a session that the handler has removed: that is [`Error::Gone`].
    ///
    /// The errors are those of [`update_attr`](Session::update_attr); what was collected stays
    /// collected. When cancelled, changes are stored together or not at all.
    pub async fn save(&self) -> Result<(), Error> {
        self.visit.save(self.generation).await
    }

    /// The place of this session's request, for integrations.
    #[doc(hidden)]
    pub fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Drops what was collected in this request: changes, and a start, renewal or removal.
    pub fn discard(&self) {
        self.state().discard();
    }

    /// Keeps the data under a new id; the old id ends. To be done at any change of privilege.
    ///
    /// [`id`](Session::id) tells the new id at once. It is stored in one step when the handler
    /// has returned: exactly one of the two ids works at any time.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`]; [`Error::HeadSent`] when the client can't learn the new id any more;
    /// [`Error::Random`].
    pub fn renew_id(&self) -> Result<(), Error> {
        let id = self.visit.environment().draw_id()?;
        let mut state = self.writable()?;
        if state.phase == Phase::Answered {
            return Err(Error::HeadSent("renewed"));
        }
        state.renew(id);
        Ok(())
    }

    /// Ends the session: a logout. Other handles of this request then find none.
    ///
    /// In a handler that is all: it is carried out when the handler has returned, and
    /// [`save`](Session::save) before that is [`Error::Gone`]. Once the response head has left, and
    /// without a request, `save` carries it out.
    ///
    /// It ends the id that this request came with. If another request renews the session at the
    /// same moment, the new id goes on; ending all of a principal's sessions ends that too.
    pub fn remove(&self) {
        // A handle to a session that another one replaced has nothing left to remove.
        if let Ok(mut state) = self.writable() {
            state.remove();
        }
    }

    /// Changes how long the session lives on unused, from now on. Whole milliseconds.
    ///
    /// [`Error::Config`] if it is zero.
    pub fn set_idle_timeout(&self, timeout: Duration) -> Result<(), Error> {
        let timeout = checked_timeout(timeout, "idle")?;
        self.writable()?.change(|changes| changes.idle_timeout = Some(timeout));
        Ok(())
    }

    /// Changes whether the client keeps its cookie when it is closed.
    pub fn set_persistent(&self, persistent: bool) -> Result<(), Error> {
        self.writable()?.change(|changes| changes.persistent = Some(persistent));
        Ok(())
    }

    /// Whether the session was started in this request.
    pub fn is_new(&self) -> bool {
        let state = self.state();
        state.is_new() && state.generation() == self.generation
    }

    /// The id that the client has, or will have after this request. Keep it secret; to name a
    /// session, use [`handle`](Session::handle).
    pub fn id(&self) -> SessionId {
        self.tell(|id, _| id.clone())
    }

    /// A name of the session for lists and logs that is of no use as a cookie. It changes when
    /// the session is renewed: unlike [`id`](Session::id), which tells the new id at once, it is
    /// the old one until the renewal is stored.
    pub fn handle(&self) -> RecordKey {
        self.tell(|_, record| record.key)
    }

    /// Who is signed in.
    pub fn principal(&self) -> Option<Arc<str>> {
        self.tell(|_, record| record.principal.clone())
    }

    /// When the session was started.
    pub fn created(&self) -> Time {
        self.tell(|_, record| record.created)
    }

    /// When the session was last used before this request, to within a minute.
    pub fn accessed(&self) -> Time {
        self.tell(|_, record| record.accessed)
    }

    /// How long the session lives on unused.
    pub fn idle_timeout(&self) -> Duration {
        self.view().idle_timeout
    }

    /// Whether the client keeps its cookie when it is closed.
    pub fn persistent(&self) -> bool {
        self.view().persistent
    }

    /// When the session ends if it is not used after this request.
    pub fn expires_at(&self) -> Time {
        let mut record = self.view();
        record.accessed = record.accessed.max(self.visit.environment().now());
        record.expires_at()
    }

    /// A value that a page puts into its forms, to tell them from another site's: what is sent back
    /// goes to [`check_csrf`](Session::check_csrf).
    ///
    /// Each session has its own, and another one once it is [renewed](Session::renew_id); nothing
    /// is stored for it. It is of no use as an id or a handle, but belongs into this visitor's
    /// pages only: not into addresses, and not into a compressed page that repeats what a request
    /// said, from whose size it can be guessed.
    ///
    /// `SameSite` already keeps out what other *sites* send. This also keeps out the other hosts of
    /// one's own site, which browsers count as the same, and is needed where the cookie is
    /// `SameSite=None`. Neither helps where a mere GET changes something.
    ///
    /// ```
    /// # use session_core::{Error, Session};
    /// # struct Transfer { csrf: String }
    /// fn page(sess: &Session) -> String {
    ///     format!("<form method=post><input type=hidden name=csrf value={}>…", sess.csrf_token())
    /// }
    /// fn is_from_our_page(sess: &Session, form: &Transfer) -> bool {
    ///     sess.check_csrf(&form.csrf)
    /// }
    /// ```
    pub fn csrf_token(&self) -> String {
        self.tell(|id, _| id.csrf_token())
    }

    /// Whether this is the session's [`csrf_token`](Session::csrf_token). Compares in constant
    /// time.
    ///
    /// To be asked before [`renew_id`](Session::renew_id), as a form from before has the earlier
    /// value.
    #[must_use]
    pub fn check_csrf(&self, presented: &str) -> bool {
        self.csrf_token().as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl Visit {
    /// Loads the session of the first presented id that has one; only once, however often called.
    /// The session, if there is one then.
    ///
    /// An error means that the store failed: there may be a session. The next call tries again.
    /// May be cancelled.
    pub async fn open(&self, presented: &PresentedIds) -> Result<Option<Session>, Error> {
        let present = self.load(presented).await?;
        Ok(present.map(|generation| self.handle_of(generation)))
    }

    /// [`open`](Visit::open) where that needs no waiting: `None` if it does.
    pub fn open_now(&self, presented: &PresentedIds) -> Option<Result<Option<Session>, Error>> {
        let loaded = self.load_now(presented)?;
        Some(loaded.map(|present| present.map(|generation| self.handle_of(generation))))
    }

    /// The session, if there is one.
    pub fn session(&self) -> Option<Session> {
        let present = self.0.state.lock().present();
        present.map(|generation| self.handle_of(generation))
    }

    fn handle_of(&self, generation: u32) -> Session {
        Session { visit: self.clone(), generation }
    }

    /// Starts a session under a fresh id; one that is there is replaced. It is stored when the
    /// visit is committed.
    ///
    /// # Errors
    ///
    /// Those of [`NewSession`]'s values and timeouts, [`Error::Random`] if no id could be made, and
    /// [`Error::HeadSent`] when the client can't learn the id any more. Nothing is changed then.
    pub fn start(&self, new: NewSession) -> Result<Session, Error> {
        let started = new.started(self.environment())?;
        let mut state = self.0.state.lock();
        if state.phase == Phase::Answered {
            return Err(Error::HeadSent("started"));
        }
        state.start(started);
        Ok(self.handle_of(state.generation()))
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Visit").field(&self.session()).finish()
    }
}

/// Shows the fingerprint of the handle only.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.handle().fingerprint())
    }
}
