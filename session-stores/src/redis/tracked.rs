use std::sync::Arc;
use std::time::Duration;

use redis::ProtocolVersion;
use session_core::{
    Capabilities, Codec, ConfigError, Created, Deleted, ImmediateStore, PrincipalKey, Purged, Record, RecordKey,
    Renewed, Saved, Store, StoreError, Time, Version,
};
use tokio::task::AbortHandle;

use super::address::Address;
use super::copies::{Copies, Name, Space};
use super::link::Link;
use super::server::Server;
use super::source::Source;
use super::store::RedisStore;
use super::value::Value;

/// A [`RedisStore`] with copies of records in this process's memory, which the server invalidates.
///
/// A load takes no round trip while no other process changes the session. The server remembers which records this
/// process has read, and tells it of each change (RESP3, `CLIENT TRACKING`), usually within a millisecond.
///
/// It works with one server or the master that sentinels name, not with a cluster. Each server must support RESP3
/// (Redis 6 or later, any Valkey). `Clone` shares the copies, up to [`with_prefix`](TrackedRedisStore::with_prefix) or
/// [`with_codec`](TrackedRedisStore::with_codec): a store with another prefix or codec has copies of its own.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use session_core::SessionManager;
/// use session_stores::TrackedRedisStore;
///
/// let store = TrackedRedisStore::connect("redis://127.0.0.1/").await?.with_prefix("shop:session:")?;
/// let sessions = SessionManager::new(store);
/// # Ok(()) }
/// ```
///
/// # Staleness
///
/// A copy is served only if the server has answered a question that was asked at most 1 s ago
/// ([`STALE_FOR`](TrackedRedisStore::STALE_FOR)). An answer arrives after all changes from before the question. So a
/// logout on another machine is seen here within 1 s, even if the network to Redis fails at that moment.
///
/// When the connection breaks, all copies are dropped. Until it is back, every load asks the server and so fails. A
/// save is never misled by a copy, because the server compares versions.
///
/// If 1 s is too long, use [`strict`](TrackedRedisStore::strict).
#[derive(Clone)]
pub struct TrackedRedisStore {
    store: RedisStore,
    copies: Arc<Copies>,
    space: Space,
    strict: bool,
    heartbeat: AbortHandle,
}

impl TrackedRedisStore {
    /// The longest time for which a change by another process may be unseen: 1 s.
    pub const STALE_FOR: Duration = Duration::from_secs(1);
    /// The largest number of copies: 100,000. Beyond it, any copy is evicted; its session stays in Redis.
    pub const MAX_COPIES: usize = 100_000;
    /// The memory that all copies may take: 256 MiB. Beyond it, any copy is evicted; its session stays in Redis.
    pub const MAX_COPY_BYTES: usize = 256 << 20;

    /// Connects to one server, like [`RedisStore::connect`]. Needs a tokio runtime.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        TrackedRedisStore::over(Source::of_address(&address, ProtocolVersion::RESP3)?, &[address]).await
    }

    /// Connects to the master that sentinels name, like [`RedisStore::sentinel`]. Needs a tokio runtime.
    pub async fn sentinel<'a>(sentinels: impl IntoIterator<Item = &'a str>, master: &str) -> Result<Self, StoreError> {
        let sentinels = Address::parse_all(sentinels)?;
        let source = Source::of_sentinels(&sentinels, master, ProtocolVersion::RESP3)?;
        TrackedRedisStore::over(source, &sentinels).await
    }

    async fn over(source: Source, addresses: &[Address]) -> Result<Self, StoreError> {
        let (max, max_bytes) = (TrackedRedisStore::MAX_COPIES, TrackedRedisStore::MAX_COPY_BYTES);
        let copies = Arc::new(Copies::new(max, max_bytes, TrackedRedisStore::STALE_FOR));
        let server = Server::watched(source, copies.clone());
        let heartbeat = heartbeat(server.downgrade());
        let store = RedisStore::over(Link::Server(server)).checked(addresses).await?;
        let heartbeat = tokio::spawn(heartbeat).abort_handle();
        let space = copies.new_space();
        Ok(TrackedRedisStore { store, copies, space, strict: false, heartbeat })
    }

    /// Asks the server at each load whether the copy has the present version, so that no load is stale.
    ///
    /// Default: off. Each load then takes one round trip, for a few bytes instead of the whole record.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// The prefix of all keys: see [`RedisStore::with_prefix`].
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        self.store = self.store.with_prefix(prefix)?;
        self.space = self.copies.new_space();
        Ok(self)
    }

    /// The codec for the values of sessions: see [`RedisStore::with_codec`].
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.store = self.store.with_codec(codec);
        self.space = self.copies.new_space();
        self
    }

    fn copy_of(&self, key: &RecordKey) -> Name {
        Name { space: self.space, key: *key }
    }

    /// The number of copies in memory now.
    pub fn copies(&self) -> usize {
        self.copies.len()
    }

    /// The copy of a record, if the server says that it has the present version.
    async fn load_compared(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let Some(mut copy) = self.copies.untrusted(self.copy_of(key)) else { return Ok(None) };
        let Some(Value::Live(present)) = self.store.peek(key).await? else { return Ok(None) };
        let is_present = present.envelope.version == copy.version && present.is_valid(now);
        copy.accessed = present.envelope.accessed;
        Ok(is_present.then_some(copy))
    }
}

impl Store for TrackedRedisStore {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let change = self.copies.change(self.copy_of(&record.key));
        let written = self.store.create(record).await?;
        if written == Created::Done {
            change.done(record);
        }
        Ok(written)
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let found =
            if self.strict { self.load_compared(key, now).await? } else { self.copies.get(self.copy_of(key), now) };
        if found.is_some() {
            return Ok(found);
        }
        let ticket = self.copies.expect(self.copy_of(key));
        let loaded = self.store.load(key, now).await?;
        if let Some(record) = &loaded {
            ticket.fill(record);
        }
        Ok(loaded)
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        self.store.version(key, now).await
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let change = self.copies.change(self.copy_of(&record.key));
        let (written, accessed) = self.store.save_and_see(record, expected).await?;
        if let Some(accessed) = accessed {
            change.done(&used(record, accessed));
        }
        Ok(written)
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.store.touch(key, accessed).await?;
        self.copies.touch(self.copy_of(key), accessed);
        Ok(())
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let (_ended, change) = (self.copies.change(self.copy_of(old)), self.copies.change(self.copy_of(&record.key)));
        let (written, accessed) = self.store.renew_and_see(old, expected, record, moved_until).await?;
        if let Some(accessed) = accessed {
            change.done(&used(record, accessed));
        }
        Ok(written)
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        self.store.moved(key, now).await
    }

    async fn follow(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.store.follow(key, now).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let _ended = self.copies.change(self.copy_of(key));
        self.store.delete(key).await
    }

    async fn end(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        // The server does not say before which record it deletes.
        let forgetting = Forgetting(&self.copies);
        let found_at = self.store.end(key).await?;
        forgetting.only(found_at.as_ref().into_iter().chain([key]));
        Ok(found_at)
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        let purged = self.store.purge_expired(now, limit).await?;
        if purged.expired > 0 {
            self.copies.forget_expired(now);
        }
        Ok(purged)
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.store.list(now, limit).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.store.of_principal(principal, now).await
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        // When this returns or is cancelled, because the server does not say which records it deleted.
        let _forgetting = Forgetting(&self.copies);
        self.store.delete_of_principal(principal, except, now).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.heartbeat.abort();
        self.store.close().await
    }

    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        (!self.strict).then_some(self)
    }
}

impl ImmediateStore for TrackedRedisStore {
    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        self.copies.get(self.copy_of(key), now).map(|record| Ok(Some(record)))
    }

    /// Always waits, because only the server knows the present version.
    fn save_now(&self, _: &Record, _: Version) -> Option<Result<Saved, StoreError>> {
        None
    }
}

/// The record as the server has stored it, with an `accessed` that may be later.
fn used(record: &Record, accessed: Time) -> Record {
    let mut stored = record.clone();
    stored.accessed = accessed;
    stored
}

/// Drops all copies when it is dropped.
struct Forgetting<'a>(&'a Copies);

impl<'a> Forgetting<'a> {
    /// Drops only these copies. Whoever asked for one of these records before the deletion must not keep the answer.
    fn only<'k>(self, keys: impl IntoIterator<Item = &'k RecordKey>) {
        keys.into_iter().for_each(|key| self.0.forget(key));
        std::mem::forget(self);
    }
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.0.forget_all();
    }
}

impl std::fmt::Debug for TrackedRedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackedRedisStore").field("copies", &self.copies()).field("strict", &self.strict).finish()
    }
}

/// Sends a PING every 250 ms, so that copies stay trusted, and opens the connection again after it broke. Ends with the
/// store.
async fn heartbeat(server: impl Fn() -> Option<Server>) {
    while let Some(server) = server() {
        let _ = server.query(&redis::cmd("PING")).await;
        drop(server);
        tokio::time::sleep(TrackedRedisStore::STALE_FOR / 4).await;
    }
}
