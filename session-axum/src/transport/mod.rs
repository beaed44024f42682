//! How a session's id travels between client and server.
//!
//! Here is the contract; each file implements it in one way, or helps one that does. They know the
//! ids that come and go and the headers around them, and nothing of layers, extractors or what a
//! session holds.

pub(crate) mod cookie;
mod cookie_header;
pub(crate) mod header;
#[cfg(any(feature = "signed", feature = "private"))]
mod sealed;

use http::{HeaderMap, HeaderName, HeaderValue, header::SET_COOKIE};
use session_core::{IssuedId, PresentedIds};
use tower_cookies::{Cookie, Cookies};

use crate::http_headers::{add_vary, forbid_storing};

/// How a session's id travels between client and server.
///
/// [`CookieTransport`](crate::CookieTransport) and [`HeaderTransport`](crate::HeaderTransport)
/// are ready made; one of your own goes to
/// [`SessionLayerBuilder::transport`](crate::SessionLayerBuilder::transport).
///
/// ```
/// use http::{HeaderMap, HeaderName, HeaderValue};
/// use session_axum::{Outgoing, Transport};
/// use session_core::{IssuedId, PresentedIds};
///
/// struct DeviceHeader;
///
/// impl Transport for DeviceHeader {
///     fn name(&self) -> &str { "device" }
///     fn request_header(&self) -> HeaderName { HeaderName::from_static("x-device-session") }
///     fn read(&self, headers: &HeaderMap, presented: &mut PresentedIds) {
///         if let Some(value) = headers.get("x-device-session") {
///             presented.push(value);
///         }
///     }
///     fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
///         let id = HeaderValue::from_str(issued.id.as_str()).expect("an id is a header value");
///         outgoing.headers().insert("x-device-session", id);
///     }
///     fn forget(&self, outgoing: &mut Outgoing<'_>) {
///         outgoing.headers().insert("x-device-session", HeaderValue::from_static(""));
///     }
/// }
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Tells layers apart: two with the same manager and the same name are one layer.
    fn name(&self) -> &str;

    /// The request header that responses depend on, for `Vary`.
    fn request_header(&self) -> HeaderName;

    /// Collects the ids that a request presents. What should be an id and can't be one is
    /// [rejected](PresentedIds::reject).
    fn read(&self, headers: &HeaderMap, presented: &mut PresentedIds);

    /// Tells the client its id. The layer keeps the response out of caches.
    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>);

    /// Tells the client that its id is worth nothing any more.
    fn forget(&self, outgoing: &mut Outgoing<'_>);
}

/// The response that is about to leave.
pub struct Outgoing<'a> {
    headers: &'a mut HeaderMap,
    cookies: Option<&'a Cookies>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(headers: &'a mut HeaderMap, cookies: Option<&'a Cookies>) -> Self {
        Outgoing { headers, cookies }
    }

    /// The headers of the response.
    pub fn headers(&mut self) -> &mut HeaderMap {
        self.headers
    }

    /// Sets a cookie: in tower-cookies' jar where the application has one outside the session
    /// layer, else as a header of its own. Other cookies stay.
    pub fn set_cookie(&mut self, cookie: Cookie<'static>) {
        match self.cookies {
            Some(cookies) => cookies.add(cookie),
            None => self.append_cookie(cookie.to_string()),
        }
    }

    /// Whether a jar sends what is set.
    pub(crate) fn has_jar(&self) -> bool {
        self.cookies.is_some()
    }

    pub(crate) fn append_cookie(&mut self, cookie: String) {
        match HeaderValue::try_from(cookie) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.append(SET_COOKIE, value);
            }
            Err(error) => tracing::error!(%error, "a session cookie is no header value"),
        }
    }

    pub(crate) fn mark_secret(&mut self) {
        forbid_storing(self.headers);
    }

    pub(crate) fn mark_read(&mut self, header: &HeaderName) {
        add_vary(self.headers, header);
    }
}
