//! What goes wrong in a handler.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use session_axum::{AttributeError, CoreError, SessionError};

/// The error of a handler, which is a response.
pub enum Problem {
    /// The session layer answers: it leads to the sign-in page, or says that the store has failed.
    Session(SessionError),
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

impl From<AttributeError> for Problem {
    fn from(error: AttributeError) -> Self {
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
        match self {
            Problem::Session(error) => error.into_response(),
            Problem::Failure(error) => {
                tracing::error!("{error:#}");
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong. Please try again.").into_response()
            }
        }
    }
}
