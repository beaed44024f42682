use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use session_core::{RecordKey, Version};

/// Which sessions several writers change at the same time, as far as this process saw it.
///
/// Who saves such a session is told so only after a short pause of no fixed length. SQLite commits
/// are slow and writers come one by one: a writer that goes on at once has its next change in line
/// before the others have read what it wrote, and they would fail again and again.
pub(super) struct Contention {
    epoch: Instant,
    /// When sessions of a kind last had a conflict, in milliseconds. Sharing a kind costs a pause.
    conflicts: [AtomicU64; KINDS],
}

const KINDS: usize = 256;

/// How long a conflict is remembered.
const MEMORY: Duration = Duration::from_secs(1);

impl Contention {
    pub(super) fn new() -> Self {
        Contention { epoch: Instant::now(), conflicts: [const { AtomicU64::new(u64::MAX) }; KINDS] }
    }

    pub(super) fn note(&self, key: &RecordKey) {
        self.kind(key).store(self.millis(), Ordering::Relaxed);
    }

    /// The pause after this version of the session was saved.
    pub(super) fn pause(&self, key: &RecordKey, saved: Version) -> Option<Duration> {
        let last = self.kind(key).load(Ordering::Relaxed);
        let is_recent = last != u64::MAX && self.millis().saturating_sub(last) < MEMORY.as_millis() as u64;
        // The lower half of a version is another number for each attempt; from one to eight
        // milliseconds, about as long as others need to read and write.
        let scattered = (saved.get() as u32).wrapping_mul(0x9E37_79B1) >> 29;
        is_recent.then(|| Duration::from_millis(1 + u64::from(scattered)))
    }

    fn kind(&self, key: &RecordKey) -> &AtomicU64 {
        &self.conflicts[usize::from(key.as_bytes()[0])]
    }

    fn millis(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }
}
