use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::ORIGIN;
use http::request::Parts;
use session_core::internals::{causes, causes_without_values};
use session_core::{AttributeError, ConfigError, Error, RandomError, StoreError};
use tracing::field;

use crate::exempt_routes::route;
use crate::turned_away::{Asked, Refusal, Unanswered};

/// The error that a handler with a session returns. It is a response.
///
/// A handler returns `Result<_, SessionError>`, and `?` converts whatever else can fail: the
/// [`CoreError`](crate::CoreError) of a session and of the [`SessionManager`](crate::SessionManager),
/// [`StoreError`], [`ConfigError`], [`AttributeError`]. The extractors reject a request with it too.
///
/// A handler that returns an error with a status of 500 or above, or of 409 because its request came with an id that was
/// replaced, did not do what it meant. What it collected is dropped: changes, a start, a renewal and a removal. What it saved
/// itself stays saved. After an error with any other status, and after a response of the handler's own with any status,
/// everything collected is saved.
///
/// The client sees a status and a few words. What is answered with a status of 500 or above is logged
/// with its causes, which [`source`](std::error::Error::source) tells as well.
///
/// | what happened | status |
/// |---|---|
/// | the visitor has no session, nobody is signed in, or the session ended while the handler ran | 401, or the way to [`sign_in_page`](crate::SessionLayerBuilder::sign_in_page) |
/// | the user must prove again who they are | 403, or the way to [`confirm_page`](crate::SessionLayerBuilder::confirm_page) |
/// | another site may have sent the request | 403 |
/// | the session's id was replaced, and the request came with the old one, which can't renew the session or end others | 409: the next request comes with the new one |
/// | the store failed, other writers were always faster, or no id could be made | 503 |
/// | anything else: a mistake in the application | 500 |
///
/// Whoever sends `Authorization: Bearer` to a layer that reads it is answered 401 where others are redirected. Each 401 then
/// has `WWW-Authenticate: Bearer` (RFC 6750), unless the handler says another scheme.
///
/// ```
/// use session_axum::{Session, SessionError};
///
/// /// Counts a visit, and does without where the session ended in another window.
/// async fn visit(sess: Session) -> Result<String, SessionError> {
///     let name: Option<String> = sess.attr("Name")?;
///     match sess.update_attr("Count", |n: Option<u32>| n.unwrap_or(0) + 1).await {
///         Ok(count) => Ok(format!("{}: visit {count}", name.unwrap_or_default())),
///         Err(error) if error.is_gone() => Ok("Your session has ended.".to_owned()),
///         Err(error) => Err(error.into()),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The request is turned away: an extractor or a guard wants more than it has.
    #[error(transparent)]
    Refused(RefusedRequest),
    /// The handler declares a session, and its route has no session layer.
    #[error(
        "no session layer is around this: add `.layer(SessionLayer::new(store))` to the router after its routes, and after all \
         other layers that need sessions"
    )]
    NoLayer,
    /// The handler declares a session of the layer with this [marker](crate::OfLayer), and its route has no such layer.
    #[error(
        "no session layer around this route is marked with {0}: add `.marked::<{0}>()` to the builder of the layer that is \
         meant, and that layer to the router, after its routes"
    )]
    NoMarkedLayer(&'static str),
    /// A link from another origin was followed, for which a browser proves nothing of its device. The response is a page
    /// that leads to itself, and so to a request with the proof.
    #[cfg(feature = "device-bound")]
    #[error("a link from another origin was followed, without a proof of the device to which the session is bound")]
    ComeAgain,
    /// Loading, using or saving the session failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// In the extensions of a response: its handler failed, so what it collected is not to be saved.
#[derive(Clone, Copy)]
pub(crate) struct HandlerFailed;

/// A request that is turned away, and why. The layer answers it as
/// [`answer_with`](crate::SessionLayerBuilder::answer_with) says.
#[derive(Debug, thiserror::Error)]
#[error("{refusal}")]
pub struct RefusedRequest {
    refusal: Refusal,
    /// `None` in a handler, which does not have the request's head.
    asked: Option<Box<Asked>>,
}

impl RefusedRequest {
    /// Why.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        SessionError::Refused(RefusedRequest { refusal, asked: None })
    }
}

impl SessionError {
    /// Turns away the request with this head.
    pub(crate) fn refused(refusal: Refusal, parts: &Parts) -> Self {
        tracing::debug!(
            %refusal,
            method = %parts.method,
            route = route(&parts.extensions),
            origin = parts.headers.get(ORIGIN).map(field::debug),
            "a request is turned away"
        );
        let asked = Asked::of(&parts.method, &parts.uri, &parts.headers, &parts.extensions);
        let asked = asked.with_extensions(&parts.extensions);
        SessionError::Refused(RefusedRequest { refusal, asked: Some(Box::new(asked)) })
    }

    /// Why a request with this error is turned away. `None` for mistakes in the application.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            SessionError::Refused(refused) => Some(refused.refusal),
            SessionError::Failed(Error::Gone) => Some(Refusal::Ended),
            SessionError::Failed(Error::NoProof) => Some(Refusal::NoSession),
            SessionError::Failed(Error::OldId(_)) => Some(Refusal::OldId),
            SessionError::Failed(Error::Store(_) | Error::Conflict { .. } | Error::Random(_)) => {
                Some(Refusal::Unavailable)
            }
            #[cfg(feature = "device-bound")]
            SessionError::ComeAgain => None,
            SessionError::NoLayer | SessionError::NoMarkedLayer(_) | SessionError::Failed(_) => None,
        }
    }

    /// Whether the visitor has no session: there was none, or it ended since it was loaded.
    pub fn is_gone(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::NoSession | Refusal::Ended | Refusal::ChangesLost))
    }

    /// Whether the store failed. Whether the operation took effect is not known.
    pub fn is_store_failure(&self) -> bool {
        matches!(self, SessionError::Failed(error) if error.is_store_failure())
    }

    /// The status of the response, unless it leads to another page.
    pub fn status(&self) -> StatusCode {
        #[cfg(feature = "device-bound")]
        if let SessionError::ComeAgain = self {
            return StatusCode::OK;
        }
        self.refusal().map_or(StatusCode::INTERNAL_SERVER_ERROR, Refusal::status)
    }

    pub(crate) fn log(&self) {
        let causes = match self {
            SessionError::Failed(Error::Attribute(AttributeError::Type { .. }) | Error::Upgrade { .. }) => {
                causes_without_values(self)
            }
            error => causes(error),
        };
        tracing::error!(error = %self, causes, "session operation failed");
    }
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        #[cfg(feature = "device-bound")]
        if let SessionError::ComeAgain = self {
            return crate::device_bound::ComeAgain.into_response();
        }
        let status = self.status();
        if status.is_server_error() {
            self.log();
        }
        let refusal = self.refusal();
        let mut response = match (&self, refusal) {
            // A mistake of whoever mounts the routes, which the first request shows: its text names the fix.
            (SessionError::NoLayer | SessionError::NoMarkedLayer(_), _) => (status, self.to_string()).into_response(),
            (_, Some(refusal)) => (status, refusal.text()).into_response(),
            (_, None) => (status, "Internal server error.").into_response(),
        };
        if let Some(refusal) = refusal {
            let asked = if let SessionError::Refused(refused) = self { refused.asked } else { None };
            response.extensions_mut().insert(Unanswered { refusal, asked });
        }
        if status.is_server_error() || refusal == Some(Refusal::OldId) {
            response.extensions_mut().insert(HandlerFailed);
        }
        response
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        SessionError::Failed(error.into())
    }
}

impl From<ConfigError> for SessionError {
    fn from(error: ConfigError) -> Self {
        SessionError::Failed(error.into())
    }
}

impl From<AttributeError> for SessionError {
    fn from(error: AttributeError) -> Self {
        SessionError::Failed(error.into())
    }
}

impl From<RandomError> for SessionError {
    fn from(error: RandomError) -> Self {
        SessionError::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;

    use session_core::{MemoryStore, NewSession, SessionManager};

    use super::*;

    fn not_available() -> StoreError {
        StoreError::unavailable("redis", io::Error::other("connection refused"))
    }

    async fn attribute_error() -> Error {
        let sessions = SessionManager::new(MemoryStore::new());
        let session = sessions.create(NewSession::new().attr("n", "text")).await.expect("the store is memory");
        session.attr::<u32>("n").expect_err("it is a text")
    }

    /// One of each kind that a handler meets, each by the conversion that `?` uses.
    async fn errors() -> Vec<(SessionError, StatusCode)> {
        vec![
            (Refusal::NoSession.into(), StatusCode::UNAUTHORIZED),
            (Refusal::NotSignedIn.into(), StatusCode::UNAUTHORIZED),
            (Refusal::NotFresh.into(), StatusCode::FORBIDDEN),
            (Refusal::CrossSite.into(), StatusCode::FORBIDDEN),
            (SessionError::NoLayer, StatusCode::INTERNAL_SERVER_ERROR),
            (SessionError::NoMarkedLayer("Staff"), StatusCode::INTERNAL_SERVER_ERROR),
            (Error::Gone.into(), StatusCode::UNAUTHORIZED),
            (Error::OldId("renewed").into(), StatusCode::CONFLICT),
            (Error::Conflict { attempts: 8 }.into(), StatusCode::SERVICE_UNAVAILABLE),
            (Error::HeadSent("started").into(), StatusCode::INTERNAL_SERVER_ERROR),
            (Error::NotStored.into(), StatusCode::INTERNAL_SERVER_ERROR),
            (Error::Upgrade { from: 0, to: 1, source: "no hyphen".into() }.into(), StatusCode::INTERNAL_SERVER_ERROR),
            (not_available().into(), StatusCode::SERVICE_UNAVAILABLE),
            (RandomError::new("no entropy").into(), StatusCode::SERVICE_UNAVAILABLE),
            (ConfigError::new("`attempts` must be at least 1").into(), StatusCode::INTERNAL_SERVER_ERROR),
            (attribute_error().await.into(), StatusCode::INTERNAL_SERVER_ERROR),
        ]
    }

    #[tokio::test]
    async fn each_error_has_its_status() {
        for (error, status) in errors().await {
            assert_eq!(error.status(), status, "{error}");
            assert_eq!(error.into_response().status(), status);
        }
    }

    #[tokio::test]
    async fn no_source_repeats_what_the_error_before_it_says() {
        for (error, _) in errors().await {
            let mut told = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                let words = cause.to_string();
                assert!(!told.contains(&words), "{told:?} is followed by {words:?}");
                (told, source) = (words, cause.source());
            }
        }
    }

    #[tokio::test]
    async fn a_session_that_is_gone_is_told_from_a_store_that_failed() {
        assert!(SessionError::from(Error::Gone).is_gone());
        assert!(SessionError::from(Refusal::NoSession).is_gone());
        assert!(SessionError::from(not_available()).is_store_failure());
        for (error, _) in errors().await {
            assert!(!(error.is_gone() && error.is_store_failure()), "{error}");
        }
    }
}
