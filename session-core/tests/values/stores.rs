//! The stores on which values are tried: one that keeps values, and ones that keep bytes.

use std::sync::OnceLock;

use session_core::{
    Codec, Created, Deleted, Envelope, JsonCodec, MemoryStore, Purged, Record, RecordKey, Renewed, Saved,
    SessionManager, Store, StoreError, Time, Version,
};

pub struct Managed {
    pub store: &'static str,
    pub sessions: SessionManager,
}

/// A manager of each kind of store. All tests share them, because making a store takes longer than a value.
pub fn managers() -> &'static [Managed] {
    static MANAGERS: OnceLock<Vec<Managed>> = OnceLock::new();
    MANAGERS.get_or_init(|| {
        vec![
            managed("memory", MemoryStore::new()),
            managed("bytes", bytes(JsonCodec)),
            #[cfg(feature = "encryption")]
            managed("encrypted bytes", bytes(session_core::EncryptedCodec::new(&[7; 32]))),
        ]
    })
}

fn managed(store: &'static str, inner: impl Store) -> Managed {
    let sessions = SessionManager::builder(inner).without_background_purge().build().expect("these settings work");
    Managed { store, sessions }
}

/// A store of bytes that this codec makes.
pub fn bytes<C: Codec>(codec: C) -> impl Store {
    ByteStore { inner: MemoryStore::new(), codec }
}

/// Turns each record that it is given into bytes and back, and keeps what came out.
struct ByteStore<C> {
    inner: MemoryStore,
    codec: C,
}

impl<C: Codec> ByteStore<C> {
    fn through_bytes(&self, record: &Record) -> Result<Record, StoreError> {
        let envelope = Envelope::seal(record, &self.codec).map_err(|error| StoreError::refused("bytes", error))?;
        let read = Envelope::from_bytes(record.key, &envelope.to_bytes()).expect("it was just written");
        Ok(read.open(&self.codec).expect("what is written can be read"))
    }
}

impl<C: Codec> Store for ByteStore<C> {
    fn name(&self) -> &'static str {
        "bytes"
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.inner.create(&self.through_bytes(record)?).await
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.inner.load(key, now).await
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.inner.save(&self.through_bytes(record)?, expected).await
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.inner.touch(key, accessed).await
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        self.inner.renew(old, expected, &self.through_bytes(record)?, moved_until).await
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        self.inner.moved(key, now).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        self.inner.delete(key).await
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.inner.purge_expired(now, limit).await
    }
}
