use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult};
use session_core::{Codec, JsonCodec, StoreError};

use cluster::Cluster;
use error::store_error;
use keys::Keys;
use link::Link;
use server::Server;
use source::{Source, may_lack_resp3};
use sweep::Sweep;

pub use tracked::TrackedRedisStore;

mod answer;
mod cluster;
mod copies;
mod error;
mod index;
mod keys;
mod link;
mod operations;
mod renewal;
mod scripts;
mod server;
mod source;
mod sweep;
mod tracked;
mod value;

/// A store in Redis or Valkey: a single server, the master that sentinels name, or a cluster.
///
/// Needs Redis 6 or later, or any Valkey. `Clone` shares connections.
///
/// ```no_run
/// # async fn example() -> Result<(), session_core::StoreError> {
/// use session_stores::RedisStore;
///
/// let store = RedisStore::connect("redis://127.0.0.1/").await?.with_prefix("shop:session:");
/// # Ok(()) }
/// ```
///
/// - Loading, saving, touching and deleting take one round trip each. On a cluster, creating a
///   session with a principal and renewing take several, because keys lie on several servers;
///   with a prefix that has a hash tag (`{session}:`) they take one, and all sessions lie on one.
/// - A broken connection is an error at once, and the next call opens another. No command is sent
///   a second time unless the server has refused it.
/// - Redis drops a key when its session has ended by Redis' own clock. Give Redis memory enough,
///   or the policy `noeviction`: other policies end sessions early, and may forget the index by
///   principal.
/// - What Redis has acknowledged survives a crash of its own only with `appendfsync always`; the
///   usual `everysec` may lose the last second.
/// - A replica that has not yet heard of a save, a removal or a renewal may be made master, and
///   that is then undone. Redis' `min-replicas-to-write` narrows that window; nothing closes it.
#[derive(Clone)]
pub struct RedisStore {
    link: Link,
    keys: Keys,
    codec: Arc<dyn Codec>,
    sweep: Arc<tokio::sync::Mutex<Sweep>>,
}

impl RedisStore {
    /// The prefix of all keys unless [another](RedisStore::with_prefix) is set.
    pub const DEFAULT_PREFIX: &str = "session:";

    /// Connects to one server: `redis://user:password@host:port/database`, `rediss://…` (with the
    /// feature `redis-tls`), or `redis+unix:///path/to/socket`.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let client = |protocol| Client::open(with_protocol(url, protocol)?);
        let source = Source::server(client(ProtocolVersion::RESP3).map_err(store_error)?)
            .or(Source::server(client(ProtocolVersion::RESP2).map_err(store_error)?));
        RedisStore::over(Link::Server(Server::new(source))).checked().await
    }

    /// Connects to the master of this name, wherever the sentinels at these addresses say it is.
    ///
    /// For passwords, see [`from_sentinel`](RedisStore::from_sentinel).
    pub async fn sentinel<'a>(sentinels: impl IntoIterator<Item = &'a str>, master: &str) -> Result<Self, StoreError> {
        let sentinels: Vec<&str> = sentinels.into_iter().collect();
        let client = |protocol| sentinel_client(&sentinels, master.to_owned(), protocol);
        let source = Source::sentinels(client(ProtocolVersion::RESP3).map_err(store_error)?)
            .or(Source::sentinels(client(ProtocolVersion::RESP2).map_err(store_error)?));
        RedisStore::over(Link::Server(Server::new(source))).checked().await
    }

    /// Connects to a cluster that has servers at these addresses, among others.
    pub async fn cluster<'a>(servers: impl IntoIterator<Item = &'a str>) -> Result<Self, StoreError> {
        let servers: Vec<&str> = servers.into_iter().collect();
        let builder = |protocol| ClusterClientBuilder::new(servers.clone()).use_protocol(protocol);
        match Cluster::connect(builder(ProtocolVersion::RESP3)).await {
            Err(error) if may_lack_resp3(&error) => RedisStore::from_cluster(builder(ProtocolVersion::RESP2)).await,
            answer => Ok(RedisStore::over(Link::Cluster(answer.map_err(store_error)?))),
        }
    }

    /// A store at the server of the application's own client. Connects when it is first used.
    pub fn from_client(client: Client) -> Self {
        RedisStore::over(Link::Server(Server::new(Source::server(client))))
    }

    /// A store at the master of the application's own sentinel client. Connects when it is first
    /// used.
    pub fn from_sentinel(client: SentinelClient) -> Self {
        RedisStore::over(Link::Server(Server::new(Source::sentinels(client))))
    }

    /// A store in a cluster, connected with the application's own settings.
    ///
    /// Retries and time limits are set here, because a command that the client library repeats by
    /// itself could be counted twice.
    pub async fn from_cluster(settings: ClusterClientBuilder) -> Result<Self, StoreError> {
        Ok(RedisStore::over(Link::Cluster(Cluster::connect(settings).await.map_err(store_error)?)))
    }

    /// A store that shares the application's own connection, with its time limits and its way to
    /// reconnect.
    pub fn from_manager(manager: ConnectionManager) -> Self {
        RedisStore::over(Link::Manager(manager))
    }

    /// Another prefix of all keys, so that several applications can share a server.
    #[must_use]
    pub fn with_prefix(mut self, prefix: &str) -> Self {
        self.keys = Keys::new(prefix);
        self.sweep = Arc::default();
        self
    }

    /// Another form of the values: encrypted, for example.
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    fn over(link: Link) -> Self {
        RedisStore {
            link,
            keys: Keys::new(RedisStore::DEFAULT_PREFIX),
            codec: Arc::new(JsonCodec),
            sweep: Arc::default(),
        }
    }

    /// A wrong address is to be noticed when the program starts.
    async fn checked(self) -> Result<Self, StoreError> {
        self.query(&redis::cmd("PING")).await?;
        Ok(self)
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").finish_non_exhaustive()
    }
}

fn with_protocol(url: &str, protocol: ProtocolVersion) -> RedisResult<redis::ConnectionInfo> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(protocol);
    Ok(info.set_redis_settings(settings))
}

fn sentinel_client(sentinels: &[&str], master: String, protocol: ProtocolVersion) -> RedisResult<SentinelClient> {
    let settings = RedisConnectionInfo::default().set_protocol(protocol);
    let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
    SentinelClient::build(sentinels.to_vec(), master, Some(node), SentinelServerType::Master)
}
