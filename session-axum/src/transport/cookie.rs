use std::time::Duration;

use http::{HeaderMap, HeaderName, header};
use session_core::{ConfigError, IssuedId, PresentedIds};
use tower_cookies::Cookie;
use tower_cookies::cookie::{SameSite, time};

use super::cookie_header::CookieReader;
#[cfg(any(feature = "signed", feature = "private"))]
use super::sealed::Seal;
use super::{Outgoing, Transport};

const HOST: &str = "__Host-";
const SECURE: &str = "__Secure-";
/// The longest time that browsers keep a cookie (RFC 6265bis, 5.5).
const LONGEST: Duration = Duration::from_secs(400 * 86_400);
/// The most bytes of name and value together that browsers keep (RFC 6265bis, 5.6).
const MAX_BYTES: usize = 4096;

/// The settings of the cookie that carries a session's id.
///
/// | what | default |
/// |---|---|
/// | name | `sessid`, sent as `__Host-sessid`; as `__Secure-sessid` with a path or a domain; as `sessid` over HTTP |
/// | flags | `Secure; HttpOnly; SameSite=Lax; Path=/`, no Domain |
/// | lifetime | until the browser is closed; for persistent sessions the time left to their absolute deadline, at most 400 days |
///
/// `HttpOnly` can't be switched off, because no script needs the id.
///
/// ```
/// # fn example() -> Result<session_axum::SessionLayer, session_axum::ConfigError> {
/// use session_axum::{MemoryStore, SameSite, SessionCookie, SessionLayer};
///
/// let cookie = SessionCookie::new().name("shop").same_site(SameSite::Strict); // Sent as __Host-shop.
/// SessionLayer::builder(MemoryStore::new()).cookie(cookie).build()
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionCookie {
    name: String,
    prefix: bool,
    domain: Option<String>,
    path: String,
    same_site: SameSite,
    secure: bool,
    partitioned: bool,
    #[cfg(any(feature = "signed", feature = "private"))]
    seal: Option<Seal>,
}

impl Default for SessionCookie {
    fn default() -> Self {
        SessionCookie::new()
    }
}

impl SessionCookie {
    /// A cookie with every default.
    pub fn new() -> Self {
        SessionCookie {
            name: "sessid".to_owned(),
            prefix: true,
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::Lax,
            secure: true,
            partitioned: false,
            #[cfg(any(feature = "signed", feature = "private"))]
            seal: None,
        }
    }

    /// The name. Default: `sessid`. Allowed: letters, digits, `-`, `_` and the other characters of a token
    /// (RFC 9110). A prefix is added where browsers allow it; see
    /// [`without_prefix`](SessionCookie::without_prefix).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Adds no prefix to the name. Default: `__Host-` or `__Secure-` is added.
    ///
    /// Browsers let only the host itself set a cookie whose name starts with `__Host-`. Without the prefix
    /// another host of the same domain can set it too, and so put a visitor into a session of its own.
    pub fn without_prefix(mut self) -> Self {
        self.prefix = false;
        self
    }

    /// The domain whose subdomains get the cookie too. Default: none, so only the host itself gets it.
    ///
    /// Allowed: a host name such as `example.com`. Every subdomain can then read and replace the cookie.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The path below which the browser sends the cookie. Default: `/`.
    ///
    /// Allowed: text that starts with `/` and has no `;`. A path does not protect applications of one host
    /// from each other.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether requests that another site started carry the cookie. Default: [`SameSite::Lax`].
    ///
    /// `Lax`: only if the visitor follows a link. `Strict`: never, so a visitor who follows a link to your
    /// site seems not to be signed in. `None`: always; then your forms need a token against cross-site
    /// request forgery, such as [`csrf_token`](session_core::Session::csrf_token).
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Gives the visitor another cookie in each site that embeds this one (CHIPS). Default: one cookie.
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Sends the cookie over HTTP too, without `Secure` and prefix: for development. Default: HTTPS only.
    ///
    /// Whoever listens on the network can then read the cookie and take the session over.
    pub fn allow_http(mut self) -> Self {
        self.secure = false;
        self
    }

    /// Signs the id with the first key, and accepts ids that are signed with any of the keys. Default: not
    /// signed. At least one key is needed.
    ///
    /// An id without a right signature never reaches the store. To rotate keys, put the new one in front.
    /// A cookie is not sent again when keys change, so keep an old key for the longest absolute timeout;
    /// dropping it signs out everyone whose cookie it signed.
    #[cfg(feature = "signed")]
    pub fn signed(mut self, keys: impl IntoIterator<Item = tower_cookies::Key>) -> Self {
        self.seal = Some(Seal::signed(keys));
        self
    }

    /// Encrypts the id with the first key, and accepts ids that are encrypted with any of the keys.
    /// Default: not encrypted. At least one key is needed.
    ///
    /// Keys are rotated as for [signed](SessionCookie::signed) cookies.
    #[cfg(feature = "private")]
    pub fn private(mut self, keys: impl IntoIterator<Item = tower_cookies::Key>) -> Self {
        self.seal = Some(Seal::private(keys));
        self
    }

    /// Builds the transport that carries ids in this cookie.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if browsers would refuse the cookie. Its message names the setting, and says what to
    /// write instead.
    pub fn build(self) -> Result<CookieTransport, ConfigError> {
        self.check()?;
        let mut template = Cookie::new(self.sent_name(), "");
        template.set_path(self.path.clone());
        template.set_http_only(true);
        template.set_secure(self.secure);
        template.set_same_site(self.same_site);
        if self.partitioned {
            template.set_partitioned(true);
        }
        if let Some(domain) = &self.domain {
            template.set_domain(domain.clone());
        }
        let text = template.to_string();
        let transport = CookieTransport {
            reader: CookieReader::new(template.name()),
            flags: text[template.name().len() + "=".len()..].into(),
            template,
            #[cfg(any(feature = "signed", feature = "private"))]
            seal: self.seal,
        };
        let longest = transport.sealed("x".repeat(43));
        if longest.name().len() + longest.value().len() > MAX_BYTES {
            return Err(ConfigError::new(
                "the cookie's name and value have more than 4096 bytes, which browsers refuse; give a shorter `name`",
            ));
        }
        Ok(transport)
    }

    fn sent_name(&self) -> String {
        if !self.prefix || !self.secure || self.has_prefix(HOST) || self.has_prefix(SECURE) {
            return self.name.clone();
        }
        let prefix = if self.may_be_host() { HOST } else { SECURE };
        format!("{prefix}{}", self.name)
    }

    /// Whether the name starts so, as browsers see it: in any case.
    fn has_prefix(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    fn may_be_host(&self) -> bool {
        self.secure && self.path == "/" && self.domain.is_none()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |message: String| Err(ConfigError::new(message));
        let SessionCookie { name, path, .. } = self;
        if name.is_empty() || !name.bytes().all(is_token) {
            return refuse(format!("the cookie's `name` can't be {name:?}; use letters, digits, `-` and `_`"));
        }
        if self.has_prefix(HOST) && !self.may_be_host() {
            return refuse(format!(
                "browsers refuse a cookie with the `name` {name} unless it is Secure, has Path=/ and no Domain; leave out `__Host-`, or `allow_http`, `path` and `domain`"
            ));
        }
        if self.has_prefix(SECURE) && !self.secure {
            return refuse(format!(
                "browsers refuse a cookie with the `name` {name} over HTTP; leave out `__Secure-` or `allow_http`"
            ));
        }
        if self.same_site == SameSite::None && !self.secure {
            return refuse(
                "browsers refuse SameSite=None over HTTP; leave out `allow_http`, or give `same_site` Lax or Strict"
                    .into(),
            );
        }
        if self.partitioned && !self.secure {
            return refuse("browsers refuse Partitioned over HTTP; leave out `allow_http` or `partitioned`".into());
        }
        if !path.starts_with('/') || !path.bytes().all(is_attribute) {
            return refuse(format!("the cookie's `path` can't be {path:?}; start it with `/` and leave out `;`"));
        }
        match &self.domain {
            Some(domain) if !is_domain(domain) => {
                refuse(format!("the cookie's `domain` can't be {domain:?}; give a host name such as `example.com`"))
            }
            _ => self.check_seal(),
        }
    }

    #[cfg(any(feature = "signed", feature = "private"))]
    fn check_seal(&self) -> Result<(), ConfigError> {
        match &self.seal {
            Some(seal) if seal.has_no_key() => Err(ConfigError::new(
                "the list of keys of the `signed` or `private` cookie is empty; give at least one",
            )),
            _ => Ok(()),
        }
    }

    #[cfg(not(any(feature = "signed", feature = "private")))]
    fn check_seal(&self) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// Whether a token may have it (RFC 9110).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_attribute(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b';'
}

fn is_domain(domain: &str) -> bool {
    let labels = domain.strip_prefix('.').unwrap_or(domain).split('.');
    let fits = |label: &str| {
        let ends = !label.starts_with('-') && !label.ends_with('-');
        !label.is_empty() && ends && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    labels.into_iter().all(fits)
}

/// A [`Transport`] that carries the session's id in a cookie: what [`SessionCookie::build`] makes.
pub struct CookieTransport {
    /// The cookie with all but its value, so that the one that removes it has the same name,
    /// path, domain and flags.
    template: Cookie<'static>,
    reader: CookieReader,
    /// The text that follows the value: `; HttpOnly; …`.
    flags: Box<str>,
    #[cfg(any(feature = "signed", feature = "private"))]
    seal: Option<Seal>,
}

impl CookieTransport {
    fn sealed(&self, id: String) -> Cookie<'static> {
        let mut cookie = self.template.clone();
        cookie.set_value(id);
        #[cfg(any(feature = "signed", feature = "private"))]
        if let Some(seal) = &self.seal {
            return seal.close(cookie);
        }
        cookie
    }

    fn is_sealed(&self) -> bool {
        #[cfg(any(feature = "signed", feature = "private"))]
        return self.seal.is_some();
        #[cfg(not(any(feature = "signed", feature = "private")))]
        false
    }

    fn present(&self, value: &[u8], presented: &mut PresentedIds) {
        #[cfg(any(feature = "signed", feature = "private"))]
        if let Some(seal) = &self.seal {
            let opened = std::str::from_utf8(value).ok().and_then(|value| seal.open(self.template.name(), value));
            return match opened {
                Some(id) => presented.push(&id),
                None => presented.reject(),
            };
        }
        presented.push(value);
    }
}

impl Transport for CookieTransport {
    fn name(&self) -> &str {
        self.template.name()
    }

    fn request_header(&self) -> HeaderName {
        header::COOKIE
    }

    fn read(&self, headers: &HeaderMap, presented: &mut PresentedIds) {
        // At most four of this name are tried, valid or not. Else a long header could make the server
        // verify a thousand signatures.
        self.reader.first_values(PresentedIds::MAX, headers, |value| self.present(value, presented));
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let (id, keep_for) = (issued.id.as_str(), issued.keep_for);
        // Most logins need no cookie that is taken apart again.
        if keep_for.is_none() && !self.is_sealed() && !outgoing.has_jar() {
            return outgoing.append_cookie([self.template.name(), "=", id, &self.flags].concat());
        }
        let mut cookie = self.sealed(id.to_owned());
        if let Some(keep_for) = keep_for {
            let seconds = keep_for.min(LONGEST).as_secs();
            cookie.set_max_age(time::Duration::seconds(seconds as i64));
        }
        outgoing.set_cookie(cookie);
    }

    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        let mut cookie = self.template.clone();
        cookie.make_removal();
        outgoing.set_cookie(cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_name(cookie: SessionCookie) -> String {
        cookie.build().unwrap().name().to_owned()
    }

    #[test]
    fn the_prefix_follows_its_rules() {
        assert_eq!(sent_name(SessionCookie::new()), "__Host-sessid");
        assert_eq!(sent_name(SessionCookie::new().path("/app")), "__Secure-sessid");
        assert_eq!(sent_name(SessionCookie::new().domain("example.com")), "__Secure-sessid");
        assert_eq!(sent_name(SessionCookie::new().allow_http()), "sessid");
        assert_eq!(sent_name(SessionCookie::new().without_prefix()), "sessid");
        for known in ["__Host-a", "__host-a", "__Secure-a", "__SECURE-a"] {
            assert_eq!(sent_name(SessionCookie::new().name(known)), known);
        }
        // Underscores alone are no prefix.
        assert_eq!(sent_name(SessionCookie::new().name("__a")), "__Host-__a");
        assert_eq!(sent_name(SessionCookie::new().name("__Hosta").path("/a")), "__Secure-__Hosta");
    }

    /// R21.
    #[test]
    fn what_a_browser_refuses_is_refused_here() {
        let new = SessionCookie::new;
        let cases = [
            (new().name("__Host-a").domain("example.com"), "no Domain"),
            (new().name("__host-a").path("/a"), "Path=/"),
            (new().name("__Host-a").allow_http(), "Secure"),
            (new().name("__Secure-a").allow_http(), "over HTTP"),
            (new().same_site(SameSite::None).allow_http(), "SameSite=None"),
            (new().partitioned().allow_http(), "Partitioned"),
            (new().name(""), "`name`"),
            (new().name("a b"), "`name`"),
            (new().name("a;b"), "`name`"),
            (new().name("x".repeat(4096)), "4096"),
            (new().path("app"), "`path`"),
            (new().path("/a; Domain=evil.example"), "`path`"),
            (new().domain("exa mple.com"), "`domain`"),
            (new().domain("example.com; Secure"), "`domain`"),
            (new().domain(""), "`domain`"),
        ];
        for (cookie, says) in cases {
            let shown = format!("{cookie:?}");
            let error = cookie.build().err().unwrap_or_else(|| panic!("accepted {shown}"));
            assert!(error.to_string().contains(says), "{error} does not say {says}");
        }
    }

    #[test]
    fn a_cookie_is_the_same_with_a_jar_and_without() {
        let new = SessionCookie::new;
        let cookies = [
            new(),
            new().allow_http(),
            new().path("/app").domain("example.com").same_site(SameSite::None).partitioned(),
        ];
        for cookie in cookies {
            let transport = cookie.build().unwrap();
            let manager = session_core::SessionManager::new(session_core::MemoryStore::new());
            let id = manager.visit().start(session_core::NewSession::new()).unwrap().id();
            let mut headers = HeaderMap::new();
            let issued = IssuedId::new(id.clone(), None);
            transport.issue(&issued, &mut Outgoing::new(&mut headers, None));
            let in_a_jar = transport.sealed(id.as_str().to_owned()).to_string();
            assert_eq!(headers[header::SET_COOKIE], in_a_jar);
        }
    }

    #[test]
    fn the_longest_lifetime_is_400_days() {
        let transport = SessionCookie::new().build().unwrap();
        let manager = session_core::SessionManager::new(session_core::MemoryStore::new());
        let visit = manager.visit();
        let id = visit.start(session_core::NewSession::new()).unwrap().id();
        for (keep_for, max_age) in
            [(Duration::MAX, 400 * 86_400), (Duration::ZERO, 0), (Duration::from_millis(1500), 1)]
        {
            let mut headers = HeaderMap::new();
            let issued = IssuedId::new(id.clone(), Some(keep_for));
            transport.issue(&issued, &mut Outgoing::new(&mut headers, None));
            let sent = headers[header::SET_COOKIE].to_str().unwrap();
            assert!(sent.ends_with(&format!("Max-Age={max_age}")), "{sent}");
        }
    }
}
