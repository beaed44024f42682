use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_core::{RecordKey, Version};

/// Knows which sessions several writers change at the same time, as far as this process has seen conflicts.
///
/// A save of such a session answers after a random pause of 1 to 8 ms. SQLite's commits are slow, and writers queue for
/// them. Without the pause, a writer in a loop would queue its next save before the others have read what it wrote, and
/// they would fail again and again.
pub(super) struct Contention {
    epoch: Instant,
    /// When a session of each slot last had a conflict, in milliseconds. Two sessions that share a slot only cost a
    /// needless pause.
    conflicts: [AtomicU64; SLOTS],
}

const SLOTS: usize = 256;

/// How long a conflict is remembered.
const MEMORY: Duration = Duration::from_secs(1);

impl Contention {
    pub(super) fn new() -> Self {
        Contention { epoch: Instant::now(), conflicts: [const { AtomicU64::new(u64::MAX) }; SLOTS] }
    }

    pub(super) fn note(&self, key: &RecordKey) {
        self.slot(key).store(self.millis(), Ordering::Relaxed);
    }

    /// The pause after this version of the session was saved. `None` without a recent conflict.
    pub(super) fn pause(&self, key: &RecordKey, saved: Version) -> Option<Duration> {
        let last = self.slot(key).load(Ordering::Relaxed);
        let is_recent = last != u64::MAX && self.millis().saturating_sub(last) < MEMORY.as_millis() as u64;
        // The lower half of a version is different for each attempt. 1 to 8 ms is about the time that another writer
        // needs to read and write.
        let scattered = (saved.get() as u32).wrapping_mul(0x9E37_79B1) >> 29;
        is_recent.then(|| Duration::from_millis(1 + u64::from(scattered)))
    }

    fn slot(&self, key: &RecordKey) -> &AtomicU64 {
        &self.conflicts[usize::from(key.as_bytes()[0])]
    }

    fn millis(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }
}
