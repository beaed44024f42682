//! The fast tier decides between writers, and a queue tells the durable one later.
//!
//! If the fast tier does not have a session or fails, what waits in the queue is written first, and the
//! durable tier decides. One task of this process then has the session to itself (`sharing`, held alone), so
//! that nobody saves against a copy while it is being replaced. Tasks that save against a copy in the fast
//! tier share it. A task that only reads a copy needs no lock.

mod emptying;
mod ending;
mod listing;
mod loading;
mod saving;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::error::StoreError;
use crate::record::{Record, RecordKey, Version};
use crate::store::{FastStore, Store, within};
use crate::tiered::locks::Locks;
use crate::tiered::queue::Queue;
use crate::tiered::settings::WriteBehind;
use crate::tiered::tiers::Tiers;
use crate::tiered::worker::Backlog;
use crate::time::background::Instant;
use crate::time::{LogThrottle, Time};

/// A store that writes behind.
pub(super) struct Behind<F, D> {
    pub(super) tiers: Tiers<F, D>,
    settings: WriteBehind,
    queue: Mutex<Queue>,
    sharing: Locks<tokio::sync::RwLock<()>>,
    /// Taken last, by whoever writes what waits.
    writing: Locks<tokio::sync::Mutex<()>>,
    /// How many saves the durable tier has refused for good.
    refused: AtomicU64,
    refused_warning: LogThrottle,
}

/// A copy is served for as long as its session lives: if it became stale by itself, an older record in the
/// durable tier would be seen again.
const NEVER_STALE: Time = Time::MAX;
/// How long a copy stays in doubt at least, because its session's deadline is not known.
const LONGEST_DOUBT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many saves of other processes a removal lets come first. Then it goes on: whoever saves again and again must not
/// keep the session alive.
const MAX_SAVES_AWAITED: usize = 10;
/// No record has it.
const NO_VERSION: Version = Version::from_number(0);
/// How long one write of a worker may take. A session whose deadline is nearer than that is written at once.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Until when a copy is in doubt that this record did not replace. It may have a longer idle timeout than the record.
fn doubted_until(record: &Record) -> Time {
    record.expires_at().max(record.accessed.saturating_add(LONGEST_DOUBT))
}

impl<F: FastStore, D: Store> Backlog for Behind<F, D> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    async fn write(&self, key: &RecordKey) -> Result<(), StoreError> {
        within(WRITE_LIMIT, self.tiers.durable.name(), self.write_waiting(key)).await.map(drop)
    }
}

impl<F: FastStore, D: Store> Behind<F, D> {
    pub(super) fn new(tiers: Tiers<F, D>, settings: WriteBehind) -> Self {
        Behind {
            tiers,
            settings,
            queue: Mutex::default(),
            sharing: Locks::new(),
            writing: Locks::new(),
            refused: AtomicU64::new(0),
            refused_warning: LogThrottle::new(),
        }
    }

    fn due(&self) -> Instant {
        Instant::now() + self.settings.delay
    }

    fn has_room_for(&self, record: &Record) -> bool {
        self.queue().has_room_for(record, self.settings.max_sessions, self.settings.max_bytes)
    }

    async fn fill(&self, record: &Record, now: Time) -> bool {
        self.tiers.fill(record, now, NEVER_STALE).await
    }

    /// The durable tier does not have the session, so nothing else may.
    async fn note_gone(&self, key: &RecordKey, now: Time) {
        let mut copy = self.tiers.doubts.unless_settled(key, now.saturating_add(LONGEST_DOUBT));
        copy.is_gone = true;
        copy.settled_if(self.tiers.entomb(key, now).await);
    }
}
