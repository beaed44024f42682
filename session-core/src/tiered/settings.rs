use std::time::Duration;

use crate::error::ConfigError;
use crate::record::MAX_SESSION_BYTES;

/// How changes reach the durable tier when it is written behind.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{MemoryStore, TieredStore, WriteBehind};
///
/// # fn main() -> Result<(), session_core::ConfigError> {
/// # let database = MemoryStore::new();
/// // A crash loses the changes of about the last 200 ms.
/// let settings = WriteBehind::new().delay(Duration::from_millis(200)).max_sessions(50_000);
/// let store = TieredStore::builder(MemoryStore::new(), database).write_behind(settings).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct WriteBehind {
    pub(super) delay: Duration,
    pub(super) max_sessions: usize,
    pub(super) max_bytes: usize,
    pub(super) close_limit: Duration,
}

impl WriteBehind {
    /// The longest [`delay`](WriteBehind::delay): 1 hour.
    pub const MAX_DELAY: Duration = Duration::from_secs(60 * 60);

    /// Every setting has its default.
    pub const fn new() -> Self {
        WriteBehind {
            delay: Duration::from_secs(1),
            max_sessions: 10_000,
            max_bytes: 64 << 20,
            close_limit: Duration::from_secs(10),
        }
    }

    /// How long a change waits in the queue, so that later changes of its session are written with it.
    ///
    /// Default: 1 s. Allowed: 0 s to 1 h. A crash loses the changes of this time, and of the time that
    /// writing them takes. With 0 s each change is written as soon as a worker is free. Keep it well below
    /// the shortest idle timeout: a session that the durable tier would take for expired by then, or up to
    /// 10 s later, is written before its request is answered.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How many sessions may have changes in the queue.
    ///
    /// Default: 10,000. Allowed: at least 1. When the queue is full, a request that changes another session
    /// waits until the durable tier has taken one, or its own change. Each session in the queue keeps its record in memory.
    pub const fn max_sessions(mut self, max_sessions: usize) -> Self {
        self.max_sessions = max_sessions;
        self
    }

    /// How many bytes of memory the records in the queue may take.
    ///
    /// Default: 64 MiB. Allowed: at least 1 MiB, the largest size of one session as JSON. Beyond that the queue is full, as
    /// with too many sessions.
    pub const fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// How long [`close`](crate::store::Store::close) tries to write what is in the queue.
    ///
    /// Default: 10 s. Allowed: 1 ms to 1 h. After that it fails, and the error and the log say how many sessions have
    /// changes that were not written; another call tries again. Keep it below the time after which the program is
    /// killed.
    pub const fn close_limit(mut self, limit: Duration) -> Self {
        self.close_limit = limit;
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let WriteBehind { delay, max_sessions, max_bytes, close_limit } = self;
        if *delay > WriteBehind::MAX_DELAY {
            return Err(ConfigError::new(format!("`WriteBehind::delay` is {delay:?}; it must be at most 1 h")));
        }
        if !(Duration::from_millis(1)..=WriteBehind::MAX_DELAY).contains(close_limit) {
            let message = format!("`WriteBehind::close_limit` is {close_limit:?}; it must be from 1 ms to 1 h");
            return Err(ConfigError::new(message));
        }
        if *max_sessions == 0 {
            return Err(ConfigError::new(
                "`WriteBehind::max_sessions` is 0; it must be at least 1, or leave out `write_behind`",
            ));
        }
        if *max_bytes < MAX_SESSION_BYTES {
            return Err(ConfigError::new(format!(
                "`WriteBehind::max_bytes` is {max_bytes}; it must be at least {MAX_SESSION_BYTES} (1 MiB)"
            )));
        }
        Ok(())
    }
}

impl Default for WriteBehind {
    fn default() -> Self {
        WriteBehind::new()
    }
}
