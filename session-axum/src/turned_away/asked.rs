use axum::extract::OriginalUri;
use http::{Extensions, HeaderMap, HeaderName, Method, Uri, header};

use crate::transport::header::asks_for_bearer;

use super::refusal::Refusal;

/// What a request asked for: all of its head that an answer depends on.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    method: Method,
    /// Whole, also where a nested router sees a part of it.
    uri: Uri,
    headers: HeaderMap,
    /// Empty where nobody can look at them.
    extensions: Extensions,
}

/// In the extensions of a response that turns a request away: the layer is to make a better one.
#[derive(Clone)]
pub(crate) struct Unanswered {
    pub(crate) refusal: Refusal,
    /// `None` where the request's head was not at hand.
    pub(crate) asked: Option<Box<Asked>>,
}

/// A request that is turned away, for [`answer_with`](crate::SessionLayerBuilder::answer_with).
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    refusal: Refusal,
    asked: &'a Asked,
}

/// What kind of client sent a request, as far as its headers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// A browser that will show the response as a page. It follows a redirect.
    Navigation,
    /// A page that uses [htmx](https://htmx.org): it goes where `HX-Redirect` says.
    Htmx,
    /// A script or a program, which handles the status itself.
    Script,
}

impl Asked {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let original = extensions.get::<OriginalUri>().map(|original| &original.0);
        let uri = original.unwrap_or(uri).clone();
        Asked { method: method.clone(), uri, headers: headers.clone(), extensions: Extensions::new() }
    }

    pub(crate) fn with_extensions(mut self, extensions: &Extensions) -> Self {
        self.extensions = extensions.clone();
        self
    }

    fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        self.headers.get(name.as_ref())?.to_str().ok()
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether the request can be repeated by following a link.
    pub(super) fn is_get(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// The address that the visitor sees while this request is sent.
    pub(super) fn shown_page(&self) -> Option<&str> {
        let by_htmx = (self.kind() == ClientKind::Htmx).then(|| self.header("hx-current-url")).flatten();
        by_htmx.or_else(|| self.header(header::REFERER))
    }

    /// Whether an authority is that of this request.
    pub(super) fn is_at(&self, authority: &str) -> bool {
        let here = self.uri.authority().map(|authority| authority.as_str()).or_else(|| self.header(header::HOST));
        here.is_some_and(|here| here.eq_ignore_ascii_case(authority))
    }

    /// Browsers tell by `Sec-Fetch-Mode`; the other headers are for those that don't.
    pub(super) fn kind(&self) -> ClientKind {
        let has = |name: &'static str| self.headers.contains_key(HeaderName::from_static(name));
        if has("hx-request") {
            // Where htmx only follows a link, the page that it asks for is the way back.
            return ClientKind::Htmx;
        }
        match self.header("sec-fetch-mode") {
            // A client that sends a token is no browser that could follow.
            _ if asks_for_bearer(&self.headers) => ClientKind::Script,
            Some("navigate") => ClientKind::Navigation,
            Some(_) => ClientKind::Script,
            None if has("x-requested-with") => ClientKind::Script,
            None if self.header(header::ACCEPT).is_some_and(|accept| accept.contains("text/html")) => {
                ClientKind::Navigation
            }
            None => ClientKind::Script,
        }
    }

    /// Whether what the request asks for is what the visitor will see.
    pub(super) fn asks_for_page(&self) -> bool {
        self.is_get() && (self.kind() == ClientKind::Navigation || self.headers.contains_key("hx-boosted"))
    }
}

impl<'a> Refused<'a> {
    pub(super) fn new(refusal: Refusal, asked: &'a Asked) -> Self {
        Refused { refusal, asked }
    }

    /// Why it is turned away.
    pub fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// The request's method.
    pub fn method(&self) -> &'a Method {
        &self.asked.method
    }

    /// The request's whole path and query, also in a nested router.
    pub fn uri(&self) -> &'a Uri {
        &self.asked.uri
    }

    /// The request's headers.
    pub fn headers(&self) -> &'a HeaderMap {
        &self.asked.headers
    }

    /// What others have put into the request: `ConnectInfo`, `MatchedPath`, or what a layer of yours found out. It is what
    /// was there when an extractor or a guard turned the request away; where a handler's error or saving did, what was
    /// there when the session layer got the request.
    pub fn extensions(&self) -> &'a Extensions {
        &self.asked.extensions
    }

    /// What kind of client sent it.
    pub fn client(&self) -> ClientKind {
        self.asked.kind()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use http::Request;

    use super::*;

    pub(crate) fn asked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Asked {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("the test's request is well formed");
        Asked::of(request.method(), request.uri(), request.headers(), request.extensions())
    }

    #[test]
    fn browsers_tell_what_they_do_with_the_response() {
        let kind = |headers: &[(&str, &str)]| asked("GET", "/", headers).kind();
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        assert_eq!(kind(&[("sec-fetch-mode", "navigate"), ("accept", "*/*")]), ClientKind::Navigation);
        for mode in ["cors", "same-origin", "no-cors", "websocket"] {
            assert_eq!(kind(&[("sec-fetch-mode", mode), html]), ClientKind::Script);
        }
        assert_eq!(kind(&[html]), ClientKind::Navigation);
        assert_eq!(kind(&[html, ("x-requested-with", "XMLHttpRequest")]), ClientKind::Script);
        for accept in ["*/*", "application/json", ""] {
            assert_eq!(kind(&[("accept", accept)]), ClientKind::Script);
        }
        assert_eq!(kind(&[]), ClientKind::Script);
        assert_eq!(kind(&[html, ("authorization", "Bearer x")]), ClientKind::Script);
        assert_eq!(kind(&[("hx-request", "true"), ("sec-fetch-mode", "cors")]), ClientKind::Htmx);
    }
}
