//! The two headers that tell caches what a session means for a response.

use http::header::{CACHE_CONTROL, Entry, VARY};
use http::{HeaderMap, HeaderValue};

/// Adds a request header to `Vary`, unless it is there already.
pub(crate) fn add_vary(headers: &mut HeaderMap, on: &HeaderValue) {
    let names = |value: &HeaderValue| {
        let parts = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        parts.into_iter().any(|part| part == b"*" || part.eq_ignore_ascii_case(on.as_bytes()))
    };
    match headers.entry(VARY) {
        Entry::Vacant(free) => {
            free.insert(on.clone());
        }
        Entry::Occupied(mut vary) if !vary.iter().any(names) => vary.append(on.clone()),
        Entry::Occupied(_) => {}
    }
}

/// Keeps a response that carries an id out of every cache. Replaces what the handler said.
pub(crate) fn forbid_storing(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::COOKIE;

    fn varied(before: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in before {
            headers.append(VARY, HeaderValue::from_static(value));
        }
        add_vary(&mut headers, &COOKIE.into());
        headers.get_all(VARY).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn vary_is_merged_with_what_is_there() {
        assert_eq!(varied(&[]), ["cookie"]);
        assert_eq!(varied(&["Accept, Origin"]), ["Accept, Origin", "cookie"]);
        assert_eq!(varied(&["Accept", "Cookie"]), ["Accept", "Cookie"]);
        assert_eq!(varied(&["accept,COOKIE"]), ["accept,COOKIE"]);
        assert_eq!(varied(&["*"]), ["*"]);
    }
}
