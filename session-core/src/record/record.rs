use std::sync::Arc;
use std::time::Duration;

use crate::record::{Attributes, RecordKey};
use crate::time::{Time, millis};

use super::audience::Audience;
use super::format::{RecordFormat, unknown_critical};
use super::version::Version;

/// A session at rest: what a store keeps of it.
///
/// A store gets records from the library and returns them as they were. Only tests of stores make one, with
/// [`Record::new`]. `Clone` is cheap: it shares the values.
///
/// ```
/// use std::time::Duration;
///
/// use session_core::{Record, RecordKey, Time, Version};
///
/// let start = Time::from_unix_millis(1_767_225_600_000);
/// let version = Version::from_number(1 << 32);
/// let mut record = Record::new(RecordKey::from_bytes([7; 32]), version, start, Duration::from_secs(1800));
/// record.absolute_deadline = Some(start.saturating_add(Duration::from_secs(600)));
///
/// // The earlier of the two deadlines counts.
/// assert_eq!(record.expires_at(), start.saturating_add(Duration::from_secs(600)));
/// assert!(!record.is_expired(start));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The hash of the session's id. No record contains the id itself.
    pub key: RecordKey,
    /// Changes with every save; [`Store::save`](crate::store::Store::save) compares it.
    pub version: Version,
    /// When the session was started. Renewing does not change it.
    pub created: Time,
    /// When the session was last used, as far as the store was told: see
    /// [`Store::touch`](crate::store::Store::touch).
    pub accessed: Time,
    /// How long the session lives after `accessed`, in whole milliseconds.
    pub idle_timeout: Duration,
    /// When the session ends, however much it is used. `None` for never.
    pub absolute_deadline: Option<Time>,
    /// Whether the session's cookie survives closing the browser.
    pub persistent: bool,
    /// The id or name of the user who is signed in. `None` for an anonymous session.
    pub principal: Option<Arc<str>>,
    /// The application to which the session belongs. It never changes.
    pub audience: Audience,
    /// Attributes that were given when the session was started, and never change.
    pub constants: Attributes,
    /// Attributes that change.
    pub attributes: Attributes,
    /// The format in which the record is written as bytes.
    pub format: RecordFormat,
    /// Named fields of a later release, which this release saves as they are. A name that begins with `!` marks a
    /// critical field: this release then treats the session as if it did not exist.
    pub extensions: Attributes,
}

impl Record {
    /// Makes the record of an anonymous session of the default audience, without values and absolute deadline, which
    /// was last used when it was started. Set the other fields afterwards.
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
            audience: Audience::default(),
            constants: Attributes::default(),
            attributes: Attributes::default(),
            format: RecordFormat::default(),
            extensions: Attributes::default(),
        }
    }

    /// Whether the record has a critical extension that this release does not know.
    pub(crate) fn is_beyond_us(&self) -> bool {
        !self.extensions.is_empty() && unknown_critical(&self.extensions).is_some()
    }

    /// When the session ends if it is not used again: the earlier of its two deadlines.
    pub fn expires_at(&self) -> Time {
        let idle = self.accessed.saturating_add(self.idle_timeout);
        self.absolute_deadline.map_or(idle, |absolute| absolute.min(idle))
    }

    /// Whether the session has expired by `now`. It has, exactly at its deadline.
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at() <= now
    }

    /// About how many bytes of memory the record takes, with its values. A list of small numbers takes sixteen times what
    /// it takes as JSON.
    pub fn memory_bytes(&self) -> usize {
        let principal = self.principal.as_deref().map_or(0, str::len);
        let lists = [&self.constants, &self.attributes, &self.extensions].map(Attributes::memory_bytes);
        size_of::<Record>() + principal + lists.iter().sum::<usize>()
    }

    /// Whether the store is to be told that the session is in use: once in each [`touch_interval_ms`].
    pub(crate) fn is_touch_due(&self, now: Time) -> bool {
        // Multiplied, because a division takes longer than everything else that a read computes.
        let unnoted = now.unix_millis().saturating_sub(self.accessed.unix_millis());
        unnoted > 0 && (unnoted >= LONGEST_TOUCH_INTERVAL_MS || unnoted * 30 >= millis(self.idle_timeout))
    }

    /// Whether a touch is due, if the last one was at `touched`.
    pub(crate) fn is_touch_due_since(&self, touched: Time, now: Time) -> bool {
        Record { accessed: self.accessed.max(touched), ..self.clone() }.is_touch_due(now)
    }

    /// See [`touch_interval_ms`].
    pub(crate) fn touch_interval(&self) -> Duration {
        Duration::from_millis(touch_interval_ms(millis(self.idle_timeout)).unsigned_abs())
    }

    /// Whether a client that uses the session is told its id again: once a day, if a browser could drop the cookie
    /// before the session ends. `accessed` has to be the use before the present one.
    ///
    /// Days count from the start, and `accessed` tells on which day the session was last used, so nothing has to be
    /// stored for it.
    pub(crate) fn is_id_to_be_told_again(&self, now: Time) -> bool {
        let day = |time: Time| time.since(self.created).as_secs() / DAY.as_secs();
        let outlives_cookie = || self.absolute_deadline.is_none_or(|end| end.since(self.created) > LONGEST_COOKIE);
        self.persistent && outlives_cookie() && day(now) > day(self.accessed)
    }

    /// When this value changes, the client is sent its cookie again: the idle timeout of a persistent session.
    pub(crate) fn cookie_trigger(&self) -> Option<Duration> {
        cookie_trigger(self.persistent, self.idle_timeout)
    }
}

/// A persistent session's timeout.
pub(crate) fn cookie_trigger(persistent: bool, idle_timeout: Duration) -> Option<Duration> {
    persistent.then_some(idle_timeout)
}

const DAY: Duration = Duration::from_secs(86_400);

/// The longest time that browsers keep a cookie: 400 days (RFC 6265bis, 5.5).
pub const LONGEST_COOKIE: Duration = DAY.saturating_mul(400);

const LONGEST_TOUCH_INTERVAL_MS: i64 = 60_000;

/// How far the stored `accessed` may be behind the true time: 1/30 of the idle timeout, at most 60 s. In milliseconds.
pub(crate) fn touch_interval_ms(idle_timeout_ms: i64) -> i64 {
    (idle_timeout_ms / 30).min(LONGEST_TOUCH_INTERVAL_MS)
}

#[cfg(test)]
pub(crate) fn sample() -> Record {
    let now = crate::time::Clock::now(&crate::time::ManualClock::default());
    Record {
        key: crate::id::SessionId::generate(&crate::random::SystemRandom, 18).expect("random bytes").key(),
        version: Version::first(0),
        created: now,
        accessed: now,
        idle_timeout: Duration::from_secs(1800),
        absolute_deadline: Some(now.saturating_add(Duration::from_secs(86_400))),
        persistent: false,
        principal: Some("ann".into()),
        audience: Audience::default(),
        constants: [("UserName".to_owned(), "ann".into())].into_iter().collect(),
        attributes: [("Count".to_owned(), 1.into())].into_iter().collect(),
        format: RecordFormat::default(),
        extensions: Attributes::default(),
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
