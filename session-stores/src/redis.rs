use std::sync::Arc;

use redis::aio::ConnectionManager;
use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{Client, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult};
use session_core::{
    Capabilities, Codec, Envelope, FastStore, JsonCodec, PrincipalKey, Purged, Record, RecordKey, Store, StoreError,
    Time, Version, Written,
};

use cluster::Cluster;
use error::{NAME, store_error, unexpected};
use keys::Keys;
use link::Link;
use scripts::Script;
use server::{Server, Source, may_lack_resp3};
use sweep::Sweep;
use value::Value;

mod cluster;
mod error;
mod index;
mod keys;
mod link;
mod renewal;
mod scripts;
mod server;
mod sweep;
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
/// - A replica that has not yet heard of a save or a removal may be made master. Redis'
///   `min-replicas-to-write` narrows that window; nothing closes it.
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
        let client = |protocol| {
            let settings = RedisConnectionInfo::default().set_protocol(protocol);
            let node = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
            SentinelClient::build(sentinels.clone(), master.to_owned(), Some(node), SentinelServerType::Master)
        };
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

    /// Whether one script may touch the keys of several sessions.
    fn is_in_one_place(&self) -> bool {
        !matches!(self.link, Link::Cluster(_)) || self.keys.have_hash_tag()
    }

    /// For scripts: where indexes are, if the script may touch them.
    fn index_prefix(&self) -> &[u8] {
        if self.is_in_one_place() { self.keys.index_prefix().as_bytes() } else { b"" }
    }

    async fn query(&self, command: &redis::Cmd) -> Result<redis::Value, StoreError> {
        self.link.query(command).await.map_err(store_error)
    }

    async fn run(&self, script: &Script, keys: &[&str], arguments: &[&[u8]]) -> Result<redis::Value, StoreError> {
        self.link.run(script, keys, arguments).await.map_err(store_error)
    }

    async fn write(&self, script: &Script, keys: &[&str], arguments: &[&[u8]]) -> Result<Written, StoreError> {
        outcome(self.run(script, keys, arguments).await?)
    }

    fn seal(&self, record: &Record) -> Result<Vec<u8>, StoreError> {
        self.seal_until(record, Time::MAX)
    }

    fn seal_until(&self, record: &Record, until: Time) -> Result<Vec<u8>, StoreError> {
        let envelope = Envelope::seal(record, &*self.codec).map_err(|error| StoreError::refused(NAME, error))?;
        Ok(value::live(&envelope, until))
    }

    async fn get(&self, key: &RecordKey) -> Result<Option<Value>, StoreError> {
        let answer = self.link.query(redis::cmd("GET").arg(self.keys.record(key))).await;
        let bytes: Option<Vec<u8>> = match answer {
            Ok(answer) => redis::from_redis_value(answer).map_err(unexpected)?,
            // Something that is no string, and so none of ours.
            Err(error) if error.code() == Some("WRONGTYPE") => Some(Vec::new()),
            Err(error) => return Err(store_error(error)),
        };
        let Some(bytes) = bytes else { return Ok(None) };
        match Value::parse(key, &bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                session_core::warn_dropped(key, &error, NAME);
                Ok(None)
            }
        }
    }

    fn open(&self, copy: &value::Copy, now: Time) -> Option<Record> {
        let ends = copy.envelope.expires_at().min(copy.until);
        (now < ends).then(|| copy.envelope.open_or_warn(&*self.codec, NAME)).flatten()
    }

    async fn remove(&self, key: &RecordKey, expired_by: Option<Time>) -> Result<bool, StoreError> {
        let expired_by = expired_by.map(value::time);
        let expired_by: &[u8] = expired_by.as_ref().map_or(&[], |time| time);
        let arguments: [&[u8]; 3] = [key.as_bytes(), self.index_prefix(), expired_by];
        let answer = self.run(&scripts::REMOVE, &[&self.keys.record(key)], &arguments).await?;
        let (removed, principal): (u64, Vec<u8>) = redis::from_redis_value(answer).map_err(unexpected)?;
        if !self.is_in_one_place() {
            self.index_forget(&principal, key).await;
        }
        Ok(removed > 0)
    }
}

impl Store for RedisStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn create(&self, record: &Record) -> Result<Written, StoreError> {
        let value = self.seal(record)?;
        let name = self.keys.record(&record.key);
        match self.index_of(record) {
            None => self.write(&scripts::CREATE, &[&name], &[&value]).await,
            Some(index) if self.is_in_one_place() => {
                let arguments: [&[u8]; 3] = [&value, record.key.as_bytes(), &index::time_left(record)];
                self.write(&scripts::CREATE, &[&name, &index], &arguments).await
            }
            Some(_) => self.create_across(record, &value).await,
        }
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        match self.get(key).await? {
            Some(Value::Live(copy)) => Ok(self.open(&copy, now)),
            Some(Value::Pending { old: Some(old) }) => self.load_pending(key, &old, now).await,
            _ => Ok(None),
        }
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Written, StoreError> {
        let value = self.seal(record)?;
        self.write(&scripts::SAVE, &[&self.keys.record(&record.key)], &[&value::version(expected), &value]).await
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.run(&scripts::TOUCH, &[&self.keys.record(key)], &[&value::time(accessed)]).await?;
        Ok(())
    }

    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Written, StoreError> {
        let value = self.seal(record)?;
        if !self.is_in_one_place() {
            return self.renew_across(old, expected, record, &value).await;
        }
        let index = self.index_of(record);
        let (old_name, new_name) = (self.keys.record(old), self.keys.record(&record.key));
        let names: Vec<&str> =
            [Some(&old_name), Some(&new_name), index.as_ref()].into_iter().flatten().map(String::as_str).collect();
        let (expected, left) = (value::version(expected), index::time_left(record));
        let arguments: [&[u8]; 6] =
            [&expected, &value, record.key.as_bytes(), &left, old.as_bytes(), self.index_prefix()];
        self.write(&scripts::RENEW, &names, &arguments).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.remove(key, None).await?;
        Ok(())
    }

    /// Redis drops expired records itself. This sweeps all keys, at most once an hour, for what it
    /// can't know: entries of the index that name nothing, and records that have expired by a
    /// clock which is not its own.
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.sweep_on(now, limit).await
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.scan_records(now, limit).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.records_of(principal, now).await
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        self.delete_records_of(principal, except, now).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        if let Link::Server(server) = &self.link {
            server.disconnect();
        }
        Ok(())
    }
}

impl FastStore for RedisStore {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        let value = self.seal_until(record, until)?;
        self.run(&scripts::FILL, &[&self.keys.record(&record.key)], &[&value, &value::time(now)]).await?;
        Ok(())
    }

    async fn bury(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        let arguments: [&[u8]; 2] = [&value::tombstone(until), &value::time(now)];
        self.run(&scripts::BURY, &[&self.keys.record(key)], &arguments).await?;
        Ok(())
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

/// How a script says that a write ended.
fn outcome(answer: redis::Value) -> Result<Written, StoreError> {
    let word: String = redis::from_redis_value(answer).map_err(unexpected)?;
    match word.as_str() {
        "done" => Ok(Written::Done),
        "conflict" => Ok(Written::Conflict),
        "missing" => Ok(Written::Missing),
        "exists" => Ok(Written::Exists),
        _ => Err(unexpected((ErrorKind::UnexpectedReturnType, "a script gave an unknown answer"))),
    }
}
