use std::sync::Arc;

use session_core::{
    Codec, ConfigError, Created, Deleted, DroppedRecords, Envelope, JsonCodec, Purged, Record, RecordKey, Renewed,
    Saved, Store, StoreError, Time, Version,
};

use super::item::{Copy, Item, Moved};
use super::items::{Cas, Found, Items, Replaced};
use super::server::{Address, NAME, Server};
use crate::recent_reads::RecentReads;

/// A store in Memcached 1.6 or later, for many processes and machines. All sessions are gone when Memcached is
/// restarted.
///
/// - When its memory is full, Memcached evicts the least recently used items, and their sessions are gone. Give it
///   enough memory, or use it as the fast tier before a durable store.
/// - It can't list sessions nor find those of a principal. These operations fail and say so.
/// - It can't encrypt connections. Use a network that nobody else can read, a socket, or a tunnel that ends on this
///   machine. An `EncryptedCodec` encrypts what is stored.
/// - A session must fit into an item, which by default is slightly smaller than the largest session: see
///   [`with_max_item_bytes`](MemcachedStore::with_max_item_bytes).
/// - Loading takes one round trip. Saving takes one if this process has loaded the session within the last 60 s,
///   otherwise two.
/// - Memcached deletes a session some seconds after its end, counted from each write by the clock of this process. One
///   that has more than 30 days left stays in memory until it has less at a write, or is evicted.
/// - Let processes connect to Memcached itself. A proxy that keeps connections open hides a restart, and a save may
///   then overwrite a newer record.
///
/// `Clone` shares the connections.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use session_core::SessionManager;
/// use session_stores::MemcachedStore;
///
/// let store = MemcachedStore::connect("memcached://127.0.0.1:11211").await?;
/// let sessions = SessionManager::new(store);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemcachedStore {
    pub(super) items: Items,
    codec: Arc<dyn Codec>,
    dropped: Arc<DroppedRecords>,
    /// With the time until which the item is served, and its number.
    recent_reads: RecentReads<(Time, Cas)>,
}

impl MemcachedStore {
    /// The default prefix of keys: see [`with_prefix`](MemcachedStore::with_prefix).
    pub const DEFAULT_PREFIX: &str = "sess_";

    /// The largest size of an item in a Memcached with default settings: 1 MiB.
    pub const DEFAULT_MAX_ITEM_BYTES: usize = 1024 * 1024;

    /// Connects to one or several servers: `memcached://HOST:PORT,HOST:PORT`. The default port is 11211. A socket is
    /// written `unix:///PATH`. The client library knows neither TLS nor IPv6.
    ///
    /// Each session is on one of the servers, chosen by its key. All processes must write the same addresses, or they
    /// look for sessions on different servers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if an address is malformed, or a server does not answer, is older than 1.6, or was started with
    /// `-C`. Memcached then has no compare and swap, which every write needs.
    pub async fn connect(servers: &str) -> Result<Self, StoreError> {
        let addresses =
            Address::parse_all(servers).map_err(|error| StoreError::refused(NAME, error).naming_causes())?;
        let store = MemcachedStore {
            items: Items {
                servers: addresses.into_iter().map(Server::new).collect(),
                prefix: MemcachedStore::DEFAULT_PREFIX.into(),
                max_item_bytes: MemcachedStore::DEFAULT_MAX_ITEM_BYTES,
            },
            codec: Arc::new(JsonCodec),
            dropped: Arc::new(DroppedRecords::new(NAME)),
            recent_reads: RecentReads::new(),
        };
        for server in &*store.items.servers {
            server.greet().await.map_err(StoreError::naming_causes)?;
        }
        Ok(store)
    }

    /// What [`connect`](MemcachedStore::connect) and [`with_prefix`](MemcachedStore::with_prefix) check without a
    /// server.
    #[doc(hidden)]
    pub fn check(servers: &str, prefix: &str) -> Result<(), ConfigError> {
        Address::parse_all(servers)?;
        check_prefix(prefix)
    }

    /// The prefix of all keys, so that several applications can share a server. Default: `sess_`.
    ///
    /// Allowed: at most 200 visible ASCII characters. Anything else is a [`ConfigError`].
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        check_prefix(prefix)?;
        self.items.prefix = prefix.into();
        self.recent_reads = RecentReads::new();
        Ok(self)
    }

    /// The codec for the values of sessions. Default: [`JsonCodec`]. An `EncryptedCodec` encrypts them.
    ///
    /// Sessions that were stored with a codec that this one can't read count as missing.
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.codec = Arc::new(codec);
        self.recent_reads = RecentReads::new();
        self
    }

    /// The largest size of an item in bytes. A larger session is an error, and the stored one stays as it is.
    ///
    /// Default: 1 MiB. Allowed, as for Memcached itself: 1 KiB to 1 GiB. Anything else is a [`ConfigError`].
    ///
    /// Give the number that Memcached was started with (`-I`). A smaller number refuses sessions that would fit. With
    /// a larger number Memcached refuses the item and deletes the stored session.
    pub fn with_max_item_bytes(mut self, bytes: usize) -> Result<Self, ConfigError> {
        if !(1 << 10..=1 << 30).contains(&bytes) {
            return Err(ConfigError::new(format!(
                "`max_item_bytes` is {bytes}; it must be from 1024 (1 KiB) to 1073741824 (1 GiB), as Memcached's `-I`"
            )));
        }
        self.items.max_item_bytes = bytes;
        Ok(self)
    }

    pub(super) fn seal(&self, record: &Record) -> Result<Envelope, StoreError> {
        Envelope::seal(record, &*self.codec).map_err(|error| StoreError::refused(NAME, error))
    }

    /// The live record of this key, and the number by which [`replace`](Items::replace) replaces it.
    pub(super) async fn find(&self, key: &RecordKey, now: Time) -> Result<Option<(Copy, Cas)>, StoreError> {
        loop {
            let Some(Found { item, cas }) = self.items.get(key).await? else { return Ok(None) };
            match item {
                Ok(Item::Record(copy)) => return Ok((!copy.is_over(now)).then_some((copy, cas))),
                Ok(Item::Moved(_) | Item::Buried { .. }) => return Ok(None),
                Ok(Item::Pending(pending)) => {
                    if !self.is_settled(key, pending, cas).await? {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    self.dropped.warn(Some(key), &error);
                    return Ok(None);
                }
            }
        }
    }

    /// The number of the item that a deletion removes, a record or what can't be read. Otherwise the answer.
    async fn find_to_delete(&self, key: &RecordKey) -> Result<Result<Cas, Deleted>, StoreError> {
        loop {
            let Some(Found { item, cas }) = self.items.get(key).await? else { return Ok(Err(Deleted::Missing)) };
            match item {
                Ok(Item::Record(_)) | Err(_) => return Ok(Ok(cas)),
                // These are no records, and still have to refuse slow writers.
                Ok(Item::Buried { .. } | Item::Moved(Moved { told_until: None, .. })) => {
                    return Ok(Err(Deleted::Missing));
                }
                Ok(Item::Moved(Moved { to, .. })) => return Ok(Err(Deleted::Moved(to))),
                Ok(Item::Pending(pending)) => {
                    if !self.is_settled(key, pending, cas).await? {
                        return Ok(Err(Deleted::Missing));
                    }
                }
            }
        }
    }

    /// Does what [`find`](Self::find) does, but without a call if this process has read this version lately. The
    /// envelope then has no body.
    pub(super) async fn recall_or_find(
        &self,
        key: &RecordKey,
        version: Version,
        now: Time,
    ) -> Result<Option<(Copy, Cas)>, StoreError> {
        let recent = self.recent_reads.take(key).map(|(envelope, (until, cas))| (Copy { until, envelope }, cas));
        match recent.filter(|(copy, _)| copy.envelope.version == version && !copy.is_over(now)) {
            Some(recent) => Ok(Some(recent)),
            None => self.find(key, now).await,
        }
    }
}

fn check_prefix(prefix: &str) -> Result<(), ConfigError> {
    if prefix.len() <= 200 && prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let message = format!("{prefix:?} is not allowed as a prefix; write at most 200 visible ASCII characters");
    Err(ConfigError::new(message))
}

impl std::fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers: Vec<&str> = self.items.servers.iter().map(|server| server.address().as_str()).collect();
        f.debug_struct("MemcachedStore").field("servers", &servers).field("prefix", &self.items.prefix).finish()
    }
}

impl Store for MemcachedStore {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let copy = Copy { until: Time::MAX, envelope: self.seal(record)? };
        let added = self.items.add(&record.key, &Item::Record(copy), record.accessed).await?;
        Ok(if added.is_some() { Created::Done } else { Created::Exists })
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        let Some((Copy { until, envelope }, cas)) = self.find(key, now).await? else { return Ok(None) };
        let record = envelope.open_or_warn(&*self.codec, &self.dropped);
        self.recent_reads.note(envelope, (until, cas));
        Ok(record)
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let mut envelope = self.seal(record)?;
        loop {
            let found = self.recall_or_find(&record.key, expected, record.accessed).await?;
            let Some((stored, cas)) = found else { return Ok(Saved::Missing) };
            if stored.envelope.version != expected {
                return Ok(Saved::Conflict);
            }
            envelope.accessed = envelope.accessed.max(stored.envelope.accessed);
            let saved = Item::Record(Copy { until: stored.until, envelope: envelope.clone() });
            match self.items.replace(&record.key, cas, &saved, record.accessed).await? {
                Replaced::Done(cas) => {
                    self.recent_reads.note(envelope, (stored.until, cas));
                    return Ok(Saved::Done);
                }
                // The item has changed, perhaps only by a touch, which is no conflict. Look again.
                Replaced::Changed => {}
                Replaced::Missing => return Ok(Saved::Missing),
            }
        }
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        loop {
            let Some((mut copy, cas)) = self.find(key, accessed).await? else { return Ok(()) };
            if copy.envelope.accessed >= accessed {
                return Ok(());
            }
            copy.envelope.accessed = accessed;
            let replaced = self.items.replace(key, cas, &Item::Record(copy), accessed).await?;
            if !matches!(replaced, Replaced::Changed) {
                return Ok(());
            }
        }
    }

    /// Renews in several steps, of which one is the commit: see `renewal.rs`.
    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        self.renew_in_steps(old, expected, record, moved_until).await
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        let moved = self.note_at(key).await?;
        Ok(moved.filter(|moved| moved.told_until.is_some_and(|until| now < until)).map(|moved| moved.to))
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        let mut known = self.recent_reads.take(key).map(|(_, (_, cas))| cas);
        loop {
            let cas = match known.take() {
                Some(cas) => cas,
                None => match self.find_to_delete(key).await? {
                    Ok(cas) => cas,
                    Err(answer) => return Ok(answer),
                },
            };
            match self.items.remove(key, cas).await? {
                Replaced::Done(()) => return Ok(Deleted::Done),
                Replaced::Missing => return Ok(Deleted::Missing),
                Replaced::Changed => {}
            }
        }
    }

    /// Does nothing, because Memcached deletes expired items itself.
    async fn purge_expired(&self, _: Time, _: usize) -> Result<Purged, StoreError> {
        Ok(Purged::default())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.items.servers.iter().for_each(Server::disconnect);
        Ok(())
    }
}
