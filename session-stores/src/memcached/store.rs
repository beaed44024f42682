use std::sync::Arc;

use session_core::{
    Buried, Codec, ConfigError, Created, DroppedRecords, Envelope, FastStore, JsonCodec, Purged, Record, RecordKey,
    Renewed, Saved, Store, StoreError, Time, Version,
};

use super::item::{Copy, Item};
use super::items::{Cas, Found, Items, Replaced};
use super::server::{Address, NAME, Server};
use crate::recent_reads::RecentReads;
use crate::refusal::Refusal;

/// A store in Memcached 1.6 or later, for many processes and machines. All sessions are gone when Memcached is
/// restarted.
///
/// - When its memory is full, Memcached evicts the least recently used items, and their sessions are gone. Give it
///   enough memory, or use it as the fast tier before a durable store.
/// - It can't list sessions nor find those of a principal. These operations fail and say so.
/// - A session must fit into an item, which by default is slightly smaller than the largest session: see
///   [`with_max_item_bytes`](MemcachedStore::with_max_item_bytes).
/// - Loading takes one round trip. Saving takes one if this process has loaded the session within the last 60 s,
///   otherwise two.
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
    items: Items,
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
    /// written `unix:///PATH`.
    ///
    /// Each session is on one of the servers, chosen by its key. All processes must write the same addresses, or they
    /// look for sessions on different servers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if an address is malformed, or a server does not answer, is older than 1.6, or was started with
    /// `-C`. Memcached then has no compare and swap, which every write needs.
    pub async fn connect(servers: &str) -> Result<Self, StoreError> {
        let addresses = Address::parse_all(servers).map_err(|error| StoreError::refused(NAME, error))?;
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
            server.greet().await?;
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

    fn seal(&self, record: &Record) -> Result<Envelope, StoreError> {
        Envelope::seal(record, &*self.codec).map_err(|error| StoreError::refused(NAME, error))
    }

    /// The live record of this key, and the number by which [`replace`](Items::replace) replaces it.
    async fn find(&self, key: &RecordKey, now: Time) -> Result<Option<(Copy, Cas)>, StoreError> {
        loop {
            let Some(Found { item, cas }) = self.items.get(key).await? else { return Ok(None) };
            match item {
                Ok(Item::Record(copy)) => return Ok((!copy.is_over(now)).then_some((copy, cas))),
                Ok(Item::Moved { .. } | Item::Buried { .. }) => return Ok(None),
                Ok(Item::Pending { old, copy }) => {
                    if self.successor_of(&old).await? == Some(*key) {
                        // If the item has changed, another process has done this.
                        let _ = self.items.replace(key, cas, &Item::Record(copy)).await?;
                    } else if self.items.is_unchanged(key, cas).await? {
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

    /// Does what [`find`](Self::find) does, but without a call if this process has read this version lately. The
    /// envelope then has no body.
    async fn recall_or_find(
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

    async fn successor_of(&self, old: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        Ok(match self.items.get(old).await? {
            Some(Found { item: Ok(Item::Moved { to, .. }), .. }) => Some(to),
            _ => None,
        })
    }

    /// The outcome of a renewal that was refused: `Done` if an earlier attempt of the same renewal took effect.
    async fn done_before_or(&self, refused: Renewed, old: &RecordKey, new: &RecordKey) -> Result<Renewed, StoreError> {
        Ok(if self.successor_of(old).await? == Some(*new) { Renewed::Done } else { refused })
    }

    /// Writes the record that is to replace `old`, as pending. `None` if its key is taken.
    async fn prepare(&self, old: &RecordKey, copy: &Copy) -> Result<Option<Cas>, StoreError> {
        let key = copy.envelope.key;
        let pending = Item::Pending { old: *old, copy: copy.clone() };
        loop {
            if let Some(cas) = self.items.add(&key, &pending).await? {
                return Ok(Some(cas));
            }
            match self.items.get(&key).await? {
                // An earlier attempt of the same renewal has written it.
                Some(Found { item: Ok(Item::Pending { old: other, .. }), cas }) if other == *old => {
                    if let Replaced::Done(cas) = self.items.replace(&key, cas, &pending).await? {
                        return Ok(Some(cas));
                    }
                }
                Some(_) => return Ok(None),
                None => {}
            }
        }
    }

    /// Replaces the old record by a note that it has moved, if it still has the version that was found. This write is
    /// the commit of the renewal.
    async fn move_away(&self, found: (Copy, Cas), new: &Envelope, now: Time) -> Result<Moved, StoreError> {
        let (Copy { envelope: Envelope { key: old, version, .. }, .. }, mut cas) = found;
        let moved = Item::Moved { to: new.key, until: new.expires_at() };
        loop {
            if let Replaced::Done(cas) = self.items.replace(&old, cas, &moved).await? {
                return Ok(Moved::Now(cas));
            }
            cas = match self.find(&old, now).await? {
                // Only a touch has changed the item, which is no conflict.
                Some((copy, cas)) if copy.envelope.version == version => cas,
                Some(_) => return Ok(Moved::Not(Refusal::Conflict)),
                None if self.successor_of(&old).await? == Some(new.key) => return Ok(Moved::Before),
                None => return Ok(Moved::Not(Refusal::Missing)),
            };
        }
    }

    /// Makes a pending record an ordinary one, or removes it if the old record has not moved to it.
    async fn settle(&self, pending: Cas, old: &RecordKey, copy: Copy, moved: Moved) -> Result<(), StoreError> {
        let new = copy.envelope.key;
        if let Moved::Not(_) = moved {
            let _ = self.items.remove(&new, pending).await?;
            return Ok(());
        }
        let promoted = self.items.replace(&new, pending, &Item::Record(copy)).await?;
        if let (Replaced::Done(_), Moved::Now(cas)) = (promoted, moved) {
            let _ = self.items.remove(old, cas).await?;
        }
        Ok(())
    }

    /// Replaces whatever is under the key by a tombstone. [`Buried::Conflict`] if `is_kept` says that it must stay.
    async fn bury_unless(
        &self,
        key: &RecordKey,
        until: Time,
        is_kept: impl Fn(&Item) -> bool,
    ) -> Result<Buried, StoreError> {
        let buried = Item::Buried { until };
        loop {
            let is_done = match self.items.get(key).await? {
                None => self.items.add(key, &buried).await?.is_some(),
                Some(Found { item: Ok(Item::Buried { until: longer }), .. }) if longer >= until => true,
                Some(Found { item: Ok(item), .. }) if is_kept(&item) => return Ok(Buried::Conflict),
                Some(Found { cas, .. }) => matches!(self.items.replace(key, cas, &buried).await?, Replaced::Done(_)),
            };
            if is_done {
                return Ok(Buried::Done);
            }
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

/// The outcome of replacing an old record by a note that it has moved.
#[derive(Clone, Copy)]
enum Moved {
    Now(Cas),
    /// An earlier attempt of the same renewal has done it.
    Before,
    Not(Refusal),
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
        let added = self.items.add(&record.key, &Item::Record(copy)).await?;
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
            match self.items.replace(&record.key, cas, &saved).await? {
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
            if !matches!(self.items.replace(key, cas, &Item::Record(copy)).await?, Replaced::Changed) {
                return Ok(());
            }
        }
    }

    /// Renews in three steps, of which the second is the commit:
    ///
    /// 1. The new record is written as *pending, naming the old key*. For readers it does not exist.
    /// 2. The old record is replaced by *moved to the new key*, if it has not changed since it was read.
    /// 3. The pending record becomes an ordinary one.
    ///
    /// A reader that finds a pending record looks at the old key. If that has *moved* to the new key, the reader does
    /// step 3. So whatever fails in between, exactly one of the two records exists.
    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        let envelope = self.seal(record)?;
        let Some(found) = self.recall_or_find(old, expected, record.accessed).await? else {
            return self.done_before_or(Renewed::Missing, old, &record.key).await;
        };
        if found.0.envelope.version != expected {
            return Ok(Renewed::Conflict);
        }
        let copy = Copy { until: found.0.until, envelope };
        let Some(pending) = self.prepare(old, &copy).await? else {
            return self.done_before_or(Renewed::Exists, old, &record.key).await;
        };
        let moved = self.move_away(found, &copy.envelope, record.accessed).await?;
        if let Err(error) = self.settle(pending, old, copy, moved).await {
            // This is no error: the first reader does step 3.
            tracing::debug!(session = %record.key.fingerprint(), %error, "a renewal is not cleaned up yet; the next reader of the session does it");
        }
        Ok(match moved {
            Moved::Now(_) | Moved::Before => Renewed::Done,
            Moved::Not(refusal) => refusal.into(),
        })
    }

    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        if let Some((_, (_, cas))) = self.recent_reads.take(key)
            && self.items.remove(key, cas).await? != Replaced::Changed
        {
            return Ok(());
        }
        while let Some(Found { item, cas }) = self.items.get(key).await? {
            // A moved note or a tombstone is not a record, and still has to refuse slow writers.
            if let Ok(Item::Moved { .. } | Item::Buried { .. }) = item {
                break;
            }
            if self.items.remove(key, cas).await? != Replaced::Changed {
                break;
            }
        }
        Ok(())
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

impl FastStore for MemcachedStore {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        let copy = Copy { until, envelope: self.seal(record)? };
        if copy.is_over(now) {
            return Ok(());
        }
        let mut filled = Item::Record(copy);
        loop {
            let Some(Found { item, cas }) = self.items.get(&record.key).await? else {
                match self.items.add(&record.key, &filled).await? {
                    Some(_) => return Ok(()),
                    None => continue,
                }
            };
            if item.as_ref().is_ok_and(|item| keeps_out(item, record.version, now)) {
                return Ok(());
            }
            if let (Item::Record(copy), Ok(Item::Record(stored))) = (&mut filled, item) {
                // A touch does not change the version, so the later use must be kept.
                copy.envelope.accessed = copy.envelope.accessed.max(stored.envelope.accessed);
            }
            if let Replaced::Done(_) = self.items.replace(&record.key, cas, &filled).await? {
                return Ok(());
            }
        }
    }

    async fn bury(&self, key: &RecordKey, _: Time, until: Time) -> Result<(), StoreError> {
        let _done = self.bury_unless(key, until, |_| false).await?;
        Ok(())
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        // Loading it completes a renewal, so that the record is no longer pending.
        let _found = self.find(key, now).await?;
        let is_other = |item: &Item| match item {
            Item::Record(copy) => !copy.is_over(now) && copy.envelope.version != expected,
            _ => false,
        };
        self.bury_unless(key, until, is_other).await
    }
}

/// Whether the item must not be replaced by a copy of this version.
fn keeps_out(item: &Item, version: Version, now: Time) -> bool {
    match item {
        Item::Record(copy) if copy.is_over(now) => copy.envelope.version > version,
        Item::Record(copy) => copy.envelope.version >= version,
        Item::Buried { until } => *until > now,
        Item::Pending { .. } | Item::Moved { .. } => true,
    }
}
