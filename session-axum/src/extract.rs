use std::fmt;
use std::ops::Deref;
use std::thread;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use session_core::{NewSession, Visit};

use crate::error::SessionError;
use crate::rejection::{NoSession, SessionRejection};
use crate::slot::{Opening, Slot};

/// The visitor's session, as a handler's argument.
///
/// All that can be done with it is on [`session_core::Session`]. A visitor without one is
/// rejected before the handler runs, with 401 or the layer's redirect; a failing store with 503.
/// `Option<Session>` gives `None` to a visitor without one.
///
/// What it collects is saved when the handler has returned, and dropped when the handler panics or
/// is cancelled. Layers that catch panics or cut slow handlers off go
/// [outside](crate#other-layers) the session layer, or they look like handlers that returned.
///
/// ```
/// use session_axum::{Session, SessionError};
///
/// async fn cart(sess: Session) -> Result<String, SessionError> {
///     let items: Vec<String> = sess.attr("Cart")?.unwrap_or_default();
///     Ok(items.join(", "))
/// }
/// ```
#[derive(Clone)]
pub struct Session(session_core::Session);

/// A visitor with or without a session, as a handler's argument: where one may be started.
#[derive(Clone)]
pub struct MaybeSession(Visit);

/// Drops what a handler did when it panics, also where a layer inside ours turns the panic into
/// a response.
impl Drop for Session {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.visit().abandon();
        }
    }
}

/// As for [`Session`].
impl Drop for MaybeSession {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}

impl Deref for Session {
    type Target = session_core::Session;

    fn deref(&self) -> &session_core::Session {
        &self.0
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MaybeSession {
    /// The session, if there is one now: also one that was just started.
    pub fn session(&self) -> Option<Session> {
        self.0.session().map(Session)
    }

    /// Starts a session under a fresh id, as a login does. A session that is there is replaced
    /// in one step; [`NewSession::keep`] carries its attributes over.
    ///
    /// It is stored, and the client told, when the handler has returned.
    ///
    /// # Errors
    ///
    /// When a value of `new` has no JSON form or is too large, a timeout is zero, the random
    /// source fails, or the response head has left. Nothing is changed then.
    pub fn start(&self, new: NewSession) -> Result<Session, SessionError> {
        Ok(Session(self.0.start(new)?))
    }
}

impl fmt::Debug for MaybeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeSession").field(&self.session()).finish()
    }
}

/// The slot of the innermost layer, and its session.
async fn opened(parts: &Parts) -> Result<(&Slot, Option<Session>), SessionRejection> {
    let slot = Slot::of(parts)?;
    let opened = match slot.open(&parts.headers) {
        Opening::Done(opened) => opened,
        Opening::Waits(opening) => opening.await,
    };
    let session = opened.map_err(SessionError::from)?;
    Ok((slot, session.map(Session)))
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let (slot, session) = opened(parts).await?;
        session.ok_or_else(|| SessionRejection::NoSession(NoSession { redirect: slot.settings().redirect.clone() }))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionRejection> {
        let (_, session) = opened(parts).await?;
        Ok(session)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeSession {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let (slot, _) = opened(parts).await?;
        Ok(MaybeSession(slot.visit().clone()))
    }
}
