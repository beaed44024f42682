use std::fmt;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::error::SessionError;
use crate::extract::MaybeSession;

/// The token of a visitor's forms, as an argument of the handler that shows one: for browsers that are too old to say
/// where a request comes from. [`CrossOriginProtection::require_token`](super::CrossOriginProtection::require_token) checks
/// it.
///
/// A visitor without a session gets an anonymous one when the token is taken, so that the form of a login has a token, too.
/// A handler that takes none starts nothing.
///
/// ```
/// use axum::response::Html;
/// use session_axum::{CsrfToken, SessionError};
///
/// async fn page(csrf: CsrfToken) -> Result<Html<String>, SessionError> {
///     Ok(Html(format!("<form method=post>{}<input name=user><button>Log in</button></form>", csrf.field()?)))
/// }
/// # let _ = page;
/// ```
#[derive(Clone)]
pub struct CsrfToken(MaybeSession);

impl CsrfToken {
    /// The name of the form's field.
    pub const FIELD: &str = "csrf_token";
    /// The name of the header, for scripts.
    pub const HEADER: &str = "x-csrf-token";

    /// A token. Each call makes another one; all are good as long as the session has the same secret: see
    /// [`csrf_token`](session_core::Session::csrf_token).
    ///
    /// [`SessionError`] if no random bytes could be made.
    pub fn value(&self) -> Result<String, SessionError> {
        Ok(self.0.session_or_start()?.csrf_token()?)
    }

    /// The hidden field of a form, as HTML.
    ///
    /// [`SessionError`] if no random bytes could be made.
    pub fn field(&self) -> Result<String, SessionError> {
        // A token has no character that HTML escapes.
        Ok(format!(r#"<input type="hidden" name="{}" value="{}">"#, CsrfToken::FIELD, self.value()?))
    }
}

/// Shows no token.
impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfToken").finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CsrfToken {
    type Rejection = SessionError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionError> {
        MaybeSession::from_request_parts(parts, state).await.map(CsrfToken)
    }
}
