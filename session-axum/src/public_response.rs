use std::convert::Infallible;

use axum_core::response::{IntoResponseParts, ResponseParts};

/// Says that a response is the same for everybody, although its handler looked at a session. Caches are then told
/// what the handler says.
///
/// Without it no shared cache may store such a response, whatever the handler says. It may show who is signed in,
/// and not every cache obeys `Vary`. A response that sets or removes the session's cookie is never stored, even
/// with it.
///
/// Return it before the body, or put it into the extensions of a response.
///
/// ```
/// use axum::http::header::CACHE_CONTROL;
/// use axum::response::IntoResponse;
/// use session_axum::{PublicResponse, Session};
///
/// /// Counts who is signed in, and shows everybody the same page.
/// async fn news(sess: Option<Session>) -> impl IntoResponse {
///     tracing::info!(is_signed_in = sess.is_some());
///     (PublicResponse, [(CACHE_CONTROL, "public, max-age=60")], "News")
/// }
/// # let _ = news;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PublicResponse;

impl IntoResponseParts for PublicResponse {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}
