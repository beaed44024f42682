use std::collections::VecDeque;
use std::time::Duration;

use crate::record::{Record, RecordKey};

/// How far apart two logins begin at most that may not know of each other.
const SAME_MOMENT: Duration = Duration::from_secs(10);

/// The sessions of a principal that must end because `newest` makes them too many, the oldest first to go.
///
/// Two that start at the same moment must not end each other. A session that began much later than now is
/// the work of a clock that was set back.
pub(super) fn beyond_limit(limit: usize, newest: &Record, mut records: Vec<Record>) -> VecDeque<RecordKey> {
    // The index holds hashes; the record says who it really is.
    records.retain(|record| record.principal == newest.principal && record.key != newest.key);
    records.sort_by_key(|record| std::cmp::Reverse(record.created));
    let is_newer = |other: &Record| {
        (other.created, other.key) > (newest.created, newest.key) && other.created.since(newest.created) < SAME_MOMENT
    };
    let (newer, older): (Vec<Record>, Vec<Record>) = records.into_iter().partition(is_newer);
    older.into_iter().skip(limit.saturating_sub(1 + newer.len())).map(|record| record.key).collect()
}
