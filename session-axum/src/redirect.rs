use std::sync::atomic::{AtomicBool, Ordering};

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use session_core::ConfigError;

/// Where a layer sends visitors without a session.
#[derive(Debug)]
pub(crate) struct Redirect {
    location: HeaderValue,
    /// The same, parsed. `None` if it is no address after all, which only the browser will find out.
    target: Option<Uri>,
    has_warned: AtomicBool,
}

impl Redirect {
    pub(crate) fn new(location: &str) -> Result<Self, ConfigError> {
        let value = header_value(location)
            .map_err(|fix| ConfigError::new(format!("`redirect_to` can't be {location:?}; {fix}")))?;
        Ok(Redirect { location: value, target: location.parse().ok(), has_warned: AtomicBool::new(false) })
    }

    pub(crate) fn location(&self) -> &HeaderValue {
        &self.location
    }

    /// Whether a browser that follows the redirect would make this same request again.
    pub(crate) fn leads_to<B>(&self, request: &Request<B>) -> bool {
        let is_followed = matches!(*request.method(), Method::GET | Method::HEAD);
        let Some(target) = self.target.as_ref().filter(|_| is_followed) else { return false };
        target.path() == request.uri().path()
            && target.authority().is_none_or(|there| is_host(there, request.uri(), request.headers()))
    }

    /// Says once that the login page can never be seen.
    pub(crate) fn warn_of_circle(&self) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                redirect_to = ?self.location,
                "the page that `redirect_to` names declares `Session`, so it redirects to itself for ever; declare \
                 `Option<Session>` or `MaybeSession` there"
            );
        }
    }
}

/// The location as the value of a header, or what to write instead.
fn header_value(location: &str) -> Result<HeaderValue, &'static str> {
    // Relative to the page, it would lead elsewhere from each.
    let is_absolute = ["/", "https://", "http://"].iter().any(|start| location.starts_with(start));
    if location.trim() != location {
        return Err("leave out the blanks or line breaks around it");
    }
    if location.starts_with("//") || location.contains('\\') {
        return Err(
            "browsers take it for an address of another host: begin a path with one `/`, and write an address with `https://`",
        );
    }
    if !is_absolute || !location.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("give a path such as `/login`, percent-encoded where it is not ASCII");
    }
    HeaderValue::from_str(location).map_err(|_| "it is no header value")
}

fn is_host(there: &Authority, uri: &Uri, headers: &HeaderMap) -> bool {
    let in_header = || headers.get(header::HOST)?.to_str().ok();
    let here = uri.authority().map(Authority::as_str).or_else(in_header);
    here.is_some_and(|here| here.eq_ignore_ascii_case(there.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(redirect: &str, method: &str, uri: &str) -> bool {
        let request = Request::builder().method(method).uri(uri).header(header::HOST, "shop.example").body(()).unwrap();
        Redirect::new(redirect).unwrap().leads_to(&request)
    }

    #[test]
    fn a_redirect_to_the_same_page_is_a_circle() {
        for redirect in
            ["/login", "/login?next=%2F", "/login#form", "https://shop.example/login", "http://Shop.example/login"]
        {
            assert!(leads(redirect, "GET", "/login"), "{redirect}");
            assert!(leads(redirect, "HEAD", "/login?again"), "{redirect}");
            assert!(leads(redirect, "GET", "https://shop.example/login"), "{redirect}");
            // The browser then asks for the page, with GET.
            assert!(!leads(redirect, "POST", "/login"), "{redirect}");
            assert!(!leads(redirect, "GET", "/login/"), "{redirect}");
            assert!(!leads(redirect, "GET", "/"), "{redirect}");
        }
        for elsewhere in ["https://sign-in.example/login", "https://shop.example:8443/login"] {
            assert!(!leads(elsewhere, "GET", "/login"), "{elsewhere}");
        }
    }
}
