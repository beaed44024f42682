//! What goes wrong in a handler.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use session_axum::{CoreError, SessionError};

/// The error of a handler, which is a response.
pub enum Problem {
    /// The session layer answers.
    Session(SessionError),
    /// The provider leads back a visitor who did not begin a sign-in in this browser, or began another one since.
    NotBegun,
    /// Anything else, of which visitors learn nothing.
    Failure(anyhow::Error),
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        Problem::Session(error)
    }
}

impl From<CoreError> for Problem {
    fn from(error: CoreError) -> Self {
        Problem::Session(error.into())
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Problem::Failure(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let again = Html(r#"<p>You are not signed in. <a href="/sign-in">Please try again</a>.</p>"#);
        match self {
            Problem::Session(error) => error.into_response(),
            Problem::NotBegun => (StatusCode::BAD_REQUEST, again).into_response(),
            Problem::Failure(error) => {
                tracing::warn!("a sign-in failed: {error:#}");
                (StatusCode::BAD_GATEWAY, again).into_response()
            }
        }
    }
}
