use axum_core::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::error::SessionError;

/// Why a handler that declares [`Session`](crate::Session) was not called.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionRejection {
    /// The visitor has no session: 401, or the redirect that the layer was given.
    #[error(transparent)]
    NoSession(NoSession),
    /// Whether there is one can't be told, as the store failed: 503.
    #[error(transparent)]
    Failed(#[from] SessionError),
    /// The route has no session layer: 500.
    #[error("no session layer: add `.layer(SessionLayer::new(store))` to the router, after its routes")]
    NoLayer,
}

/// The visitor has no session.
#[derive(Debug, thiserror::Error)]
#[error("no session")]
pub struct NoSession {
    pub(crate) redirect: Option<HeaderValue>,
}

impl NoSession {
    /// Where the layer sends visitors without a session.
    pub fn redirect(&self) -> Option<&str> {
        self.redirect.as_ref()?.to_str().ok()
    }
}

impl IntoResponse for NoSession {
    fn into_response(self) -> Response {
        match self.redirect {
            // 303, so that a form that was sent too late is not sent to the login page.
            Some(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
            None => (StatusCode::UNAUTHORIZED, "Please sign in.").into_response(),
        }
    }
}

impl IntoResponse for SessionRejection {
    fn into_response(self) -> Response {
        match self {
            SessionRejection::NoSession(rejection) => rejection.into_response(),
            SessionRejection::Failed(error) => error.into_response(),
            SessionRejection::NoLayer => {
                tracing::error!("{}", SessionRejection::NoLayer);
                (StatusCode::INTERNAL_SERVER_ERROR, SessionRejection::NoLayer.to_string()).into_response()
            }
        }
    }
}
