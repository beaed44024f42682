//! When the tombstones of a shared cache end: the one moment in which a cache that never fails may miss a change.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use session_core::{RecordKey, Time};
use tokio::time::Instant;

/// The ends of all tombstones that were ever there.
pub struct Tombstones {
    beginning: Instant,
    ends: Mutex<HashMap<RecordKey, Vec<u64>>>,
}

impl Tombstones {
    pub fn new() -> Self {
        Tombstones { beginning: Instant::now(), ends: Mutex::default() }
    }

    /// A tombstone was asked for at a time, and until a time, by the clock of the process that asked.
    pub fn note(&self, key: &RecordKey, at: Time, until: Time) {
        let lasts = Duration::from_millis(until.unix_millis().abs_diff(at.unix_millis()));
        let ends = (self.beginning.elapsed() + lasts).as_millis() as u64;
        self.ends.lock().entry(*key).or_default().push(ends);
    }

    /// Whether a tombstone of this key ends within so many milliseconds of this one, as some clock shows it.
    pub fn end_near(&self, key: &RecordKey, at: u64, within: u64) -> bool {
        self.ends.lock().get(key).is_some_and(|ends| ends.iter().any(|end| end.abs_diff(at) <= within))
    }
}
