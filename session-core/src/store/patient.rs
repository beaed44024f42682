use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::error::StoreError;
use crate::record::{PrincipalKey, Record, RecordKey, Version};
use crate::time::Time;
use crate::time::background;

use super::any::AnyStore;
use super::backoff::Backoff;
use super::contract::Store;
use super::immediate::ImmediateStore;
use super::limit::within;
use super::outcome::{Created, Deleted, Outcome, Renewed, Saved};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));

/// A store with a time limit for each operation, and retries where repeating is safe.
///
/// A write whose connection broke can be repeated because its version has a mark that no other write has. If
/// the repeated write finds a record with this mark, the first attempt took effect. An attempt that arrives after all
/// others has no effect, because the version that it expects is gone. Only a creation expects none: see
/// [`create`](PatientStore::create).
pub(crate) struct PatientStore {
    store: AnyStore,
    never_waits: bool,
    time_limit: Duration,
    attempts: u32,
}

impl PatientStore {
    pub(crate) fn new(store: AnyStore, time_limit: Duration, attempts: u32) -> Self {
        let never_waits = store.immediate().is_some_and(ImmediateStore::never_waits);
        PatientStore { store, never_waits, time_limit, attempts }
    }

    /// The store itself, for operations that are not repeated.
    pub(crate) fn store(&self) -> &AnyStore {
        &self.store
    }

    /// Whether no operation ever waits: see [`ImmediateStore::never_waits`].
    pub(crate) fn never_waits(&self) -> bool {
        self.never_waits
    }

    pub(crate) async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        if let Some(answer) = self.store.immediate().and_then(|store| store.load_now(key, now)) {
            return answer;
        }
        self.patiently(self.repeat(|| self.store.load(key, now))).await
    }

    /// Inserts a record, at each attempt under another id, which `under_another_id` gives it. An attempt of unknown
    /// outcome may still arrive when its session has ended, and would make it again. So it leaves a record under an id
    /// that nobody was told. Without another id there is no further attempt.
    pub(crate) async fn create(
        &self,
        record: Record,
        under_another_id: impl Fn() -> Option<Record> + Send + Sync,
    ) -> Result<Created, StoreError> {
        self.patiently(self.create_anew(record, under_another_id)).await
    }

    pub(crate) async fn save(&self, record: &Record, expected: Version) -> Result<Saved, StoreError> {
        if let Some(answer) = self.store.immediate().and_then(|store| store.save_now(record, expected)) {
            return answer;
        }
        self.patiently(self.write(record, None, || self.store.save(record, expected))).await
    }

    pub(crate) async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
        moved_until: Option<Time>,
    ) -> Result<Renewed, StoreError> {
        let renew = || self.store.renew(old, expected, record, moved_until);
        self.patiently(self.write(record, Some(old), renew)).await
    }

    pub(crate) async fn follow(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        self.patiently(self.repeat(|| self.store.follow(key, now))).await
    }

    pub(crate) async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        self.patiently(self.repeat(|| self.store.touch(key, accessed))).await
    }

    pub(crate) async fn moved(&self, key: &RecordKey, now: Time) -> Result<Option<RecordKey>, StoreError> {
        self.patiently(self.repeat(|| self.store.moved(key, now))).await
    }

    /// Deletes the record of this key itself: no note is followed.
    pub(crate) async fn delete(&self, key: &RecordKey) -> Result<Deleted, StoreError> {
        self.patiently(self.repeat(|| self.store.delete(key))).await
    }

    pub(crate) async fn end(&self, key: &RecordKey) -> Result<Option<RecordKey>, StoreError> {
        self.patiently(self.repeat(|| self.store.end(key))).await
    }

    pub(crate) async fn of_principal(&self, principal: &PrincipalKey, now: Time) -> Result<Vec<Record>, StoreError> {
        self.patiently(self.repeat(|| self.store.of_principal(principal, now))).await
    }

    /// Boxed, because a handler's future is as large as the largest future that it may await, and most requests
    /// never get here.
    fn patiently<'a, T: Send + 'a>(
        &'a self,
        operation: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>> {
        Box::pin(self.within_limit(operation))
    }

    /// Limits the time of all attempts together.
    pub(crate) async fn within_limit<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        within(self.time_limit, self.store.name(), operation).await
    }

    /// Does something elsewhere, with the time limit and the retries of this store. It may be done several times.
    pub(crate) async fn elsewhere<T, F>(
        &self,
        name: &'static str,
        operation: impl Fn() -> F + Send + Sync,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        within(self.time_limit, name, self.repeat(operation)).await
    }

    /// Repeats an operation that has the same effect however often it is done.
    async fn repeat<T, F>(&self, operation: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut pauses = self.pauses();
        loop {
            match operation().await {
                Err(error) if error.is_unavailable() => match pauses.next() {
                    Some(pause) => background::pause(pause).await,
                    None => return Err(error),
                },
                answer => return answer,
            }
        }
    }

    async fn create_anew(
        &self,
        mut record: Record,
        under_another_id: impl Fn() -> Option<Record>,
    ) -> Result<Created, StoreError> {
        let mut pauses = self.pauses();
        loop {
            let error = match self.store.create(&record).await {
                Err(error) if error.is_unavailable() => error,
                answer => return answer,
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            background::pause(pause).await;
            let stored = self.repeat(|| self.store.load(&record.key, record.accessed)).await?;
            if stored.is_some_and(|stored| stored.version == record.version) {
                return Ok(Created::Done);
            }
            record = under_another_id().ok_or(error)?;
        }
    }

    /// Repeats a write, which may have taken effect although it failed.
    async fn write<T: Outcome, F>(
        &self,
        record: &Record,
        renewed: Option<&RecordKey>,
        operation: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let (mut pauses, mut doubt) = (self.pauses(), None);
        loop {
            match (operation().await, doubt.take()) {
                (Ok(outcome), Some(error)) if outcome != T::DONE => {
                    return self.resolve(record, renewed, outcome, error).await;
                }
                (Ok(outcome), _) => return Ok(outcome),
                (Err(error), _) if error.is_unavailable() => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    background::pause(pause).await;
                    doubt = Some(error);
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// A write was refused after an attempt of unknown outcome. Finds out whether that attempt took effect.
    async fn resolve<T: Outcome>(
        &self,
        record: &Record,
        renewed: Option<&RecordKey>,
        refused: T,
        doubt: StoreError,
    ) -> Result<T, StoreError> {
        match self.repeat(|| self.store.load(&record.key, record.accessed)).await? {
            Some(stored) if stored.version == record.version => return Ok(T::DONE),
            // Another writer has saved. It is unknown whether it replaced what our attempt wrote.
            Some(_) if refused.is_conflict() => return Err(doubt),
            _ => {}
        }
        let from = renewed.unwrap_or(&record.key);
        match self.repeat(|| self.store.moved(from, record.accessed)).await? {
            // The renewed session may have been saved or renewed again since.
            Some(to) if to == record.key => Ok(T::DONE),
            // Somebody has renewed the session, with what our attempt wrote or without it.
            Some(_) if renewed.is_none() => Err(doubt),
            _ => Ok(refused),
        }
    }

    fn pauses(&self) -> impl Iterator<Item = Duration> + Send {
        BACKOFF.pauses().take(self.attempts.saturating_sub(1) as usize)
    }
}
