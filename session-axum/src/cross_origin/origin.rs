use http::Uri;

/// Where a page is from: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    is_https: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an `Origin` header. `None` if it is not `scheme://host` or `scheme://host:port`, with `http` or `https`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Origin::at(is_https, authority)
    }

    /// The origin of what is served at a host, which may name a port.
    pub(super) fn at(is_https: bool, authority: &str) -> Option<Self> {
        let has_more = authority.contains(['/', '@', '?', '#', '\\', '*']);
        let parsed = authority.parse::<Uri>().ok().filter(|_| !has_more)?;
        let parsed = parsed.authority()?;
        let port = match parsed.as_str().strip_prefix(parsed.host())? {
            "" => {
                if is_https {
                    443
                } else {
                    80
                }
            }
            _ => parsed.port_u16()?,
        };
        Some(Origin { is_https, host: parsed.host().to_ascii_lowercase(), port })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// In lower case, and without the port.
    #[cfg(feature = "testing")]
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        Origin::parse(one).expect(one) == Origin::parse(other).expect(other)
    }

    #[test]
    fn scheme_host_and_port_are_compared() {
        assert!(same("https://shop.example", "https://Shop.Example:443"));
        assert!(same("http://shop.example", "http://shop.example:80"));
        assert!(same("https://[::1]:8443", "https://[::1]:8443"));
        for other in [
            "http://shop.example",
            "http://shop.example:443",
            "https://shop.example:80",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://evil-shop.example",
            "https://www.shop.example",
        ] {
            assert!(!same("https://shop.example", other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_none() {
        for wrong in [
            "",
            "null",
            "shop.example",
            "https://",
            "https:/shop.example",
            "ftp://shop.example",
            "https://shop.example/",
            "https://shop.example/x",
            "https://ann@shop.example",
            "https://shop.example:x",
            "https://shop.example:",
            "https://shop.example:70000",
            "https://a b",
            "HTTPS://shop.example",
            "file://",
            "https://shop.example\\@evil",
        ] {
            assert_eq!(Origin::parse(wrong), None, "{wrong}");
        }
    }
}
