use std::future::Future;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_memcached::{Client, Error, ErrorKind, MetaProtocol, Status};
use parking_lot::Mutex;
use session_core::{ConfigError, StoreError};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::address::{check_address, shown};

/// The store's name in errors and logs.
pub(super) const NAME: &str = "memcached";

/// The largest number of connections to one server. Each carries about 10,000 calls per second.
const MAX_CONNECTIONS: usize = 8;

/// How long one call may take. Short enough that a request can repeat it, or use the durable tier behind this one.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// One memcached server and the connections to it.
pub(super) struct Server {
    address: Address,
    /// Differs between servers, for choosing the server of a key.
    seed: u64,
    permits: Semaphore,
    idle: Mutex<Vec<Opened>>,
    /// The number of connections that were opened so far.
    opened: AtomicU64,
}

struct Opened {
    client: Client,
    /// Counts from 1.
    number: u64,
}

/// The address of a server: `tcp://HOST:PORT` or `unix:///PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

impl Address {
    /// Parses `memcached://HOST:PORT,HOST:PORT`.
    pub(super) fn parse_all(servers: &str) -> Result<Vec<Self>, ConfigError> {
        check_address(servers)?;
        let names = servers.strip_prefix("memcached://").unwrap_or(servers).trim_end_matches('/');
        let addresses: Result<Vec<Self>, &str> =
            names.split(',').map(|name| Address::parse(name).ok_or_else(|| what_is_wrong(name))).collect();
        // A password may have a comma, so all of the addresses are shown as one.
        addresses.map_err(|wrong| ConfigError::new(format!("{:?} {wrong}", shown(servers))))
    }

    /// Parses `HOST`, `HOST:PORT`, `tcp://HOST:PORT` or `unix:///PATH`.
    fn parse(text: &str) -> Option<Self> {
        let is_path = text.strip_prefix("unix://").is_some_and(|path| path.starts_with('/'));
        if is_path {
            return Some(Address(text.to_owned()));
        }
        let text = text.strip_prefix("tcp://").unwrap_or(text);
        let (host, port) = text.rsplit_once(':').unwrap_or((text, "11211"));
        let port = port.parse::<u16>().ok().filter(|port| *port != 0);
        let is_host =
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        port.filter(|_| is_host).map(|port| Address(format!("tcp://{host}:{port}")))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its name leads to IPv6 alone.
    async fn is_of_ipv6(&self) -> bool {
        let Some(host) = self.0.strip_prefix("tcp://") else { return false };
        let found = tokio::net::lookup_host(host).await.map(Iterator::collect::<Vec<SocketAddr>>);
        found.is_ok_and(|found| !found.is_empty() && found.iter().all(SocketAddr::is_ipv6))
    }
}

const NO_TLS: &str = "asks for TLS, which the client library for Memcached does not know; use a network that nobody else \
    can read, or a tunnel that ends on this machine, such as stunnel";

const NO_IPV6: &str = "is an address of IPv6, to which the client library for Memcached can't connect; give the server an \
    address of IPv4 or a socket (unix:///PATH), or forward a port of this machine to it";

/// What to write instead of an address that can't be parsed.
fn what_is_wrong(text: &str) -> &'static str {
    let (scheme, host) = text.split_once("://").unwrap_or(("", text));
    if scheme.split(['+', '.']).any(|word| ["tls", "ssl", "memcacheds", "memcaches", "https"].contains(&word)) {
        return NO_TLS;
    }
    let host = host.trim_start_matches('[').split([']', '%']).next().unwrap_or_default();
    if host.parse::<Ipv6Addr>().is_ok() {
        return NO_IPV6;
    }
    "is not the address of Memcached servers; write HOST:PORT,HOST:PORT or unix:///PATH, without user and password"
}

impl Server {
    pub(super) fn new(address: Address) -> Self {
        let seed = address.0.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| mix(hash ^ u64::from(byte)));
        Server {
            address,
            seed,
            permits: Semaphore::new(MAX_CONNECTIONS),
            idle: Mutex::default(),
            opened: AtomicU64::new(0),
        }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The weight of this server for a key (rendezvous hashing). Each key belongs to the server with the largest
    /// weight, so that adding or removing a server moves only the keys of that server.
    pub(super) fn weight(&self, key: u64) -> u64 {
        mix(self.seed ^ key)
    }

    /// Fails unless the server can be reached, speaks the protocol and has compare and swap.
    pub(super) async fn greet(&self) -> Result<(), StoreError> {
        let probe = async {
            if self.address.is_of_ipv6().await {
                return Err(StoreError::refused(NAME, format!("{} {NO_IPV6}", self.address.0)));
            }
            let mut connection = self.connect().await?;
            let client = connection.client();
            // No session has this name, because a key has 43 characters.
            let written = client.meta_set("sess_greeting", "", false, None, Some(&["T10", "c"])).await;
            let written = written.map_err(|error| self.failed(error))?;
            let _gone = client.meta_delete("sess_greeting", false, None, None).await;
            self.check_cas(written.and_then(|value| value.cas)).map(drop)
        };
        self.within_limit(probe).await
    }

    /// The number of the state that was written. Fails if the server gives none, as compare and swap is turned off.
    pub(super) fn check_cas(&self, number: Option<u64>) -> Result<u64, StoreError> {
        number.filter(|number| *number != 0).ok_or_else(|| {
            let cause = format!(
                "{} has no compare and swap, which every write needs; start Memcached without `-C`",
                self.address.0
            );
            StoreError::refused(NAME, cause)
        })
    }

    /// A connection for one call at a time: an idle one, or a new one. Waits if there are too many.
    pub(super) async fn connect(&self) -> Result<Connection<'_>, StoreError> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let idle = self.idle.lock().pop();
        let opened = match idle {
            Some(opened) => opened,
            None => self.open().await?,
        };
        Ok(Connection { server: self, opened: Some(opened), _permit: permit })
    }

    /// Opens a connection, and counts it when the server has answered on it. A proxy may accept a connection before it
    /// has reached the server.
    async fn open(&self) -> Result<Opened, StoreError> {
        let mut client = Client::new(&self.address.0).await.map_err(|error| self.failed(error))?;
        let version = client.version().await.map_err(|error| self.failed(error))?;
        let mut numbers = version.trim().split('.').map_while(|number| number.parse::<u32>().ok());
        if (numbers.next(), numbers.next()) < (Some(1), Some(6)) {
            return Err(StoreError::refused(NAME, format!("{} is not Memcached 1.6 or later", self.address.0)));
        }
        Ok(Opened { client, number: self.opened.fetch_add(1, Ordering::SeqCst) + 1 })
    }

    /// Limits the time of a call, including the wait for a connection.
    pub(super) async fn within_limit<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = tokio::time::timeout(TIME_LIMIT, call).await;
        answer.unwrap_or_else(|_| Err(self.failed(Error::Io(io::ErrorKind::TimedOut.into()))))
    }

    pub(super) fn disconnect(&self) {
        self.idle.lock().clear();
    }

    pub(super) fn failed(&self, error: Error) -> StoreError {
        if let Error::Protocol(Status::Error(ErrorKind::Server(_))) = error {
            // Such as "out of memory storing object": room may be made.
            return StoreError::unavailable(NAME, self.said(error));
        }
        if let Error::Protocol(_) | Error::ParseError(_) = error {
            return StoreError::refused(NAME, self.said(error));
        }
        // A broken connection suggests that the server was restarted, and that the idle connections are broken too.
        self.disconnect();
        StoreError::unavailable(NAME, self.said(error))
    }

    fn said(&self, source: Error) -> ServerError {
        ServerError { address: self.address.0.clone(), source }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{address}")]
struct ServerError {
    address: String,
    source: Error,
}

/// A connection that goes back to its server's idle connections, unless a call on it was cancelled or failed. The reply
/// to such a call may still arrive, and must not be taken for the reply to another call.
pub(super) struct Connection<'a> {
    server: &'a Server,
    opened: Option<Opened>,
    _permit: SemaphorePermit<'a>,
}

const UNTIL_DROPPED: &str = "the client is there until the connection is dropped";

impl Connection<'_> {
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.opened.as_mut().expect(UNTIL_DROPPED).client
    }

    /// The number of connections to the server that were opened so far, including this one.
    pub(super) fn count(&self) -> u64 {
        self.server.opened.load(Ordering::SeqCst)
    }

    /// Whether this is one of the first `count` connections.
    pub(super) fn is_among(&self, count: u64) -> bool {
        self.opened.as_ref().expect(UNTIL_DROPPED).number <= count
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        // The client is marked as closed while a call is under way, so a cancelled call leaves it closed.
        if let Some(opened) = self.opened.take().filter(|opened| !opened.client.is_closed()) {
            self.server.idle.lock().push(opened);
        }
    }
}

/// Spreads the bits of a number (the finalizer of splitmix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        let parse = |text| Address::parse(text).map(|address| address.0);
        assert_eq!(parse("cache.example:11212").unwrap(), "tcp://cache.example:11212");
        assert_eq!(parse("10.0.0.1").unwrap(), "tcp://10.0.0.1:11211");
        assert_eq!(parse("tcp://cache.example:11212").unwrap(), "tcp://cache.example:11212");
        assert_eq!(parse("unix:///run/memcached.sock").unwrap(), "unix:///run/memcached.sock");
        for wrong in ["", ":11211", "host:", "host:0", "host:http", "host:99999", "a b", "unix://", "http://host"] {
            assert!(parse(wrong).is_none(), "{wrong:?}");
        }
        for wrong in ["memcached://app:marker@cache:11211", "cache,app:marker,1@cache", "memcached://cache\n"] {
            let message = Address::parse_all(wrong).expect_err(wrong).to_string();
            assert!(message.contains("cache") && !message.contains("marker"), "{message}");
        }
    }

    #[test]
    fn what_the_client_library_does_not_know_is_told() {
        for (wrong, expected) in [
            ("tls://cache", "stunnel"),
            ("cache,tls://cache", "stunnel"),
            ("memcached+ssl://cache:11211", "stunnel"),
            ("memcacheds://app:marker@cache", "stunnel"),
            ("[::1]", "IPv6"),
            ("::1", "IPv6"),
            ("memcached://[2001:db8::1]:11211", "IPv6"),
            ("cache,tcp://[::1]:11211", "IPv6"),
            ("[fe80::1%eth0]:11211", "IPv6"),
            ("redis://cache", "HOST:PORT"),
            ("cache:11211:11212", "HOST:PORT"),
        ] {
            let message = Address::parse_all(wrong).expect_err(wrong).to_string();
            assert!(message.contains(expected) && !message.contains("marker"), "{message}");
        }
    }
}
