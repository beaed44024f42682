//! How a visit gets its session: looked up by the ids that a request presents, or started.

use std::fmt;

use crate::error::Error;
use crate::id::PresentedIds;
use crate::visit::{Phase, Visit};

use super::new_session::NewSession;
use super::session::Session;

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
        Session::of(self.clone(), generation)
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
