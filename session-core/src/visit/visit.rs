use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use triomphe::Arc as StrongArc;

use crate::error::Error;
use crate::id::PresentedIds;
use crate::manager::SessionManager;
use crate::session::{NewSession, Session};
use crate::visit::state::{Found, Phase, State};

/// The place of a visitor's session during one request.
///
/// For authors of integrations, as `session-axum` is one: [`open`](Visit::open) it with the ids
/// that the request presents, hand [`session`](Visit::session) to the application, and
/// [`commit`](Visit::commit) when the application has answered and before the answer leaves.
/// Clones share the place.
#[derive(Clone)]
pub struct Visit(pub(crate) StrongArc<Shared>);

/// What all visits of one integration share: a web layer's settings, and the manager of its sessions.
///
/// A visit holds its host, so that one reference does for both.
pub trait Host: Any + Send + Sync {
    /// The manager.
    fn manager(&self) -> &SessionManager;
}

impl Host for SessionManager {
    fn manager(&self) -> &SessionManager {
        self
    }
}

pub(crate) struct Shared {
    host: Arc<dyn Host>,
    pub(crate) state: Mutex<State>,
    /// Somebody asked for the session, so there may be something to commit.
    asked_for: AtomicBool,
    opened: AtomicBool,
    turns: tokio::sync::Mutex<()>,
}

/// The right to wait for the store: one load or save is done before the next begins.
///
/// What does not wait needs none, but holds the state's lock and finds that nobody has a turn.
pub(crate) struct Turn<'a> {
    shared: &'a Shared,
    _lock: tokio::sync::MutexGuard<'a, ()>,
}

impl Shared {
    pub(crate) fn manager(&self) -> &SessionManager {
        self.host.manager()
    }

    /// Does something with the state; without its lock where nobody else can have it.
    pub(crate) fn with_state<T>(
        this: &mut StrongArc<Self>,
        operation: impl FnOnce(&SessionManager, &mut State) -> T,
    ) -> T {
        match StrongArc::get_mut(this) {
            Some(Shared { host, state, .. }) => operation(host.manager(), state.get_mut()),
            None => operation(this.manager(), &mut this.state.lock()),
        }
    }

    pub(crate) async fn turn(&self) -> Turn<'_> {
        let lock = self.turns.lock().await;
        self.state.lock().turn_is_taken = true;
        Turn { shared: self, _lock: lock }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.state.lock().turn_is_taken = false;
    }
}

impl Visit {
    /// The place for the session of one request.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Visit::in_phase(host, Phase::Request)
    }

    pub(crate) fn in_phase(host: Arc<dyn Host>, phase: Phase) -> Self {
        Visit(StrongArc::new(Shared {
            host,
            state: Mutex::new(State::new(phase)),
            asked_for: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            turns: tokio::sync::Mutex::new(()),
        }))
    }

    /// What the visit was made with, if it is of this type.
    pub fn host<H: Host>(&self) -> Option<&H> {
        let host: &dyn Any = &*self.0.host;
        host.downcast_ref()
    }

    /// Loads the session of the first presented id that has one; only once, however often called.
    /// The session, if there is one then.
    ///
    /// An error means that the store failed: there may be a session. The next call tries again.
    /// May be cancelled.
    pub async fn open(&self, presented: &PresentedIds) -> Result<Option<Session>, Error> {
        if let Some(answer) = self.open_now(presented) {
            return answer;
        }
        let _turn = self.0.turn().await;
        if !self.is_opened() {
            let found = self.0.manager().find(presented).await?;
            self.opened(&mut self.0.state.lock(), found);
        }
        Ok(self.session())
    }

    /// [`open`](Visit::open) where that needs no waiting: `None` if it does.
    pub fn open_now(&self, presented: &PresentedIds) -> Option<Result<Option<Session>, Error>> {
        self.0.asked_for.store(true, Ordering::Release);
        let mut state = self.0.state.lock();
        if !self.is_opened() {
            if state.turn_is_taken {
                return None;
            }
            match self.0.manager().find_now(presented)? {
                Ok(found) => self.opened(&mut state, found),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(self.present(&state)))
    }

    fn opened(&self, state: &mut State, found: Option<Found>) {
        if let Some(found) = found {
            state.found(found);
        }
        self.0.opened.store(true, Ordering::Release);
    }

    /// Whether anybody asked for the session, found or not: a response then depends on it.
    pub fn is_asked_for(&self) -> bool {
        self.0.asked_for.load(Ordering::Acquire)
    }

    /// Whether [`open`](Visit::open) has succeeded.
    pub fn is_opened(&self) -> bool {
        self.0.opened.load(Ordering::Acquire)
    }

    /// The session, if there is one.
    pub fn session(&self) -> Option<Session> {
        self.present(&self.0.state.lock())
    }

    fn present(&self, state: &State) -> Option<Session> {
        state.is_present().then(|| Session { shared: StrongArc::clone(&self.0), generation: state.generation() })
    }

    /// Starts a session under a fresh id; one that is there is replaced. It is stored when the
    /// visit is committed.
    pub fn start(&self, new: NewSession) -> Result<Session, Error> {
        let started = self.0.manager().draw_session(new)?;
        let mut state = self.0.state.lock();
        if state.phase == Phase::Answered {
            return Err(Error::HeadSent("started"));
        }
        state.start(started);
        Ok(Session { shared: StrongArc::clone(&self.0), generation: state.generation() })
    }

    /// Drops all that was collected, now and later: the handler panicked.
    pub fn abandon(&self) {
        self.0.state.lock().abandon();
    }

    /// Ends the request without a commit: nobody asked for the session, or the handler was
    /// cancelled. What was collected is dropped; a handle that is left can change attributes and
    /// [save](Session::save) them, but the client learns nothing any more.
    pub fn close(&self) {
        let mut state = self.0.state.lock();
        state.discard();
        state.answer();
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Visit").field(&self.session()).finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if state.phase != Phase::Request && state.is_unsaved() {
            let session = state.stored_key().map(|key| key.fingerprint().to_string());
            tracing::warn!(session, "a session was dropped with changes that were not saved: call `save().await`");
        }
    }
}
