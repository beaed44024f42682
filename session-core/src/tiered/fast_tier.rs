use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::error::{StoreError, causes};
use crate::store::FastStore;

use crate::store::within;

/// A store of copies that may fail without failing a request.
///
/// After a failure it is left alone for a moment, so that an outage costs each request little.
pub(super) struct FastTier<F> {
    pub(super) store: F,
    time_limit: Duration,
    rest: Duration,
    health: Mutex<Health>,
    failures: AtomicU64,
}

#[derive(Default)]
struct Health {
    rests_until: Option<Instant>,
    logged: Option<Instant>,
}

/// How long after a failure nothing is tried.
pub(super) const REST: Duration = Duration::from_secs(1);
/// An outage makes one line in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

impl<F: FastStore> FastTier<F> {
    pub(super) fn new(store: F, time_limit: Duration, rest: Duration) -> Self {
        FastTier { store, time_limit, rest, health: Mutex::default(), failures: AtomicU64::new(0) }
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The answer, or `None` if the tier failed, now or a moment ago.
    pub(super) async fn attempt<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        self.attempt_write(operation).await.ok().flatten()
    }

    /// The answer, or `None` if nothing was tried because the tier failed a moment ago. After an
    /// error it may have been done.
    pub(super) async fn attempt_write<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Option<T>, StoreError> {
        if self.rests() { Ok(None) } else { self.insist(operation).await.map(Some) }
    }

    /// The answer, asked for even if the tier failed a moment ago.
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

    fn rests(&self) -> bool {
        let mut health = self.health.lock();
        let rests = health.rests_until.is_some_and(|until| Instant::now() < until);
        if !rests {
            health.rests_until = None;
        }
        rests
    }

    fn note_failure(&self, error: &StoreError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut health = self.health.lock();
        health.rests_until = Some(now + self.rest);
        if health.logged.is_none_or(|logged| now - logged >= LOG_INTERVAL) {
            health.logged = Some(now);
            drop(health);
            tracing::warn!(%error, causes = causes(error), "the fast tier failed; sessions are read from the durable one");
        }
    }
}
