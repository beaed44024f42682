//! Tasks and pauses: tokio's, or those of a model checker that explores schedules.

#[cfg(not(session_shuttle))]
pub(super) use with_tokio::*;

#[cfg(not(session_shuttle))]
mod with_tokio {
    use std::future::Future;
    use std::time::Duration;

    use tokio::runtime::Handle;

    pub(in crate::tiered) fn can_spawn() -> bool {
        Handle::try_current().is_ok()
    }

    /// Whether there is a runtime for the task.
    pub(in crate::tiered) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
        Handle::try_current().map(|runtime| runtime.spawn(task)).is_ok()
    }

    pub(in crate::tiered) async fn pause(time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(session_shuttle)]
pub(super) use with_shuttle::*;

#[cfg(session_shuttle)]
mod with_shuttle {
    use std::future::Future;
    use std::time::Duration;

    pub(in crate::tiered) fn can_spawn() -> bool {
        true
    }

    pub(in crate::tiered) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> bool {
        shuttle::future::spawn(task);
        true
    }

    /// However long it is, others may go on meanwhile.
    pub(in crate::tiered) async fn pause(_: Duration) {
        shuttle::future::yield_now().await;
    }
}
