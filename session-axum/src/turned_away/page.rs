use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderValue;
use http::uri::{Authority, Uri};
use session_core::ConfigError;

use super::asked::Asked;

/// A page of the application to which visitors are led.
#[derive(Debug)]
pub(super) struct Page {
    /// The setting that names it.
    setting: &'static str,
    /// What to do if the page turns away whom it is for.
    fix: &'static str,
    location: String,
    /// The same, parsed. `None` if it is no address after all, which only the browser will find out.
    target: Option<Uri>,
    has_warned: AtomicBool,
}

impl Page {
    pub(super) fn sign_in(location: &str) -> Result<Self, ConfigError> {
        let fix = "declare `Option<Session>` or `MaybeSession` there, and except its route from `RequireSignedIn`";
        Page::new("sign_in_page", fix, location)
    }

    pub(super) fn confirm(location: &str) -> Result<Self, ConfigError> {
        let fix = "declare `SignedIn` in place of `Fresh` there, and except its route from a `RequireSignedIn` that has \
                   `fresh_within`";
        Page::new("confirm_page", fix, location)
    }

    fn new(setting: &'static str, fix: &'static str, location: &str) -> Result<Self, ConfigError> {
        check(location).map_err(|fix| ConfigError::new(format!("`{setting}` can't be {location:?}; {fix}")))?;
        let target = location.parse().ok();
        Ok(Page { setting, fix, location: location.to_owned(), target, has_warned: false.into() })
    }

    /// The path, if the page is one of this application.
    pub(super) fn path(&self) -> Option<&str> {
        self.location.starts_with('/').then(|| self.location.split(['?', '#']).next().unwrap_or_default())
    }

    /// Where to go. `back` is where to return to from there; a page on another host is told none.
    pub(super) fn location(&self, back: Option<&str>) -> HeaderValue {
        let back = back.filter(|_| self.location.starts_with('/'));
        let location = match back {
            None => self.location.clone(),
            Some(back) => {
                let (page, fragment) = match self.location.split_once('#') {
                    Some((page, fragment)) => (page, format!("#{fragment}")),
                    None => (self.location.as_str(), String::new()),
                };
                let joint = if page.contains('?') { '&' } else { '?' };
                let back: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
                format!("{page}{joint}next={back}{fragment}")
            }
        };
        HeaderValue::try_from(location).expect("the location was checked, and what is added is ASCII")
    }

    /// Whether following the redirect would make this same request again.
    pub(super) fn leads_to(&self, asked: &Asked) -> bool {
        let Some(target) = self.target.as_ref().filter(|_| asked.is_get()) else { return false };
        target.path() == asked.uri().path()
            && target.authority().map(Authority::as_str).is_none_or(|there| asked.is_at(there))
    }

    /// Says once that the page can never be seen.
    pub(super) fn warn_of_circle(&self) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                page = self.location,
                "the page that `{}` names turns away whom it is for; {}",
                self.setting,
                self.fix
            );
        }
    }
}

/// Fails with what to write instead.
fn check(location: &str) -> Result<(), &'static str> {
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::asked::tests::asked;
    use super::*;

    fn page(location: &str) -> Page {
        Page::sign_in(location).unwrap()
    }

    fn leads(location: &str, method: &str, uri: &str) -> bool {
        page(location).leads_to(&asked(method, uri, &[("host", "shop.example")]))
    }

    #[test]
    fn a_redirect_to_the_same_page_is_a_circle() {
        for location in
            ["/login", "/login?next=%2F", "/login#form", "https://shop.example/login", "http://Shop.example/login"]
        {
            assert!(leads(location, "GET", "/login"), "{location}");
            assert!(leads(location, "HEAD", "/login?again"), "{location}");
            assert!(leads(location, "GET", "https://shop.example/login"), "{location}");
            // The browser then asks for the page, with GET.
            assert!(!leads(location, "POST", "/login"), "{location}");
            assert!(!leads(location, "GET", "/login/"), "{location}");
            assert!(!leads(location, "GET", "/"), "{location}");
        }
        for elsewhere in ["https://sign-in.example/login", "https://shop.example:8443/login"] {
            assert!(!leads(elsewhere, "GET", "/login"), "{elsewhere}");
        }
    }

    #[test]
    fn the_way_back_is_one_parameter() {
        let to = |location: &str, back: &str| page(location).location(Some(back)).to_str().unwrap().to_owned();
        assert_eq!(to("/login", "/"), "/login?next=%2F");
        assert_eq!(to("/login?a=b", "/x?y=1&z"), "/login?a=b&next=%2Fx%3Fy%3D1%26z");
        assert_eq!(to("/login#form", "/x"), "/login?next=%2Fx#form");
        assert_eq!(to("https://sign-in.example/", "/x"), "https://sign-in.example/", "it is on another host");
        assert_eq!(page("/login").location(None), "/login");
    }
}
