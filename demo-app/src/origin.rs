use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The demo's own scheme, as far as it is known: a proxy that speaks HTTPS for it does not change it.
#[derive(Clone, Copy, Debug)]
pub enum Scheme {
    /// Pages come over HTTPS only.
    Https,
    /// Pages may come over plain HTTP too.
    Any,
}

/// Refuses a form that a page of another site, or of another host or port of this site, made the browser send.
/// Otherwise such a page could sign a visitor in under a name of its choice, or out.
pub async fn refuse_forms_of_others(State(scheme): State<Scheme>, request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_from_own_page(&request, scheme) {
        return next.run(request).await;
    }
    refusal()
}

/// The answer to a request that comes from elsewhere.
pub fn refusal() -> Response {
    (StatusCode::FORBIDDEN, "This request must come from the demo's own page.\n").into_response()
}

/// Whether a page of the demo made this request, or a program that is no browser.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site`, and no page can change that. Over plain HTTP, and in
/// older browsers, only `Origin` says it. A proxy before the demo must pass `Host` on as it is.
pub fn is_from_own_page(request: &Request, scheme: Scheme) -> bool {
    // A value that is no text says nothing that could be trusted.
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => is_own(origin, own_host(request), scheme),
        (None, None) => true,
    }
}

fn own_host(request: &Request) -> Option<&str> {
    let in_target = request.uri().authority().map(Authority::as_str);
    in_target.or_else(|| request.headers().get(header::HOST)?.to_str().ok())
}

fn is_own(origin: &str, host: Option<&str>, own: Scheme) -> bool {
    let (Some((scheme, _)), Some(host)) = (origin.split_once("://"), host) else { return false };
    // Whoever can change what comes over plain HTTP must not be able to act on a site that is HTTPS only.
    let is_scheme = scheme == "https" || (scheme == "http" && matches!(own, Scheme::Any));
    let [theirs, ours] = [origin, &format!("{scheme}://{host}")].map(host_and_port);
    is_scheme && theirs.is_some() && theirs == ours
}

/// The host, and the port that is meant where none is written.
fn host_and_port(address: &str) -> Option<(String, u16)> {
    let address: Uri = address.parse().ok()?;
    let default_port = if address.scheme_str()? == "https" { 443 } else { 80 };
    Some((address.host()?.to_ascii_lowercase(), address.port_u16().unwrap_or(default_port)))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn is_own_page(scheme: Scheme, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().uri("/demo");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_from_own_page(&request.body(Body::empty()).unwrap(), scheme)
    }

    /// R51.
    #[test]
    fn what_the_browser_itself_says_comes_first() {
        for (site, expected) in
            [("same-origin", true), ("none", true), ("same-site", false), ("cross-site", false), ("new", false)]
        {
            // A page without a referrer sends `null` to its own origin too.
            for origin in ["null", "https://demo.example", "https://evil.example"] {
                let headers = [("sec-fetch-site", site), ("origin", origin), ("host", "demo.example")];
                assert_eq!(is_own_page(Scheme::Https, &headers), expected, "{site} {origin}");
            }
        }
    }

    /// R51.
    #[test]
    fn otherwise_scheme_host_and_port_of_the_origin_decide() {
        for (origin, host, https, any) in [
            ("https://demo.example", "demo.example", true, true),
            ("https://demo.example", "Demo.Example:443", true, true),
            ("https://demo.example:8443", "demo.example:8443", true, true),
            ("https://[::1]:8443", "[::1]:8443", true, true),
            ("http://demo.example", "demo.example", false, true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", false, true),
            ("http://demo.example:443", "demo.example", false, false),
            ("https://demo.example:80", "demo.example", false, false),
            ("https://demo.example", "demo.example:80", false, false),
            ("https://demo.example:8443", "demo.example", false, false),
            ("https://evil.example", "demo.example", false, false),
            ("https://demo.example.evil.example", "demo.example", false, false),
            ("https://evil.example/demo.example", "demo.example", false, false),
            ("ftp://demo.example", "demo.example", false, false),
            ("demo.example", "demo.example", false, false),
            ("null", "null", false, false),
            ("null", "demo.example", false, false),
            ("", "", false, false),
            ("https://", "", false, false),
        ] {
            let headers = [("origin", origin), ("host", host)];
            assert_eq!(is_own_page(Scheme::Https, &headers), https, "{origin} at {host}, which is HTTPS only");
            assert_eq!(is_own_page(Scheme::Any, &headers), any, "{origin} at {host}");
        }
    }

    #[test]
    fn without_a_host_no_origin_is_the_own_one() {
        for origin in ["null", "http://demo.example", ""] {
            assert!(!is_own_page(Scheme::Any, &[("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn a_header_of_a_proxy_changes_nothing() {
        let forwarded = [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http")];
        let evil = [("origin", "https://evil.example"), ("host", "demo.example")];
        assert!(!is_own_page(Scheme::Https, &[&forwarded[..], &evil].concat()));
    }

    #[test]
    fn a_program_that_is_no_browser_is_let_in() {
        assert!(is_own_page(Scheme::Https, &[]));
        assert!(is_own_page(Scheme::Https, &[("host", "demo.example")]));
    }
}
