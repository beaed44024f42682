use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::error::StoreError;
use crate::store::{AnyStore, Store, Written};
use crate::{Record, RecordKey, Time, Version};

/// A store together with patience: a time limit for each operation, and further attempts where
/// repeating is safe.
///
/// Repeating a write whose connection broke is safe because each attempt to change a record
/// bears its own mark in the version: if the repeated write meets a record with that mark, the
/// first attempt had arrived.
pub(crate) struct PatientStore {
    pub(crate) store: AnyStore,
    /// Nothing to wait for, so nothing to be patient with.
    pub(crate) is_immediate: bool,
    pub(crate) time_limit: Duration,
    pub(crate) attempts: u32,
}

impl PatientStore {
    pub(crate) async fn load(&self, key: &RecordKey, now: Time) -> Result<Option<Record>, StoreError> {
        if let Some(answer) = self.store.load_now(key, now) {
            return answer;
        }
        self.patiently(self.repeat(|| self.store.load(key, now))).await
    }

    pub(crate) async fn create(&self, record: &Record) -> Result<Written, StoreError> {
        if self.is_immediate {
            return self.store.create(record).await;
        }
        self.patiently(self.write(record, || self.store.create(record))).await
    }

    pub(crate) async fn save(&self, record: &Record, expected: Version) -> Result<Written, StoreError> {
        if let Some(answer) = self.store.save_now(record, expected) {
            return answer;
        }
        self.patiently(self.write(record, || self.store.save(record, expected))).await
    }

    pub(crate) async fn renew(
        &self,
        old: &RecordKey,
        expected: Version,
        record: &Record,
    ) -> Result<Written, StoreError> {
        if self.is_immediate {
            return self.store.renew(old, expected, record).await;
        }
        self.patiently(self.write(record, || self.store.renew(old, expected, record))).await
    }

    pub(crate) async fn touch(&self, key: &RecordKey, accessed: Time) -> Result<(), StoreError> {
        if self.is_immediate {
            return self.store.touch(key, accessed).await;
        }
        self.patiently(self.repeat(|| self.store.touch(key, accessed))).await
    }

    pub(crate) async fn delete(&self, key: &RecordKey) -> Result<(), StoreError> {
        if self.is_immediate {
            return self.store.delete(key).await;
        }
        self.patiently(self.repeat(|| self.store.delete(key))).await
    }

    /// On the heap, because a handler's future is as large as the largest it may await, and most
    /// requests never get here.
    fn patiently<'a, T: Send + 'a>(
        &'a self,
        operation: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>> {
        Box::pin(self.within_limit(operation))
    }

    /// Bounds all attempts together.
    pub(crate) async fn within_limit<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut operation = std::pin::pin!(operation);
        // A store that answers at once needs no timer, and so no runtime.
        let first = std::future::poll_fn(|context| std::task::Poll::Ready(operation.as_mut().poll(context))).await;
        if let std::task::Poll::Ready(answer) = first {
            return answer;
        }
        match tokio::time::timeout(self.time_limit, operation).await {
            Ok(answer) => answer,
            Err(_) => Err(StoreError::timed_out(self.store.name(), self.time_limit)),
        }
    }

    /// For what has the same effect however often it is done.
    async fn repeat<T, F>(&self, operation: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut attempt = 1;
        loop {
            match operation().await {
                Err(error) if error.is_unavailable() && attempt < self.attempts => pause(attempt).await,
                answer => return answer,
            }
            attempt += 1;
        }
    }

    async fn write<F>(&self, record: &Record, operation: impl Fn() -> F) -> Result<Written, StoreError>
    where
        F: Future<Output = Result<Written, StoreError>>,
    {
        let mut doubt = None;
        let mut attempt = 1;
        loop {
            match (operation().await, doubt.take()) {
                (Ok(Written::Done), _) => return Ok(Written::Done),
                (Ok(written), None) => return Ok(written),
                (Ok(written), Some(error)) => return self.resolve(record, written, error).await,
                (Err(error), _) if error.is_unavailable() && attempt < self.attempts => {
                    pause(attempt).await;
                    doubt = Some(error);
                }
                (Err(error), _) => return Err(error),
            }
            attempt += 1;
        }
    }

    /// A write was refused after an attempt of unknown outcome: had that one arrived?
    async fn resolve(&self, record: &Record, refused: Written, doubt: StoreError) -> Result<Written, StoreError> {
        let stored = self.repeat(|| self.store.load(&record.key, record.accessed)).await?;
        match stored {
            Some(stored) if stored.version == record.version => Ok(Written::Done),
            // Somebody saved since; whether upon our attempt or instead of it can't be told.
            Some(_) if refused == Written::Conflict => Err(doubt),
            _ => Ok(refused),
        }
    }
}

async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(20) * 4_u32.pow(attempt.min(4) - 1)).await;
}
