use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use session_core::{IssuedId, PresentedIds};

use super::{Outgoing, Transport};

/// A [`Transport`] that carries the session's id in a header, for clients that keep no cookies.
///
/// A response tells the client a new id in a header. A response that ends the session has that header
/// with an empty value.
///
/// ```
/// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
/// use session_axum::{HeaderTransport, MemoryStore, SessionLayer};
///
/// SessionLayer::builder(MemoryStore::new()).transport(HeaderTransport::bearer()).build()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HeaderTransport {
    request: HeaderName,
    response: HeaderName,
    bearer: bool,
}

impl HeaderTransport {
    /// Reads the id from `Authorization: Bearer <id>` (RFC 6750). Responses tell it in `Session-Id`.
    pub fn bearer() -> Self {
        let response = HeaderName::from_static("session-id");
        HeaderTransport { request: header::AUTHORIZATION, response, bearer: true }
    }

    /// Reads the id from this header. Responses tell it in the same header.
    pub fn named(name: HeaderName) -> Self {
        HeaderTransport { request: name.clone(), response: name, bearer: false }
    }

    /// The header in which responses tell the id.
    #[must_use]
    pub fn response_header(mut self, name: HeaderName) -> Self {
        self.response = name;
        self
    }
}

/// The client's part, for the kit that tests applications.
#[cfg(feature = "testing")]
impl HeaderTransport {
    /// What a response says of the client's id. An empty value tells it to forget that.
    pub(crate) fn told_in<'a>(&self, response: &'a HeaderMap) -> Option<&'a HeaderValue> {
        response.get(&self.response)
    }

    /// The header of a request that presents this id. Without one, a client that wants a bearer token asks for it.
    pub(crate) fn presenting(&self, id: Option<&HeaderValue>) -> Option<(HeaderName, HeaderValue)> {
        let value = match (id, self.bearer) {
            (Some(id), true) => HeaderValue::from_bytes(&[b"Bearer ", id.as_bytes()].concat()).ok()?,
            (Some(id), false) => id.clone(),
            (None, true) => HeaderValue::from_static("Bearer"),
            (None, false) => return None,
        };
        Some((self.request.clone(), value))
    }
}

/// Whether a request has `Authorization: Bearer`, with a token or without.
pub(crate) fn asks_for_bearer(headers: &HeaderMap) -> bool {
    // What is not quite the scheme counts too: no cookie may be read beside it.
    let ends = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    let scheme = |value: &HeaderValue| {
        let scheme = value.as_bytes().trim_ascii().split(ends).next();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
    };
    headers.get_all(header::AUTHORIZATION).iter().any(scheme)
}

/// The token of `Bearer <token>`, whatever the case of the scheme.
pub(crate) fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let scheme_ends = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = value.split_at(scheme_ends);
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii_start())
}

impl Transport for HeaderTransport {
    fn name(&self) -> &str {
        self.request.as_str()
    }

    fn request_headers(&self) -> Vec<HeaderName> {
        vec![self.request.clone()]
    }

    fn read(&self, request: &Parts, presented: &mut PresentedIds) {
        if self.bearer {
            presented.set_by_bearer();
        }
        let values = request.headers.get_all(&self.request).iter().map(HeaderValue::as_bytes);
        // Another scheme than Bearer is for somebody else to read.
        let mut presented_here = values.filter_map(|value| if self.bearer { bearer_token(value) } else { Some(value) });
        while !presented.is_full()
            && let Some(id) = presented_here.next()
        {
            presented.push(id);
        }
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let mut id = HeaderValue::from_str(issued.id.as_str()).expect("an id is a header value");
        id.set_sensitive(true);
        outgoing.headers().insert(&self.response, id);
    }

    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        outgoing.headers().insert(&self.response, HeaderValue::from_static(""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Parts {
        http::Request::new(()).into_parts().0
    }

    #[test]
    fn what_is_no_id_hides_none_that_comes_after_it() {
        let mut request = request();
        for value in ["Basic abc", "Bearer junk", "Bearer", ""].repeat(4) {
            request.headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        for _ in 0..PresentedIds::MAX {
            let mut presented = PresentedIds::default();
            HeaderTransport::bearer().read(&request, &mut presented);
            assert!(!presented.is_full());
            request.headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer AAAAAAAAAAAAAAAAAAAAAAAA"));
        }
        let mut presented = PresentedIds::default();
        HeaderTransport::bearer().read(&request, &mut presented);
        assert!(presented.is_full());
    }

    #[test]
    fn only_the_bearer_scheme_is_read() {
        assert_eq!(bearer_token(b"Bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer_token(b"bearer  abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer_token(b"Basic abc"), None);
        assert_eq!(bearer_token(b"Bearer"), None);
    }

    #[test]
    fn whoever_names_the_scheme_asks_for_a_bearer_token() {
        let asks = |values: &[&'static str]| {
            let mut request = request();
            for value in values {
                request.headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            asks_for_bearer(&request.headers)
        };
        for value in ["Bearer abc", "bearer", "BEARER ", "Bearer\tabc", "Bearer,abc"] {
            assert!(asks(&[value]), "{value:?}");
            assert!(asks(&["Basic abc", value]), "{value:?}");
        }
        for value in ["", "Basic Bearer", "Bearers abc", "abc"] {
            assert!(!asks(&[value]), "{value:?}");
        }
    }
}
