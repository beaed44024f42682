//! Tells the durable tier what waits in the queue, in the background.
//!
//! Workers are employed when there is something to write, and leave when there is nothing left.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{StoreError, causes};
use crate::record::RecordKey;
use crate::store::{FastStore, Store};

use super::background;
use super::queue::Next;
use super::tiers::Tiers;
use super::write_behind::Behind;
use crate::store::within;

/// How many sessions are written at a time.
const WORKERS: usize = 8;
/// How long one write may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often closing tries to write what waits.
const LAST_ATTEMPTS: u32 = 5;

/// A worker that is counted until it leaves, also when its runtime ends.
struct Employed<F: FastStore, D: Store> {
    tiers: Arc<Tiers<F, D>>,
    has_left: bool,
}

impl<F: FastStore, D: Store> Employed<F, D> {
    fn behind(&self) -> &Behind {
        self.tiers.behind.as_ref().expect("only what writes behind employs workers")
    }
}

impl<F: FastStore, D: Store> Drop for Employed<F, D> {
    fn drop(&mut self) {
        if !self.has_left {
            self.behind().queue().workers -= 1;
        }
    }
}

/// Whether what is put into the queue will be written by a worker.
pub(super) fn can_be_employed(behind: &Behind) -> bool {
    let queue = behind.queue();
    !queue.is_closed && (queue.workers > 0 || background::can_spawn())
}

/// Sees to it that there is a worker; `false` where there can't be any.
pub(super) fn employ<F: FastStore, D: Store>(tiers: &Arc<Tiers<F, D>>, behind: &Behind) -> bool {
    if !can_be_employed(behind) {
        return false;
    }
    behind.queue().workers > 0 || employ_another(tiers, behind)
}

fn employ_another<F: FastStore, D: Store>(tiers: &Arc<Tiers<F, D>>, behind: &Behind) -> bool {
    behind.queue().workers += 1;
    // Without the lock, because a task that can't be spawned is dropped at once.
    background::spawn(work(Employed { tiers: Arc::clone(tiers), has_left: false }))
}

async fn work<F: FastStore, D: Store>(mut employed: Employed<F, D>) {
    let mut failures = 0;
    loop {
        let next = employed.behind().queue().next(Instant::now());
        match next {
            Next::Leave => {
                employed.has_left = true;
                return;
            }
            Next::Wait(due) => background::pause(due - Instant::now()).await,
            Next::Write { key, more } => {
                if more && employed.behind().queue().workers < WORKERS {
                    employ_another(&employed.tiers, employed.behind());
                }
                if write(&employed, &key).await {
                    failures = 0;
                    continue;
                }
                failures += 1;
                if employed.behind().queue().is_abandoned {
                    let sessions = employed.behind().queue().len();
                    tracing::error!(sessions, "changes were not written behind: call `close` before the end");
                    return;
                }
                background::pause(pause(failures)).await;
            }
        }
    }
}

/// Goes to the end of the line with what could not be written, whatever the reason.
struct PutBack<'a>(&'a Behind, &'a RecordKey);

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        self.0.queue().put_back(self.1, Instant::now());
    }
}

async fn write<F: FastStore, D: Store>(employed: &Employed<F, D>, key: &RecordKey) -> bool {
    let behind = employed.behind();
    let _put_back = PutBack(behind, key);
    let answer = employed.tiers.write_in_time(behind, key).await;
    let was_failing = std::mem::replace(&mut behind.queue().is_failing, answer.is_err());
    if let Err(error) = &answer
        && !was_failing
    {
        tracing::warn!(%error, causes = causes(error), "writing behind failed; it is tried again");
    }
    answer.is_ok()
}

fn pause(failures: u32) -> Duration {
    (Duration::from_millis(25) * 2_u32.pow(failures.min(10))).min(LONGEST_PAUSE)
}

impl<F: FastStore, D: Store> Tiers<F, D> {
    /// Writes all that waits. From now on, who saves waits for the durable tier.
    pub(super) async fn drain(&self, behind: &Behind) -> Result<(), StoreError> {
        behind.queue().is_closed = true;
        let mut attempt = 1;
        loop {
            let Err(error) = self.write_all(behind).await else { return Ok(()) };
            if attempt == LAST_ATTEMPTS {
                let sessions = behind.queue().len();
                tracing::error!(sessions, %error, causes = causes(&error), "changes of sessions could not be written behind");
                return Err(error);
            }
            background::pause(pause(attempt)).await;
            attempt += 1;
        }
    }

    async fn write_in_time(&self, behind: &Behind, key: &RecordKey) -> Result<(), StoreError> {
        within(TIME_LIMIT, self.durable.name(), self.write_waiting(behind, key)).await
    }

    async fn write_all(&self, behind: &Behind) -> Result<(), StoreError> {
        let keys = behind.queue().keys();
        let mut answer = Ok(());
        for key in keys {
            let written = self.write_in_time(behind, &key).await;
            if written.as_ref().is_err_and(StoreError::is_unavailable) {
                return written;
            }
            answer = answer.and(written);
        }
        answer
    }
}
