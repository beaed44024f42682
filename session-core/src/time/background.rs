//! Tasks, pauses, time limits and threads: those of tokio, or of a model checker that explores schedules.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

use parking_lot::Mutex;

pub(crate) use tokio::time::Instant;

#[cfg(session_shuttle)]
pub(crate) use with_shuttle::*;
#[cfg(not(session_shuttle))]
pub(crate) use with_tokio::*;

/// Starts a thread, which ends when `run` returns. For work that would block the tasks of a runtime.
pub(crate) fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    let thread = thread::Builder::new().name(name.into()).spawn(run)?;
    Ok(thread.thread().clone())
}

/// Work that can't begin before there is a runtime.
#[derive(Default)]
pub(crate) struct LateStart {
    is_waiting: AtomicBool,
    begin: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl LateStart {
    pub(crate) fn put(&self, begin: impl FnOnce() + Send + 'static) {
        *self.begin.lock() = Some(Box::new(begin));
        self.is_waiting.store(true, Ordering::Release);
    }

    /// Begins the work, if some is waiting and there is a runtime now.
    pub(crate) fn begin_if_possible(&self) {
        if !self.is_waiting.load(Ordering::Acquire) || !can_spawn() {
            return;
        }
        // With the lock, so that whoever cancels finds the work either begun or not.
        let mut waiting = self.begin.lock();
        if let Some(begin) = waiting.take() {
            self.is_waiting.store(false, Ordering::Release);
            begin();
        }
    }

    /// What waits never begins. What is beginning has begun when this returns.
    pub(crate) fn cancel(&self) {
        self.is_waiting.store(false, Ordering::Release);
        *self.begin.lock() = None;
    }
}

#[cfg(not(session_shuttle))]
mod with_tokio {
    use std::future::Future;
    use std::time::Duration;

    use tokio::runtime::Handle;
    pub(crate) use tokio::task::AbortHandle;
    #[cfg(feature = "conformance")]
    pub(crate) use tokio::task::yield_now;

    /// Whether there is a runtime that [`spawn`] can use.
    pub(crate) fn can_spawn() -> bool {
        Handle::try_current().is_ok()
    }

    /// Starts a task. Without a runtime it drops the task before it has run, and returns `None`.
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(task).abort_handle())
    }

    /// Waits for `time`. Without a runtime there is no timer, so this only lets other futures of the same task
    /// run.
    pub(crate) async fn pause(time: Duration) {
        if can_spawn() {
            tokio::time::sleep(time).await;
        } else {
            tokio::task::yield_now().await;
        }
    }

    /// The operation's answer. `None` if there is none within `limit`; the operation is then dropped. Without a
    /// runtime there is no timer and so no limit.
    pub(crate) async fn timeout<T>(limit: Duration, operation: impl Future<Output = T>) -> Option<T> {
        if can_spawn() { tokio::time::timeout(limit, operation).await.ok() } else { Some(operation.await) }
    }
}

/// Time does not pass here: a pause of any length only lets other tasks run, and no limit is ever reached.
#[cfg(session_shuttle)]
mod with_shuttle {
    use std::future::Future;
    use std::time::Duration;

    pub(crate) use shuttle::future::AbortHandle;
    #[cfg(feature = "conformance")]
    pub(crate) use shuttle::future::yield_now;

    pub(crate) fn can_spawn() -> bool {
        true
    }

    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        Some(shuttle::future::spawn(task).abort_handle())
    }

    pub(crate) async fn pause(_: Duration) {
        shuttle::future::yield_now().await;
    }

    pub(crate) async fn timeout<T>(_: Duration, operation: impl Future<Output = T>) -> Option<T> {
        Some(operation.await)
    }
}

#[cfg(all(test, not(session_shuttle)))]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    /// Runs a future without any runtime.
    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return answer;
            }
        }
    }

    #[test]
    fn without_a_runtime_a_pause_is_soon_over_and_nothing_is_limited() {
        run(pause(Duration::MAX));
        assert_eq!(run(timeout(Duration::ZERO, pause(Duration::MAX))), Some(()));
        assert!(!can_spawn());
        assert!(spawn(async { unreachable!("nothing runs it") }).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_runtime_a_pause_takes_its_time_and_a_limit_holds() {
        let start = Instant::now();
        pause(Duration::from_secs(5)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        assert_eq!(timeout(Duration::from_secs(1), pause(Duration::from_secs(2))).await, None);
        assert_eq!(timeout(Duration::from_secs(2), pause(Duration::from_secs(1))).await, Some(()));
        assert!(can_spawn());
    }

    #[tokio::test]
    async fn a_task_that_was_spawned_runs_and_can_be_stopped() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        assert!(spawn(async move { sender.send(7).unwrap() }).is_some());
        assert_eq!(receiver.await, Ok(7));
        let task = spawn(std::future::pending()).expect("there is a runtime");
        task.abort();
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }
}
