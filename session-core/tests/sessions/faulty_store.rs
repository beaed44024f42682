use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use session_core::{
    Capabilities, Created, MemoryStore, PrincipalKey, Purged, Record, RecordKey, Renewed, Saved, Store, StoreError,
    Time, Version,
};
use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// A store in memory behind a connection that fails on request. It never answers at once.
#[derive(Clone, Default)]
pub struct FaultyStore {
    pub inner: MemoryStore,
    faults: Arc<Mutex<Vec<(Operation, Fault)>>>,
    calls: Arc<AtomicUsize>,
    gate: Arc<Mutex<Option<Arc<Semaphore>>>>,
    outrun: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Load,
    Save,
    Touch,
    Renew,
    Delete,
    Purge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server can't be reached: nothing happens there.
    Down,
    /// The server does what it is asked, and the connection breaks before its answer arrives.
    AnswerLost,
    /// The server says no.
    Refused,
    /// The server never answers.
    Silent,
}

impl FaultyStore {
    /// The next call of this operation that is not yet to fail does.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.faults.lock().push((operation, fault));
    }

    /// Another writer is faster than every save from now on.
    pub fn outrun_saves(&self) {
        self.outrun.store(true, Ordering::SeqCst);
    }

    /// No call fails any more.
    pub fn recover(&self) {
        self.faults.lock().clear();
        self.outrun.store(false, Ordering::SeqCst);
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Lets all further operations wait for permits of this semaphore.
    pub fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock() = Some(Arc::clone(&gate));
        gate
    }

    async fn call<T>(
        &self,
        operation: Operation,
        effect: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        // More than once, as a time limit polls twice at first.
        yield_now().await;
        yield_now().await;
        let gate = self.gate.lock().clone();
        if let Some(gate) = gate {
            gate.acquire().await.expect("the gate is never closed").forget();
        }
        match self.next_fault(operation) {
            None => {
                let answer = effect.await;
                yield_now().await;
                answer
            }
            Some(Fault::Down) => Err(StoreError::unavailable("faulty", "connection refused")),
            Some(Fault::AnswerLost) => {
                effect.await?;
                Err(StoreError::unavailable("faulty", "connection reset"))
            }
            Some(Fault::Refused) => Err(StoreError::refused("faulty", "disk full")),
            Some(Fault::Silent) => {
                tokio::time::sleep(Duration::MAX).await;
                unreachable!("a time limit ends the call")
            }
        }
    }

    fn next_fault(&self, operation: Operation) -> Option<Fault> {
        let mut faults = self.faults.lock();
        let next = faults.iter().position(|(planned, _)| *planned == operation)?;
        Some(faults.remove(next).1)
    }
}

impl Store for FaultyStore {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }
    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        self.call(Operation::Create, self.inner.create(record)).await
    }
    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.call(Operation::Load, self.inner.load(key, now)).await
    }
    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        if self.outrun.load(Ordering::SeqCst) {
            return Ok(Saved::Conflict);
        }
        self.call(Operation::Save, self.inner.save(record, expected)).await
    }
    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.call(Operation::Touch, self.inner.touch(key, accessed)).await
    }
    async fn renew(&self, old: &RecordKey, expected: Version, record: &Record) -> Result<Renewed, StoreError> {
        self.call(Operation::Renew, self.inner.renew(old, expected, record)).await
    }
    async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        self.call(Operation::Delete, self.inner.delete(key)).await
    }
    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.call(Operation::Purge, self.inner.purge_expired(now, limit)).await
    }
    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.list(now, limit).await
    }
    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.inner.of_principal(principal, now).await
    }
}
