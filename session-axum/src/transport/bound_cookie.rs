use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tower_cookies::Cookie;
use tower_cookies::cookie::time;

use super::cookie_header::CookieReader;

/// The short-lived cookie that a browser gets for a proof of its key, beside the cookie with the session's id.
///
/// What is sent and what the browser is told to watch come from one template, or the browser would ask for it again and
/// again.
pub struct BoundCookie {
    template: Cookie<'static>,
    reader: CookieReader,
    attributes: String,
    /// The name of the session's cookie.
    layer: Arc<str>,
}

impl BoundCookie {
    /// It has the name of the session's cookie with `-bound`, and the same path, domain and flags.
    pub(super) fn beside(session: &Cookie<'static>) -> Self {
        let mut template = session.clone();
        template.set_name(format!("{}-bound", session.name()));
        let text = template.to_string();
        let attributes = text[template.name().len() + "=".len()..].trim_start_matches("; ").to_owned();
        BoundCookie { reader: CookieReader::new(template.name()), template, attributes, layer: session.name().into() }
    }

    pub(crate) fn name(&self) -> &str {
        self.template.name()
    }

    /// What tells the layer from others of one application: the name of the session's cookie. No bound cookie of one is
    /// good for another.
    pub(crate) fn layer(&self) -> &Arc<str> {
        &self.layer
    }

    /// Its `Path`, which is that of the session's cookie.
    pub(crate) fn path(&self) -> &str {
        self.template.path().unwrap_or("/")
    }

    /// Its `Domain`.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.template.domain()
    }

    /// All but its value and lifetime, as a browser is told to expect it.
    pub(crate) fn attributes(&self) -> &str {
        &self.attributes
    }

    /// The cookie with this value. The browser drops it after `lifetime`, in whole seconds.
    pub(crate) fn carrying(&self, value: String, lifetime: Duration) -> Cookie<'static> {
        let mut cookie = self.template.clone();
        cookie.set_value(value);
        cookie.set_max_age(time::Duration::seconds(lifetime.as_secs() as i64));
        cookie
    }

    /// The cookie that removes it.
    pub(crate) fn removal(&self) -> Cookie<'static> {
        let mut cookie = self.template.clone();
        cookie.make_removal();
        cookie
    }

    /// Passes on the values that a request has, until `found` breaks.
    pub(crate) fn values(&self, headers: &HeaderMap, found: impl FnMut(&[u8]) -> ControlFlow<()>) {
        self.reader.values(headers, found);
    }
}

#[cfg(test)]
mod tests {
    use tower_cookies::cookie::SameSite;

    use super::*;
    use crate::transport::Transport;
    use crate::transport::cookie::SessionCookie;

    /// D20: a browser asks for a cookie again and again that is not what it was told to expect.
    #[test]
    fn what_is_sent_is_what_the_browser_expects() {
        let new = SessionCookie::new;
        for (cookie, name, attributes) in [
            (new(), "__Host-sessid-bound", "HttpOnly; SameSite=Lax; Secure; Path=/"),
            (
                new().name("shop").domain("example.com").path("/a").same_site(SameSite::None),
                "__Secure-shop-bound",
                "HttpOnly; SameSite=None; Secure; Path=/a; Domain=example.com",
            ),
        ] {
            let transport = cookie.build().unwrap();
            let bound = transport.bound_cookie(0).unwrap();
            assert_eq!((bound.name(), bound.attributes()), (name, attributes));
            let sent = bound.carrying("x.y".to_owned(), Duration::from_millis(90_500)).to_string();
            let (told, lifetime) = sent.split_once("; Max-Age=").unwrap();
            let (lifetime, rest) = lifetime.split_once("; ").unwrap_or((lifetime, ""));
            assert_eq!(lifetime, "90");
            let told = format!("{}; {rest}", told.strip_prefix(&format!("{name}=x.y; ")).unwrap());
            let parts = |text: &str| {
                let mut parts: Vec<_> = text.split("; ").filter(|part| !part.is_empty()).map(str::to_owned).collect();
                parts.sort();
                parts
            };
            assert_eq!(parts(&told), parts(attributes));
        }
        assert!(new().allow_http().build().unwrap().bound_cookie(0).is_none(), "browsers bind Secure cookies alone");
    }
}
