use std::ops::ControlFlow;

use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderName, Uri, header};
use session_core::internals::LONGEST_COOKIE;
use session_core::{IssuedId, PresentedIds};
use tower_cookies::Cookie;
use tower_cookies::cookie::time;

#[cfg(feature = "device-bound")]
use super::bound_cookie::BoundCookie;
use super::cookie_header::CookieReader;
#[cfg(any(feature = "signed", feature = "private"))]
use super::sealed::Seal;
#[cfg(feature = "trusted-proxies")]
use super::trusted_proxies::TrustedProxies;
use super::{Outgoing, Transport};

/// A [`Transport`] that carries the session's id in a cookie: what
/// [`SessionCookie::build`](crate::SessionCookie::build) makes.
pub struct CookieTransport {
    /// The cookie with all but its value, so that the one that removes it has the same name,
    /// path, domain and flags.
    template: Cookie<'static>,
    reader: CookieReader,
    /// The text that follows the value: `; HttpOnly; …`.
    flags: Box<str>,
    /// The cookie beside it of a session that is bound to a device.
    #[cfg(feature = "device-bound")]
    bound: BoundCookie,
    #[cfg(any(feature = "signed", feature = "private"))]
    seal: Option<Seal>,
    #[cfg(feature = "trusted-proxies")]
    over_http: Option<Box<OverHttp>>,
}

/// The cookie of requests that came without encryption.
#[cfg(feature = "trusted-proxies")]
struct OverHttp {
    proxies: TrustedProxies,
    cookie: CookieTransport,
}

/// The way of requests that came without encryption, to a cookie that is `Secure` by the scheme.
#[cfg(feature = "trusted-proxies")]
const OVER_HTTP: u16 = 1;

impl CookieTransport {
    /// How many ways a cookie has, from 0 on.
    pub(super) const WAYS: u16 = 2;

    /// A transport of plain ids.
    pub(super) fn new(template: Cookie<'static>) -> Self {
        let text = template.to_string();
        CookieTransport {
            reader: CookieReader::new(template.name()),
            flags: text[template.name().len() + "=".len()..].into(),
            #[cfg(feature = "device-bound")]
            bound: BoundCookie::beside(&template),
            template,
            #[cfg(any(feature = "signed", feature = "private"))]
            seal: None,
            #[cfg(feature = "trusted-proxies")]
            over_http: None,
        }
    }

    /// This transport for requests that are, or may be, encrypted, and `cookie` for those that are known not to be.
    #[cfg(feature = "trusted-proxies")]
    pub(super) fn with_over_http(mut self, proxies: TrustedProxies, cookie: CookieTransport) -> Self {
        self.over_http = Some(Box::new(OverHttp { proxies, cookie }));
        self
    }

    /// What tells this cookie from others.
    pub(super) fn appearance(&self) -> (&str, &str) {
        (self.template.name(), &self.flags)
    }

    #[cfg(any(feature = "signed", feature = "private"))]
    pub(super) fn sealed_by(mut self, seal: Option<Seal>) -> Self {
        self.seal = seal;
        self
    }

    /// The cookie as it carries this id.
    pub(super) fn carrying(&self, id: String) -> Cookie<'static> {
        let mut cookie = self.template.clone();
        cookie.set_value(id);
        #[cfg(any(feature = "signed", feature = "private"))]
        if let Some(seal) = &self.seal {
            return seal.close(cookie);
        }
        cookie
    }

    /// Presents the ids in this cookie itself.
    #[inline(always)]
    fn present(&self, headers: &HeaderMap, presented: &mut PresentedIds) {
        #[cfg(any(feature = "signed", feature = "private"))]
        if let Some(seal) = &self.seal {
            let mut opened = 0;
            return self.reader.values(headers, |value| {
                seal.present(value, presented, &mut opened);
                unless_full(presented)
            });
        }
        self.reader.values(headers, |value| {
            presented.push(value);
            unless_full(presented)
        });
    }

    /// The cookie of a client that is answered in this way.
    fn of_way(&self, _way: u16) -> &CookieTransport {
        #[cfg(feature = "trusted-proxies")]
        if let (OVER_HTTP, Some(over_http)) = (_way, &self.over_http) {
            return &over_http.cookie;
        }
        self
    }

    fn seal_number(&self) -> u64 {
        #[cfg(any(feature = "signed", feature = "private"))]
        return self.seal.as_ref().map_or(0, Seal::number);
        #[cfg(not(any(feature = "signed", feature = "private")))]
        0
    }

    fn is_sealed(&self) -> bool {
        #[cfg(any(feature = "signed", feature = "private"))]
        return self.seal.is_some();
        #[cfg(not(any(feature = "signed", feature = "private")))]
        false
    }
}

impl Transport for CookieTransport {
    fn name(&self) -> &str {
        self.template.name()
    }

    fn request_headers(&self) -> Vec<HeaderName> {
        #[cfg(feature = "trusted-proxies")]
        if self.over_http.is_some() {
            return vec![header::COOKIE, TrustedProxies::SCHEME];
        }
        vec![header::COOKIE]
    }

    fn proof(&self) -> u64 {
        #[cfg(feature = "trusted-proxies")]
        if let Some(OverHttp { proxies, cookie }) = self.over_http.as_deref() {
            return self.seal_number() ^ cookie.seal_number().rotate_left(1) ^ proxies.number();
        }
        self.seal_number()
    }

    #[cfg(feature = "device-bound")]
    fn bound_cookie(&self, way: u16) -> Option<&BoundCookie> {
        let cookie = self.of_way(way);
        (cookie.template.secure() == Some(true)).then_some(&cookie.bound)
    }

    fn is_for_http(&self, _: &Uri, _headers: &HeaderMap, _extensions: &Extensions) -> bool {
        #[cfg(feature = "trusted-proxies")]
        if let Some(OverHttp { proxies, .. }) = self.over_http.as_deref() {
            return proxies.say_http(_headers, _extensions);
        }
        self.template.secure() != Some(true)
    }

    fn read(&self, request: &Parts, presented: &mut PresentedIds) {
        #[cfg(feature = "trusted-proxies")]
        if let Some(OverHttp { proxies, cookie }) = self.over_http.as_deref()
            && proxies.say_http(&request.headers, &request.extensions)
        {
            presented.set_way(OVER_HTTP);
            return cookie.present(&request.headers, presented);
        }
        self.present(&request.headers, presented);
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let this = self.of_way(outgoing.way());
        let (id, keep_for) = (issued.id.as_str(), issued.keep_for);
        // Most logins need no cookie that is taken apart again.
        if keep_for.is_none() && !this.is_sealed() && !outgoing.has_jar() {
            return outgoing.append_cookie([this.template.name(), "=", id, &this.flags].concat());
        }
        let mut cookie = this.carrying(id.to_owned());
        if let Some(keep_for) = keep_for {
            let seconds = keep_for.min(LONGEST_COOKIE).as_secs();
            cookie.set_max_age(time::Duration::seconds(seconds as i64));
        }
        outgoing.set_cookie(cookie);
    }

    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        let mut cookie = self.of_way(outgoing.way()).template.clone();
        cookie.make_removal();
        outgoing.set_cookie(cookie);
    }
}

fn unless_full(presented: &PresentedIds) -> ControlFlow<()> {
    if presented.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

#[cfg(test)]
mod tests {
    use super::super::cookie::SessionCookie;
    use std::time::Duration;

    use tower_cookies::cookie::SameSite;

    use super::*;

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
            transport.issue(&issued, &mut Outgoing::to(&mut headers));
            let in_a_jar = transport.carrying(id.as_str().to_owned()).to_string();
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
            transport.issue(&issued, &mut Outgoing::to(&mut headers));
            let sent = headers[header::SET_COOKIE].to_str().unwrap();
            assert!(sent.ends_with(&format!("Max-Age={max_age}")), "{sent}");
        }
    }
}
