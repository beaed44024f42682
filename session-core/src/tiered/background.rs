//! Tasks and pauses: tokio's, or those of a model checker that explores schedules.

#[cfg(not(session_shuttle))]
pub(super) use with_tokio::*;

#[cfg(not(session_shuttle))]
mod with_tokio {
    use std::future::Future;
    use std::time::Duration;

    use tokio::runtime::Handle;

    pub(in super::super) fn can_spawn() -> bool {
        Handle::try_current().is_ok()
    }

    /// Whether there is a runtime for the task.
    pub(in super::super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
        Handle::try_current().map(|runtime| runtime.spawn(task)).is_ok()
    }

    pub(in super::super) async fn pause(time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(session_shuttle)]
pub(super) use with_shuttle::*;

#[cfg(session_shuttle)]
mod with_shuttle {
    use std::future::Future;
    use std::time::Duration;

    pub(in super::super) fn can_spawn() -> bool {
        true
    }

    pub(in super::super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
        shuttle::future::spawn(task);
        true
    }

    /// However long it is, others may go on meanwhile.
    pub(in super::super) async fn pause(_: Duration) {
        shuttle::future::yield_now().await;
    }
}
