use std::ops::ControlFlow;

use http::{HeaderMap, header};
use memchr::{memchr, memmem};

/// Reads the values of the cookies of one name.
///
/// The name is compared byte by byte, and nothing is decoded: browsers apply the rules of `__Host-` to the
/// raw name only. Everything else in the header is skipped, in linear time.
pub(crate) struct CookieReader {
    /// The name, followed by `=`.
    name: memmem::Finder<'static>,
}

impl CookieReader {
    pub(crate) fn new(name: &str) -> Self {
        CookieReader { name: memmem::Finder::new(&[name.as_bytes(), b"="].concat()).into_owned() }
    }

    /// Passes on the values in the order in which the client sent them, until `found` breaks.
    pub(crate) fn values(&self, headers: &HeaderMap, mut found: impl FnMut(&[u8]) -> ControlFlow<()>) {
        for header in headers.get_all(header::COOKIE) {
            let header = header.as_bytes();
            let mut from = 0;
            while let Some(at) = self.name.find(&header[from..]) {
                let begin = from + at + self.name.needle().len();
                let is_name = matches!(trim_end(&header[..from + at]), [] | [.., b';']);
                from = begin;
                if is_name {
                    let end = memchr(b';', &header[begin..]).map_or(header.len(), |length| begin + length);
                    if found(unquoted(trim_start(trim_end(&header[begin..end])))).is_break() {
                        return;
                    }
                    from = end;
                }
            }
        }
    }
}

/// The value that an old client has put into quotes (RFC 2109, RFC 2965). It sends `$Version` and `$Path` as cookies
/// of their own, which are of other names.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', value @ .., b'"'] => value,
        _ => value,
    }
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
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
        let mut found = Vec::new();
        CookieReader::new(name).values(&map, |value| {
            found.push(String::from_utf8_lossy(value).into_owned());
            if found.len() < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        found
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        assert_eq!(found(&[b"a=1; sessid=x; b=2"], "sessid"), ["x"]);
        assert_eq!(found(&[b"a=1;sessid=x"], "sessid"), ["x"]);
        assert_eq!(found(&[b"a=1", b"\t sessid=x \t"], "sessid"), ["x"]);
    }

    #[test]
    fn a_name_inside_of_another_cookie_is_none() {
        let others: &[u8] = b"a=s=1; xs=2; s s=3; \"s=4; s=5 s=6";
        assert_eq!(found(&[others], "s"), ["5 s=6"]);
    }

    #[test]
    fn cookies_of_the_same_name_come_in_order() {
        assert_eq!(found(&[b"s=1; s=2", b"s=3"], "s"), ["1", "2", "3"]);
        assert_eq!(found(&[b"s=1; s=2", b"s=3; s=4"], "s"), ["1", "2", "3"]);
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
        assert_eq!(found(&[b"s=\"a; s=a\"; s=\""], "s"), ["\"a", "a\"", "\""]);
        assert_eq!(found(&[b"s=; s==="], "s"), ["", "=="]);
    }

    #[test]
    fn the_cookies_of_old_clients_are_read() {
        let sent: &[u8] = b"$Version=\"1\"; s=\"a\"; $Path=\"/\"; $Domain=\"example.com\"; s=\"\"";
        assert_eq!(found(&[sent], "s"), ["a", ""]);
        // Only one pair of quotes is the client's.
        assert_eq!(found(&[b"s=\"\"a\"\""], "s"), ["\"a\""]);
        // A comma does not separate cookies. Else the value of another cookie could contain ours.
        assert_eq!(found(&[b"a=1, s=2; b=\"x,s=3\""], "s"), Vec::<String>::new());
    }

    #[test]
    fn junk_does_not_hide_a_cookie() {
        assert_eq!(found(&[b";;;=;; \xff\xfe=\x80; a==b; s=1;"], "s"), ["1"]);
    }
}
