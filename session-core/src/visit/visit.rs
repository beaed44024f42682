use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard};
use triomphe::Arc as StrongArc;

use super::environment::Environment;
use super::state::{Phase, State};

/// The place of a visitor's session during one request.
///
/// For authors of integrations, as `session-axum` is one: [`open`](Visit::open) it with the ids
/// that the request presents, hand [`session`](Visit::session) to the application, and
/// [`commit`](Visit::commit) when the application has answered and before the answer leaves.
/// Clones share the place.
#[derive(Clone)]
pub struct Visit(pub(crate) StrongArc<Shared>);

/// What all visits of one integration share, such as a web layer's settings.
///
/// A visit holds its host, so that one reference does for the integration's settings and ours.
pub trait Host: Any + Send + Sync {
    /// The environment of a manager's visits.
    fn environment(&self) -> &Environment;
}

pub(crate) struct Shared {
    host: Arc<dyn Host>,
    pub(crate) state: Mutex<State>,
    /// Somebody asked for the session, so there may be something to commit.
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
    /// A visit of an integration that keeps something of its own with it.
    pub fn of_host(host: Arc<dyn Host>) -> Self {
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

    pub(crate) fn environment(&self) -> &Environment {
        self.0.host.environment()
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

    pub(super) fn note_asked_for(&self) {
        self.0.asked_for.store(true, Ordering::Release);
    }

    pub(super) fn note_opened(&self) {
        self.0.opened.store(true, Ordering::Release);
    }

    /// Whether anybody asked for the session, found or not: a response then depends on it.
    pub fn is_asked_for(&self) -> bool {
        self.0.asked_for.load(Ordering::Acquire)
    }

    /// Whether the session was looked up, with or without success.
    pub fn is_opened(&self) -> bool {
        self.0.opened.load(Ordering::Acquire)
    }

    /// Drops all that was collected, now and later: the handler panicked.
    pub fn abandon(&self) {
        self.0.state.lock().abandon();
    }

    /// Ends the request without a commit: nobody asked for the session, or the handler was
    /// cancelled. What was collected is dropped; a handle that is left can change attributes and
    /// [save](crate::Session::save) them, but the client learns nothing any more.
    pub fn close(&self) {
        let mut state = self.0.state.lock();
        state.discard();
        state.answer();
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
