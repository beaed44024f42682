use std::ops::ControlFlow;

use http::{HeaderMap, HeaderName, header};
use session_core::internals::LONGEST_COOKIE;
use session_core::{IssuedId, PresentedIds};
use tower_cookies::Cookie;
use tower_cookies::cookie::time;

use super::cookie_header::CookieReader;
#[cfg(any(feature = "signed", feature = "private"))]
use super::sealed::Seal;
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
    #[cfg(any(feature = "signed", feature = "private"))]
    seal: Option<Seal>,
}

impl CookieTransport {
    /// A transport of plain ids.
    pub(super) fn new(template: Cookie<'static>) -> Self {
        let text = template.to_string();
        CookieTransport {
            reader: CookieReader::new(template.name()),
            flags: text[template.name().len() + "=".len()..].into(),
            template,
            #[cfg(any(feature = "signed", feature = "private"))]
            seal: None,
        }
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

    fn request_header(&self) -> HeaderName {
        header::COOKIE
    }

    fn proof(&self) -> u64 {
        #[cfg(any(feature = "signed", feature = "private"))]
        return self.seal.as_ref().map_or(0, Seal::number);
        #[cfg(not(any(feature = "signed", feature = "private")))]
        0
    }

    fn read(&self, headers: &HeaderMap, presented: &mut PresentedIds) {
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

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let (id, keep_for) = (issued.id.as_str(), issued.keep_for);
        // Most logins need no cookie that is taken apart again.
        if keep_for.is_none() && !self.is_sealed() && !outgoing.has_jar() {
            return outgoing.append_cookie([self.template.name(), "=", id, &self.flags].concat());
        }
        let mut cookie = self.carrying(id.to_owned());
        if let Some(keep_for) = keep_for {
            let seconds = keep_for.min(LONGEST_COOKIE).as_secs();
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
