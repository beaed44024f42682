//! How a visit gets its session: looked up by the ids that a request presents, or started.

use std::fmt;

use crate::error::Error;
use crate::id::PresentedIds;
use crate::visit::{Phase, Visit};

use super::new_session::NewSession;
use super::session::Session;

impl Visit {
    /// Looks up the session of the first presented id that has one. `None` if no id has one.
    ///
    /// The store is asked only by the first call; later ones return the session that the visit has then.
    /// After [`Error::Store`] it is unknown whether there is a session, and the next call asks the store again.
    /// The future may be dropped at any time.
    pub async fn open(&self, presented: &PresentedIds) -> Result<Option<Session>, Error> {
        let present = self.load(presented).await?;
        Ok(present.map(|generation| self.handle_of(generation)))
    }

    /// Does what [`open`](Visit::open) does, if that is possible without waiting. The outer `None` means that
    /// it is not: call `open` then.
    pub fn open_now(&self, presented: &PresentedIds) -> Option<Result<Option<Session>, Error>> {
        let loaded = self.load_now(presented)?;
        Some(loaded.map(|present| present.map(|generation| self.handle_of(generation))))
    }

    /// Ends every session that the request presents an id of, when the visit is committed: a logout. It needs no lookup
    /// before, and tells nothing about the sessions.
    ///
    /// An id counts also if a renewal has replaced it within the last 60 s, in a session with a principal. What the visit
    /// has collected is dropped. A session that is started afterwards is a new one. After
    /// [`keep_apart`](PresentedIds::keep_apart) the commit looks each session up, and ends it only if it was started as the
    /// ids came.
    pub fn end(&self, presented: &PresentedIds) {
        self.note_asked_for();
        self.0.state.lock().end_presented(presented);
    }

    /// The session that the visit has now: opened or started, and not removed. Asks no store.
    pub fn session(&self) -> Option<Session> {
        let present = self.0.state.lock().present();
        present.map(|generation| self.handle_of(generation))
    }

    /// The session that the visit has, or else an anonymous one that begins now, and is stored only if something is set in
    /// it: an attribute, a setting, or a form's [token](Session::csrf_token). Asking for its id or handle counts as well.
    /// If nothing is set, the visitor gets no cookie, and the store nothing.
    ///
    /// For carts, messages and forms of visitors who have not signed in.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if no id could be generated, [`Error::HeadSent`] if the response head was already sent,
    /// [`Error::NoProof`] if the visitor has a session that is bound to a device, and may come again with a proof.
    pub fn session_or_start(&self) -> Result<Session, Error> {
        if let Some(session) = self.session() {
            return Ok(session);
        }
        let started = NewSession::new().started(self.environment())?;
        let mut state = self.0.state.lock();
        if state.phase == Phase::Answered {
            return Err(Error::HeadSent("started"));
        }
        if state.waits_for_proof() {
            return Err(Error::NoProof);
        }
        state.start_if_absent(started);
        Ok(self.handle_of(state.generation()))
    }

    fn handle_of(&self, generation: u32) -> Session {
        Session::of(self.clone(), generation)
    }

    /// Starts a session under a new id. It replaces the session that the visit has, if any, and is stored
    /// when the visit is committed.
    ///
    /// # Errors
    ///
    /// [`Error::Attribute`] or [`Error::Config`] if a value or timeout of the [`NewSession`] is not allowed,
    /// [`Error::Random`] if no id could be generated, [`Error::HeadSent`] if the response head was already
    /// sent, because the client would not learn the id. Nothing is changed then.
    pub fn start(&self, new: NewSession) -> Result<Session, Error> {
        let started = new.started(self.environment())?;
        let secret = self.device_secret()?;
        let mut state = self.0.state.lock();
        if state.phase == Phase::Answered {
            return Err(Error::HeadSent("started"));
        }
        state.start(started);
        if let Some(secret) = secret {
            state.let_bind(secret, self.environment().now());
        }
        Ok(self.handle_of(state.generation()))
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Visit").field(&self.session()).finish()
    }
}
