use super::version::Version;
use std::sync::Arc;
use std::time::Duration;

use crate::record::{Attributes, RecordKey};
use crate::time::{Time, millis};

/// A session at rest: what a store keeps of it.
///
/// Cloning is cheap: the values are shared. A store gets records from the library and gives them back as
/// they were; only tests make one, with [`Record::new`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The hash of the session's id; the id itself is in no record.
    pub key: RecordKey,
    /// Changes with every save; [`Store::save`](crate::store::Store::save) compares it.
    pub version: Version,
    /// When the session was started. Renewing keeps it.
    pub created: Time,
    /// When the session was last used, as far as it was written: see [`Store::touch`](crate::store::Store::touch).
    pub accessed: Time,
    /// How long the session lives on after `accessed`. Whole milliseconds.
    pub idle_timeout: Duration,
    /// When the session ends however much it is used; `None` for never.
    pub absolute_deadline: Option<Time>,
    /// Whether the client keeps the id when it is closed.
    pub persistent: bool,
    /// Who is signed in.
    pub principal: Option<Arc<str>>,
    /// Attributes given at the start, which never change.
    pub constants: Attributes,
    /// Attributes that change.
    pub attributes: Attributes,
}

impl Record {
    /// A record of an anonymous session without values or absolute deadline, last used when it was started.
    ///
    /// Set the fields in which yours differs.
    pub fn new(key: RecordKey, version: Version, created: Time, idle_timeout: Duration) -> Self {
        Record {
            key,
            version,
            created,
            accessed: created,
            idle_timeout,
            absolute_deadline: None,
            persistent: false,
            principal: None,
            constants: Attributes::default(),
            attributes: Attributes::default(),
        }
    }

    /// When the session ends if it is not used again: the earlier of its two deadlines.
    pub fn expires_at(&self) -> Time {
        let idle = self.accessed.saturating_add(self.idle_timeout);
        self.absolute_deadline.map_or(idle, |absolute| absolute.min(idle))
    }

    /// Whether the session has ended by then. Exactly at the deadline is ended.
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at() <= now
    }

    /// Whether it is time to note that the session is in use: once in each [`touch_interval_ms`].
    pub(crate) fn is_touch_due(&self, now: Time) -> bool {
        // Without a division, which would take longer than all else that a read looks at.
        let unnoted = now.unix_millis().saturating_sub(self.accessed.unix_millis());
        unnoted > 0 && (unnoted >= LONGEST_TOUCH_INTERVAL_MS || unnoted * 30 >= millis(self.idle_timeout))
    }

    /// The client is sent its cookie again when this is another.
    pub(crate) fn cookie_trigger(&self) -> Option<Duration> {
        cookie_trigger(self.persistent, self.idle_timeout)
    }
}

/// A persistent session's timeout.
pub(crate) fn cookie_trigger(persistent: bool, idle_timeout: Duration) -> Option<Duration> {
    persistent.then_some(idle_timeout)
}

const LONGEST_TOUCH_INTERVAL_MS: i64 = 60_000;

/// How long `accessed` may lag behind: 1/30 of the idle timeout, a minute at most. In milliseconds.
pub(crate) fn touch_interval_ms(idle_timeout_ms: i64) -> i64 {
    (idle_timeout_ms / 30).min(LONGEST_TOUCH_INTERVAL_MS)
}

#[cfg(test)]
pub(crate) fn sample() -> Record {
    let now = crate::clock::Clock::now(&crate::clock::ManualClock::default());
    Record {
        key: crate::id::SessionId::generate(&crate::random::SystemRandom, 18).expect("random bytes").key(),
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
}
