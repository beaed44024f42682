//! A store that fails and waits on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_core::{
    Capabilities, Created, MemoryStore, PrincipalKey, Purged, Record, RecordKey, Renewed, Saved, Store, StoreError,
    Time, Version,
};
use tokio::sync::watch;

/// A store in memory behind a network of moods: it never answers at once, and reading, writing or
/// both can be made to fail or to wait.
#[derive(Clone)]
pub struct UnsteadyStore {
    /// The store behind.
    pub inner: MemoryStore,
    /// Loading fails.
    pub reads_fail: Arc<AtomicBool>,
    /// Everything else fails.
    pub writes_fail: Arc<AtomicBool>,
    open: Arc<watch::Sender<bool>>,
}

impl Default for UnsteadyStore {
    fn default() -> Self {
        UnsteadyStore {
            inner: MemoryStore::new(),
            reads_fail: Arc::default(),
            writes_fail: Arc::default(),
            open: Arc::new(watch::Sender::new(true)),
        }
    }
}

impl UnsteadyStore {
    /// Lets writes wait until [`resume`](UnsteadyStore::resume).
    pub fn hold_writes(&self) {
        self.open.send_replace(false);
    }

    /// Lets writes that wait go on.
    pub fn resume(&self) {
        self.open.send_replace(true);
    }

    fn read(&self) -> Result<(), StoreError> {
        fail_if(&self.reads_fail)
    }

    async fn write(&self) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        fail_if(&self.writes_fail)
    }
}

fn fail_if(failing: &AtomicBool) -> Result<(), StoreError> {
    if failing.load(Ordering::SeqCst) {
        return Err(StoreError::refused("unsteady", "secret-internal-detail"));
    }
    Ok(())
}

impl Store for UnsteadyStore {
    fn name(&self) -> &'static str {
        "unsteady"
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.write().await?;
        self.inner.create(record).await
    }
    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.read()?;
        self.inner.load(key, now).await
    }
    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        self.write().await?;
        self.inner.save(record, expected).await
    }
    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.write().await?;
        self.inner.touch(key, accessed).await
    }
    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        self.write().await?;
        self.inner.renew(old, expected, record).await
    }
    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.write().await?;
        self.inner.delete(key).await
    }
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.write().await?;
        self.inner.purge_expired(now, limit).await
    }
    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.read()?;
        self.inner.list(now, limit).await
    }
    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.read()?;
        self.inner.of_principal(principal, now).await
    }
}
