use session_core::ConfigError;
use tower_cookies::Cookie;
use tower_cookies::cookie::SameSite;

use super::cookie_transport::CookieTransport;
#[cfg(any(feature = "signed", feature = "private"))]
use super::sealed::{AskedSeal, PlainIds};
#[cfg(feature = "trusted-proxies")]
use super::trusted_proxies::TrustedProxies;

// Names that begin so have rules of their own in browsers (RFC 6265bis, 4.1.3).
pub(super) const HOST: &str = "__Host-";
pub(super) const SECURE: &str = "__Secure-";
pub(super) const HTTP: &str = "__Http-";
/// The most bytes of name and value together that browsers keep (RFC 6265bis, 5.6).
const MAX_BYTES: usize = 4096;

/// The settings of the cookie that carries a session's id.
///
/// | what | default |
/// |---|---|
/// | name | `sessid`, sent as `__Host-sessid`; as `__Secure-sessid` with a path or a domain; as `sessid` over HTTP |
/// | flags | `Secure; HttpOnly; SameSite=Lax; Path=/`, no Domain |
/// | lifetime | until the browser is closed; for persistent sessions the time left to their absolute deadline, at most 400 days, and sent again once a day if the session may live longer |
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
    pub(super) name: String,
    pub(super) prefix: bool,
    pub(super) domain: Option<String>,
    pub(super) path: String,
    pub(super) same_site: SameSite,
    pub(super) secure: bool,
    pub(super) partitioned: bool,
    #[cfg(any(feature = "signed", feature = "private"))]
    seal: Option<AskedSeal>,
    #[cfg(any(feature = "signed", feature = "private"))]
    plain_ids: PlainIds,
    #[cfg(feature = "trusted-proxies")]
    pub(super) by_scheme: Option<TrustedProxies>,
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
            #[cfg(any(feature = "signed", feature = "private"))]
            plain_ids: PlainIds::Refused,
            #[cfg(feature = "trusted-proxies")]
            by_scheme: None,
        }
    }

    /// The name. Default: `sessid`. Allowed: letters, digits, `-`, `_` and the other characters of a token
    /// (RFC 9110); no `$` in front, and no name of an attribute, such as `path`. A prefix is added where browsers allow it; see
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
    /// Allowed: a host name such as `example.com`, in lower case and with a dot inside; no IP address. With the
    /// feature `public-suffix` also nothing below which anybody can have a host, such as `co.uk`: browsers refuse such
    /// a cookie. Every subdomain can read and replace the cookie.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The path below which the browser sends the cookie. Default: `/`.
    ///
    /// Allowed: a path as browsers send it: it starts with `/`, is percent-encoded, and has no `;`, `?` or `#`. A path does not protect applications of one host
    /// from each other.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Whether requests that another site started carry the cookie. Default: [`SameSite::Lax`].
    ///
    /// `Lax`: only if the visitor follows a link. `Strict`: never, so a visitor who follows a link to your
    /// site seems not to be signed in. `None`: always; then your forms need protection against cross-site
    /// request forgery: [`CrossOriginProtection`](crate::CrossOriginProtection).
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

    /// Follows the scheme of each request, for an application that serves both HTTPS and HTTP behind proxies: over HTTP
    /// the cookie has neither `Secure` nor prefix, and over HTTPS both. Default: HTTPS only.
    ///
    /// Over HTTPS only the name with the prefix is read, and over HTTP only the one without. A request counts as HTTP only
    /// if one of `proxies` sent it and says so: see [`TrustedProxies`]. Any other counts as HTTPS.
    ///
    /// Whoever listens on the network can read what is sent over HTTP, and take the session over.
    #[cfg(feature = "trusted-proxies")]
    pub fn secure_by_scheme(mut self, proxies: TrustedProxies) -> Self {
        self.by_scheme = Some(proxies);
        self
    }

    /// Signs the id with the first key, and accepts ids that are signed with any of the keys. Default: not
    /// signed. At least one key is needed.
    ///
    /// An id without a right signature never reaches the store. A signature counts for this cookie's name alone: the
    /// keys that sign are derived from those given, and from the name. The same keys may therefore serve several
    /// layers, and other cookies of the application.
    ///
    /// To rotate keys, put the new one in front. A cookie that an old key signed is sent again, signed with the new
    /// one, when its session is used. Drop the old key after the longest idle timeout: that signs out those who did
    /// not come back.
    ///
    /// To switch signing on, or off again, without signing everybody out, see
    /// [`insecure_accept_plain_ids`](SessionCookie::insecure_accept_plain_ids).
    #[cfg(feature = "signed")]
    pub fn signed(mut self, keys: impl IntoIterator<Item = tower_cookies::Key>) -> Self {
        self.seal = Some(AskedSeal::signed(keys));
        self
    }

    /// Encrypts the id with the first key, and accepts ids that are encrypted with any of the keys.
    /// Default: not encrypted. At least one key is needed.
    ///
    /// Keys are rotated, and encryption is switched on and off, as for [signed](SessionCookie::signed) cookies.
    #[cfg(feature = "private")]
    pub fn private(mut self, keys: impl IntoIterator<Item = tower_cookies::Key>) -> Self {
        self.seal = Some(AskedSeal::private(keys));
        self
    }

    /// Accepts ids that are not signed or encrypted as well, and sends them again sealed: for the time in which
    /// [`signed`](SessionCookie::signed) or [`private`](SessionCookie::private) is being switched on. Default: they
    /// are refused.
    ///
    /// As long as this is set, the seal protects nothing: any id is looked up. Leave it out again after the longest
    /// idle timeout.
    ///
    /// With several processes, switch on in three steps, each of which every process has taken before the next:
    /// the keys and [`insecure_send_plain_ids`](SessionCookie::insecure_send_plain_ids); the keys and this; the keys
    /// alone. To switch off, take the same steps backward.
    #[cfg(any(feature = "signed", feature = "private"))]
    pub fn insecure_accept_plain_ids(mut self) -> Self {
        self.plain_ids = PlainIds::Accepted;
        self
    }

    /// Sends ids that are not signed or encrypted, and accepts them, as if there were no keys. Sealed ids are
    /// accepted as well, and sent again plain. For switching [`signed`](SessionCookie::signed) or
    /// [`private`](SessionCookie::private) on and off: see
    /// [`insecure_accept_plain_ids`](SessionCookie::insecure_accept_plain_ids). Default: ids are sent sealed.
    #[cfg(any(feature = "signed", feature = "private"))]
    pub fn insecure_send_plain_ids(mut self) -> Self {
        self.plain_ids = PlainIds::Sent;
        self
    }

    /// Builds the transport that carries ids in this cookie.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if browsers would refuse the cookie. Its message names the setting, and says what to
    /// write instead.
    pub fn build(self) -> Result<CookieTransport, ConfigError> {
        #[cfg(feature = "trusted-proxies")]
        if let Some(proxies) = &self.by_scheme {
            self.check_by_scheme()?;
            let plain = SessionCookie { by_scheme: None, secure: false, ..self.clone() }.build_one()?;
            let proxies = proxies.clone();
            return Ok(self.build_one()?.with_over_http(proxies, plain));
        }
        self.build_one()
    }

    /// The transport for one scheme.
    fn build_one(self) -> Result<CookieTransport, ConfigError> {
        self.check()?;
        #[cfg(any(feature = "signed", feature = "private"))]
        self.check_seal()?;
        let name = self.sent_name();
        #[cfg(any(feature = "signed", feature = "private"))]
        let seal = self.seal.as_ref().map(|seal| seal.of(&name, self.plain_ids));
        let mut template = Cookie::new(name, "");
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
        let transport = CookieTransport::new(template);
        #[cfg(any(feature = "signed", feature = "private"))]
        let transport = transport.sealed_by(seal);
        let longest = transport.carrying("x".repeat(43));
        if longest.name().len() + longest.value().len() > MAX_BYTES {
            return Err(ConfigError::new(
                "the cookie's name and value have more than 4096 bytes, which browsers refuse; give a shorter `name`",
            ));
        }
        Ok(transport)
    }

    fn sent_name(&self) -> String {
        let has_one = [HOST, SECURE, HTTP].into_iter().any(|prefix| self.has_prefix(prefix));
        if !self.prefix || !self.secure || has_one {
            return self.name.clone();
        }
        let prefix = if self.may_be_host() { HOST } else { SECURE };
        format!("{prefix}{}", self.name)
    }

    /// Whether the name starts so, as browsers see it: in any case.
    pub(super) fn has_prefix(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    pub(super) fn may_be_host(&self) -> bool {
        self.secure && self.path == "/" && self.domain.is_none()
    }

    #[cfg(any(feature = "signed", feature = "private"))]
    fn check_seal(&self) -> Result<(), ConfigError> {
        match &self.seal {
            Some(seal) => seal.check(),
            None if self.plain_ids == PlainIds::Refused => Ok(()),
            None => Err(ConfigError::new(
                "`insecure_accept_plain_ids` and `insecure_send_plain_ids` are for cookies that are `signed` or \
                 `private`; leave them out, or give the keys",
            )),
        }
    }
}

/// The name that the manager's audience has by default. Switching to HTTPS or to a domain changes the prefix, and must
/// sign nobody out.
pub(crate) fn without_prefix(name: &str) -> &str {
    let prefix = [HOST, SECURE, HTTP].into_iter().find(|prefix| {
        let start = name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    });
    prefix.map_or(name, |prefix| &name[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;

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
}
