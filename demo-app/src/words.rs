//! Times as people say them.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A timeout in hours or minutes if it is a whole number of them.
pub fn timeout_in_words(timeout: Duration) -> String {
    let count_of =
        |unit: u64| timeout.as_millis().is_multiple_of(u128::from(unit) * 1000).then(|| timeout.as_secs() / unit);
    match (count_of(HOUR), count_of(MINUTE)) {
        (Some(hours), _) => counted(hours, "hour"),
        (_, Some(minutes)) => counted(minutes, "minute"),
        _ => humantime::format_duration(timeout).to_string(),
    }
}

/// A duration to the second, as an administrator wants it.
pub fn exactly(duration: Duration) -> String {
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// A duration in its largest unit, rounded down: `2 hours` for 2 h 59 min.
fn roughly(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds >= DAY => counted(seconds / DAY, "day"),
        seconds if seconds >= HOUR => counted(seconds / HOUR, "hour"),
        seconds if seconds >= MINUTE => counted(seconds / MINUTE, "minute"),
        _ => "less than a minute".to_owned(),
    }
}

/// How long something still lasts, to the nearest minute: `30 days` also a moment after they began.
pub fn left(duration: Duration) -> String {
    roughly(duration.saturating_add(Duration::from_secs(MINUTE / 2)))
}

/// How long ago something was. A use is stored at most every 60 s, so anything below a minute is `just now`.
pub fn ago(duration: Duration) -> String {
    if duration.as_secs() < MINUTE { "just now".to_owned() } else { format!("{} ago", roughly(duration)) }
}

/// A number of things: `1 hour`, `2 hours`.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_said_as_people_set_them() {
        let minute = Duration::from_secs(60);
        assert_eq!(timeout_in_words(minute * 30), "30 minutes");
        assert_eq!(timeout_in_words(minute * 60), "1 hour");
        assert_eq!(timeout_in_words(minute * 60 * 24), "24 hours");
        assert_eq!(timeout_in_words(minute * 90), "90 minutes");
        assert_eq!(timeout_in_words(Duration::from_millis(1500)), "1s 500ms");
    }

    #[test]
    fn a_time_is_said_in_its_largest_unit() {
        for (seconds, words) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3599, "59 minutes ago"),
            (3600, "1 hour ago"),
            (2 * 86_400 - 1, "1 day ago"),
            (2 * 86_400, "2 days ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), words);
        }
        assert_eq!(left(Duration::from_secs(30 * DAY - 5)), "30 days");
        assert_eq!(left(Duration::from_secs(89)), "1 minute");
        assert_eq!(left(Duration::from_secs(29)), "less than a minute");
        assert_eq!(exactly(Duration::from_millis(3_661_999)), "1h 1m 1s");
    }
}
