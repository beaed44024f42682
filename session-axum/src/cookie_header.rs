use std::iter;

use http::{HeaderMap, header};
use memchr::memchr;

/// The values of the cookies of this name, in the order in which the client sent them.
///
/// Strict: the name is compared byte by byte and nothing is decoded, because a name that is
/// `__Host-…` only after decoding was not set under that name's rules. Anything that is no
/// cookie of this name is skipped, in linear time.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|header| pairs(header.as_bytes()));
    pairs.filter_map(|pair| trim(pair).strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn pairs(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(header);
    iter::from_fn(move || {
        let text = rest?;
        let end = memchr(b';', text);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn found(headers: &[&[u8]], name: &str) -> Vec<String> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(header::COOKIE, HeaderValue::from_bytes(header).unwrap());
        }
        values(&map, name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(found(&[b"a=1; sessid=x; b=2"], "sessid"), ["x"]);
        assert_eq!(found(&[b"a=1;sessid=x"], "sessid"), ["x"]);
        assert_eq!(found(&[b"a=1", b"\t sessid=x \t"], "sessid"), ["x"]);
    }

    #[test]
    fn cookies_of_the_same_name_come_in_order() {
        assert_eq!(found(&[b"s=1; s=2", b"s=3"], "s"), ["1", "2", "3"]);
    }

    #[test]
    fn only_the_exact_name_matches() {
        let others: &[u8] = b"xs=1; sx=2; S=3; s =4; %73=5; s; =s; \"s\"=6";
        assert_eq!(found(&[others], "s"), Vec::<String>::new());
        assert_eq!(found(&[b"%5F%5FHost-s=1"], "__Host-s"), Vec::<String>::new());
    }

    #[test]
    fn values_are_raw() {
        assert_eq!(found(&[b"s=a%20b"], "s"), ["a%20b"]);
        assert_eq!(found(&[b"s=\"a\""], "s"), ["\"a\""]);
        assert_eq!(found(&[b"s=; s==="], "s"), ["", "=="]);
    }

    #[test]
    fn junk_does_not_hide_a_cookie() {
        assert_eq!(found(&[b";;;=;; \xff\xfe=\x80; a==b; s=1;"], "s"), ["1"]);
    }
}
