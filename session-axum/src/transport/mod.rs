//! How a session's id is made, and how it travels between client and server.
//!
//! An application that needs another way than [`SessionCookie`](crate::SessionCookie) and
//! [`HeaderTransport`](crate::HeaderTransport) implements [`Transport`].

// The contract is here; each file implements it in one way, or helps one that does. They know the ids
// that come and go and the headers around them, and nothing of layers, extractors or what a session holds.
#[cfg(feature = "device-bound")]
mod bound_cookie;
pub(crate) mod by_host;
pub(crate) mod cookie;
mod cookie_check;
pub(crate) mod cookie_header;
pub(crate) mod cookie_or_bearer;
mod cookie_transport;
pub(crate) mod header;
#[cfg(any(feature = "signed", feature = "private"))]
mod sealed;
#[cfg(feature = "trusted-proxies")]
pub(crate) mod trusted_proxies;

#[cfg(feature = "device-bound")]
#[doc(hidden)]
pub use bound_cookie::BoundCookie;
pub use cookie_transport::CookieTransport;
pub use session_core::{IssuedId, PresentedIds, RandomError, RandomSource, SessionId, SystemRandom};

use http::header::SET_COOKIE;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri};
use tower_cookies::{Cookie, Cookies};

use crate::http_headers::{Vary, add_vary, forbid_storing};

/// A way for a session's id to travel between client and server.
///
/// [`CookieTransport`] and [`HeaderTransport`](crate::HeaderTransport) are ready made. Give one of your
/// own to [`SessionLayerBuilder::transport`](crate::SessionLayerBuilder::transport).
///
/// ```
/// use http::request::Parts;
/// use http::{HeaderName, HeaderValue};
/// use session_axum::transport::{IssuedId, Outgoing, PresentedIds, Transport};
///
/// struct DeviceHeader;
///
/// impl Transport for DeviceHeader {
///     fn name(&self) -> &str { "device" }
///     fn request_headers(&self) -> Vec<HeaderName> { vec![HeaderName::from_static("x-device-session")] }
///     fn read(&self, request: &Parts, presented: &mut PresentedIds) {
///         if let Some(value) = request.headers.get("x-device-session") {
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
    /// A name that tells layers apart: two layers with the same manager and the same name are one.
    fn name(&self) -> &str;

    /// Every request header that [`read`](Transport::read) looks at; not `Host`, which is part of the address. Responses
    /// name them in `Vary`.
    fn request_headers(&self) -> Vec<HeaderName>;

    /// Which proof an id needs to be accepted, such as a signature, as a number that differs where the proof does. Two
    /// layers with the same manager and name are one only if they need the same proof. Default: 0, for none.
    fn proof(&self) -> u64 {
        0
    }

    /// The second cookie of a session that is bound to a device, for clients that are answered in this way. `None` if their
    /// ids are in no cookie of this crate, or in one that browsers don't bind.
    #[cfg(feature = "device-bound")]
    #[doc(hidden)]
    fn bound_cookie(&self, way: u16) -> Option<&BoundCookie> {
        let _ = way;
        None
    }

    /// Whether this request may come from a page of the application that was loaded without encryption. Default: no.
    #[doc(hidden)]
    fn is_for_http(&self, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let (_, _, _) = (uri, headers, extensions);
        false
    }

    /// Collects the ids that a request presents: [`push`](PresentedIds::push) what may be an id,
    /// [`push_outdated`](PresentedIds::push_outdated) what is to be sent again in a newer form, and
    /// [`reject`](PresentedIds::reject) what can't be an id, such as a cookie with a wrong signature.
    ///
    /// A transport that answers clients in several ways notes here by [`set_way`](PresentedIds::set_way) which one is
    /// this client's, and learns it again from [`Outgoing::way`].
    fn read(&self, request: &Parts, presented: &mut PresentedIds);

    /// Tells the client its id. The layer adds `Cache-Control: no-store` to the response.
    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>);

    /// Tells the client to forget its id, because the session ended.
    fn forget(&self, outgoing: &mut Outgoing<'_>);
}

/// The head of a response that is about to leave, for a [`Transport`] to write into.
pub struct Outgoing<'a> {
    headers: &'a mut HeaderMap,
    cookies: Option<&'a Cookies>,
    way: u16,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(headers: &'a mut HeaderMap, cookies: Option<&'a Cookies>) -> Self {
        Outgoing { headers, cookies, way: 0 }
    }

    /// The head of a response that has these headers: for tests of a [`Transport`].
    pub fn to(headers: &'a mut HeaderMap) -> Self {
        Outgoing::new(headers, None)
    }

    /// In which way this client is to be answered, as [`PresentedIds::set_way`] noted it when the request was read.
    /// Default: 0.
    pub fn way(&self) -> u16 {
        self.way
    }

    /// This head for a client that is to be answered in another way: for a transport that is made of others.
    pub fn in_way(&mut self, way: u16) -> Outgoing<'_> {
        Outgoing { headers: self.headers, cookies: self.cookies, way }
    }

    /// The headers of the response.
    pub fn headers(&mut self) -> &mut HeaderMap {
        self.headers
    }

    /// Adds a cookie to the response. Other cookies stay.
    ///
    /// Where the application has tower-cookies' layer outside the session layer, the cookie goes into its
    /// jar; elsewhere it is a `Set-Cookie` header.
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
            Err(error) => tracing::error!(%error, "session cookie not sent: it is no valid header value"),
        }
    }

    pub(crate) fn mark_secret(&mut self) {
        forbid_storing(self.headers);
    }

    pub(crate) fn mark_read(&mut self, vary: &Vary) {
        add_vary(self.headers, vary);
    }
}
