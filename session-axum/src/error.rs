use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use session_core::{AttributeError, Error};

/// Why a handler's use of its session failed: [`session_core::Error`] as a response.
///
/// The client sees a status and a few words; the cause goes to the log and stays in
/// [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SessionError(#[from] Error);

impl SessionError {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match &self.0 {
            Error::Gone => StatusCode::UNAUTHORIZED,
            Error::Store(_) | Error::Conflict { .. } | Error::Random(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error itself.
    pub fn into_inner(self) -> Error {
        self.0
    }

    pub(crate) fn log(&self) {
        let mut causes = Vec::new();
        let mut cause = self.printable_cause();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        tracing::error!(error = %self, causes = causes.join(": "), "a session failed");
    }

    /// What a value has instead of the type asked for is told with the value, which may be a secret.
    fn printable_cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Error::Attribute(AttributeError::Type { .. }) => None,
            error => std::error::Error::source(error),
        }
    }
}

impl AsRef<Error> for SessionError {
    fn as_ref(&self) -> &Error {
        &self.0
    }
}

impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            self.log();
        }
        let text = match status {
            StatusCode::UNAUTHORIZED => "Your session has ended.",
            StatusCode::SERVICE_UNAVAILABLE => "Sessions are not available at the moment. Please try again.",
            _ => "Internal server error.",
        };
        (status, text).into_response()
    }
}
