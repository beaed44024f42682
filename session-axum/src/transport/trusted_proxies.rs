use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;
use session_core::ConfigError;

/// The proxies that are believed when they say whether a client's request was encrypted.
///
/// They say it in the header `X-Forwarded-Proto`, with the one value `http` or `https`; a proxy must replace what the
/// client sends there. No other header is believed: not `Forwarded`, and nothing of a client that no listed proxy stands
/// before.
///
/// Who sent a request is known only if axum is asked to note the address: serve the application by
/// `into_make_service_with_connect_info::<SocketAddr>()`.
///
/// ```
/// # fn example() -> Result<(), session_axum::ConfigError> {
/// use session_axum::{SessionCookie, TrustedProxies};
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "::1"])?;
/// let cookie = SessionCookie::new().secure_by_scheme(proxies);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

impl TrustedProxies {
    /// The header in which a proxy names the scheme.
    pub(crate) const SCHEME: HeaderName = HeaderName::from_static("x-forwarded-proto");

    /// Proxies at these addresses, such as `::1`, and in these ranges, such as `10.0.0.0/8`.
    ///
    /// An address of IPv4 also counts in the form that it has on a socket for both, such as `::ffff:10.0.0.1`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if a text is neither an address nor a range, or a range has every address. Its message says what to
    /// write instead.
    pub fn new<A: AsRef<str>>(addresses: impl IntoIterator<Item = A>) -> Result<Self, ConfigError> {
        let networks = addresses.into_iter().map(|address| network(address.as_ref())).collect::<Result<_, _>>()?;
        Ok(TrustedProxies { networks })
    }

    /// Whether a trusted proxy says that the request was not encrypted. Whatever is unknown or contradicts itself counts
    /// as encrypted, because then no cookie is sent in the clear.
    pub(crate) fn say_http(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        self.have_sent(extensions) && scheme(headers).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http"))
    }

    /// Whether one of the proxies has sent the request.
    fn have_sent(&self, extensions: &Extensions) -> bool {
        let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else { return false };
        let peer = peer.ip().to_canonical();
        self.networks.iter().any(|network| network.contains(&peer))
    }

    /// A number that differs between other proxies. It stays in memory.
    pub(super) fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.networks.hash(&mut hasher);
        hasher.finish()
    }
}

/// The scheme that the header names, if it is there once.
fn scheme(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(TrustedProxies::SCHEME).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}

fn network(text: &str) -> Result<IpNet, ConfigError> {
    let refused = |fix: String| ConfigError::new(format!("`TrustedProxies` can't have {text:?}; {fix}"));
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().into());
    }
    let network: IpNet = text
        .parse()
        .map_err(|_| refused("write an address such as `10.0.0.1`, or a range such as `10.0.0.0/8`".to_owned()))?;
    match network {
        every if every.prefix_len() == 0 => {
            Err(refused("it has every address, so each client could say what it likes; list your proxies".to_owned()))
        }
        inexact if inexact.trunc() != inexact => Err(refused(format!("write `{}`", inexact.trunc()))),
        IpNet::V6(mapped) if mapped.addr().to_ipv4_mapped().is_some() => {
            Err(refused("write the range of IPv4, without `::ffff:`".to_owned()))
        }
        network => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// Whether a request of this peer with these schemes counts as HTTP.
    fn says_http(peer: Option<&str>, schemes: &[&str]) -> bool {
        let request = schemes.iter().fold(Request::builder(), |request, scheme| {
            request.header(TrustedProxies::SCHEME, *scheme).header("forwarded", "proto=http")
        });
        let mut request = request.body(()).unwrap().into_parts().0;
        if let Some(peer) = peer {
            request.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
        }
        TrustedProxies::new(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
            .unwrap()
            .say_http(&request.headers, &request.extensions)
    }

    #[test]
    fn only_a_listed_proxy_is_believed() {
        for listed in ["10.0.0.1", "10.255.255.255", "192.0.2.7", "::ffff:10.0.0.1", "2001:db8::1"] {
            assert!(says_http(Some(listed), &["http"]), "{listed}");
            assert!(!says_http(Some(listed), &["https"]), "{listed}");
        }
        for stranger in ["11.0.0.1", "192.0.2.8", "127.0.0.1", "::1", "::ffff:11.0.0.1", "2001:db9::1"] {
            assert!(!says_http(Some(stranger), &["http"]), "{stranger}");
        }
        assert!(!says_http(None, &["http"]));
    }

    #[test]
    fn whatever_is_unknown_or_contradicts_itself_counts_as_encrypted() {
        let of_proxy = |schemes: &[&str]| says_http(Some("10.0.0.1"), schemes);
        assert!(of_proxy(&["HTTP"]));
        for schemes in
            [&[][..], &[""], &["ftp"], &["http, https"], &["http,http"], &["http", "https"], &["http", "http"]]
        {
            assert!(!of_proxy(schemes), "{schemes:?}");
        }
    }

    #[test]
    fn what_is_no_address_or_trusts_everybody_is_refused_with_the_fix() {
        let fix = |text: &str| TrustedProxies::new([text]).expect_err(text).to_string();
        for text in ["", "proxy", "10.0.0", "10.0.0.1:80", "10.0.0.0/33", " 10.0.0.1"] {
            assert!(fix(text).contains("write an address"), "{text}");
        }
        assert!(fix("0.0.0.0/0").contains("list your proxies") && fix("::/0").contains("list your proxies"));
        assert!(fix("10.1.0.0/8").contains("write `10.0.0.0/8`"));
        assert!(fix("::ffff:10.0.0.0/104").contains("IPv4"));
    }
}
