use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use session_core::internals::Backoff;

/// How long a command is sent again that is refused. Three attempts fit into the manager's default `time_limit` of 5 s.
const PATIENCE: Duration = Duration::from_secs(1);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(80));

/// Sends a command, and again while it is refused and that may pass soon.
pub(crate) async fn until_accepted<F>(send: impl Fn() -> F) -> RedisResult<Value>
where
    F: Future<Output = RedisResult<Value>>,
{
    let began = Instant::now();
    let mut pauses = BACKOFF.pauses();
    loop {
        let answer = send().await;
        let may_pass = answer.as_ref().is_err_and(was_refused) && began.elapsed() < PATIENCE;
        let Some(pause) = pauses.next().filter(|_| may_pass) else { return answer };
        tokio::time::sleep(pause).await;
    }
}

/// Whether a server has surely not executed a command, and another one or the same may do so soon: the slot has moved or
/// moves, the server is no longer the master, loads its data, or the cluster elects a master.
///
/// A script is refused as a whole: before it begins, or at its first write, where it returns.
pub(crate) fn was_refused(error: &RedisError) -> bool {
    let ErrorKind::Server(kind) = error.kind() else { return false };
    matches!(
        kind,
        ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
    )
}
