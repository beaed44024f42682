//! Purges expired sessions: when the application asks the manager to, and in the background. A request never
//! purges.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::error::{StoreError, causes};
use crate::event::Event;
use crate::store::{Purged, Store};
use crate::time::background::{self, AbortHandle};
use crate::visit::Environment;

/// How many records one call of the store deletes at most: few enough that no other call waits long.
const BATCH: usize = 100;

/// Purges in batches until none are left, until `time` has passed by the clock, or until `is_stopped`.
pub(super) async fn purge(
    environment: &Environment,
    time: Duration,
    is_stopped: impl Fn() -> bool,
) -> Result<Purged, StoreError> {
    let start = environment.now();
    let mut total = Purged::default();
    loop {
        let batch = environment.store.store().purge_expired(environment.now(), BATCH);
        let batch = environment.store.within_limit(batch).await?;
        tell(environment, &batch);
        total.expired += batch.expired;
        total.evicted += batch.evicted;
        total.more = batch.more;
        if !batch.more || is_stopped() || environment.now().since(start) >= time {
            return Ok(total);
        }
    }
}

fn tell(environment: &Environment, purged: &Purged) {
    if purged.expired > 0 {
        environment.events.emit(Event::Expired { count: purged.expired });
    }
    if purged.evicted > 0 {
        environment.events.emit(Event::Evicted { count: purged.evicted });
    }
}

/// The background work, which ends with its manager.
pub(super) enum Purger {
    Thread { thread: Thread, stop: Arc<AtomicBool> },
    Task(AbortHandle),
}

impl Purger {
    pub(super) fn stop(&self) {
        match self {
            Purger::Thread { thread, stop } => {
                stop.store(true, Ordering::Release);
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

/// Starts a thread for a store that never waits, because purging a million sessions would block the tasks of a
/// runtime. Starts a task for any other store, as soon as there is a runtime.
pub(super) fn start(environment: &Arc<Environment>, interval: Duration, purger: &Arc<OnceLock<Purger>>) {
    let weak = Arc::downgrade(environment);
    let started = if environment.store.never_waits() {
        start_thread(weak, interval)
    } else if background::can_spawn() {
        start_task(weak, interval)
    } else {
        let purger = Arc::downgrade(purger);
        environment.late_purge.put(move || {
            if let (Some(purger), Some(task)) = (purger.upgrade(), start_task(weak, interval)) {
                let _ = purger.set(task);
            }
        });
        None
    };
    if let Some(started) = started {
        let _ = purger.set(started);
    }
}

fn start_task(environment: Weak<Environment>, interval: Duration) -> Option<Purger> {
    let task = background::spawn(async move {
        loop {
            background::pause(interval).await;
            let Some(environment) = environment.upgrade() else { return };
            purge_in_background(&environment, || false).await;
        }
    });
    task.map(Purger::Task)
}

fn start_thread(environment: Weak<Environment>, interval: Duration) -> Option<Purger> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = background::spawn_thread("session-purge", move || {
        let is_stopped = || stopped.load(Ordering::Acquire);
        while !is_stopped() {
            thread::park_timeout(interval);
            let Some(environment) = environment.upgrade() else { return };
            // The store never waits, so the future is ready at the first poll.
            let _ = pin!(purge_in_background(&environment, is_stopped)).poll(&mut Context::from_waker(Waker::noop()));
        }
    });
    match thread {
        Ok(thread) => Some(Purger::Thread { thread, stop }),
        Err(error) => {
            tracing::error!(%error, "expired sessions are not purged because no thread could be started; call `purge_expired` every few seconds");
            None
        }
    }
}

async fn purge_in_background(environment: &Environment, is_stopped: impl Fn() -> bool) {
    if let Err(error) = purge(environment, Duration::MAX, is_stopped).await {
        let causes = causes(&error);
        tracing::warn!(%error, causes, "purging expired sessions failed; the next attempt is after `purge_interval`");
    }
}
