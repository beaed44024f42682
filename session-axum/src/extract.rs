use std::fmt;
use std::ops::Deref;
use std::thread;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use session_core::{NewSession, Visit};

use crate::SessionError;
use crate::rejection::{NoSession, SessionRejection};
use crate::slot::Slot;

/// The visitor's session, as a handler's argument.
///
/// All that can be done with it is on [`session_core::Session`]. A visitor without one is
/// rejected before the handler runs, with 401 or the layer's redirect; a failing store with 503.
/// `Option<Session>` gives `None` to a visitor without one.
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
pub struct Session {
    session: session_core::Session,
    _guard: Guard,
}

/// A visitor with or without a session, as a handler's argument: where one may be started.
#[derive(Clone)]
pub struct MaybeSession {
    guard: Guard,
}

/// Drops what a handler did when it panics, also where a layer inside ours turns the panic into
/// a response.
#[derive(Clone)]
struct Guard(Visit);

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}

impl Session {
    fn of(visit: Visit) -> Option<Self> {
        let session = visit.session()?;
        Some(Session { session, _guard: Guard(visit) })
    }
}

impl Deref for Session {
    type Target = session_core::Session;

    fn deref(&self) -> &session_core::Session {
        &self.session
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.fmt(f)
    }
}

impl MaybeSession {
    /// The session, if there is one now: also one that was just started.
    pub fn session(&self) -> Option<Session> {
        Session::of(self.guard.0.clone())
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
        let session = self.guard.0.start(new)?;
        Ok(Session { session, _guard: self.guard.clone() })
    }
}

impl fmt::Debug for MaybeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeSession").field(&self.session()).finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let (settings, visit) = Slot::open(parts).await?;
        let redirect = || settings.redirect.clone();
        Session::of(visit).ok_or_else(|| SessionRejection::NoSession(NoSession { redirect: redirect() }))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionRejection> {
        let (_, visit) = Slot::open(parts).await?;
        Ok(Session::of(visit))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeSession {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionRejection> {
        let (_, visit) = Slot::open(parts).await?;
        Ok(MaybeSession { guard: Guard(visit) })
    }
}
