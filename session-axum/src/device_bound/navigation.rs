use axum_core::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use crate::http_headers::NO_STORE;

/// The answer to a link from elsewhere, which browsers follow without waiting for a refresh: a page that leads to itself.
/// That request is started by our own origin, so the browser refreshes first. It has no byte of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ComeAgain;

/// With a fragment, going to the address that one is at only jumps within the page. So the script changes the address
/// before, and hides what follows it, which is for browsers that run no script or were told not to.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>\u{2026}</title><script>const to=location.href;\
                    history.replaceState(null,'','?'+Math.random());document.write('<plaintext hidden>');\
                    location.replace(to)</script><meta http-equiv=refresh content=0>";

impl IntoResponse for ComeAgain {
    fn into_response(self) -> Response {
        let mut response = Response::new(PAGE.into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, NO_STORE);
        response
    }
}

/// Whether another origin has started this navigation, such as by a link in a mail. One that our own page has started
/// does not count, so that the answer is given once.
pub(crate) fn comes_from_elsewhere(parts: &Parts) -> bool {
    let says = |name, what: &str| parts.headers.get(name).is_some_and(|said| said == what);
    parts.method == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
        && is_started_elsewhere(&parts.headers)
}

/// Whether another origin has started a request. Browsers don't wait for a refresh then.
pub(super) fn is_started_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|said| said == "cross-site" || said == "same-site")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: Method, headers: [(&str, &str); 3]) -> Parts {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// D26
    #[test]
    fn only_a_navigation_that_another_origin_started_comes_from_elsewhere() {
        let headers = |site, mode, dest| [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        for site in ["cross-site", "same-site"] {
            assert!(comes_from_elsewhere(&parts(Method::GET, headers(site, "navigate", "document"))));
            assert!(!comes_from_elsewhere(&parts(Method::POST, headers(site, "navigate", "document"))));
            assert!(!comes_from_elsewhere(&parts(Method::GET, headers(site, "navigate", "iframe"))));
            assert!(!comes_from_elsewhere(&parts(Method::GET, headers(site, "no-cors", "image"))));
        }
        for site in ["same-origin", "none", "other"] {
            assert!(!comes_from_elsewhere(&parts(Method::GET, headers(site, "navigate", "document"))));
        }
    }
}
