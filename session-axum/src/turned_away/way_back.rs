use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::asked::Asked;

/// Whether browsers resolve a location to a path of the same origin, from whichever page.
///
/// They take `\` for `/`, drop tabs and line breaks, and take what follows `//` for a host. A path that has only visible
/// ASCII characters and no `\`, and begins with one `/`, leaves nothing of that. They also resolve `.` and `..`, each in its
/// own way where a `/` is encoded or doubled, so that nobody knows where such a path leads. No page has one in its address.
pub(crate) fn is_own_path(location: &str) -> bool {
    let is_path = location.starts_with('/') && !location.starts_with("//");
    is_path && location.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !has_dots(location)
}

/// Whether a segment of the path is `.` or `..`, encoded or not.
fn has_dots(location: &str) -> bool {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |segment: &str| matches!(&*percent_decode_str(segment).decode_utf8_lossy(), "." | "..");
    path.split('/').any(is_dots)
}

/// Where a visitor comes back to, from a page to which this request leads.
pub(super) fn way_back(asked: &Asked, never: &NeverReturnTo) -> Option<String> {
    let page = if asked.asks_for_page() {
        asked.uri().path_and_query()?.as_str().to_owned()
    } else {
        // What was sent is never sent again: the way back is the page with the form.
        let shown: http::Uri = asked.shown_page()?.parse().ok()?;
        let is_here = shown.authority().is_some_and(|authority| asked.is_at(authority.as_str()));
        shown.path_and_query().filter(|_| is_here)?.as_str().to_owned()
    };
    Some(page).filter(|page| is_own_path(page) && never.allows(page))
}

/// Paths to which nobody is returned.
#[derive(Clone, Debug, Default)]
pub(super) struct NeverReturnTo(Arc<[String]>);

impl NeverReturnTo {
    pub(super) fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        NeverReturnTo(paths.into_iter().map(plain).collect())
    }

    pub(super) fn allows(&self, location: &str) -> bool {
        self.0.is_empty() || !self.0.contains(&plain(location))
    }
}

/// A path in one way of writing: without query, decoded, and without a `/` at its end or two in a row.
fn plain(location: &str) -> String {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    let segments: Vec<&str> = path.split(['/', '\\']).filter(|segment| !segment.is_empty()).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::asked::tests::asked;
    use super::*;

    #[test]
    fn only_paths_of_ones_own_are_followed() {
        for own in [
            "/",
            "/cart",
            "/cart?a=b&c=%2F#top",
            "/%5Cevil.example",
            "/a//b",
            "/@evil.example",
            "/%0d",
            "/...",
            "/.a",
            "/?..=/../x",
        ] {
            assert!(is_own_path(own), "{own}");
        }
        for other in [
            "",
            "cart",
            "https://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:\\evil.example",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "\t//evil.example",
            " //evil.example",
            "\u{0}//evil.example",
            "javascript:alert(1)",
            "/\u{2f}\u{2215}evil\u{ff0e}example",
            "/ü",
            "/a b",
            "?next=/",
            "/a\\..\\..\\/evil.example",
            "/./logout",
            "/x/../logout",
            "/x/%2e%2E/logout",
            "/x/.%2e/logout?y",
            "/a%2Fb/../logout",
            "/auth//../logout",
            "/.",
            "/x/..",
        ] {
            assert!(!is_own_path(other), "{other:?}");
        }
    }

    #[test]
    fn a_path_is_refused_however_it_is_written() {
        let never = NeverReturnTo::new(["/logout", "/account/delete/"]);
        for refused in [
            "/logout",
            "/logout/",
            "/logout?x",
            "/logout#x",
            "/%6cogout",
            "/%6Cogout",
            "//logout",
            "/account/delete",
            "/account//delete",
            "/account%2Fdelete",
        ] {
            assert!(!never.allows(refused), "{refused}");
        }
        for allowed in ["/", "/logouts", "/x/logout", "/account", "/?logout"] {
            assert!(never.allows(allowed), "{allowed}");
        }
        assert!(NeverReturnTo::default().allows("/logout"));
    }

    #[test]
    fn the_way_back_is_a_page_and_never_what_was_sent() {
        let never = NeverReturnTo::new(["/logout"]);
        let back = |method, uri, headers: &[(&str, &str)]| {
            let here = [("host", "shop.example"), ("accept", "text/html")];
            way_back(&asked(method, uri, &[&here[..], headers].concat()), &never)
        };
        assert_eq!(back("GET", "/cart?a=1", &[]).as_deref(), Some("/cart?a=1"));
        assert_eq!(back("GET", "/logout", &[]), None);
        assert_eq!(back("GET", "//evil.example/x", &[]), None);
        let form = ("referer", "https://shop.example/form?id=7");
        assert_eq!(back("POST", "/pay", &[form]).as_deref(), Some("/form?id=7"));
        assert_eq!(back("POST", "/pay", &[]), None);
        assert_eq!(back("POST", "/pay", &[("referer", "https://evil.example/form")]), None);
        assert_eq!(back("POST", "/pay", &[("referer", "https://shop.example/logout")]), None);
        let htmx = ("hx-request", "true");
        let page = ("hx-current-url", "https://shop.example/list");
        assert_eq!(back("GET", "/row/1", &[htmx, page, form]).as_deref(), Some("/list"));
        assert_eq!(back("GET", "/next", &[htmx, page, ("hx-boosted", "true")]).as_deref(), Some("/next"));
    }
}
