use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::time::Time;

/// Tells the time to a [`SessionManager`](crate::manager::SessionManager).
///
/// Only this clock decides whether a session has expired. The expiry of a store (TTL) only frees space.
/// The default is [`SystemClock`]; tests use [`ManualClock`].
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> Time;
}

/// The clock of the operating system. This is the default.
///
/// On Linux it reads the coarse clock, which costs 1/10 of the precise one. It moves in steps of 4 ms on most
/// machines, at most 10 ms. So a session may expire up to that much too early or too late.
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

/// A clock for tests, which stands still until the test moves it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use session_core::{ManualClock, MemoryStore, NewSession, SessionManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), session_core::Error> {
/// let clock = Arc::new(ManualClock::default());
/// let sessions = SessionManager::builder(MemoryStore::new()).clock(Arc::clone(&clock)).build()?;
/// let id = sessions.create(NewSession::new()).await?.id();
///
/// clock.advance(Duration::from_secs(30 * 60));
/// assert!(sessions.get(id.as_str()).await?.is_none(), "the idle timeout has passed");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Makes a clock that shows this time.
    pub const fn at(time: Time) -> Self {
        ManualClock(AtomicI64::new(time.unix_millis()))
    }

    /// Moves the clock forward by `duration`.
    pub fn advance(&self, duration: Duration) {
        self.set(self.now().saturating_add(duration));
    }

    /// Sets the clock to `time`, which may be earlier than now.
    pub fn set(&self, time: Time) {
        self.0.store(time.unix_millis(), Ordering::SeqCst);
    }
}

/// A clock that shows 2026-01-01 00:00:00 UTC.
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
        // Far more than a tick, because a busy machine may stop this test for that long.
        assert!((before - 500..=after).contains(&told), "{before} {told} {after}");
    }
}
