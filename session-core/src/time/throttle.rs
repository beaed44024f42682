use std::time::Duration;

use parking_lot::Mutex;

use super::background::Instant;

/// Limits how often one kind of message is logged: the first time at once, then at most once in a minute, with the
/// number of times since.
///
/// Clients can cause some messages with every request. Without a limit they would fill the log.
#[derive(Debug)]
pub struct LogThrottle(Mutex<Unlogged>);

#[derive(Debug)]
struct Unlogged {
    last: Option<Instant>,
    times: u64,
}

/// The least time between two lines.
const INTERVAL: Duration = Duration::from_secs(60);

impl LogThrottle {
    /// Makes a limit for a message that was never logged.
    pub const fn new() -> Self {
        LogThrottle(Mutex::new(Unlogged { last: None, times: 0 }))
    }

    /// Counts one more time. If a line is due, returns how often it has happened since the last line, this time
    /// included.
    pub fn due(&self) -> Option<u64> {
        let now = Instant::now();
        let mut unlogged = self.0.lock();
        unlogged.times += 1;
        if unlogged.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            return None;
        }
        unlogged.last = Some(now);
        Some(std::mem::take(&mut unlogged.times))
    }
}

impl Default for LogThrottle {
    fn default() -> Self {
        LogThrottle::new()
    }
}

#[cfg(all(test, not(session_shuttle)))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_time_is_logged_and_then_once_in_a_minute_with_a_count() {
        let throttle = LogThrottle::default();
        assert_eq!(throttle.due(), Some(1));
        for _ in 0..20 {
            tokio::time::advance(INTERVAL / 25).await;
            assert_eq!(throttle.due(), None);
        }
        tokio::time::advance(INTERVAL).await;
        assert_eq!(throttle.due(), Some(21));
        tokio::time::advance(10 * INTERVAL).await;
        assert_eq!(throttle.due(), Some(1));
    }
}
