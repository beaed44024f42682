use http::{HeaderMap, Method, Uri, header};

use super::origin::Origin;

/// What the headers of a request say about where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It changes nothing, or comes from a page of ours.
    Fine,
    /// It comes from elsewhere.
    Refused,
    /// Nothing says where it comes from: a program, or a browser from before 2020.
    Unknown,
}

/// What is compared with.
pub(super) struct Ours<'a> {
    pub(super) trusted: &'a [Origin],
    /// Whether pages that were loaded without encryption count as ours.
    pub(super) is_http_allowed: &'a dyn Fn() -> bool,
}

/// Judges a request as Go's `http.CrossOriginProtection` does: by `Sec-Fetch-Site`, which no page can forge, and where
/// a browser does not send that, by `Origin`.
pub(super) fn verdict(method: &Method, uri: &Uri, headers: &HeaderMap, ours: &Ours<'_>) -> Verdict {
    let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    // A page of any site may open a WebSocket, which then has the visitor's cookie.
    if is_safe && !headers.contains_key(header::UPGRADE) {
        return Verdict::Fine;
    }
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        // Of two, nobody knows which counts.
        values.next().map(|value| value.to_str().ok().filter(|_| values.next().is_none()))
    };
    let origin = one("origin");
    let is_trusted = || origin.flatten().and_then(Origin::parse).is_some_and(|origin| ours.trusted.contains(&origin));
    let is_fine = match (one("sec-fetch-site"), origin) {
        // `none`: the visitor has typed an address, or used a bookmark.
        (Some(Some("same-origin" | "none")), _) => true,
        (Some(_), _) => is_trusted(),
        (None, Some(origin)) => is_trusted() || origin.is_some_and(|origin| is_ours(origin, uri, headers, ours)),
        (None, None) => return Verdict::Unknown,
    };
    if is_fine { Verdict::Fine } else { Verdict::Refused }
}

/// Whether a page of this origin is one of the host that the request names.
fn is_ours(origin: &str, uri: &Uri, headers: &HeaderMap, ours: &Ours<'_>) -> bool {
    let Some(origin) = Origin::parse(origin) else { return false };
    let in_header = || headers.get(header::HOST)?.to_str().ok();
    let Some(here) = uri.authority().map(|authority| authority.as_str()).or_else(in_header) else { return false };
    (origin.is_https() || (ours.is_http_allowed)())
        && Origin::at(origin.is_https(), here).is_some_and(|here| here == origin)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const SITE: &str = "sec-fetch-site";

    fn judged_with(ours: &Ours<'_>, method: &str, headers: &[(&str, &str)]) -> Verdict {
        let mut request = Request::builder().method(method).uri("/").header("host", "shop.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        verdict(request.method(), request.uri(), request.headers(), ours)
    }

    fn judged(method: &str, headers: &[(&str, &str)]) -> Verdict {
        judged_with(&Ours { trusted: &[], is_http_allowed: &|| false }, method, headers)
    }

    #[test]
    fn what_changes_nothing_is_fine_from_anywhere() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(judged(method, &[(SITE, "cross-site"), ("origin", "https://evil.example")]), Verdict::Fine);
        }
    }

    #[test]
    fn a_browser_says_where_a_request_comes_from() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "ANY"] {
            for site in ["same-origin", "none"] {
                assert_eq!(judged(method, &[(SITE, site)]), Verdict::Fine);
                // A page without a referrer sends no origin either.
                assert_eq!(judged(method, &[(SITE, site), ("origin", "null")]), Verdict::Fine);
            }
            for site in ["cross-site", "same-site", "", "Same-Origin", "unknown"] {
                assert_eq!(
                    judged(method, &[(SITE, site), ("origin", "https://shop.example")]),
                    Verdict::Refused,
                    "{site}"
                );
            }
            assert_eq!(judged(method, &[(SITE, "same-origin"), (SITE, "cross-site")]), Verdict::Refused);
        }
    }

    #[test]
    fn without_that_the_origin_counts() {
        let by = |origin| judged("POST", &[("origin", origin)]);
        assert_eq!(by("https://shop.example"), Verdict::Fine);
        assert_eq!(by("https://shop.example:443"), Verdict::Fine);
        for other in ["null", "", "http://shop.example", "https://shop.example:444", "https://evil.example", "x"] {
            assert_eq!(by(other), Verdict::Refused, "{other}");
        }
        assert_eq!(
            judged("POST", &[("origin", "https://shop.example"), ("origin", "https://evil.example")]),
            Verdict::Refused
        );
        assert_eq!(judged("POST", &[]), Verdict::Unknown);
        let forwarded = [("origin", "https://evil.example"), ("x-forwarded-host", "evil.example")];
        assert_eq!(judged("POST", &forwarded), Verdict::Refused, "nobody vouches for that header");
    }

    #[test]
    fn http_counts_only_where_it_is_allowed() {
        let ours = Ours { trusted: &[], is_http_allowed: &|| true };
        let by = |origin| judged_with(&ours, "POST", &[("origin", origin)]);
        assert_eq!(by("http://shop.example"), Verdict::Fine);
        assert_eq!(by("https://shop.example"), Verdict::Fine);
        assert_eq!(by("http://shop.example:443"), Verdict::Refused);
    }

    #[test]
    fn a_trusted_origin_counts_with_scheme_and_port() {
        let trusted = [Origin::parse("https://partner.example").unwrap()];
        let ours = Ours { trusted: &trusted, is_http_allowed: &|| true };
        for site in [Some("cross-site"), None] {
            let headers = |origin| -> Vec<(&str, &str)> {
                site.map(|site| (SITE, site)).into_iter().chain([("origin", origin)]).collect()
            };
            assert_eq!(judged_with(&ours, "POST", &headers("https://partner.example")), Verdict::Fine);
            for other in ["http://partner.example", "https://partner.example:8443", "https://x.partner.example"] {
                assert_eq!(judged_with(&ours, "POST", &headers(other)), Verdict::Refused, "{other}");
            }
        }
    }

    #[test]
    fn a_page_of_another_site_opens_no_web_socket() {
        let upgrade = ("upgrade", "websocket");
        assert_eq!(judged("GET", &[upgrade, ("origin", "https://evil.example")]), Verdict::Refused);
        assert_eq!(judged("GET", &[upgrade, (SITE, "cross-site")]), Verdict::Refused);
        assert_eq!(judged("GET", &[upgrade, ("origin", "https://shop.example")]), Verdict::Fine);
    }
}
