//! The headers that tell caches and clients what a session means for a response.

use http::header::{CACHE_CONTROL, EXPIRES, Entry, PRAGMA, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// For whoever is signed in, where the handler says nothing: only the browser keeps it, and asks each time.
pub(crate) const PRIVATE_NO_CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The request headers on which a response depends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vary {
    names: Box<[HeaderValue]>,
    /// All of them, for a response that names none.
    all: HeaderValue,
}

impl Vary {
    pub(crate) fn on(names: Vec<HeaderName>) -> Self {
        let mut distinct: Vec<HeaderValue> = Vec::new();
        for name in names.into_iter().map(HeaderValue::from) {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        let text = distinct.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
        // One name alone needs no memory of its own, so that each response only copies it.
        let one = (distinct.len() == 1).then(|| distinct[0].clone());
        let all = one.unwrap_or_else(|| HeaderValue::from_bytes(&text).expect("names of headers are a header's value"));
        Vary { names: distinct.into(), all }
    }
}

/// Adds request headers to `Vary`, unless they are there already.
pub(crate) fn add_vary(headers: &mut HeaderMap, on: &Vary) {
    match headers.entry(VARY) {
        Entry::Vacant(free) => {
            if !on.names.is_empty() {
                free.insert(on.all.clone());
            }
        }
        Entry::Occupied(mut vary) => {
            for name in &on.names {
                if !vary.iter().any(|value| names(value, name)) {
                    vary.append(name.clone());
                }
            }
        }
    }
}

/// Whether a value of `Vary` names a header.
fn names(value: &HeaderValue, name: &HeaderValue) -> bool {
    let mut parts = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    parts.any(|part| part == b"*" || part.eq_ignore_ascii_case(name.as_bytes()))
}

/// Says by which scheme a client has to prove who it is (RFC 6750), unless the handler says one.
#[cold]
pub(crate) fn ask_for_bearer(headers: &mut HeaderMap) {
    // Not by an entry: the one in `add_vary`, on the hot path, is compiled in place only if it is the only one.
    if !headers.contains_key(WWW_AUTHENTICATE) {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// Keeps a response that carries an id out of every cache. Replaces what the handler said.
pub(crate) fn forbid_storing(headers: &mut HeaderMap) {
    if headers.keys().any(|name| is_for_some_caches(name) || *name == EXPIRES || *name == PRAGMA) {
        remove_for_some_caches(headers);
        headers.remove(EXPIRES);
        headers.remove(PRAGMA);
    }
    headers.insert(CACHE_CONTROL, NO_STORE);
}

/// Keeps a response that depends on a session out of caches that serve several people, whatever the handler said.
/// `unsaid` is for all caches, where the handler said nothing.
pub(crate) fn forbid_sharing(headers: &mut HeaderMap, unsaid: Option<&HeaderValue>) {
    let (mut is_said, mut for_some, mut expires) = (false, false, false);
    for name in headers.keys() {
        is_said |= *name == CACHE_CONTROL;
        expires |= *name == EXPIRES;
        for_some |= is_for_some_caches(name);
    }
    if for_some {
        remove_for_some_caches(headers);
    }
    let private = match unsaid {
        _ if is_said => private(headers),
        Some(unsaid) => Some(unsaid.clone()),
        None => (for_some || expires).then_some(HeaderValue::from_static("private")),
    };
    if let Some(private) = private {
        headers.insert(CACHE_CONTROL, private);
    }
}

/// Whether the header is one that a kind of cache obeys in place of `Cache-Control`: the targeted fields of RFC 9213,
/// such as `CDN-Cache-Control`, and the older ones of Akamai, nginx and those that follow Edge Architecture.
#[inline]
fn is_for_some_caches(name: &HeaderName) -> bool {
    let name = name.as_str();
    // Most names end with another letter, so nothing else is compared.
    match name.as_bytes().last() {
        Some(b'l') => name.ends_with("-cache-control") || name == "surrogate-control" || name == "edge-control",
        Some(b's') => name == "x-accel-expires",
        _ => false,
    }
}

#[cold]
fn remove_for_some_caches(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_for_some_caches(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// What `Cache-Control` says, for one person alone. `None` if it says so already.
fn private(headers: &HeaderMap) -> Option<HeaderValue> {
    let said = || headers.get_all(CACHE_CONTROL).into_iter().flat_map(|value| directives(value.as_bytes()));
    // With names of headers, `private` would be for those alone.
    let is_private = |directive: &[u8]| directive.eq_ignore_ascii_case(b"private");
    let forbids_storing = |directive: &[u8]| directive.eq_ignore_ascii_case(b"no-store");
    let shares = |directive: &[u8]| {
        let name = directive.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
        [&b"public"[..], b"s-maxage"].iter().any(|shared| name.eq_ignore_ascii_case(shared))
    };
    let is_kept_private = said().any(|directive| is_private(directive) || forbids_storing(directive));
    if is_kept_private && !said().any(shares) {
        return None;
    }
    let mut private = b"private".to_vec();
    for directive in said().filter(|directive| !shares(directive) && !is_private(directive)) {
        private.extend_from_slice(b", ");
        private.extend_from_slice(directive);
    }
    Some(HeaderValue::from_bytes(&private).unwrap_or(NO_STORE))
}

/// The directives of a `Cache-Control` header. A comma inside quotes separates none.
fn directives(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let separates = move |byte: &u8| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    };
    value.split(separates).map(<[u8]>::trim_ascii).filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{AUTHORIZATION, COOKIE};

    fn headers(of: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in of {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn values(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    fn varied(before: &[&'static str]) -> Vec<String> {
        let before: Vec<_> = before.iter().map(|value| ("vary", *value)).collect();
        let mut headers = headers(&before);
        add_vary(&mut headers, &Vary::on(vec![COOKIE, AUTHORIZATION, COOKIE]));
        values(&headers, VARY)
    }

    #[test]
    fn vary_is_merged_with_what_is_there() {
        assert_eq!(varied(&[]), ["cookie, authorization"]);
        assert_eq!(varied(&["Accept, Origin"]), ["Accept, Origin", "cookie", "authorization"]);
        assert_eq!(varied(&["Accept", "Cookie"]), ["Accept", "Cookie", "authorization"]);
        assert_eq!(varied(&["accept,COOKIE, Authorization"]), ["accept,COOKIE, Authorization"]);
        assert_eq!(varied(&["*"]), ["*"]);
    }

    const FOR_SOME_CACHES: [&str; 9] = [
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "vercel-cdn-cache-control",
        "netlify-cdn-cache-control",
        "akamai-cache-control",
        "x-litespeed-cache-control",
        "surrogate-control",
        "edge-control",
        "x-accel-expires",
    ];

    #[test]
    fn nothing_stays_beside_no_store() {
        let mut all =
            headers(&[("cache-control", "public, s-maxage=9"), ("cache-control", "max-age=9"), ("etag", "x")]);
        all.extend(headers(&[("expires", "Thu, 01 Jan 2099 00:00:00 GMT"), ("pragma", "public")]));
        for name in FOR_SOME_CACHES {
            all.append(name, HeaderValue::from_static("max-age=60"));
            all.append(name, HeaderValue::from_static("public"));
        }
        forbid_storing(&mut all);
        assert_eq!(all, headers(&[("cache-control", "no-store"), ("etag", "x")]));
    }

    #[track_caller]
    fn assert_shared_as(said: &[&'static str], told: &[&str]) {
        let said: Vec<_> = said.iter().map(|value| ("cache-control", *value)).collect();
        let mut headers = headers(&said);
        forbid_sharing(&mut headers, None);
        assert_eq!(values(&headers, CACHE_CONTROL), told);
    }

    #[test]
    fn what_is_public_becomes_private() {
        assert_shared_as(&[], &[]);
        assert_shared_as(&["public"], &["private"]);
        assert_shared_as(&["public, max-age=60"], &["private, max-age=60"]);
        assert_shared_as(&["Max-Age=60,PUBLIC , S-MaxAge = 600,immutable"], &["private, Max-Age=60, immutable"]);
        assert_shared_as(&["max-age=60", "s-maxage=600"], &["private, max-age=60"]);
        assert_shared_as(&["max-age=60"], &["private, max-age=60"]);
        assert_shared_as(&["no-cache"], &["private, no-cache"]);
        assert_shared_as(&[""], &["private"]);
        assert_shared_as(&["private, public"], &["private"]);
        // Private for one header alone is public for the rest.
        assert_shared_as(&["private=\"x-a, x-b\", max-age=1"], &["private, private=\"x-a, x-b\", max-age=1"]);
        // An extension that quotes a directive says nothing.
        assert_shared_as(&["x=\"private, no-store\""], &["private, x=\"private, no-store\""]);
        assert_shared_as(&["public, no-store"], &["private, no-store"]);
    }

    #[test]
    fn what_is_private_stays_as_it_is() {
        for said in ["private", "Private, max-age=60", "no-store", "no-cache, no-store", "max-age=0, private"] {
            assert_shared_as(&[said], &[said]);
        }
        assert_shared_as(&["max-age=60", "private"], &["max-age=60", "private"]);
    }

    #[test]
    fn no_cache_that_serves_several_people_is_told_otherwise() {
        for name in FOR_SOME_CACHES {
            for unsaid in [None, Some(&PRIVATE_NO_CACHE)] {
                let mut told = headers(&[(name, "max-age=60"), ("etag", "x")]);
                forbid_sharing(&mut told, unsaid);
                let private = unsaid.map_or("private", |value| value.to_str().unwrap());
                assert_eq!(values(&told, CACHE_CONTROL), [private], "{name}");
                assert_eq!(told.len(), 2, "{name}");
            }
        }
        let mut told = headers(&[("expires", "Thu, 01 Jan 2099 00:00:00 GMT")]);
        forbid_sharing(&mut told, None);
        assert_eq!(values(&told, CACHE_CONTROL), ["private"]);
    }

    #[test]
    fn other_headers_are_left_alone() {
        let others = [("access-control", "x"), ("content-type", "x"), ("x-expires", "x"), ("cache-controls", "x")];
        let (mut shared, mut stored) = (headers(&others), headers(&others));
        forbid_sharing(&mut shared, None);
        assert_eq!(shared, headers(&others));
        forbid_storing(&mut stored);
        assert_eq!(stored.len(), others.len() + 1);
    }
}
