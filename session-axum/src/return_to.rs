use std::convert::Infallible;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use crate::slot::Slot;
use crate::turned_away::is_own_path;
/// Where a visitor goes after signing in: the page that led to the sign-in page, as an argument of its handlers.
///
/// It is the parameter `next` of the request's query, which the layer adds when it leads visitors to
/// [`sign_in_page`](crate::SessionLayerBuilder::sign_in_page) or [`confirm_page`](crate::SessionLayerBuilder::confirm_page).
/// Anybody can write a link with a `next` of theirs, so only a path of this site is taken: one that begins with a single
/// `/` and has none of the characters with which browsers can be led elsewhere. Paths of
/// [`never_return_to`](crate::SessionLayerBuilder::never_return_to) are not taken either. Whatever else there is counts as
/// nothing, and the request goes on.
///
/// A form without `action` is sent to the address of its page, so `next` comes along by itself.
///
/// ```
/// use axum::Form;
/// use axum::response::Response;
/// use session_axum::{MaybeSession, NewSession, ReturnTo, SessionError};
///
/// #[derive(serde::Deserialize)]
/// struct Login { user: String }
///
/// async fn login(visitor: MaybeSession, next: ReturnTo, Form(form): Form<Login>) -> Result<Response, SessionError> {
///     // Check a password first.
///     visitor.start(NewSession::new().principal(form.user))?;
///     Ok(next.or("/account"))
/// }
/// # let _ = login;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(Option<String>);

impl ReturnTo {
    /// The path and query. `None` if there is none to which a visitor can return.
    pub fn path(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// A redirect to that path, or to `otherwise`, with status 303: the browser loads the page, and sends nothing again.
    ///
    /// # Panics
    ///
    /// If `otherwise` has characters that no header may have.
    pub fn or(&self, otherwise: &str) -> Response {
        let location = HeaderValue::from_str(self.path().unwrap_or(otherwise)).expect("a path is a header value");
        (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ReturnTo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "next");
        // Of two, nobody knows which was meant.
        let next = values.next().filter(|_| values.next().is_none());
        let next = next.map(|(_, next)| next.into_owned());
        let may_follow = |next: &String| match Slot::of(parts) {
            Ok(slot) => slot.settings().answers.may_return_to(next),
            Err(_) => is_own_path(next),
        };
        Ok(ReturnTo(next.filter(may_follow)))
    }
}
