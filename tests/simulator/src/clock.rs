//! The clocks of processes: the world's time, and how far each is ahead of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use session_core::{Clock, Time};
use tokio::time::Instant;

/// 2026-01-01 00:00:00 UTC, when each world begins.
const BEGINNING: i64 = 1_767_225_600_000;

/// The clock of one process.
#[derive(Clone)]
pub struct ProcessClock {
    beginning: Instant,
    skew: Arc<AtomicI64>,
    /// The least and the greatest that it ever was.
    skews: Arc<[AtomicI64; 2]>,
}

impl ProcessClock {
    pub fn new(beginning: Instant, skew: i64) -> Self {
        let skews = Arc::new([AtomicI64::new(skew), AtomicI64::new(skew)]);
        ProcessClock { beginning, skew: Arc::new(AtomicI64::new(skew)), skews }
    }

    pub fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    pub fn set_skew(&self, skew: i64) {
        self.skew.store(skew, Ordering::Relaxed);
        self.skews[0].fetch_min(skew, Ordering::Relaxed);
        self.skews[1].fetch_max(skew, Ordering::Relaxed);
    }

    pub fn least_skew(&self) -> i64 {
        self.skews[0].load(Ordering::Relaxed)
    }

    pub fn greatest_skew(&self) -> i64 {
        self.skews[1].load(Ordering::Relaxed)
    }
}

impl Clock for ProcessClock {
    fn now(&self) -> Time {
        time_of(self.beginning.elapsed().as_millis() as i64 + self.skew())
    }
}

/// The time that a clock shows that many milliseconds after the world began.
pub fn time_of(millis: i64) -> Time {
    Time::from_unix_millis(BEGINNING + millis)
}

/// The milliseconds since the world began.
pub fn millis_of(time: Time) -> i64 {
    time.unix_millis() - BEGINNING
}
