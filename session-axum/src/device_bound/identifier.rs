use http::HeaderMap;

use crate::transport::BoundCookie;

use super::place::Place;

/// Where a browser names the session that it refreshes.
const NAMED: &str = "sec-secure-session-id";

/// The identifier of a layer's sessions in the browser: the same for each login, so that the next login's replaces it.
///
/// Browsers keep one session of a name for a whole site, with all hosts of its domain. So it has the host, unless the
/// cookie is for all of them, and the path.
pub(super) fn identifier(cookie: &BoundCookie, place: &Place) -> String {
    let host = place.host();
    let whose = cookie.domain().or(host.as_deref()).unwrap_or_default();
    let path = if cookie.path() == "/" { "" } else { cookie.path() };
    let identifier = [&**cookie.layer(), "@", whose, path].concat();
    // These would end a quoted text.
    identifier.chars().filter(|char| char.is_ascii_graphic() && !matches!(char, '"' | '\\')).collect()
}

/// The identifier of which a browser's request is: the one that it names, or else the layer's. They differ where a proxy
/// changes the name of the host from request to request.
pub(super) fn named(headers: &HeaderMap, cookie: &BoundCookie, place: &Place) -> String {
    let named = headers.get(NAMED).and_then(|value| value.to_str().ok());
    let unquoted = named.map(|named| named.trim_matches('"'));
    let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'));
    let is_ours = |name: &&str| name.len() <= 1024 && name.starts_with(&**cookie.layer()) && is_plain(name);
    unquoted.filter(is_ours).map_or_else(|| identifier(cookie, place), str::to_owned)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::transport::Transport;
    use crate::transport::cookie::SessionCookie;

    fn place() -> Place {
        Place::of(&Request::builder().uri("/login").header("host", "shop.example.com:8443").body(()).unwrap())
    }

    /// D25
    #[test]
    fn applications_of_one_site_have_different_identifiers() {
        for (cookie, expected) in [
            (SessionCookie::new(), "__Host-sessid@shop.example.com"),
            (SessionCookie::new().path("/a"), "__Secure-sessid@shop.example.com/a"),
            (SessionCookie::new().domain("example.com"), "__Secure-sessid@example.com"),
        ] {
            let transport = cookie.build().unwrap();
            assert_eq!(identifier(transport.bound_cookie(0).unwrap(), &place()), expected);
        }
    }

    #[test]
    fn a_request_is_answered_by_the_identifier_that_it_names_if_that_is_one_of_the_layer() {
        let transport = SessionCookie::new().build().unwrap();
        let cookie = transport.bound_cookie(0).unwrap();
        let named = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(NAMED, value.parse().unwrap());
            named(&headers, cookie, &place())
        };
        assert_eq!(named("\"__Host-sessid@other.example\""), "__Host-sessid@other.example");
        for foreign in ["\"other\"", "", "\"__Host-sessid\\\"x\"", &format!("\"__Host-sessid{}\"", "x".repeat(2000))] {
            assert_eq!(named(foreign), "__Host-sessid@shop.example.com", "{foreign}");
        }
    }
}
