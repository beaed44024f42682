use std::fmt;
use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use http::request::Parts;
use session_core::{PresentedIds, Visit};

use crate::error::SessionError;
use crate::extract::is_panic_of_a_handler;
use crate::slot::Slot;

/// Ends the visitor's session, as the argument of a logout's handler.
///
/// It loads nothing and turns nobody away, so a logout works for whoever presses the button: also for a visitor whose
/// session has just been renewed or has ended. [`Session`](crate::Session) with
/// [`remove`](session_core::Session::remove) ends a session too, but turns away whoever has none.
///
/// The only rejection is [`SessionError::NoLayer`]: a route without a session layer.
///
/// ```
/// use axum::response::Redirect;
/// use session_axum::EndSession;
///
/// async fn logout(ending: EndSession) -> Redirect {
///     ending.end();
///     Redirect::to("/")
/// }
/// ```
#[derive(Clone)]
pub struct EndSession {
    visit: Visit,
    presented: Arc<PresentedIds>,
}

impl EndSession {
    /// Ends every session that the request presents an id of, when the handler has returned.
    ///
    /// An id counts also if a renewal has replaced it within the last 60 s, in a session with a principal: the session
    /// ends under the id that it has now. What the request has collected is dropped. A HEAD request ends nothing.
    ///
    /// The response removes the cookie if the store still had a session that it named. A cookie of a session that has ended
    /// before stays, and opens nothing: to remove it could remove the cookie of a login that has just come from another
    /// window.
    ///
    /// Where the layer has [`cookie_or_bearer`](crate::SessionLayerBuilder::cookie_or_bearer), an id ends only a session that
    /// was started as this id came: by a bearer token, or by a cookie. Each id is looked up for that.
    pub fn end(&self) {
        self.visit.end(&self.presented);
    }
}

impl Drop for EndSession {
    fn drop(&mut self) {
        if is_panic_of_a_handler() {
            self.visit.abandon();
        }
    }
}

impl fmt::Debug for EndSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndSession").finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for EndSession {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let slot = Slot::of(parts)?;
        let mut presented = PresentedIds::default();
        slot.read(parts, &mut presented);
        Ok(EndSession { visit: slot.visit().clone(), presented: Arc::new(presented) })
    }
}
