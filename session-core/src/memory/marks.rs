//! What a store in memory keeps of sessions that are no longer under their key: tombstones and moved notes. Both are
//! bounded.

use hashbrown::HashTable;

use crate::record::{Record, RecordKey};
use crate::time::Time;

use super::hash::hash;

/// The marks of one shard.
#[derive(Default)]
pub(super) struct Marks {
    tombstones: HashTable<Mark<()>>,
    /// The record of this key was renewed, and is under the key `what`.
    moved: HashTable<Mark<RecordKey>>,
    /// Stands for the tombstones that gave way.
    sealed: Option<Sealed>,
}

struct Mark<T> {
    key: RecordKey,
    what: T,
    until: Time,
}

/// No copy of a session comes in that was started before then: it may be one that has ended.
#[derive(Clone, Copy)]
struct Sealed {
    started_before: Time,
    until: Time,
}

/// How far ahead the clock of the process may be that started a session.
const CLOCK_DIFFERENCE: std::time::Duration = std::time::Duration::from_secs(60);

impl Marks {
    /// Whether a copy of this record must not come in.
    pub(super) fn keep_out(&self, record: &Record, now: Time) -> bool {
        let is_sealed = |sealed: Sealed| record.created < sealed.started_before && now < sealed.until;
        find(&self.tombstones, &record.key).is_some_and(|tombstone| now < tombstone.until)
            || self.sealed.is_some_and(is_sealed)
    }

    /// Refuses copies of this key until then. If there are `max` tombstones, those give way whose time is over first, and
    /// sessions that are there now can't come in for as long.
    pub(super) fn leave_tombstone(&mut self, key: &RecordKey, now: Time, until: Time, max: usize) {
        if let Some(tombstone) = self.tombstones.find_mut(hash(key), |tombstone| tombstone.key == *key) {
            tombstone.until = tombstone.until.max(until);
            return;
        }
        if self.tombstones.len() >= max {
            let last = make_room(&mut self.tombstones);
            let until = self.sealed.map_or(last, |sealed| sealed.until.max(last));
            self.sealed = Some(Sealed { started_before: now.saturating_add(CLOCK_DIFFERENCE), until });
        }
        insert(&mut self.tombstones, Mark { key: *key, what: (), until });
    }

    /// Where the record of this key went, whether or not the note is still in time.
    pub(super) fn note_of(&self, key: &RecordKey) -> Option<RecordKey> {
        find(&self.moved, key).map(|moved| moved.what)
    }

    pub(super) fn moved(&self, key: &RecordKey, now: Time) -> Option<RecordKey> {
        find(&self.moved, key).filter(|moved| now < moved.until).map(|moved| moved.what)
    }

    /// If there are `max` notes, those give way whose time is over first.
    pub(super) fn leave_note(&mut self, key: RecordKey, to: RecordKey, until: Time, max: usize) {
        // A key has one already only if it was used twice.
        if let Some(before) = self.moved.find_mut(hash(&key), |before| before.key == key) {
            (before.what, before.until) = (to, until);
            return;
        }
        if self.moved.len() >= max {
            make_room(&mut self.moved);
        }
        insert(&mut self.moved, Mark { key, what: to, until });
    }

    pub(super) fn any_is_over(&self, now: Time) -> bool {
        self.tombstones.iter().any(|tombstone| tombstone.until <= now)
            || self.moved.iter().any(|moved| moved.until <= now)
    }

    pub(super) fn remove_what_is_over(&mut self, now: Time) {
        self.tombstones.retain(|tombstone| now < tombstone.until);
        self.moved.retain(|moved| now < moved.until);
    }
}

fn find<'a, T>(table: &'a HashTable<Mark<T>>, key: &RecordKey) -> Option<&'a Mark<T>> {
    table.find(hash(key), |mark| mark.key == *key)
}

fn insert<T>(table: &mut HashTable<Mark<T>>, mark: Mark<T>) {
    table.insert_unique(hash(&mark.key), mark, |mark| hash(&mark.key));
}

/// Removes about a quarter of the marks: those whose time is over first. Returns until when the last of them would have
/// stayed. There must be some.
fn make_room<T>(table: &mut HashTable<Mark<T>>) -> Time {
    let mut ends: Vec<Time> = table.iter().map(|mark| mark.until).collect();
    let quarter = ends.len() / 4;
    let last = *ends.select_nth_unstable(quarter).1;
    // Many may end at the same time.
    let mut excess = quarter + 1;
    table.retain(|mark| {
        let goes = mark.until <= last && excess > 0;
        excess -= usize::from(goes);
        !goes
    });
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: usize = 16;

    fn at(minute: i64) -> Time {
        Time::from_unix_millis(minute * 60_000)
    }

    fn key(number: u8) -> RecordKey {
        RecordKey::from_bytes([number; 32])
    }

    fn started_at(number: u8, created: Time) -> Record {
        Record {
            created,
            ..Record::new(key(number), crate::record::Version::from_number(1), created, CLOCK_DIFFERENCE)
        }
    }

    #[test]
    fn a_session_that_ended_stays_out_although_its_tombstone_gave_way() {
        let mut marks = Marks::default();
        for number in 0..100 {
            marks.leave_tombstone(&key(number), at(10), at(100 + i64::from(number)), FEW);
            assert!(marks.tombstones.len() <= FEW);
        }
        for number in 0..100 {
            assert!(marks.keep_out(&started_at(number, at(9)), at(99)), "{number}");
        }
        // One that was started later comes in, as do all once the last tombstone would be over.
        assert!(!marks.keep_out(&started_at(200, at(12)), at(99)));
        assert!(!marks.keep_out(&started_at(200, at(9)), at(200)));
    }

    #[test]
    fn the_notes_that_are_over_first_give_way() {
        let mut marks = Marks::default();
        for number in 0..100 {
            marks.leave_note(key(number), key(255), at(i64::from(number)), FEW);
            assert!(marks.moved.len() <= FEW);
        }
        assert_eq!(marks.note_of(&key(99)), Some(key(255)));
        assert_eq!(marks.note_of(&key(0)), None);
    }

    #[test]
    fn a_later_note_of_a_key_replaces_the_one_before() {
        let mut marks = Marks::default();
        marks.leave_note(key(1), key(2), at(1), FEW);
        marks.leave_note(key(1), key(3), at(9), FEW);
        assert_eq!(marks.moved(&key(1), at(5)), Some(key(3)));
        assert_eq!(marks.moved.len(), 1);
    }

    #[test]
    fn marks_that_end_at_one_time_make_room_too() {
        let mut marks = Marks::default();
        for number in 0..100 {
            marks.leave_note(key(number), key(255), at(1), FEW);
        }
        assert!((1..=FEW).contains(&marks.moved.len()));
    }
}
