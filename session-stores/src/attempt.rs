//! Tells attempts at the same write apart, for backends that need several steps for it.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that no other attempt of this process has. Attempts of other processes write other keys, because the process
/// that has drawn a key is the only one that stores a new record under it.
pub(crate) fn next() -> u64 {
    static ATTEMPTS: AtomicU64 = AtomicU64::new(1);
    ATTEMPTS.fetch_add(1, Ordering::Relaxed)
}
