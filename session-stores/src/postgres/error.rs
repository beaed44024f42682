//! What the errors of sqlx and of the server mean.

use session_core::{ConfigError, StoreError};
use sqlx::Error;

use crate::tls::handshake_failed;

/// The store's name in errors and logs.
pub(super) const NAME: &str = "postgres";

pub(super) fn failed(error: Error) -> StoreError {
    let may_pass = match &error {
        Error::Database(error) => may_pass(error.code().as_deref().unwrap_or_default()),
        error => is_lost(error) || matches!(error, Error::BeginFailed | Error::PoolTimedOut | Error::PoolClosed),
    };
    if may_pass { StoreError::unavailable(NAME, error) } else { StoreError::refused(NAME, error) }
}

/// Why the store can't start.
pub(super) fn start_failed(error: Error) -> StoreError {
    if let Some(told) = handshake_failed(NAME, &error) {
        return told;
    }
    match &error {
        Error::Database(refusal) if refusal.message().starts_with("unsupported startup parameter") => {
            through_pooler(refusal.message())
        }
        _ => failed(error).naming_causes(),
    }
}

pub(super) fn through_pooler(evidence: &str) -> StoreError {
    let error = ConfigError::new(format!(
        "a pooler such as PgBouncer stands before the server ({evidence}), which may mix up prepared statements; add \
         `?statement-cache-capacity=0` to the address, or `&statement-cache-capacity=0` if it has a `?`"
    ));
    StoreError::refused(NAME, error).naming_causes()
}

/// Whether the error code is about the server's present state, and not about the statement.
fn may_pass(code: &str) -> bool {
    // Connection lost; rolled back; no room on the disk, in memory or for another connection; the server is starting or
    // stopping, or an operator has cancelled the statement; the disk fails.
    let classes = ["08", "40", "53", "57", "58"];
    // A server that takes no writes; a lock that is held too long.
    let codes = ["25006", "55P03"];
    classes.iter().any(|class| code.starts_with(class)) || codes.contains(&code)
}

/// Serialization failures and deadlocks: class 40 of the SQL standard.
pub(super) fn is_rollback(error: &Error) -> bool {
    code_of(error).is_some_and(|code| code.starts_with("40"))
}

/// Whether the server takes no writes, because it is a standby or was made read-only. Nothing was written.
pub(super) fn is_read_only(error: &Error) -> bool {
    code_of(error).as_deref() == Some("25006")
}

/// Whether the connection is of no more use, and the answer perhaps lost.
pub(super) fn is_lost(error: &Error) -> bool {
    match error {
        // Connection lost; the server is stopping, has crashed or is starting; the connection was idle for too long.
        Error::Database(_) => code_of(error)
            .is_some_and(|code| code.starts_with("08") || ["57P01", "57P02", "57P03", "57P05"].contains(&&*code)),
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        _ => false,
    }
}

fn code_of(error: &Error) -> Option<std::borrow::Cow<'_, str>> {
    match error {
        Error::Database(error) => error.code(),
        _ => None,
    }
}
