use std::sync::Arc;

use session_core::{
    Buried, Codec, ConfigError, Created, Envelope, FastStore, JsonCodec, Purged, Record, RecordKey, Renewed, Saved,
    Store, StoreError, Time, Version,
};

use super::item::{Copy, Item};
use super::items::{Cas, Found, Items, Replaced};
use super::server::{Address, NAME, Server};
use crate::recent_reads::RecentReads;
use crate::refusal::Refusal;

/// A store in memcached, version 1.6 or later: shared by many processes and machines, and gone
/// when memcached is restarted.
///
/// Memcached drops what was not used for longest when its memory is full, and a session that was
/// dropped is gone. Give it memory enough, or put it as the fast tier before a durable store.
///
/// It can't list sessions nor find those of a principal, and says so when asked. A session may
/// have what fits an item of memcached, which by default is somewhat less than a session may have:
/// see [`with_max_item_bytes`](MemcachedStore::with_max_item_bytes).
///
/// Loading takes one round trip, and so does saving what was loaded within the last minute; otherwise
/// that takes two. Let processes connect to memcached itself, not to what hides from them that it was
/// restarted.
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
    /// With how long the item is handed out, and its number.
    recent_reads: RecentReads<(Time, Cas)>,
}

impl MemcachedStore {
    /// The prefix of keys, unless there is [another](MemcachedStore::with_prefix).
    pub const DEFAULT_PREFIX: &str = "sess_";

    /// The size of an item in a memcached with default settings.
    pub const DEFAULT_MAX_ITEM_BYTES: usize = 1024 * 1024;

    /// A store on one server or several: `memcached://HOST:PORT,HOST:PORT`, where the port may be
    /// left out, and `unix:///PATH` stands for a socket.
    ///
    /// Each session is on one of the servers, chosen by its key. All processes must name the same
    /// servers in the same way. An error if one of them does not answer.
    pub async fn connect(servers: &str) -> Result<Self, StoreError> {
        let names = servers.strip_prefix("memcached://").unwrap_or(servers).trim_end_matches('/');
        let addresses: Result<Vec<Address>, ConfigError> = names.split(',').map(Address::parse).collect();
        let addresses = addresses.map_err(|error| StoreError::refused(NAME, error))?;
        let store = MemcachedStore {
            items: Items {
                servers: addresses.into_iter().map(Server::new).collect(),
                prefix: MemcachedStore::DEFAULT_PREFIX.into(),
                max_item_bytes: MemcachedStore::DEFAULT_MAX_ITEM_BYTES,
            },
            codec: Arc::new(JsonCodec),
            recent_reads: RecentReads::new(),
        };
        for server in &*store.items.servers {
            server.greet().await?;
        }
        Ok(store)
    }

    /// Begins every key with this, so that several applications can use one server: visible ASCII
    /// characters, 200 at most.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        if prefix.len() > 200 || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!("{prefix:?} can't begin a key of memcached: use up to 200 visible ASCII characters");
            return Err(ConfigError::new(message));
        }
        self.items.prefix = prefix.into();
        self.recent_reads = RecentReads::new();
        Ok(self)
    }

    /// Encodes the values of sessions with this codec, as with an `EncryptedCodec`.
    #[must_use]
    pub fn with_codec(mut self, codec: impl Codec) -> Self {
        self.codec = Arc::new(codec);
        self
    }

    /// How large an item may be, as the server was told by `-I`. A larger session is an error, and
    /// the one that is stored stays as it is.
    ///
    /// It must not be more than the server has: memcached deletes an item when it refuses a
    /// larger one in its place.
    #[must_use]
    pub fn with_max_item_bytes(mut self, bytes: usize) -> Self {
        self.items.max_item_bytes = bytes;
        self
    }

    fn seal(&self, record: &Record) -> Result<Envelope, StoreError> {
        Envelope::seal(record, &*self.codec).map_err(|error| StoreError::refused(NAME, error))
    }

    /// The live record of this key, to be replaced by [`replace`](Items::replace).
    async fn find(&self, key: &RecordKey, now: Time) -> Result<Option<(Copy, Cas)>, StoreError> {
        loop {
            let Some(Found { item, cas }) = self.items.get(key).await? else { return Ok(None) };
            match item {
                Ok(Item::Record(copy)) => return Ok((!copy.is_over(now)).then_some((copy, cas))),
                Ok(Item::Moved { .. } | Item::Buried { .. }) => return Ok(None),
                Ok(Item::Pending { old, copy }) => {
                    if self.successor_of(&old).await? == Some(*key) {
                        // If it is not that item any more, somebody else has done it.
                        let _ = self.items.replace(key, cas, &Item::Record(copy)).await?;
                    } else if self.items.is_unchanged(key, cas).await? {
                        return Ok(None);
                    }
                }
                Err(error) => {
                    session_core::internals::warn_dropped(key, &error, NAME);
                    return Ok(None);
                }
            }
        }
    }

    /// The same; of this version without its body, if it was read lately.
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

    /// How renewing ends that finds itself refused, perhaps because an earlier attempt did it.
    async fn done_before_or(&self, refused: Renewed, old: &RecordKey, new: &RecordKey) -> Result<Renewed, StoreError> {
        Ok(if self.successor_of(old).await? == Some(*new) { Renewed::Done } else { refused })
    }

    /// Writes the record that is to take the place of `old`, which is none as yet. `None` if its
    /// key is taken.
    async fn prepare(&self, old: &RecordKey, copy: &Copy) -> Result<Option<Cas>, StoreError> {
        let key = copy.envelope.key;
        let pending = Item::Pending { old: *old, copy: copy.clone() };
        loop {
            if let Some(cas) = self.items.add(&key, &pending).await? {
                return Ok(Some(cas));
            }
            match self.items.get(&key).await? {
                // An earlier attempt came as far as this.
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

    /// Replaces the old record, as long as it has the version that was found, by the word that it
    /// has moved: this one write is what renews.
    async fn move_away(&self, found: (Copy, Cas), new: &Envelope, now: Time) -> Result<Moved, StoreError> {
        let (Copy { envelope: Envelope { key: old, version, .. }, .. }, mut cas) = found;
        let moved = Item::Moved { to: new.key, until: new.expires_at() };
        loop {
            if let Replaced::Done(cas) = self.items.replace(&old, cas, &moved).await? {
                return Ok(Moved::Now(cas));
            }
            cas = match self.find(&old, now).await? {
                // A touch is no conflict.
                Some((copy, cas)) if copy.envelope.version == version => cas,
                Some(_) => return Ok(Moved::Not(Refusal::Conflict)),
                None if self.successor_of(&old).await? == Some(new.key) => return Ok(Moved::Before),
                None => return Ok(Moved::Not(Refusal::Missing)),
            };
        }
    }

    /// Makes a pending record one in its own right, or takes it away if nothing has moved to it.
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

    /// Buries whatever is there, unless it is to be kept: then it is a conflict.
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

/// How replacing an old record by the word that it has moved ended.
#[derive(Clone, Copy)]
enum Moved {
    Now(Cas),
    /// By an earlier attempt.
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
        let record = envelope.open_or_warn(&*self.codec, NAME);
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
                // A touch is no conflict: look again.
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

    /// Three steps, of which the second is the commit:
    ///
    /// 1. the new record is written as *pending, naming the old key*; readers take it for none;
    /// 2. the old record is replaced by *moved to the new key*, if it is still what was read;
    /// 3. the pending record becomes an ordinary one.
    ///
    /// Whoever meets a pending record looks at the old key: if that says *moved* to it, step 3 is
    /// done there and then. So whatever fails in between, exactly one of the two is there.
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
            // Readers see no difference, and the first of them does it.
            tracing::debug!(session = %record.key.fingerprint(), %error, "a renewed session was left unsettled");
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
            // These are no records, and keep others from being wrong.
            if let Ok(Item::Moved { .. } | Item::Buried { .. }) = item {
                break;
            }
            if self.items.remove(key, cas).await? != Replaced::Changed {
                break;
            }
        }
        Ok(())
    }

    /// Nothing to do: memcached forgets what has expired by itself.
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
                // A touch is part of no version.
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
        // So that a renewed record is no longer pending.
        let _found = self.find(key, now).await?;
        let is_other = |item: &Item| match item {
            Item::Record(copy) => !copy.is_over(now) && copy.envelope.version != expected,
            _ => false,
        };
        self.bury_unless(key, until, is_other).await
    }
}

/// Whether a copy of this version must not take the item's place.
fn keeps_out(item: &Item, version: Version, now: Time) -> bool {
    match item {
        Item::Record(copy) if copy.is_over(now) => copy.envelope.version > version,
        Item::Record(copy) => copy.envelope.version >= version,
        Item::Buried { until } => *until > now,
        Item::Pending { .. } | Item::Moved { .. } => true,
    }
}
