use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::time::Time;

/// Tells the time to a [`SessionManager`](crate::manager::SessionManager).
///
/// This clock alone decides whether a deadline has passed, whatever a store's own expiry does.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> Time;
}

/// The operating system's clock.
///
/// On Linux it reads the coarse clock, which costs 1/10 of the precise one and moves with the kernel's ticks:
/// every 4 ms on most machines, every 10 ms at most. A session ends up to that much early or late.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time::from_unix_millis(unix_millis())
    }
}

#[cfg(target_os = "linux")]
fn unix_millis() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    now.tv_sec * 1000 + now.tv_nsec as i64 / 1_000_000
}

#[cfg(not(target_os = "linux"))]
fn unix_millis() -> i64 {
    use std::time::{SystemTime, UNIX_EPOCH};

    let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

/// A clock that stands still until it is moved: for tests.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// use session_core::{Clock, ManualClock};
///
/// let clock = Arc::new(ManualClock::default());
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(before), Duration::from_secs(60));
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time.
    pub const fn at(time: Time) -> Self {
        ManualClock(AtomicI64::new(time.unix_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().saturating_add(duration));
    }

    /// Sets the clock, backward too.
    pub fn set(&self, time: Time) {
        self.0.store(time.unix_millis(), Ordering::SeqCst);
    }
}

/// Shows the first second of 2026.
impl Default for ManualClock {
    fn default() -> Self {
        ManualClock::at(Time::from_unix_millis(1_767_225_600_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time::from_unix_millis(self.0.load(Ordering::SeqCst))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Time {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_system_clock_is_hardly_behind() {
        let precise = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let before = precise();
        let told = SystemClock.now().unix_millis();
        let after = precise();
        // Many ticks, as a machine may take the processor away for that long.
        assert!((before - 500..=after).contains(&told), "{before} {told} {after}");
    }
}
