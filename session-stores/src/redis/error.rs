use redis::{ErrorKind, RedisError, ServerErrorKind};
use session_core::StoreError;

/// The store's name in errors and logs.
pub(crate) const NAME: &str = "redis";

/// Turns an error of the client library into a [`StoreError`], which tells whether repeating may help.
pub(crate) fn store_error(error: RedisError) -> StoreError {
    if may_pass(&error) { StoreError::unavailable(NAME, error) } else { StoreError::refused(NAME, error) }
}

/// The error for an answer of the server that can't be understood.
pub(crate) fn unexpected(error: impl Into<RedisError>) -> StoreError {
    StoreError::refused(NAME, error.into())
}

/// Whether a key has a value of another type, which somebody else has put there.
pub(crate) fn is_of_another_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn may_pass(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::Parse
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
        ),
        // A slow script is running, too few replicas are connected, the memory is full, or the disk.
        ErrorKind::Extension => matches!(error.code(), Some("BUSY" | "NOREPLICAS" | "OOM" | "MISCONF")),
        _ => false,
    }
}
