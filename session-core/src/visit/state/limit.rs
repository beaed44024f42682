use std::collections::VecDeque;
use std::time::Duration;

use crate::record::{Record, RecordKey};

/// Two logins that begin within this time may not know of each other.
const SAME_MOMENT: Duration = Duration::from_secs(10);

/// The sessions of a principal that must end because `newest` exceeds the limit: the oldest ones.
///
/// Two sessions that start at the same moment must not end each other: the one that counts as older ends, and that may
/// be `newest` itself. A session that began much later than `newest` comes from a clock that was set back, and counts as
/// older.
pub(super) fn beyond_limit(limit: usize, newest: &Record, mut records: Vec<Record>) -> VecDeque<RecordKey> {
    // The store's index holds hashes. Only the record tells the principal itself.
    records.retain(|record| record.principal == newest.principal && record.key != newest.key);
    records.sort_by_key(|record| std::cmp::Reverse((record.created, record.key)));
    let is_newer = |other: &Record| {
        (other.created, other.key) > (newest.created, newest.key) && other.created.since(newest.created) < SAME_MOMENT
    };
    let (newer, older): (Vec<Record>, Vec<Record>) = records.into_iter().partition(is_newer);
    let itself = (newer.len() >= limit).then_some(newest.key);
    let older = older.into_iter().skip(limit.saturating_sub(1 + newer.len())).map(|record| record.key);
    older.chain(itself).collect()
}
