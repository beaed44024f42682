use std::time::Duration;

use session_core::Time;
use tower_cookies::Cookie;
use tower_cookies::cookie::SameSite;

use crate::cross_origin::Origin;

/// The longest time for which browsers keep a cookie.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

/// A cookie as a browser keeps it, by the rules of RFC 6265bis.
#[derive(Clone)]
pub(super) struct KeptCookie {
    name: String,
    value: String,
    domain: String,
    /// It goes to `domain` alone, and to no host below it.
    is_host_only: bool,
    path: String,
    is_secure: bool,
    same_site: SameSite,
    /// `None` until the browser is closed.
    expires: Option<Time>,
}

impl KeptCookie {
    /// Takes the cookie of a `Set-Cookie` header in the response to a request for `path` at `origin`. Fails with the reason
    /// if a browser ignores it.
    pub(super) fn take(set_cookie: &str, origin: &Origin, path: &str, now: Time) -> Result<Self, String> {
        let Ok(cookie) = Cookie::parse(set_cookie) else { return Err("it is not well formed".to_owned()) };
        let own_path = cookie.path().filter(|path| path.starts_with('/'));
        let kept = KeptCookie {
            name: cookie.name().to_owned(),
            value: cookie.value().to_owned(),
            domain: cookie.domain().unwrap_or(origin.host()).to_ascii_lowercase(),
            is_host_only: cookie.domain().is_none(),
            path: own_path.map_or_else(|| folder_of(path), str::to_owned),
            is_secure: cookie.secure().unwrap_or_default(),
            same_site: cookie.same_site().unwrap_or(SameSite::Lax),
            expires: expiry(&cookie, now),
        };
        kept.check(origin, own_path.is_some(), cookie.partitioned().unwrap_or_default())?;
        Ok(kept)
    }

    fn check(&self, origin: &Origin, has_path: bool, is_partitioned: bool) -> Result<(), String> {
        let name = self.name.to_ascii_lowercase();
        let is_for_host = self.is_secure && self.is_host_only && has_path && self.path == "/";
        if self.is_secure && !origin.is_https() {
            Err("it is `Secure`, and the origin has no https".to_owned())
        } else if !self.is_secure && (is_partitioned || self.same_site == SameSite::None) {
            Err("`SameSite=None` and `Partitioned` need `Secure`".to_owned())
        } else if name.starts_with("__host-") && !is_for_host {
            Err("`__Host-` needs `Secure`, `Path=/` and no `Domain`".to_owned())
        } else if name.starts_with("__secure-") && !self.is_secure {
            Err("`__Secure-` needs `Secure`".to_owned())
        } else if !self.covers_host(origin.host()) {
            Err(format!("its domain is {:?}, and the origin's host {:?}", self.domain, origin.host()))
        } else {
            Ok(())
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn value(&self) -> &str {
        &self.value
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_live(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    pub(super) fn outlives_the_browser(&self) -> bool {
        self.expires.is_some()
    }

    /// Whether a newer cookie takes this one's place.
    pub(super) fn is_replaced_by(&self, newer: &KeptCookie) -> bool {
        (&self.name, &self.domain, self.is_host_only, &self.path)
            == (&newer.name, &newer.domain, newer.is_host_only, &newer.path)
    }

    /// Whether it goes along with a request that a page of the site itself sends.
    pub(super) fn goes_to(&self, origin: &Origin, path: &str) -> bool {
        self.covers_host(origin.host()) && self.covers_path(path) && (origin.is_https() || !self.is_secure)
    }

    /// Whether it goes along with a request that a page of another site sends. `leads` says that the visitor follows a link.
    pub(super) fn goes_across_sites(&self, leads: bool) -> bool {
        match self.same_site {
            SameSite::None => true,
            SameSite::Lax => leads,
            SameSite::Strict => false,
        }
    }

    fn covers_host(&self, host: &str) -> bool {
        let is_below = || host.strip_suffix(&self.domain).is_some_and(|rest| rest.ends_with('.'));
        host == self.domain || (!self.is_host_only && is_below())
    }

    fn covers_path(&self, path: &str) -> bool {
        let rest = path.strip_prefix(&self.path);
        rest.is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'))
    }
}

fn expiry(cookie: &Cookie<'_>, now: Time) -> Option<Time> {
    let latest = now.saturating_add(LONGEST);
    if let Some(max_age) = cookie.max_age() {
        let max_age = Duration::try_from(max_age).unwrap_or_default();
        return Some(now.saturating_add(max_age).min(latest));
    }
    cookie.expires_datetime().map(|expires| Time::from(expires).min(latest))
}

/// The folder of the requested path, where a cookie names none.
fn folder_of(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}
