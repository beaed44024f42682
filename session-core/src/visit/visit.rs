use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use triomphe::Arc as StrongArc;

use crate::error::{Error, RandomError};
use crate::record::DeviceSecret;

use super::environment::Environment;
use super::state::{Phase, State};

/// The place of a visitor's session during one request: for authors of integrations, such as `session-axum`.
///
/// An integration [opens](Visit::open) it with the ids that the request presents, gives the session to the
/// application, and [commits](Visit::commit) it when the application has answered, before the answer is sent.
/// `Clone` shares the place.
///
/// ```
/// use session_core::{Committed, Error, PresentedIds, SessionManager};
///
/// /// Handles a request with this cookie; returns the id for the client, if it is to be told one.
/// async fn handle(sessions: &SessionManager, cookie: &str) -> Result<Option<String>, Error> {
///     let visit = sessions.visit();
///     let mut presented = PresentedIds::default();
///     presented.push(cookie);
///     if let Some(session) = visit.open(&presented).await? {
///         session.set_attr("LastPage", "/cart")?;
///     }
///     Ok(match visit.commit().await? {
///         Committed::Issue(issued) => Some(issued.id.as_str().to_owned()),
///         Committed::Unchanged | Committed::Forget => None,
///     })
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// # let sessions = SessionManager::new(session_core::MemoryStore::new());
/// # let id = sessions.create(session_core::NewSession::new()).await?.id();
/// # assert_eq!(handle(&sessions, id.as_str()).await?, None);
/// # let stored = sessions.get(id.as_str()).await?.expect("it was just used");
/// # assert_eq!(stored.attr::<String>("LastPage")?.as_deref(), Some("/cart"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Visit(pub(crate) StrongArc<Shared>);

/// Has what all visits of one integration share, such as the settings of a web layer.
///
/// A visit holds its host, so that one reference leads to the settings of both the integration and the manager.
pub trait Host: Any + Send + Sync {
    /// The environment of a manager's visits.
    fn environment(&self) -> &Environment;

    /// Whether the sessions that its visits start may be bound to the devices of their clients. Default: no.
    fn binds_devices(&self) -> bool {
        false
    }
}

pub(crate) struct Shared {
    host: Arc<dyn Host>,
    pub(crate) state: Mutex<State>,
    /// The application asked for the session, so there may be something to commit.
    asked_for: AtomicBool,
    opened: AtomicBool,
    turns: tokio::sync::Mutex<()>,
}

/// Serializes the store calls of one visit. Code that never waits holds the state's lock instead, and finds
/// `turn_is_taken` set while somebody waits for the store.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    _lock: tokio::sync::MutexGuard<'a, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.state.lock().turn_is_taken = false;
    }
}

impl Visit {
    /// Makes a visit that holds a host of the integration's own.
    pub fn of_host(host: Arc<dyn Host>) -> Self {
        Visit::in_phase(host, Phase::Request)
    }

    pub(crate) fn in_phase(host: Arc<dyn Host>, phase: Phase) -> Self {
        let state = State::new(phase, StrongArc::clone(&host.environment().rules));
        Visit(StrongArc::new(Shared {
            host,
            state: Mutex::new(state),
            asked_for: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            turns: tokio::sync::Mutex::new(()),
        }))
    }

    /// The visit's host, if it has this type.
    pub fn host<H: Host>(&self) -> Option<&H> {
        let host: &dyn Any = &*self.0.host;
        host.downcast_ref()
    }

    pub(crate) fn environment(&self) -> &Environment {
        self.0.host.environment()
    }

    /// The secret of a session that may be bound to a device. `None` if the host binds none.
    pub(crate) fn device_secret(&self) -> Result<Option<DeviceSecret>, RandomError> {
        let random = || DeviceSecret::generate(&*self.environment().random);
        self.0.host.binds_devices().then(random).transpose()
    }

    /// The state, if this is the only one that shares it.
    pub(super) fn exclusive(&mut self) -> Option<(&Environment, &mut State)> {
        let Shared { host, state, .. } = StrongArc::get_mut(&mut self.0)?;
        Some((host.environment(), state.get_mut()))
    }

    /// Waits until nobody else of this visit waits for the store.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let lock = self.0.turns.lock().await;
        self.0.state.lock().turn_is_taken = true;
        Turn { shared: &self.0, _lock: lock }
    }

    /// Lets go of the state, then tells what happened.
    #[inline]
    pub(super) fn unlock(&self, state: MutexGuard<'_, State>) {
        if state.has_notices() {
            self.unlock_and_report(state);
        }
    }

    fn unlock_and_report(&self, mut state: MutexGuard<'_, State>) {
        let notices = state.take_notices();
        drop(state);
        self.environment().report(notices);
    }

    pub(crate) fn note_asked_for(&self) {
        self.0.asked_for.store(true, Ordering::Release);
    }

    pub(super) fn note_opened(&self) {
        self.0.opened.store(true, Ordering::Release);
    }

    /// Whether the application asked for the session, found or not. The response then depends on it.
    pub fn is_asked_for(&self) -> bool {
        self.0.asked_for.load(Ordering::Acquire)
    }

    /// Whether the session was looked up, found or not.
    pub fn is_opened(&self) -> bool {
        self.0.opened.load(Ordering::Acquire)
    }

    /// Makes this a visit that only looks. Call it before [`open`](Visit::open). Loading the session is then no use of
    /// it, so the idle deadline stays. [`commit`](Visit::commit) drops what the handler has collected: changes, a
    /// start, a renewal and a removal. What the handler saves by itself is saved.
    ///
    /// For requests whose response the visitor never sees, such as HTTP's HEAD.
    pub fn look_only(&self) {
        self.0.state.lock().look_only();
    }

    /// Makes this a visit that is no use of its session, such as a poll. Call it before [`open`](Visit::open). Neither
    /// loading the session nor saving what the handler has changed moves the idle deadline. Starting a session and
    /// renewing its id do.
    ///
    /// A handler that changes a session after that has expired finds it gone.
    pub fn without_use(&self) {
        self.0.state.lock().without_use();
    }

    /// Whether [`without_use`](Visit::without_use) was called.
    pub fn is_without_use(&self) -> bool {
        self.0.state.lock().is_without_use()
    }

    /// Whether the commit is to end the session, or those that the request presents: a logout.
    pub fn is_ending(&self) -> bool {
        self.0.state.lock().is_ending()
    }

    /// The way that the presented ids noted for the answer: see [`PresentedIds::set_way`](crate::id::PresentedIds::set_way). 0 before
    /// [`open`](Visit::open) and [`end`](Visit::end).
    pub fn way(&self) -> u16 {
        self.0.state.lock().carried.way
    }

    /// Whether the presented ids came as bearer tokens. `false` before [`open`](Visit::open) and [`end`](Visit::end).
    pub fn is_by_bearer(&self) -> bool {
        self.0.state.lock().carried.by_bearer
    }

    /// Drops everything that was collected so far: changes, and a start, renewal or removal. For a handler that failed.
    pub fn discard(&self) {
        self.0.state.lock().discard();
    }

    /// Drops the attributes and settings that were collected so far. A start, a renewal and a removal stay, and so does
    /// what a session was started with.
    pub fn discard_changes(&self) {
        self.0.state.lock().discard_changes();
    }

    /// Makes a visit without a request, with the session of this generation as the store had it last. What this visit
    /// has collected is not in it.
    pub(crate) fn detached(&self, generation: u32) -> Result<Visit, Error> {
        let detached = Visit::in_phase(Arc::clone(&self.0.host), Phase::Answered);
        let shared = self.0.state.lock();
        shared.check_writable(generation)?;
        detached.0.state.lock().copy_stored(&shared)?;
        detached.note_opened();
        Ok(detached)
    }

    /// Whether the visit found or started a session with a principal. Its response is then for that user alone.
    pub fn is_signed_in(&mut self) -> bool {
        self.look(State::is_signed_in)
    }

    /// Looks at the state, without its lock if this is the only one that shares it.
    pub(super) fn look<T>(&mut self, look: impl FnOnce(&State) -> T) -> T {
        match StrongArc::get_mut(&mut self.0) {
            Some(shared) => look(shared.state.get_mut()),
            None => look(&self.0.state.lock()),
        }
    }

    /// Drops all changes, those collected so far and later ones. For a handler that panicked.
    pub fn abandon(&self) {
        self.0.state.lock().abandon();
    }

    /// Ends the request without a commit, because nobody asked for the session, or the handler was cancelled. Drops all
    /// changes collected so far. A session that the application still holds can be changed and
    /// [saved](crate::session::Session::save), but the client gets no new id any more.
    pub fn close(&self) {
        let mut state = self.0.state.lock();
        state.discard();
        state.end_request();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        if state.phase != Phase::Request
            && state.is_unsaved()
            && let Some(times) = self.host.environment().warnings.unsaved.due()
        {
            let session = state.stored_key().map(|key| key.fingerprint().to_string());
            tracing::warn!(
                session,
                times,
                "a session was dropped with unsaved changes, which are lost; call `save().await` before"
            );
        }
    }
}
