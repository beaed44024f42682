use std::borrow::Cow;

use axum::extract::OriginalUri;
use http::uri::Authority;
use http::{HeaderValue, Request, Uri, header};

use crate::transport::BoundCookie;

/// Where a request found the layer: what the layer's own addresses are made of.
#[derive(Clone)]
pub(crate) struct Place {
    /// As the layer sees it: without the path under which a router has nested it.
    seen: Uri,
    /// As the client has sent it.
    sent: Uri,
    host: Option<HeaderValue>,
}

impl Place {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let seen = request.uri().clone();
        let sent =
            request.extensions().get::<OriginalUri>().map_or_else(|| seen.clone(), |OriginalUri(uri)| uri.clone());
        Place { seen, sent, host: request.headers().get(header::HOST).cloned() }
    }

    /// The path under which a router has nested the layer. Empty if none has.
    pub(super) fn nested_at(&self) -> &str {
        self.sent.path().strip_suffix(self.seen.path()).unwrap_or_default()
    }

    /// The path of an address of the layer as clients have to send it: below where the layer is, and where the browser
    /// sends the cookie. `None` if that is nowhere.
    pub(super) fn address(&self, cookie: &BoundCookie, path: &str) -> Option<String> {
        let (layer, cookie) = (self.nested_at(), cookie.path().trim_end_matches('/'));
        let base = if is_below(layer, cookie) {
            layer
        } else if is_below(cookie, layer) {
            cookie
        } else {
            return None;
        };
        Some(format!("{base}{path}"))
    }

    /// The path as the client has sent it.
    pub(super) fn path(&self) -> &str {
        self.sent.path()
    }

    /// The host that the client has named, without port and in lower case.
    pub(super) fn host(&self) -> Option<Cow<'_, str>> {
        let of_header = || self.host.as_ref()?.to_str().ok()?.parse::<Authority>().ok();
        let authority = self.sent.authority().cloned().or_else(of_header)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
        let host = authority.host();
        host.bytes().all(is_plain).then(|| Cow::Owned(host.to_ascii_lowercase()))
    }
}

/// Whether a path is another, or below it.
fn is_below(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;
    use crate::transport::cookie::SessionCookie;

    fn place(sent: &str, seen: &str) -> Place {
        let mut request = Request::builder().uri(seen).header("host", "Shop.example:8443").body(()).unwrap();
        request.extensions_mut().insert(OriginalUri(sent.parse().unwrap()));
        Place::of(&request)
    }

    /// D23
    #[test]
    fn an_address_is_below_the_layer_and_where_the_cookie_is_sent() {
        for (sent, seen, cookie, address) in [
            ("/login", "/login", "/", Some("/register")),
            ("/shop/login", "/login", "/", Some("/shop/register")),
            ("/shop/login", "/login", "/shop", Some("/shop/register")),
            ("/shop/login", "/login", "/shop/", Some("/shop/register")),
            ("/shop/staff/login", "/shop/staff/login", "/shop", Some("/shop/register")),
            ("/shop/login", "/login", "/shop/staff", Some("/shop/staff/register")),
            ("/shop/login", "/login", "/staff", None),
            ("/shop/login", "/login", "/sho", None),
        ] {
            let transport = SessionCookie::new().path(cookie).build().unwrap();
            let cookie = transport.bound_cookie(0).unwrap();
            assert_eq!(place(sent, seen).address(cookie, "/register").as_deref(), address, "{sent} {seen}");
        }
    }

    #[test]
    fn the_host_is_that_of_the_request_without_its_port() {
        assert_eq!(place("/a", "/a").host().as_deref(), Some("shop.example"));
        assert_eq!(place("https://Other.example:1/a", "/a").host().as_deref(), Some("other.example"));
    }
}
