//! Points in time.

use std::fmt;
use std::time::Duration;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// A point in time: whole milliseconds since 1970-01-01 00:00:00 UTC (the Unix epoch).
///
/// Arithmetic saturates: a result that is out of range becomes the nearest bound. It converts from and to
/// [`time::OffsetDateTime`](::time::OffsetDateTime).
///
/// ```
/// use std::time::Duration;
///
/// use session_core::Time;
///
/// let noon = Time::from_unix_millis(1_767_268_800_000);
/// assert_eq!(noon.to_string(), "2026-01-01T12:00:00Z");
/// assert_eq!(noon.saturating_add(Duration::from_secs(60)).since(noon), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The latest time, which stands for "never".
    pub const MAX: Time = Time(i64::MAX);

    /// Makes the time that is `millis` milliseconds after the Unix epoch. May be negative.
    pub const fn from_unix_millis(millis: i64) -> Self {
        Time(millis)
    }

    /// The milliseconds since the Unix epoch. Negative before 1970.
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// The time that is `duration` later. [`Time::MAX`] if that is out of range.
    pub fn saturating_add(self, duration: Duration) -> Self {
        Time(self.0.saturating_add(millis(duration)))
    }

    /// The time that is `duration` earlier. The earliest time if that is out of range.
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Time(self.0.saturating_sub(millis(duration)))
    }

    /// How much later this is than `earlier`. Zero if it is not later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

/// The whole milliseconds of a duration, at most `i64::MAX`.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<OffsetDateTime> for Time {
    fn from(at: OffsetDateTime) -> Self {
        let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
        // The range of `OffsetDateTime` in milliseconds fits an i64.
        Time(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl From<Time> for OffsetDateTime {
    /// Converts to a date. A time out of the range of [`OffsetDateTime`] becomes the nearest bound.
    fn from(at: Time) -> Self {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000).unwrap_or_else(|_| {
            let bound = if at.0 < 0 { ::time::PrimitiveDateTime::MIN } else { ::time::PrimitiveDateTime::MAX };
            bound.assume_utc()
        })
    }
}

/// Shows the time in the form of RFC 3339, as in `2026-01-31T12:00:00Z`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from(*self).format(&Rfc3339);
        f.write_str(&text.unwrap_or_else(|_| format!("{} ms", self.0)))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_huge_duration_saturates() {
        let now = Time::from_unix_millis(1_700_000_000_000);
        assert_eq!(now.saturating_add(Duration::MAX), Time::MAX);
        assert!(now.saturating_sub(Duration::MAX) < now);
        assert_eq!(Time::from_unix_millis(i64::MIN).saturating_sub(Duration::MAX).unix_millis(), i64::MIN);
    }

    #[test]
    fn since_a_later_time_is_zero() {
        let now = Time::from_unix_millis(5);
        assert_eq!(now.since(Time::from_unix_millis(9)), Duration::ZERO);
        assert_eq!(Time::MAX.since(Time::from_unix_millis(i64::MIN)), Duration::from_millis(i64::MAX as u64));
    }

    #[test]
    fn printing_any_time_works() {
        assert_eq!(Time::from_unix_millis(0).to_string(), "1970-01-01T00:00:00Z");
        for millis in [i64::MIN, -1, i64::MAX] {
            assert!(!Time::from_unix_millis(millis).to_string().is_empty());
        }
    }
}
