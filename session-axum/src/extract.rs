use std::fmt;
use std::ops::Deref;
use std::thread;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use session_core::{Error as CoreError, NewSession, Visit};

use crate::error::SessionError;
use crate::service::Polling;
use crate::slot::{Opening, Slot};
use crate::turned_away::Refusal;

/// The visitor's session, as a handler's argument.
///
/// It has all methods of [`session_core::Session`]. The handler runs only for a visitor with a
/// session, signed in or not; any other is turned away: 401, or the way to the layer's
/// [`sign_in_page`](crate::SessionLayerBuilder::sign_in_page). A store that fails is answered
/// 503. A handler that declares `Option<Session>` runs for everybody and gets `None` where there is
/// no session.
///
/// Changes are collected and saved once, when the handler has returned. They are dropped when the
/// handler panics or is cancelled. Layers that catch panics or limit a handler's time belong
/// [outside](crate#other-layers) the session layer.
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

/// A visitor with or without a session, as a handler's argument: where a session may be started.
///
/// The handler runs for every visitor. A store that fails is answered 503, because there may be a
/// session.
///
/// ```
/// use axum::response::Redirect;
/// use session_axum::{MaybeSession, NewSession, SessionError};
///
/// async fn login(visitor: MaybeSession) -> Result<Redirect, SessionError> {
///     // Check a password first.
///     let mut new = NewSession::new().principal("ann");
///     if let Some(before) = visitor.session() {
///         new = new.keep(&before); // The cart that was filled before the login.
///     }
///     visitor.start(new)?;
///     Ok(Redirect::to("/"))
/// }
/// ```
#[derive(Clone)]
pub struct MaybeSession(Visit);

/// Whether a handler is panicking. A panic that a layer inside the session layer turns into a response looks to us like a
/// handler that returned, so what the handler did is dropped while the panic passes by.
///
/// A panic in a task that the application has spawned ends that task alone: it drops nothing that the handler did.
pub(crate) fn is_panic_of_a_handler() -> bool {
    thread::panicking() && Polling::is_under_way()
}

impl Drop for Session {
    fn drop(&mut self) {
        if is_panic_of_a_handler() {
            self.0.visit().abandon();
        }
    }
}

impl Drop for MaybeSession {
    fn drop(&mut self) {
        if is_panic_of_a_handler() {
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

impl Session {
    #[cfg(feature = "testing")]
    pub(crate) fn of(session: session_core::Session) -> Self {
        Session(session)
    }

    /// Gives a session that is independent of the request, for a task that goes on when the handler has returned: see
    /// [`session_core::Session::detach`].
    ///
    /// # Errors
    ///
    /// [`CoreError::NotStored`](crate::CoreError::NotStored) if the session was started in this request and is not
    /// stored yet; [`CoreError::Gone`](crate::CoreError::Gone) if it was removed or replaced.
    pub fn detach(&self) -> Result<Session, CoreError> {
        self.0.detach().map(Session)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MaybeSession {
    /// The visitor's session, if there is one: loaded with the request, or started since.
    pub fn session(&self) -> Option<Session> {
        self.0.session().map(Session)
    }

    /// Starts a session under a fresh id, as a login does. If the visitor has a session already, the
    /// new one replaces it in one step; [`NewSession::keep`] carries its attributes over, unless another
    /// user is signed in there.
    ///
    /// The session is stored when the handler has returned; the response then tells the client its id.
    ///
    /// # Errors
    ///
    /// [`SessionError`] in these cases. Nothing is changed then.
    ///
    /// - A value of `new` has no JSON form or would not come back as it is, or the session is too large.
    /// - The principal is empty, or `new` has an [`authenticated`](NewSession::authenticated) and no principal. A name of a
    ///   method in [`Authentication::by`](crate::Authentication::by) is empty, or they have more than 256 bytes together.
    /// - A timeout is below 1 ms, or the time of [`ends_at`](NewSession::ends_at) is over. Settings of `new` contradict each
    ///   other or those of the layer: an idle timeout that is longer than the absolute one,
    ///   [`persistent`](NewSession::persistent) without an absolute timeout, or [`remember`](NewSession::remember) or
    ///   [`ends_at`](NewSession::ends_at) beside a timeout that says something else.
    /// - No id could be made.
    /// - The response head has left.
    pub fn start(&self, new: NewSession) -> Result<Session, SessionError> {
        Ok(Session(self.0.start(new)?))
    }
}

impl MaybeSession {
    /// The visitor's session, or else an anonymous one that begins now, and is stored only if something is set in it: an
    /// attribute, a setting, or a form's [token](session_core::Session::csrf_token). Asking for its id or handle counts as
    /// well. If nothing is set, the visitor gets no cookie, and the store nothing.
    ///
    /// For carts, messages and forms of visitors who have not signed in.
    ///
    /// # Errors
    ///
    /// [`SessionError`] if no id could be made, or if the response head has left; also if the visitor has a session that is
    /// bound to a device, and may come again with a proof of it.
    ///
    /// ```
    /// use session_axum::{AttrKey, MaybeSession, SessionError};
    ///
    /// const CART: AttrKey<Vec<String>> = AttrKey::new("Cart");
    ///
    /// async fn add_to_cart(visitor: MaybeSession, article: String) -> Result<(), SessionError> {
    ///     let sess = visitor.session_or_start()?;
    ///     // Two clicks at once add two articles.
    ///     sess.update_attr(CART, |cart| {
    ///         let mut cart = cart.unwrap_or_default();
    ///         cart.push(article.clone());
    ///         cart
    ///     })
    ///     .await?;
    ///     Ok(())
    /// }
    /// # let _ = add_to_cart;
    /// ```
    pub fn session_or_start(&self) -> Result<Session, SessionError> {
        Ok(Session(self.0.session_or_start()?))
    }
}

impl fmt::Debug for MaybeSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeSession").field(&self.session()).finish()
    }
}

/// The slot of the innermost layer, and its session.
pub(crate) async fn opened(parts: &Parts) -> Result<(&Slot, Option<Session>), SessionError> {
    let slot = Slot::of(parts)?;
    let opening = match slot.open(parts) {
        // Returned from here, what was opened takes no room in the handler's future.
        Opening::Done(opened) => return of_slot(slot, parts, opened?),
        Opening::Waits(opening) => opening,
    };
    of_slot(slot, parts, opening.await?)
}

#[inline]
fn of_slot<'a>(
    slot: &'a Slot,
    parts: &Parts,
    opened: Option<session_core::Session>,
) -> Result<(&'a Slot, Option<Session>), SessionError> {
    match opened {
        Some(session) => Ok((slot, Some(Session(session)))),
        None => slot.without_session(parts).map(|()| (slot, None)),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let (_, session) = opened(parts).await?;
        session.ok_or_else(|| SessionError::refused(Refusal::NoSession, parts))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        let (_, session) = opened(parts).await?;
        Ok(session)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeSession {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let (slot, _) = opened(parts).await?;
        Ok(MaybeSession(slot.visit().clone()))
    }
}
