//! Works off a backlog in the background.
//!
//! Workers start when there is something to write, and end when nothing is left.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use crate::error::{StoreError, causes};
use crate::record::RecordKey;
use crate::store::{Backoff, within};
use crate::time::background::{self, Instant};

use super::queue::{Next, Queue};

/// How many sessions are written at the same time.
const WORKERS: usize = 8;
/// Between failed attempts: 25 ms at first, 2.5 s to 5 s in the end.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(25), Duration::from_millis(2500));
/// How many of the sessions that could not be written are named.
const NAMED: usize = 10;

/// A queue of sessions, and how one of them is written.
pub(super) trait Backlog: Send + Sync + 'static {
    /// Locks the queue.
    fn queue(&self) -> MutexGuard<'_, Queue>;

    /// Tells the durable tier what waits of this session.
    fn write(&self, key: &RecordKey) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The backlog as its users share it, but not its workers: when the last user is gone, workers write what
/// they can and repeat nothing that fails.
pub(super) struct Owner<B: Backlog>(Arc<B>);

impl<B: Backlog> Owner<B> {
    pub(super) fn new(backlog: B) -> Self {
        Owner(Arc::new(backlog))
    }
}

impl<B: Backlog> Deref for Owner<B> {
    type Target = Arc<B>;

    fn deref(&self) -> &Arc<B> {
        &self.0
    }
}

impl<B: Backlog> Drop for Owner<B> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_abandoned = true;
        let (workers, sessions) = (queue.workers, queue.len());
        drop(queue);
        if workers == 0 && sessions > 0 {
            log_lost(sessions);
        }
    }
}

fn log_lost(sessions: usize) {
    tracing::error!(
        sessions,
        "changes of sessions never reached the durable tier: call `close` before dropping the store"
    );
}

/// Whether what is put into the queue will be written by a worker.
pub(super) fn is_available(backlog: &impl Backlog) -> bool {
    let queue = backlog.queue();
    !queue.is_closed && (queue.workers > 0 || background::can_spawn())
}

/// Sees to it that there is a worker. `false` where there can't be one.
pub(super) fn ensure<B: Backlog>(backlog: &Arc<B>) -> bool {
    let queue = backlog.queue();
    let (is_closed, workers) = (queue.is_closed, queue.workers);
    drop(queue);
    !is_closed && (workers > 0 || start(backlog))
}

fn start<B: Backlog>(backlog: &Arc<B>) -> bool {
    backlog.queue().workers += 1;
    // Without the lock, because a task that can't be spawned is dropped at once.
    background::spawn(Worker { backlog: Arc::clone(backlog), has_left: false }.run()).is_some()
}

/// One worker, which counts until it leaves, also when its runtime ends.
struct Worker<B: Backlog> {
    backlog: Arc<B>,
    has_left: bool,
}

impl<B: Backlog> Drop for Worker<B> {
    fn drop(&mut self) {
        if !self.has_left {
            self.backlog.queue().workers -= 1;
        }
    }
}

impl<B: Backlog> Worker<B> {
    async fn run(mut self) {
        let mut pauses = BACKOFF.pauses();
        loop {
            let next = self.backlog.queue().next(Instant::now());
            match next {
                Next::Leave => {
                    self.has_left = true;
                    return;
                }
                Next::Wait(due) => background::pause(due - Instant::now()).await,
                Next::Write { key, more } => {
                    if more && self.backlog.queue().workers < WORKERS {
                        start(&self.backlog);
                    }
                    if self.write(&key).await {
                        pauses = BACKOFF.pauses();
                        continue;
                    }
                    if self.gives_up() {
                        return;
                    }
                    background::pause(pauses.next().unwrap_or_default()).await;
                }
            }
        }
    }

    /// Whether the write succeeded.
    async fn write(&self, key: &RecordKey) -> bool {
        let _put_back = PutBack(&*self.backlog, key);
        let answer = self.backlog.write(key).await;
        let was_failing = self.backlog.queue().attempted(answer.is_err());
        if let Err(error) = &answer
            && !was_failing
        {
            tracing::warn!(%error, causes = causes(error), "writing to the durable tier failed; it is tried again");
        }
        answer.is_ok()
    }

    fn gives_up(&self) -> bool {
        let queue = self.backlog.queue();
        let (is_abandoned, sessions) = (queue.is_abandoned, queue.len());
        drop(queue);
        if is_abandoned {
            log_lost(sessions);
        }
        is_abandoned
    }
}

/// Puts a session that could not be written to the end of the line, whatever the reason.
struct PutBack<'a, B: Backlog>(&'a B, &'a RecordKey);

impl<B: Backlog> Drop for PutBack<'_, B> {
    fn drop(&mut self) {
        self.0.queue().put_back(self.1, Instant::now());
    }
}

/// Closes the queue and writes all that waits, for at most `limit`. From now on, saving waits for the durable tier.
pub(super) async fn drain<B: Backlog>(backlog: &Arc<B>, limit: Duration) -> Result<(), StoreError> {
    let deadline = Instant::now() + limit;
    {
        let mut queue = backlog.queue();
        queue.is_closed = true;
        queue.hurry(Instant::now());
    }
    let helpers = backlog.queue().len().min(WORKERS);
    while backlog.queue().workers < helpers && start(backlog) {}
    let mut pauses = BACKOFF.pauses();
    let error = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Err(error) = within(left, "tiered", write_all(&**backlog)).await else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break error;
        }
        background::pause(pauses.next().unwrap_or_default().min(left)).await;
    };
    let unwritten = Unwritten::of(&backlog.queue(), error);
    let (sessions, causes) = (unwritten.sessions, causes(&unwritten));
    tracing::error!(sessions, error = %unwritten, causes, "the durable tier did not take all changes: call `close` again");
    Err(StoreError::unavailable("tiered", unwritten))
}

/// The changes that closing could not write.
#[derive(Debug, thiserror::Error)]
#[error("unwritten changes of sessions: {sessions} ({named})")]
struct Unwritten {
    sessions: usize,
    named: String,
    source: StoreError,
}

impl Unwritten {
    fn of(queue: &Queue, source: StoreError) -> Self {
        let keys = queue.keys();
        let named: Vec<_> = keys.iter().take(NAMED).map(|key| key.fingerprint().to_string()).collect();
        let more = if keys.len() > NAMED { ", …" } else { "" };
        Unwritten { sessions: keys.len(), named: named.join(", ") + more, source }
    }
}

async fn write_all(backlog: &impl Backlog) -> Result<(), StoreError> {
    let keys = backlog.queue().keys();
    let mut answer = Ok(());
    for key in keys {
        let written = backlog.write(&key).await;
        if written.as_ref().is_err_and(StoreError::is_unavailable) {
            return written;
        }
        answer = answer.and(written);
    }
    answer
}
