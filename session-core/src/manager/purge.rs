//! Purges expired sessions in the background, never in a request.

use std::sync::{Arc, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::manager::{Inner, PURGE_BATCH};
use crate::error::causes;
use crate::store::Store;

/// Background work that ends with its manager.
pub(crate) enum Purger {
    Thread { thread: Thread, stop: Arc<std::sync::atomic::AtomicBool> },
    Task(AbortHandle),
}

impl Purger {
    pub(crate) fn stop(&self) {
        match self {
            Purger::Thread { thread, stop } => {
                stop.store(true, std::sync::atomic::Ordering::Release);
                thread.unpark();
            }
            Purger::Task(task) => task.abort(),
        }
    }
}

impl Drop for Purger {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A thread for a store that answers at once, as purging a million sessions would hold up the
/// tasks of a runtime; else a task, if there is a runtime.
pub(crate) fn start(manager: &Arc<Inner>, interval: Duration) -> Option<Purger> {
    let weak = Arc::downgrade(manager);
    let epoch = crate::time::Time::from_unix_millis(i64::MIN);
    if manager.store.store().immediate().and_then(|store| store.purge_now(epoch, 1)).is_none() {
        let runtime = Handle::try_current().ok()?;
        return Some(Purger::Task(runtime.spawn(purge_task(weak, interval)).abort_handle()));
    }
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = thread::Builder::new().name("session-purge".into()).spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::Acquire) {
            thread::park_timeout(interval);
            let Some(manager) = weak.upgrade() else { return };
            while purge_batch_now(&manager) && !stopped.load(std::sync::atomic::Ordering::Acquire) {}
        }
    });
    match thread {
        Ok(thread) => Some(Purger::Thread { thread: thread.thread().clone(), stop }),
        Err(error) => {
            tracing::error!(%error, "no thread to purge expired sessions: call `purge_expired` now and then");
            None
        }
    }
}

/// Whether there is more to purge.
fn purge_batch_now(manager: &Inner) -> bool {
    match manager.store.store().immediate().and_then(|store| store.purge_now(manager.clock.now(), PURGE_BATCH)) {
        Some(Ok(purged)) => {
            manager.note_purged(&purged);
            purged.more
        }
        Some(Err(error)) => {
            tracing::warn!(%error, causes = causes(&error), "purging expired sessions failed");
            false
        }
        None => false,
    }
}

async fn purge_task(manager: Weak<Inner>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(manager) = manager.upgrade() else { return };
        loop {
            let batch = manager.store.store().purge_expired(manager.clock.now(), PURGE_BATCH);
            match manager.store.within_limit(batch).await {
                Ok(purged) => {
                    manager.note_purged(&purged);
                    if !purged.more {
                        break;
                    }
                }
                Err(error) => {
                    let causes = causes(&error);
                    tracing::warn!(%error, causes, "purging expired sessions failed; it is tried again later");
                    break;
                }
            }
        }
    }
}
