use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, Uri};
use session_core::{IssuedId, PresentedIds};

#[cfg(feature = "device-bound")]
use super::bound_cookie::BoundCookie;
use super::header::{HeaderTransport, asks_for_bearer};
use super::{Outgoing, Transport};

/// The way of clients that send `Authorization: Bearer`. All others are those of the cookies.
const BEARER: u16 = u16::MAX;

/// Carries ids as bearer tokens where a client asks for them, and otherwise in cookies. Sessions of the one are never
/// opened in the way of the other.
pub(crate) struct CookieOrBearer {
    cookies: Box<dyn Transport>,
    bearer: HeaderTransport,
}

impl CookieOrBearer {
    pub(crate) fn beside(cookies: Box<dyn Transport>) -> Self {
        CookieOrBearer { cookies, bearer: HeaderTransport::bearer() }
    }
}

impl Transport for CookieOrBearer {
    fn name(&self) -> &str {
        self.cookies.name()
    }

    fn request_headers(&self) -> Vec<HeaderName> {
        [self.cookies.request_headers(), self.bearer.request_headers()].concat()
    }

    fn proof(&self) -> u64 {
        self.cookies.proof()
    }

    #[cfg(feature = "device-bound")]
    fn bound_cookie(&self, way: u16) -> Option<&BoundCookie> {
        if way == BEARER { None } else { self.cookies.bound_cookie(way) }
    }

    fn is_for_http(&self, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> bool {
        self.cookies.is_for_http(uri, headers, extensions)
    }

    fn read(&self, request: &Parts, presented: &mut PresentedIds) {
        presented.keep_apart();
        if asks_for_bearer(&request.headers) {
            presented.set_way(BEARER);
            self.bearer.read(request, presented);
        } else {
            self.cookies.read(request, presented);
        }
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        match outgoing.way() {
            BEARER => self.bearer.issue(issued, outgoing),
            _ => self.cookies.issue(issued, outgoing),
        }
    }

    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        match outgoing.way() {
            BEARER => self.bearer.forget(outgoing),
            _ => self.cookies.forget(outgoing),
        }
    }
}
