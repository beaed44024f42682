use std::fmt;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::StoreError;
use crate::memory::MemoryStore;
use crate::record::{PrincipalKey, Record, RecordKey, Version, json_bytes_above};
use crate::store::{Buried, Capabilities, Created, Deleted, FastStore, ImmediateStore, Purged, Renewed, Saved, Store};
use crate::time::Time;
use crate::time::background::{pause, yield_now};

use super::faults::{Fault, Faults};
use super::operation::Operation;

const NAME: &str = "faulty";

/// A wrapper around a store whose calls fail, wait and are counted as its [`Faults`] say. The
/// [module](super) has an example.
///
/// `Clone` shares the store. Each call yields to other tasks before and after it takes effect, as a call over a
/// network does. A store made with [`at_once`](FaultyStore::at_once) does not.
pub struct FaultyStore<S = MemoryStore> {
    inner: Arc<Mutex<S>>,
    faults: Faults,
    answers_at_once: bool,
    has_capabilities: bool,
    max_session_bytes: Option<usize>,
}

impl<S: Store + Clone> FaultyStore<S> {
    /// Wraps a store. Its calls succeed until the [`faults`](FaultyStore::faults) say otherwise.
    pub fn new(store: S) -> Self {
        FaultyStore {
            inner: Arc::new(Mutex::new(store)),
            faults: Faults::default(),
            answers_at_once: false,
            has_capabilities: true,
            max_session_bytes: None,
        }
    }

    /// Wraps a store that [answers at once](Store::immediate). Calls don't yield.
    ///
    /// [`Fault::Silent`], delays and gates still make calls wait, even if the store promises by
    /// [`never_waits`](ImmediateStore::never_waits) that they don't.
    pub fn at_once(store: S) -> Self {
        FaultyStore { answers_at_once: true, ..FaultyStore::new(store) }
    }

    /// Removes the optional operations of the store: see [`Capabilities`].
    #[must_use]
    pub fn without_capabilities(mut self) -> Self {
        self.has_capabilities = false;
        self
    }

    /// Refuses to create, save or renew a session of more bytes of JSON. The [`Capabilities`] say so, if there are some.
    #[must_use]
    pub fn with_max_session_bytes(mut self, bytes: usize) -> Self {
        self.max_session_bytes = Some(bytes);
        self
    }

    /// The answer to a write of this record, unless that is too large.
    async fn held<T>(
        &self,
        record: &Record,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.max_session_bytes.and_then(|limit| json_bytes_above(record, limit)) {
            Some(bytes) => Err(StoreError::refused(NAME, format!("{bytes} bytes are too many"))),
            None => write.await,
        }
    }

    /// The handle that decides what calls do, and counts them.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The wrapped store. Calls to it never fail on purpose, and are not counted.
    pub fn inner(&self) -> S {
        self.inner.lock().clone()
    }

    /// Replaces the wrapped store, as if a server had lost its data.
    pub fn replace(&self, store: S) {
        *self.inner.lock() = store;
    }

    async fn call<T, F>(&self, operation: Operation, effect: impl FnOnce(S) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        self.faults.count(operation);
        // Twice, because a time limit polls a call once before it starts a timer.
        self.be_interrupted(2).await;
        self.faults.pass(operation).await;
        let plan = self.faults.plan(operation);
        wait(plan.before()).await;
        match plan.fault() {
            Some(Fault::Down) => return Err(StoreError::unavailable(NAME, "connection refused")),
            Some(Fault::Refused) => return Err(StoreError::refused(NAME, "disk full")),
            Some(Fault::Silent) => pending().await,
            Some(Fault::AnswerLost) | None => {}
        }
        let answer = effect(self.inner()).await;
        wait(plan.after()).await;
        self.be_interrupted(1).await;
        match plan.fault() {
            Some(_) => answer.and(Err(StoreError::unavailable(NAME, "connection reset"))),
            None => answer,
        }
    }

    async fn be_interrupted(&self, times: usize) {
        if !self.answers_at_once {
            for _ in 0..times {
                yield_now().await;
            }
        }
    }

    /// The answer of a call. `None` if it has to wait.
    fn call_now<T>(
        &self,
        operation: Operation,
        effect: impl FnOnce(&dyn ImmediateStore) -> Option<Result<T, StoreError>>,
    ) -> Option<Result<T, StoreError>> {
        let answer = self.call(operation, async |store| store.immediate().and_then(effect).transpose());
        match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer.transpose(),
            Poll::Pending => None,
        }
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        pause(time).await;
    }
}

impl<S> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        let FaultyStore { inner, faults, answers_at_once, has_capabilities, max_session_bytes } = self;
        FaultyStore {
            inner: Arc::clone(inner),
            faults: faults.clone(),
            answers_at_once: *answers_at_once,
            has_capabilities: *has_capabilities,
            max_session_bytes: *max_session_bytes,
        }
    }
}

impl<S> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl<S: Store + Clone> Store for FaultyStore<S> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        if !self.has_capabilities {
            return Capabilities::NONE;
        }
        let max_session_bytes = self.max_session_bytes;
        Capabilities { max_session_bytes, ..self.inner().capabilities() }
    }

    async fn create(&self, record: &Record) -> Result<Created, StoreError> {
        let create = async |store: S| self.held(record, store.create(record)).await;
        self.call(Operation::Create, create).await
    }

    async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.call(Operation::Load, async |store| store.load(key, now).await).await
    }

    async fn version(&self, key: &RecordKey, now: Time) -> Result<Option<Version>, StoreError> {
        self.call(Operation::Version, async |store| store.version(key, now).await).await
    }

    async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        let save = async |store: S| self.held(record, store.save(record, expected)).await;
        self.call(Operation::Save, save).await
    }

    async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.call(Operation::Touch, async |store| store.touch(key, accessed).await).await
    }

    async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let renew = async |store: S| self.held(record, store.renew(old, expected, record, moved_until)).await;
        self.call(Operation::Renew, renew).await
    }

    async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        self.call(Operation::Moved, async |store| store.moved(key, now).await).await
    }

    async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        self.call(Operation::Delete, async |store| store.delete(key).await).await
    }

    async fn purge_expired(&self, now: Time, limit: usize) -> Result<Purged, StoreError> {
        self.call(Operation::PurgeExpired, async |store| store.purge_expired(now, limit).await).await
    }

    async fn list(&self, now: Time, limit: usize) -> Result<Vec<Record>, StoreError> {
        if !self.has_capabilities {
            return Err(StoreError::unsupported(NAME, "listing sessions"));
        }
        self.call(Operation::List, async |store| store.list(now, limit).await).await
    }

    async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        if !self.has_capabilities {
            return Err(StoreError::unsupported(NAME, "finding a principal's sessions"));
        }
        self.call(Operation::OfPrincipal, async |store| store.of_principal(principal, now).await).await
    }

    async fn delete_of_principal(
        &self,
        principal: &PrincipalKey,
        except: Option<&RecordKey>,
        now: Time,
    ) -> Result<usize, StoreError> {
        if !self.has_capabilities {
            return Err(StoreError::unsupported(NAME, "finding a principal's sessions"));
        }
        let delete = async |store: S| store.delete_of_principal(principal, except, now).await;
        self.call(Operation::DeleteOfPrincipal, delete).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.call(Operation::Close, async |store| store.close().await).await
    }

    fn immediate(&self) -> Option<&dyn ImmediateStore> {
        (self.answers_at_once && self.inner().immediate().is_some()).then_some(self)
    }
}

impl<S: Store + Clone> ImmediateStore for FaultyStore<S> {
    fn never_waits(&self) -> bool {
        self.inner().immediate().is_some_and(ImmediateStore::never_waits)
    }

    fn load_now(&self, key: &RecordKey, now: Time) -> Option<Result<Option<Record>, StoreError>> {
        self.call_now(Operation::Load, |store| store.load_now(key, now))
    }

    fn save_now(&self, record: &Record, expected: Version) -> Option<Result<Saved, StoreError>> {
        self.call_now(Operation::Save, |store| store.save_now(record, expected))
    }
}

impl<S: FastStore + Clone> FastStore for FaultyStore<S> {
    async fn fill(&self, record: &Record, now: Time, until: Time) -> Result<(), StoreError> {
        self.call(Operation::Fill, async |store| store.fill(record, now, until).await).await
    }

    async fn bury(&self, key: &RecordKey, now: Time, until: Time) -> Result<(), StoreError> {
        self.call(Operation::Bury, async |store| store.bury(key, now, until).await).await
    }

    async fn bury_version(
        &self,
        key: &RecordKey,
        expected: Version,
        now: Time,
        until: Time,
    ) -> Result<Buried, StoreError> {
        let bury = async |store: S| store.bury_version(key, expected, now, until).await;
        self.call(Operation::BuryVersion, bury).await
    }
}
