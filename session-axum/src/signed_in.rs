use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;

use crate::error::SessionError;
use crate::extract::{Session, opened};
use crate::slot::Slot;
use crate::turned_away::Refusal;

/// The session of a user who is signed in, as a handler's argument: one with a principal.
///
/// The handler does not run for visitors without a session, nor for those whose session is anonymous, such as one with a
/// cart. They are turned away: 401, or the way to the layer's
/// [`sign_in_page`](crate::SessionLayerBuilder::sign_in_page). A handler that declares `Option<SignedIn>` runs for
/// everybody. It has all methods of [`Session`].
///
/// ```
/// use session_axum::SignedIn;
///
/// async fn account(user: SignedIn) -> String {
///     format!("Account of {}", user.principal())
/// }
/// # let _ = account;
/// ```
#[derive(Clone)]
pub struct SignedIn {
    session: Session,
    principal: Arc<str>,
}

/// The session of a user who has proven who they are a short time ago, as a handler's argument: for what needs the
/// password again.
///
/// How long ago is a setting of the layer, [`fresh_within`](crate::SessionLayerBuilder::fresh_within): 10 minutes by
/// default. Only an authentication counts: the login, and [`reauthenticate`](session_core::Session::reauthenticate).
/// Whoever is signed in and not fresh is turned away: 403, or the way to the layer's
/// [`confirm_page`](crate::SessionLayerBuilder::confirm_page), and back from there. It has all methods of [`Session`].
///
/// ```
/// use session_axum::Fresh;
///
/// async fn delete_account(user: Fresh) -> String {
///     format!("The account of {} is deleted", user.principal())
/// }
/// # let _ = delete_account;
/// ```
#[derive(Clone, Debug)]
pub struct Fresh(SignedIn);

impl SignedIn {
    /// The id or name of the user.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// Turns the request away if the user has not proven who they are within this time: for a handler that asks for more,
    /// or less, than [`Fresh`] does.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use session_axum::{SessionError, SignedIn};
    ///
    /// async fn transfer(user: SignedIn) -> Result<&'static str, SessionError> {
    ///     user.check_fresh(Duration::from_secs(60))?;
    ///     Ok("sent")
    /// }
    /// # let _ = transfer;
    /// ```
    pub fn check_fresh(&self, within: Duration) -> Result<(), SessionError> {
        if self.is_fresh(within) { Ok(()) } else { Err(Refusal::NotFresh.into()) }
    }

    /// The signed-in user of a session. `None` if it is anonymous.
    fn of(session: Session) -> Option<Self> {
        session.principal().map(|principal| SignedIn { session, principal })
    }

    /// What a request needs that is to go on: a signed-in user, and one who is fresh if there is a time.
    pub(crate) fn check(session: Option<Session>, within: Option<Duration>) -> Result<Self, Refusal> {
        let user = SignedIn::of(session.ok_or(Refusal::NoSession)?).ok_or(Refusal::NotSignedIn)?;
        if within.is_none_or(|within| user.is_fresh(within)) { Ok(user) } else { Err(Refusal::NotFresh) }
    }
}

impl Deref for SignedIn {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Deref for Fresh {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedIn").field(&self.session).finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let (_, session) = opened(parts).await?;
        SignedIn::check(session, None).map_err(|refusal| SessionError::refused(refusal, parts))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, SessionError> {
        let (_, session) = opened(parts).await?;
        Ok(session.and_then(SignedIn::of))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Fresh {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionError> {
        let within = Slot::of(parts)?.settings().answers.fresh_within;
        let (_, session) = opened(parts).await?;
        let user = SignedIn::check(session, Some(within));
        user.map(Fresh).map_err(|refusal| SessionError::refused(refusal, parts))
    }
}
