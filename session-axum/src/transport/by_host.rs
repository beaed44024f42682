use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use http::request::Parts;
use http::uri::Authority;
use http::{Extensions, HeaderMap, HeaderName, Uri, header};
use session_core::{ConfigError, IssuedId, PresentedIds};

#[cfg(feature = "device-bound")]
use super::bound_cookie::BoundCookie;
use super::cookie::SessionCookie;
use super::cookie_transport::CookieTransport;
use super::{Outgoing, Transport};

/// The largest number of hosts with cookies of their own, so that their ways have room in a number.
const MAX_HOSTS: usize = 10_000;

/// Carries the ids of each listed host in a cookie of its own, and those of all other hosts in another.
pub(crate) struct CookiesByHost {
    others: CookieTransport,
    /// Ordered by their hosts, which are in lower case.
    listed: Vec<(String, CookieTransport)>,
}

impl CookiesByHost {
    /// Fails if a host is listed twice or is none, or if its browsers would not keep its cookie.
    pub(crate) fn new(others: CookieTransport, hosts: Vec<(String, SessionCookie)>) -> Result<Self, ConfigError> {
        if hosts.len() > MAX_HOSTS {
            return Err(ConfigError::new(format!("`cookie_for_host` can be given for at most {MAX_HOSTS} hosts")));
        }
        let mut listed = hosts.into_iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        listed.sort_by(|(one, _), (other, _)| one.cmp(other));
        if let Some(twice) = listed.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(refused(&twice[0].0, "it is given twice; leave one of them out"));
        }
        Ok(CookiesByHost { others, listed })
    }

    /// The place of a request's host: 0 for those that are not listed.
    fn place_of(&self, uri: &Uri, headers: &HeaderMap) -> usize {
        let found = host(uri, headers).map(|host| self.listed.binary_search_by(|(listed, _)| compare(listed, host)));
        found.and_then(Result::ok).map_or(0, |place| place + 1)
    }

    fn at(&self, place: usize) -> &CookieTransport {
        place.checked_sub(1).and_then(|place| self.listed.get(place)).map_or(&self.others, |(_, cookie)| cookie)
    }

    fn all(&self) -> impl Iterator<Item = &CookieTransport> {
        self.listed.iter().map(|(_, cookie)| cookie).chain([&self.others])
    }

    /// Splits a way into the place of the cookie and a way of its own.
    fn of_way(&self, way: u16) -> (&CookieTransport, u16) {
        (self.at(usize::from(way / CookieTransport::WAYS)), way % CookieTransport::WAYS)
    }
}

impl Transport for CookiesByHost {
    fn name(&self) -> &str {
        self.others.name()
    }

    fn request_headers(&self) -> Vec<HeaderName> {
        self.all().flat_map(Transport::request_headers).collect()
    }

    fn proof(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.listed.iter().for_each(|(host, _)| host.hash(&mut hasher));
        self.all().for_each(|cookie| (cookie.appearance(), cookie.proof()).hash(&mut hasher));
        hasher.finish()
    }

    #[cfg(feature = "device-bound")]
    fn bound_cookie(&self, way: u16) -> Option<&BoundCookie> {
        let (cookie, way) = self.of_way(way);
        cookie.bound_cookie(way)
    }

    fn is_for_http(&self, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> bool {
        self.at(self.place_of(uri, headers)).is_for_http(uri, headers, extensions)
    }

    fn read(&self, request: &Parts, presented: &mut PresentedIds) {
        let place = self.place_of(&request.uri, &request.headers);
        self.at(place).read(request, presented);
        presented.set_way(place as u16 * CookieTransport::WAYS + presented.way());
    }

    fn issue(&self, issued: &IssuedId, outgoing: &mut Outgoing<'_>) {
        let (cookie, way) = self.of_way(outgoing.way());
        cookie.issue(issued, &mut outgoing.in_way(way));
    }

    fn forget(&self, outgoing: &mut Outgoing<'_>) {
        let (cookie, way) = self.of_way(outgoing.way());
        cookie.forget(&mut outgoing.in_way(way));
    }
}

/// A host and its cookie, checked.
fn listed((host, cookie): (String, SessionCookie)) -> Result<(String, CookieTransport), ConfigError> {
    check_host(&host).map_err(|fix| refused(&host, fix))?;
    let host = host.to_ascii_lowercase();
    let domain = cookie.domain.clone();
    let cookie = cookie.build().map_err(|error| refused(&host, &error.to_string()))?;
    if let Some(domain) = domain
        && !is_in_domain(&host, &domain)
    {
        let fix = format!(
            "its browsers keep no cookie for the `domain` {domain:?}; give the host itself or a domain above it, or leave \
             `domain` out"
        );
        return Err(refused(&host, &fix));
    }
    Ok((host, cookie))
}

fn refused(host: &str, fix: &str) -> ConfigError {
    ConfigError::new(format!("`cookie_for_host` can't have the host {host:?}: {fix}"))
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if host.contains("://") || host.contains('/') {
        Err("write the name of the host alone, such as `shop.example`")
    } else if host.contains(':') && !host.starts_with('[') || host.contains("]:") {
        Err("leave out the port; a host has one cookie for all its ports")
    } else if host.contains('*') {
        Err("each host is listed by its whole name; hosts that are not listed get the layer's own `cookie`")
    } else if !host.is_ascii() {
        Err("write it as browsers send it, in ASCII: with `xn--`")
    } else if host.is_empty() || host.ends_with('.') || !host.bytes().all(is_of_a_host) {
        Err("write a host as browsers send it, such as `shop.example`")
    } else {
        Ok(())
    }
}

fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte)
}

fn is_in_domain(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// The host that the request names, without its port. `None` if it names none, or several.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(Authority::host(authority));
    }
    let mut named = headers.get_all(header::HOST).iter();
    let host = named.next()?.to_str().ok()?;
    if named.next().is_some() {
        return None;
    }
    // The colons of an address of IPv6 are in brackets.
    let name_ends = host.rfind(']').map_or(0, |end| end + 1);
    let port = host[name_ends..].find(':').map_or(host.len(), |colon| name_ends + colon);
    Some(&host[..port])
}

/// Compares a name in lower case with one in any.
fn compare(listed: &str, host: &str) -> Ordering {
    listed.bytes().cmp(host.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn transport(hosts: &[(&str, SessionCookie)]) -> Result<CookiesByHost, ConfigError> {
        let hosts = hosts.iter().map(|(host, cookie)| ((*host).to_owned(), cookie.clone())).collect();
        CookiesByHost::new(SessionCookie::new().build().unwrap(), hosts)
    }

    fn named(name: &str) -> SessionCookie {
        SessionCookie::new().name(name)
    }

    fn request(uri: &str, hosts: &[&str]) -> Parts {
        let builder =
            hosts.iter().fold(Request::builder().uri(uri), |request, host| request.header(header::HOST, *host));
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_host_of_a_request_is_compared_without_case_and_port() {
        let transport = transport(&[("B.example", named("b")), ("a.example", named("a")), ("[::1]", named("six"))]);
        let transport = transport.unwrap();
        let cookie = |uri: &str, hosts: &[&str]| {
            let Parts { uri, headers, .. } = request(uri, hosts);
            transport.at(transport.place_of(&uri, &headers)).name().trim_start_matches("__Host-").to_owned()
        };
        assert_eq!(cookie("/", &["a.example"]), "a");
        assert_eq!(cookie("/", &["A.EXAMPLE:8443"]), "a");
        assert_eq!(cookie("/", &["b.example:80"]), "b");
        assert_eq!(cookie("/", &["[::1]:80"]), "six");
        assert_eq!(cookie("/", &["[::1]"]), "six");
        assert_eq!(cookie("https://B.example:8443/", &["a.example"]), "b", "as in HTTP/2");
        for others in [&[][..], &["c.example"], &["a.example", "a.example"], &["a.example."], &["a.example@b.example"]]
        {
            assert_eq!(cookie("/", others), "sessid", "{others:?}");
        }
    }

    #[test]
    fn what_no_browser_sends_or_keeps_is_refused_with_the_fix() {
        #[track_caller]
        fn assert_refused(hosts: &[(&str, SessionCookie)], fix: &str) {
            let message = transport(hosts).err().expect("it is refused").to_string();
            assert!(message.contains("`cookie_for_host`") && message.contains(fix), "{message}");
        }
        assert_refused(&[("a.example", named("a")), ("A.example", named("b"))], "leave one of them out");
        assert_refused(&[("https://a.example", named("a"))], "the name of the host alone");
        assert_refused(&[("a.example:80", named("a"))], "leave out the port");
        assert_refused(&[("[::1]:80", named("a"))], "leave out the port");
        assert_refused(&[("*.example", named("a"))], "by its whole name");
        assert_refused(&[("\u{f6}.example", named("a"))], "xn--");
        for host in ["", "a example", "a.example.", "a,b"] {
            assert_refused(&[(host, named("a"))], "as browsers send it");
        }
        assert_refused(&[("shop.example", named("a").domain("other.example"))], "give the host itself");
        assert_refused(&[("badshop.example", named("a").domain("shop.example"))], "give the host itself");
        assert_refused(&[("shop.example", named("a b"))], "`name`");
        for domain in ["shop.example", "www.shop.example"] {
            assert!(transport(&[("www.shop.example", named("a").domain(domain))]).is_ok(), "{domain}");
        }
    }
}
