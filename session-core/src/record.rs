use std::sync::Arc;
use std::time::Duration;

use crate::{Attributes, RecordKey, Time};

/// A session at rest: what a store keeps of it.
///
/// Cloning is cheap: the values are shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The hash of the session's id; the id itself is in no record.
    pub key: RecordKey,
    /// Another number after each save.
    pub version: Version,
    /// When the session was started. Renewing keeps it.
    pub created: Time,
    /// When the session was last used, as far as it was written: see [`Store::touch`](crate::Store::touch).
    pub accessed: Time,
    /// How long the session lives on after `accessed`. Whole milliseconds.
    pub idle_timeout: Duration,
    /// When the session ends however much it is used; `None` for never.
    pub absolute_deadline: Option<Time>,
    /// Whether the client is to keep the id when it is closed.
    pub persistent: bool,
    /// Who is signed in.
    pub principal: Option<Arc<str>>,
    /// Attributes given at the start, which never change.
    pub constants: Attributes,
    /// Attributes that change.
    pub attributes: Attributes,
}

impl Record {
    /// When the session ends if it is not used again: the earlier of its two deadlines.
    pub fn expires_at(&self) -> Time {
        let idle = self.accessed.saturating_add(self.idle_timeout);
        self.absolute_deadline.map_or(idle, |absolute| absolute.min(idle))
    }

    /// Whether the session has ended by then. Exactly at the deadline is ended.
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at() <= now
    }

    /// Whether it is time to note that the session is in use.
    pub(crate) fn is_touch_due(&self, now: Time) -> bool {
        now > self.accessed && now.since(self.accessed) >= touch_interval(self.idle_timeout)
    }

    /// The client is sent its cookie again when this is another: a persistent session's timeout.
    pub(crate) fn cookie_trigger(&self) -> Option<Duration> {
        self.persistent.then_some(self.idle_timeout)
    }
}

/// How long `accessed` may lag behind: 1/30 of the idle timeout, a minute at most.
pub(crate) fn touch_interval(idle_timeout: Duration) -> Duration {
    (idle_timeout / 30).min(Duration::from_secs(60))
}

/// Tells one saved state of a record from another.
///
/// The upper half counts saves; the lower half is a mark of the attempt that made it, by which
/// a writer whose connection broke finds out whether its save took effect. A store that never waits
/// leaves no save in doubt, and the mark is 0. It fits a signed 64-bit integer for two thousand million
/// saves of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version that follows, with the mark of the attempt to write it.
    pub(crate) fn next(self, mark: u32) -> Version {
        Version(((self.0 >> 32) + 1) << 32 | u64::from(mark))
    }

    pub(crate) fn first(mark: u32) -> Version {
        Version(0).next(mark)
    }

    /// How many times the record was written.
    pub const fn count(self) -> u64 {
        self.0 >> 32
    }

    /// The number to write.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number that a store read back.
    pub const fn from_number(number: u64) -> Version {
        Version(number)
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Record {
    let now = crate::Clock::now(&crate::ManualClock::default());
    Record {
        key: crate::SessionId::generate(&crate::SystemRandom, 18).expect("random bytes").key(),
        version: Version::first(0),
        created: now,
        accessed: now,
        idle_timeout: Duration::from_secs(1800),
        absolute_deadline: Some(now.saturating_add(Duration::from_secs(86_400))),
        persistent: false,
        principal: Some("ann".into()),
        constants: [("UserName".to_owned(), "ann".into())].into_iter().collect(),
        attributes: [("Count".to_owned(), 1.into())].into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_deadline_wins() {
        let mut record = crate::record::sample();
        let start = record.created;
        record.idle_timeout = Duration::from_secs(60);
        record.absolute_deadline = Some(start.saturating_add(Duration::from_secs(90)));
        assert_eq!(record.expires_at(), start.saturating_add(Duration::from_secs(60)));
        record.accessed = start.saturating_add(Duration::from_secs(50));
        assert_eq!(record.expires_at(), start.saturating_add(Duration::from_secs(90)));
    }

    #[test]
    fn exactly_at_the_deadline_is_expired() {
        let record = crate::record::sample();
        let deadline = record.expires_at();
        assert!(!record.is_expired(deadline.saturating_sub(Duration::from_millis(1))));
        assert!(record.is_expired(deadline));
    }

    #[test]
    fn each_version_is_later_than_the_last() {
        let first = Version::first(u32::MAX);
        assert!(first.next(0) > first);
        assert_eq!(first.next(0).count(), 2);
    }
}
