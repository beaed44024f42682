use std::ops::ControlFlow;

use http::HeaderMap;
use percent_encoding::percent_decode;
use session_core::ConfigError;
use tower_cookies::Cookie;

use crate::transport::cookie_header::CookieReader;

/// Several cookies of one name come from several paths or domains. More are not looked at.
const MOST: usize = 4;

/// Makes the old id of a cookie's decoded value. `None` if it is none.
pub(super) type OpenValue = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The cookies of another library: how they are read, and how they are removed.
pub(super) struct OldCookies {
    name: String,
    path: String,
    domain: Option<String>,
    reader: CookieReader,
    open: Option<Box<OpenValue>>,
}

impl OldCookies {
    pub(super) fn new(name: String) -> Self {
        let reader = CookieReader::new(&name);
        OldCookies { name, path: "/".to_owned(), domain: None, reader, open: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn set_path(&mut self, path: String) {
        self.path = path;
    }

    pub(super) fn set_domain(&mut self, domain: String) {
        self.domain = Some(domain);
    }

    pub(super) fn set_open(&mut self, open: Box<OpenValue>) {
        self.open = Some(open);
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_part_of_name = |byte: u8| byte.is_ascii_graphic() && !b"=;,\"".contains(&byte);
        if !self.name.is_empty() && self.name.bytes().all(is_part_of_name) {
            return Ok(());
        }
        Err(ConfigError::new(format!(
            "`Adoption::of_cookie` can't read a cookie called {:?}; give the name of the other library's cookie, such as `id`",
            self.name
        )))
    }

    /// The old ids that a request presents, in order.
    pub(super) fn ids(&self, headers: &HeaderMap) -> Vec<String> {
        let mut ids = Vec::new();
        let mut looked_at = 0;
        self.reader.values(headers, |value| {
            looked_at += 1;
            if let Some(id) = self.id(value).filter(|id| !ids.contains(id)) {
                ids.push(id);
            }
            if looked_at < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        ids
    }

    /// Decoded, so that an id has one place however its cookie is written.
    fn id(&self, value: &[u8]) -> Option<String> {
        let value = percent_decode(value).decode_utf8().ok()?;
        let id = match &self.open {
            Some(open) => open(&value)?,
            None => value.into_owned(),
        };
        (!id.is_empty()).then_some(id)
    }

    /// The cookie that removes them.
    pub(super) fn removal(&self) -> Cookie<'static> {
        let mut cookie = Cookie::build((self.name.clone(), "")).path(self.path.clone()).http_only(true).build();
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        // Browsers refuse one with a prefix that is not Secure.
        cookie.set_secure(self.name.starts_with("__").then_some(true));
        cookie.make_removal();
        cookie
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    fn ids(cookies: &OldCookies, header: &'static str) -> Vec<String> {
        let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(header))]);
        cookies.ids(&headers)
    }

    #[test]
    fn ids_are_decoded_and_each_comes_once() {
        let cookies = OldCookies::new("id".to_owned());
        assert_eq!(ids(&cookies, "a=1; id=x%2By; id=x+y; id=; id=%FF; id=z"), ["x+y"]);
        assert_eq!(ids(&cookies, "ID=1; i%64=2"), Vec::<String>::new());
    }

    #[test]
    fn a_value_that_does_not_open_is_no_id() {
        let mut cookies = OldCookies::new("id".to_owned());
        cookies.set_open(Box::new(|value| value.strip_prefix("signed.").map(str::to_owned)));
        assert_eq!(ids(&cookies, "id=forged.x; id=signed.y"), ["y"]);
    }

    #[test]
    fn the_removal_has_the_place_of_the_cookie() {
        let mut cookies = OldCookies::new("__Secure-id".to_owned());
        cookies.set_path("/shop".to_owned());
        cookies.set_domain("example.com".to_owned());
        let removal = cookies.removal().to_string();
        for part in ["__Secure-id=;", "Path=/shop", "Domain=example.com", "Max-Age=0", "Secure"] {
            assert!(removal.contains(part), "{removal}");
        }
    }
}
