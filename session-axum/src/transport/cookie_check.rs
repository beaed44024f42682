//! What browsers keep and send back. A setting that they would refuse is refused when the cookie is built.

use session_core::ConfigError;
use tower_cookies::cookie::SameSite;

use super::cookie::{HOST, HTTP, SECURE, SessionCookie};

/// The most bytes of an attribute that browsers read (RFC 6265bis, 5.6).
const MAX_ATTRIBUTE_BYTES: usize = 1024;

impl SessionCookie {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_name(&self.name)?;
        self.check_together().map_err(ConfigError::new)?;
        check_path(&self.path)?;
        self.domain.as_deref().map_or(Ok(()), check_domain)
    }

    /// What can't follow the scheme of a request.
    #[cfg(feature = "trusted-proxies")]
    pub(super) fn check_by_scheme(&self) -> Result<(), ConfigError> {
        let problem = if !self.secure {
            "`secure_by_scheme` and `allow_http` can't both be given; leave one of them out"
        } else if !self.prefix {
            "`secure_by_scheme` needs the prefix, which keeps cookies that came over HTTP from being read over HTTPS; leave \
             out `without_prefix`"
        } else if [HOST, SECURE, HTTP].into_iter().any(|prefix| self.has_prefix(prefix)) {
            "`secure_by_scheme` adds the prefix to the cookie's `name` itself; leave it out there"
        } else if self.same_site == SameSite::None || self.partitioned {
            "browsers refuse SameSite=None and Partitioned over HTTP; leave out `secure_by_scheme`, or `partitioned` and \
             `same_site` None"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(problem))
    }

    /// Settings that browsers refuse together.
    fn check_together(&self) -> Result<(), String> {
        let name = &self.name;
        if self.has_prefix(HOST) && !self.may_be_host() {
            return Err(format!(
                "browsers refuse a cookie with the `name` {name} unless it is Secure, has Path=/ and no Domain; leave out `__Host-`, or `allow_http`, `path` and `domain`"
            ));
        }
        if let Some(prefix) = [SECURE, HTTP].into_iter().find(|prefix| self.has_prefix(prefix))
            && !self.secure
        {
            return Err(format!(
                "browsers refuse a cookie with the `name` {name} over HTTP; leave out `{prefix}` or `allow_http`"
            ));
        }
        if self.same_site == SameSite::None && !self.secure {
            return Err(
                "browsers refuse SameSite=None over HTTP; leave out `allow_http`, or give `same_site` Lax or Strict"
                    .into(),
            );
        }
        if self.partitioned && !self.secure {
            return Err("browsers refuse Partitioned over HTTP; leave out `allow_http` or `partitioned`".into());
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(ConfigError::new(format!(
            "the cookie's `name` can't be {name:?}; use letters, digits, `-` and `_`"
        )));
    }
    let problem = if name.starts_with('$') {
        "servers and proxies take a name that starts with `$` for a part of the cookie before it"
    } else if ATTRIBUTES.iter().any(|attribute| name.eq_ignore_ascii_case(attribute)) {
        "servers and proxies take this name for an attribute of another cookie"
    } else {
        return Ok(());
    };
    Err(ConfigError::new(format!("the cookie's `name` can't be {name:?}: {problem}; give another name")))
}

/// Whether a token may have it (RFC 9110).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The attributes of RFC 2109, RFC 2965 and RFC 6265bis.
const ATTRIBUTES: [&str; 14] = [
    "comment",
    "commenturl",
    "discard",
    "domain",
    "expires",
    "httponly",
    "max-age",
    "partitioned",
    "path",
    "port",
    "priority",
    "samesite",
    "secure",
    "version",
];

/// Browsers compare the path with that of a request as they send it, so what they never send is never equal.
fn check_path(path: &str) -> Result<(), ConfigError> {
    let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    let fix = if !path.starts_with('/') {
        "start it with `/`"
    } else if path.contains(';') {
        "leave out `;`, which begins the next attribute"
    } else if path.bytes().any(|byte| byte <= b' ' || byte >= 0x7f) {
        "browsers send blanks, line breaks and letters beyond ASCII percent-encoded: write `%20` for a blank"
    } else if path.bytes().any(|byte| b"\"#<>?\\^`{}".contains(&byte)) {
        "browsers send none of `\"#<>?\\^`{}` in a path: write them percent-encoded"
    } else if path.split('/').any(is_dots) {
        "browsers resolve `.` and `..` before they send a path: write the path that is left"
    } else if path.len() > MAX_ATTRIBUTE_BYTES {
        "browsers ignore a path of more than 1024 bytes"
    } else {
        return Ok(());
    };
    Err(ConfigError::new(format!("the cookie's `path` can't be {path:?}; {fix}")))
}

/// Browsers keep a cookie of the host itself and of a domain above it, but never of a whole registry.
fn check_domain(domain: &str) -> Result<(), ConfigError> {
    let leave_out = "leave out `domain`, and the host itself gets the cookie";
    let (problem, fix) = if let Some(rest) = domain.strip_prefix('.') {
        ("browsers ignore the dot in front", format!("write {rest:?}"))
    } else if domain.contains("://") || domain.contains('/') {
        ("it is an address", "give its host name alone".to_owned())
    } else if is_ip_address(domain) {
        ("browsers keep no Domain for an IP address", leave_out.to_owned())
    } else if let Some((host, port)) = domain.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        ("a cookie is for all ports of a host", format!("write {host:?}"))
    } else if !domain.is_ascii() {
        ("browsers compare it with the host name in ASCII", "write it in the form that starts with `xn--`".to_owned())
    } else if domain.bytes().any(|byte| byte.is_ascii_uppercase()) {
        ("host names are written in lower case", format!("write {:?}", domain.to_ascii_lowercase()))
    } else if domain.len() > 253 || !domain.split('.').all(is_label) {
        ("it is no host name", "give one such as `example.com`".to_owned())
    } else if !domain.contains('.') {
        ("browsers keep no Domain without a dot, such as `localhost`", leave_out.to_owned())
    } else if is_public_suffix(domain) {
        ("anybody can have a host below it (a public suffix), so browsers refuse it", "give your own domain".to_owned())
    } else {
        return Ok(());
    };
    Err(ConfigError::new(format!("the cookie's `domain` can't be {domain:?}: {problem}; {fix}")))
}

fn is_label(label: &str) -> bool {
    let ends = !label.starts_with('-') && !label.ends_with('-');
    (1..=63).contains(&label.len()) && ends && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether browsers take a host for an IP address. A host is IPv4 if its last part is a number (WHATWG URL, 3.5).
fn is_ip_address(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let hexadecimal = last.strip_prefix("0x");
    let is_number = |digits: &str, radix| digits.chars().all(|digit| digit.is_digit(radix));
    let ends_in_number =
        !last.is_empty() && (is_number(&last, 10) || hexadecimal.is_some_and(|last| is_number(last, 16)));
    ends_in_number || host.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(feature = "public-suffix")]
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.as_bytes() == domain.as_bytes())
}

#[cfg(not(feature = "public-suffix"))]
fn is_public_suffix(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refusal(cookie: SessionCookie) -> String {
        let shown = format!("{cookie:?}");
        cookie.build().err().unwrap_or_else(|| panic!("accepted {shown}")).to_string()
    }

    /// R21.
    #[test]
    fn what_a_browser_refuses_is_refused_here() {
        let new = SessionCookie::new;
        let cases = [
            (new().name("__Host-a").domain("example.com"), "no Domain"),
            (new().name("__host-a").path("/a"), "Path=/"),
            (new().name("__Host-a").allow_http(), "Secure"),
            (new().name("__Host-Http-a").path("/a"), "Path=/"),
            (new().name("__Secure-a").allow_http(), "over HTTP"),
            (new().name("__Http-a").allow_http(), "`__Http-`"),
            (new().same_site(SameSite::None).allow_http(), "SameSite=None"),
            (new().partitioned().allow_http(), "Partitioned"),
            (new().name(""), "`name`"),
            (new().name("a b"), "`name`"),
            (new().name("a;b"), "`name`"),
            (new().name("a\n"), "`name`"),
            (new().name("a\u{200b}"), "`name`"),
            (new().name("x".repeat(4096)), "4096"),
            (new().path("app"), "`path`"),
            (new().path("/a; Domain=evil.example"), "`path`"),
            (new().domain("exa mple.com"), "`domain`"),
            (new().domain("example.com; Secure"), "`domain`"),
            (new().domain(""), "`domain`"),
        ];
        for (cookie, says) in cases {
            let message = refusal(cookie);
            assert!(message.contains(says), "{message} does not say {says}");
        }
    }

    #[test]
    fn a_name_that_others_take_for_something_else_is_refused() {
        for name in ["$Version", "$sessid", "Path", "max-age", "EXPIRES", "samesite"] {
            assert!(refusal(SessionCookie::new().name(name)).contains("give another name"), "{name}");
        }
        for name in ["pathfinder", "a$", "__a", "1"] {
            assert!(SessionCookie::new().name(name).build().is_ok(), "{name}");
        }
    }

    #[test]
    fn a_domain_that_no_browser_keeps_is_refused_with_the_fix() {
        let leave_out = "leave out `domain`";
        let cases = [
            ("localhost", leave_out),
            ("com", leave_out),
            ("127.0.0.1", leave_out),
            ("10.1", leave_out),
            ("0x7f.1", leave_out),
            ("example.0x1F", leave_out),
            ("[::1]", leave_out),
            ("::1", leave_out),
            ("2001:db8::1", leave_out),
            (".example.com", "write \"example.com\""),
            ("example.com:8080", "write \"example.com\""),
            ("localhost:3000", "write \"localhost\""),
            ("Example.com", "write \"example.com\""),
            ("https://example.com", "host name alone"),
            ("example.com/", "host name alone"),
            ("bücher.example", "`xn--`"),
            ("example.com.", "no host name"),
            ("example..com", "no host name"),
            ("-a.example", "no host name"),
            ("example.com\n", "no host name"),
            (" example.com", "no host name"),
            ("*.example.com", "no host name"),
        ];
        for (domain, says) in cases {
            let message = refusal(SessionCookie::new().domain(domain));
            assert!(message.contains("`domain`") && message.contains(says), "{message} does not say {says}");
        }
        let label = "a".repeat(64);
        for domain in [format!("{label}.example"), format!("{}example", "a.".repeat(124))] {
            assert!(refusal(SessionCookie::new().domain(domain)).contains("no host name"));
        }
        for domain in ["example.com", "a-b.example.co.uk", "xn--bcher-kva.example", "app.localhost", "1.example.com"] {
            assert!(SessionCookie::new().domain(domain).build().is_ok(), "{domain}");
        }
    }

    #[cfg(feature = "public-suffix")]
    #[test]
    fn a_public_suffix_is_refused_as_a_domain() {
        for domain in ["co.uk", "com.au", "github.io", "s3.amazonaws.com", "foo.ck"] {
            assert!(refusal(SessionCookie::new().domain(domain)).contains("public suffix"), "{domain}");
        }
        for domain in ["example.co.uk", "me.github.io", "www.ck", "shop.internal"] {
            assert!(SessionCookie::new().domain(domain).build().is_ok(), "{domain}");
        }
    }

    #[test]
    fn a_path_that_no_browser_sends_is_refused_with_the_fix() {
        let cases = [
            ("", "start it"),
            ("app", "start it"),
            (" /app", "start it"),
            ("/a b", "`%20`"),
            ("/app ", "`%20`"),
            ("/app\n", "`%20`"),
            ("/\u{7f}", "`%20`"),
            ("/ü", "`%20`"),
            ("/a;b", "`;`"),
            ("/a?b", "percent-encoded"),
            ("/a#b", "percent-encoded"),
            ("/a\\b", "percent-encoded"),
            ("/\"", "percent-encoded"),
            ("/a/../b", "that is left"),
            ("/a/%2E.", "that is left"),
            ("/.", "that is left"),
        ];
        for (path, says) in cases {
            let message = refusal(SessionCookie::new().path(path));
            assert!(message.contains("`path`") && message.contains(says), "{message} does not say {says}");
        }
        assert!(refusal(SessionCookie::new().path(format!("/{}", "a".repeat(1024)))).contains("1024"));
        for path in ["/", "/app", "/app/", "/a%20b", "/.well-known/a..b", "/~me", "/a,b=c"] {
            assert!(SessionCookie::new().path(path).build().is_ok(), "{path}");
        }
    }
}
