use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::sentinel::SentinelClient;
use redis::{Client, ProtocolVersion};
use session_core::{Codec, ConfigError, DroppedRecords, JsonCodec, StoreError};

use super::address::Address;
use super::cluster::Cluster;
use super::error::{NAME, store_error};
use super::keys::Keys;
use super::link::Link;
use super::seeds::Seeds;
use super::server::Server;
use super::source::Source;
use super::start;
use super::sweep::Sweep;
use crate::tls::choose_provider;

/// A store in Redis or Valkey, for many processes and machines: one server, the master that sentinels name, or a
/// cluster.
///
/// Needs Redis 6 or later, or any Valkey. `Clone` shares the connections.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use session_stores::RedisStore;
///
/// let store = RedisStore::connect("redis://127.0.0.1/").await?.with_prefix("shop:session:")?;
/// # Ok(()) }
/// ```
///
/// - **Round trips**: loading, saving, touching and deleting take one each. On a cluster, creating a session with a
///   principal and renewing take several, because the keys are on several servers. With a prefix that has a hash tag
///   (`{session}:`) they take one, but all sessions are then on one server.
/// - **Blocking**: Redis serves nobody else while a script runs. A script that ends all sessions of a user, or follows
///   a session that was renewed, handles at most about 250 keys, which takes a few milliseconds; then the next script
///   goes on. All other scripts handle one session.
/// - **Rights**: a user with an ACL needs all keys with the prefix, and these commands: `EVAL`, `EVALSHA`, `GET`,
///   `GETRANGE`, `SET`, `SETRANGE`, `DEL`, `EXISTS`, `PEXPIRE`, `PERSIST`, `PTTL`, `TIME`, `ZADD`, `ZRANGE`, `ZREM`,
///   `ZREMRANGEBYSCORE`, `SCAN` and `PING`. A cluster needs also `CLUSTER SLOTS` and `ASKING`, a master that sentinels
///   watch `ROLE`, and a [`TrackedRedisStore`](crate::TrackedRedisStore) `CLIENT TRACKING`.
/// - **Broken connections**: the call fails at once, and the next call opens a new connection. No command is sent a
///   second time unless the server has refused it: with `READONLY`, `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`, `MOVED`,
///   `ASK` or `TRYAGAIN`. Then the call asks again, for up to 1 s, on a new connection where another server may be the
///   master. In a cluster, it asks at once the server that `MOVED` or `ASK` names.
/// - **Silent servers**: an answer is awaited for 1.5 s. If a server of a cluster is frozen or cut off, and its replica is
///   promoted, the store finds the replica within 2 s of the next call. Calls to the other servers go on meanwhile.
/// - **Memory**: Redis deletes a key when its session has expired by Redis' clock. Give Redis enough memory, and set
///   `maxmemory-policy noeviction`. Other policies end sessions early and may evict the index by principal.
/// - **Crashes**: with `appendfsync everysec` a crash of Redis may lose the last second; `appendfsync always` loses
///   nothing that was acknowledged.
/// - **Failover**: if a replica becomes master before it has received a save, a removal or a renewal, that change is
///   undone. `min-replicas-to-write` makes this less likely; nothing excludes it. A master of a cluster that was frozen
///   while its replica was promoted may, after it thaws, answer what it was sent in the last 1.5 s, until it has heard of
///   the others. That takes a few milliseconds.
///
/// # TLS
///
/// An address that begins with `rediss://` asks for TLS, and nothing is sent without it. The server's certificate must
/// be for the host in the address, and from an authority that browsers trust, or from one that the address names:
/// `rediss://cache:6380/?sslrootcert=/etc/ssl/our-authority.pem`. `sslcert` and `sslkey` name the files of a certificate
/// of this client. All are read when the store is made.
///
/// Certificates that are in no file go into a client of the application's own: [`from_client`](RedisStore::from_client).
#[derive(Clone)]
pub struct RedisStore {
    pub(super) link: Link,
    pub(super) keys: Keys,
    pub(super) codec: Arc<dyn Codec>,
    pub(super) dropped: Arc<DroppedRecords>,
    pub(super) sweep: Arc<tokio::sync::Mutex<Sweep>>,
}

impl RedisStore {
    /// The default prefix of all keys: see [`with_prefix`](RedisStore::with_prefix).
    pub const DEFAULT_PREFIX: &str = "session:";

    /// Connects to one server: `redis://user:password@host:port/database`, `rediss://…` for [TLS](RedisStore#tls), or
    /// `redis+unix:///path/to/socket`.
    ///
    /// [`StoreError`] if the URL is malformed or the server can't be reached. The message has the cause.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        let source = |protocol| Source::of_address(&address, protocol);
        let source = source(ProtocolVersion::RESP3)?.or(source(ProtocolVersion::RESP2)?);
        RedisStore::over(Link::Server(Server::new(source))).checked(&[address]).await
    }

    /// What [`connect`](RedisStore::connect) and [`sentinel`](RedisStore::sentinel) check without a server.
    #[doc(hidden)]
    pub fn check(url: &str, master: &str) -> Result<(), StoreError> {
        let address = Address::parse(url)?;
        Source::of_address(&address, ProtocolVersion::RESP3)?;
        Source::of_sentinels(&[address], master, ProtocolVersion::RESP3).map(drop)
    }

    /// Connects to the master with this name, which the sentinels at these addresses (`redis://host:port`) find.
    /// After a failover it connects to the new master.
    ///
    /// A master that was frozen and replaced does not know it when it goes on. So if it has not answered for 1 s, the next
    /// call asks the sentinels first, and takes some milliseconds longer; 3 s if none answers. With
    /// `down-after-milliseconds` of at least 1 s, nothing is then read from a master that was replaced. While no sentinel
    /// answers, the master is believed, and they are asked again every second.
    ///
    /// With `rediss://`, TLS and the certificates of the first address count for all sentinels and for the servers that
    /// they name, as do its user and password for all sentinels.
    ///
    /// [`StoreError`] if an address is malformed or no master is found. The message has the cause. If the servers need
    /// passwords, or only some of them TLS, use [`from_sentinel`](RedisStore::from_sentinel).
    pub async fn sentinel<'a>(sentinels: impl IntoIterator<Item = &'a str>, master: &str) -> Result<Self, StoreError> {
        let sentinels = Address::parse_all(sentinels)?;
        let source = |protocol| Source::of_sentinels(&sentinels, master, protocol);
        let source = source(ProtocolVersion::RESP3)?.or(source(ProtocolVersion::RESP2)?);
        RedisStore::over(Link::Server(Server::new(source))).checked(&sentinels).await
    }

    /// Connects to a cluster. Some of its servers' addresses (`redis://host:port`) are enough; the others are found. User,
    /// password and TLS of the first address count for all servers.
    ///
    /// [`StoreError`] if an address is malformed or none of the servers can be reached.
    pub async fn cluster<'a>(servers: impl IntoIterator<Item = &'a str>) -> Result<Self, StoreError> {
        let servers = Address::parse_all(servers)?;
        RedisStore::of_seeds(Seeds::of_addresses(&servers)?, &servers).await
    }

    /// Makes a store that connects with the application's own client, when it is first used.
    pub fn from_client(client: Client) -> Self {
        RedisStore::over(Link::Server(Server::new(Source::server(client))))
    }

    /// Makes a store that connects to the master with the application's own sentinel client, when it is first used.
    pub fn from_sentinel(client: SentinelClient) -> Self {
        // Whether it encrypts can't be seen.
        choose_provider();
        RedisStore::over(Link::Server(Server::new(Source::sentinels(client))))
    }

    /// Connects to a cluster, some of whose servers the application's own clients name; the others are found. User,
    /// password, TLS and protocol of the first client count for all servers.
    ///
    /// [`StoreError`] if there is no client or none of the servers can be reached.
    pub async fn from_cluster(clients: impl IntoIterator<Item = Client>) -> Result<Self, StoreError> {
        RedisStore::of_seeds(Seeds::of_clients(clients, None)?, &[]).await
    }

    /// Connects as [`from_cluster`](RedisStore::from_cluster) to a cluster whose servers are at other addresses than they
    /// tell, as behind NAT or in containers.
    ///
    /// `address_of` gets the host and the port that a server tells, and returns those to connect to. It returns what it
    /// does not know as it is. It is called before each first connection to a server, by the task that connects, so it
    /// must not block.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use session_stores::RedisStore;
    ///
    /// let client = redis::Client::open("redis://gateway:7001/")?;
    /// let store = RedisStore::from_cluster_with([client], |_, port| ("gateway".to_owned(), port + 1000)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn from_cluster_with(
        clients: impl IntoIterator<Item = Client>,
        address_of: impl Fn(&str, u16) -> (String, u16) + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        RedisStore::of_seeds(Seeds::of_clients(clients, Some(Arc::new(address_of)))?, &[]).await
    }

    /// Makes a store that shares the application's own connection, with its time limits and its way to reconnect.
    pub fn from_manager(manager: ConnectionManager) -> Self {
        RedisStore::over(Link::Manager(manager))
    }

    /// The prefix of all keys, so that several applications can share a server. Default: `session:`.
    ///
    /// On a cluster, a prefix with a hash tag such as `{session}:` puts all sessions on one server.
    ///
    /// A prefix with characters that nobody sees, or with blanks at an end, is a [`ConfigError`].
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        self.keys = Keys::checked(prefix)?;
        self.sweep = Arc::default();
        Ok(self)
    }

    /// The codec for the values of sessions. Default: [`JsonCodec`]. An `EncryptedCodec` encrypts them.
    ///
    /// Sessions that were stored with a codec that this one can't read count as missing.
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    async fn of_seeds(seeds: Seeds, addresses: &[Address]) -> Result<Self, StoreError> {
        match Cluster::connect(seeds).await {
            Ok(cluster) => Ok(RedisStore::over(Link::Cluster(cluster))),
            Err(error) => Err(start::failed(store_error(error), addresses).await),
        }
    }

    pub(super) fn over(link: Link) -> Self {
        RedisStore {
            link,
            keys: Keys::new(RedisStore::DEFAULT_PREFIX),
            codec: Arc::new(JsonCodec),
            dropped: Arc::new(DroppedRecords::new(NAME)),
            sweep: Arc::default(),
        }
    }

    /// Fails if the server does not answer, so that a wrong address is noticed when the program starts.
    pub(super) async fn checked(self, addresses: &[Address]) -> Result<Self, StoreError> {
        match self.query(&redis::cmd("PING")).await {
            Ok(_) => Ok(self),
            Err(error) => Err(start::failed(error, addresses).await),
        }
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}
