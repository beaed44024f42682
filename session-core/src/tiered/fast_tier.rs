use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{StoreError, causes};
use crate::record::{Record, RecordKey};
use crate::store::{FastStore, ImmediateStore, within};
use crate::time::background::Instant;
use crate::time::{LogThrottle, Time};

/// The fast store, which may fail without failing a request.
///
/// A circuit breaker: after a failure that is not about one record alone, the tier is skipped for [`COOLDOWN`], so that
/// an outage costs each request little.
pub(super) struct FastTier<F> {
    pub(super) store: F,
    time_limit: Duration,
    open_until: Mutex<Option<Instant>>,
    failures: AtomicU64,
    warning: LogThrottle,
}

/// How long the tier is skipped after a failure.
const COOLDOWN: Duration = Duration::from_secs(1);

impl<F: FastStore> FastTier<F> {
    /// Each operation may take `time_limit`.
    pub(super) fn new(store: F, time_limit: Duration) -> Self {
        FastTier {
            store,
            time_limit,
            open_until: Mutex::default(),
            failures: AtomicU64::new(0),
            warning: LogThrottle::default(),
        }
    }

    /// How many operations have failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// What the tier can answer without waiting, if it can.
    pub(super) fn immediate(&self) -> Option<&dyn ImmediateStore> {
        self.store.immediate()
    }

    /// The copy of this key, or `None` if there is none, the tier would have to wait, or it failed.
    pub(super) fn load_now(&self, key: &RecordKey, now: Time) -> Option<Record> {
        self.immediate()?.load_now(key, now)?.ok()?
    }

    /// The answer, or `None` if the operation failed or the tier is skipped.
    pub(super) async fn attempt<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        self.attempt_write(operation).await.ok().flatten()
    }

    /// The answer, or `None` if the tier is skipped. After an error the write may have taken effect.
    pub(super) async fn attempt_write<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Option<T>, StoreError> {
        if self.is_skipped() { Ok(None) } else { self.insist(operation).await.map(Some) }
    }

    /// The answer, asked for even during the cooldown.
    pub(super) async fn insist<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = within(self.time_limit, self.store.name(), operation).await;
        if let Err(error) = &answer {
            self.note_failure(error);
        }
        answer
    }

    fn is_skipped(&self) -> bool {
        let mut open_until = self.open_until.lock();
        let is_open = open_until.is_some_and(|until| Instant::now() < until);
        if !is_open {
            *open_until = None;
        }
        is_open
    }

    fn note_failure(&self, error: &StoreError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        if error.is_unavailable() {
            *self.open_until.lock() = Some(Instant::now() + COOLDOWN);
        }
        if let Some(times) = self.warning.due() {
            tracing::warn!(times, %error, causes = causes(error), "the fast tier failed; requests use the durable tier");
        }
    }
}
