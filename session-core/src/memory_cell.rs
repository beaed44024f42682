//! One record in memory, behind a lock of its own.
//!
//! Whoever takes a cell out of the index marks it gone under its lock, and a writer that still
//! holds it is told so. That, not the index, is why nothing brings back what was removed; the
//! schedules of two threads are explored by loom, at the end of this file.

use std::sync::Arc;
use std::time::Duration;

use crate::record::touch_interval;
use crate::store::Written;
use crate::time::millis;
use crate::{Attributes, Record, RecordKey, Time, Version};
use lock::Mutex;

pub(crate) struct Cell {
    key: RecordKey,
    created: Time,
    absolute_deadline: Time,
    principal: Option<Arc<str>>,
    constants: Attributes,
    state: Mutex<State>,
}

/// The part of a record that saves and touches change.
struct State {
    version: Version,
    accessed: Time,
    idle_timeout_ms: i64,
    /// From then on a copy of another store's record is not handed out.
    until: Time,
    attributes: Attributes,
    persistent: bool,
    gone: bool,
}

impl Cell {
    pub(crate) fn new(record: &Record) -> Arc<Self> {
        Cell::copy(record, Time::MAX)
    }

    pub(crate) fn copy(record: &Record, until: Time) -> Arc<Self> {
        Arc::new(Cell {
            key: record.key,
            created: record.created,
            absolute_deadline: record.absolute_deadline.unwrap_or(Time::MAX),
            principal: record.principal.clone(),
            constants: record.constants.clone(),
            state: Mutex::new(State {
                version: record.version,
                accessed: record.accessed,
                idle_timeout_ms: millis(record.idle_timeout),
                until,
                attributes: record.attributes.clone(),
                persistent: record.persistent,
                gone: false,
            }),
        })
    }

    pub(crate) fn key(&self) -> &RecordKey {
        &self.key
    }

    pub(crate) fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    pub(crate) fn accessed(&self) -> Time {
        self.state.lock().accessed
    }

    fn is_over(&self, state: &State, now: Time) -> bool {
        state.gone || self.absolute_deadline.min(state.idle_deadline()).min(state.until) <= now
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.is_over(&self.state.lock(), now)
    }

    /// The record, if it is live.
    pub(crate) fn record(&self, now: Time) -> Option<Record> {
        let state = self.state.lock();
        if self.is_over(&state, now) {
            return None;
        }
        Some(Record {
            key: self.key,
            version: state.version,
            created: self.created,
            accessed: state.accessed,
            idle_timeout: state.idle_timeout(),
            absolute_deadline: (self.absolute_deadline < Time::MAX).then_some(self.absolute_deadline),
            persistent: state.persistent,
            principal: self.principal.clone(),
            constants: self.constants.clone(),
            attributes: state.attributes.clone(),
        })
    }

    /// Replaces what changes, and says whether the session is to count as used again.
    pub(crate) fn save(&self, record: &Record, expected: Version) -> (Written, bool) {
        let mut state = self.state.lock();
        if self.is_over(&state, record.accessed) {
            return (Written::Missing, false);
        }
        if state.version != expected {
            return (Written::Conflict, false);
        }
        let used_before = state.accessed;
        let replaced = state.take_from(record);
        let used_again = is_used_again(used_before, state.accessed, record.idle_timeout);
        // The old values may take a while to free.
        drop(state);
        drop(replaced);
        (Written::Done, used_again)
    }

    /// Takes a copy's content, unless that of the same or a later version is here.
    pub(crate) fn refill(&self, record: &Record, now: Time, until: Time) {
        let mut state = self.state.lock();
        let is_newer = record.version > state.version;
        if is_newer || record.version == state.version && self.is_over(&state, now) {
            state.until = until;
            let replaced = state.take_from(record);
            drop(state);
            drop(replaced);
        }
    }

    /// Whether the record was live and is now used later than before.
    pub(crate) fn touch(&self, accessed: Time) -> bool {
        let mut state = self.state.lock();
        let moves = !self.is_over(&state, accessed) && state.accessed < accessed;
        if moves {
            state.accessed = accessed;
        }
        moves
    }

    /// Marks the cell gone.
    pub(crate) fn remove(&self) {
        self.state.lock().gone = true;
    }

    /// Marks the cell gone if it has expired; whether it is gone.
    pub(crate) fn expire(&self, now: Time) -> bool {
        let mut state = self.state.lock();
        state.gone = self.is_over(&state, now);
        state.gone
    }

    /// Marks the cell gone, if it is live and of that version.
    pub(crate) fn replace(&self, expected: Version, now: Time) -> Written {
        let mut state = self.state.lock();
        if self.is_over(&state, now) {
            return Written::Missing;
        }
        if state.version != expected {
            return Written::Conflict;
        }
        state.gone = true;
        Written::Done
    }
}

impl State {
    fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.unsigned_abs())
    }

    fn idle_deadline(&self) -> Time {
        Time::from_unix_millis(self.accessed.unix_millis().saturating_add(self.idle_timeout_ms))
    }

    /// Gives the values that were replaced.
    fn take_from(&mut self, record: &Record) -> Attributes {
        self.version = record.version;
        self.accessed = self.accessed.max(record.accessed);
        self.idle_timeout_ms = millis(record.idle_timeout);
        self.persistent = record.persistent;
        std::mem::replace(&mut self.attributes, record.attributes.clone())
    }
}

/// About once in each touch interval, so that saving costs no more than a touch does.
fn is_used_again(before: Time, after: Time, idle_timeout: Duration) -> bool {
    let interval = millis(touch_interval(idle_timeout)).max(1);
    // The nearest power of two is as good, and spares two divisions.
    let shift = interval.ilog2();
    before.unix_millis() >> shift != after.unix_millis() >> shift
}

#[cfg(not(session_loom))]
mod lock {
    pub(super) use parking_lot::Mutex;
}

#[cfg(session_loom)]
mod lock {
    /// loom's lock under the interface of parking_lot's.
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn new(value: T) -> Self {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no thread panicked while it held the lock")
        }
    }
}

/// `RUSTFLAGS="--cfg session_loom" cargo test -p session-core --release --lib memory_cell` explores
/// every schedule; other tests can't run with that flag.
#[cfg(all(test, session_loom))]
mod tests {
    use loom::thread;

    use super::*;

    fn edited(record: &Record, value: i32) -> Record {
        let both = [("Left".to_owned(), value.into()), ("Right".to_owned(), value.into())];
        Record {
            version: record.version.next(value.unsigned_abs()),
            attributes: both.into_iter().collect(),
            ..record.clone()
        }
    }

    fn at(record: &Record) -> Time {
        record.accessed
    }

    /// Explores the schedules of one action in another thread and one in this.
    fn explore<A, B>(
        other: impl Fn(&Cell, &Record) -> A + Send + Sync + 'static,
        this: impl Fn(&Cell, &Record) -> B + Send + Sync + 'static,
        check: impl Fn(&Cell, &Record, A, B) + Send + Sync + 'static,
    ) where
        A: Send + 'static,
    {
        let other = Arc::new(other);
        loom::model(move || {
            let record = crate::record::sample();
            let cell = Cell::new(&record);
            let spawned = {
                let (other, cell, record) = (Arc::clone(&other), Arc::clone(&cell), record.clone());
                thread::spawn(move || other(&cell, &record))
            };
            let b = this(&cell, &record);
            let a = spawned.join().expect("no panic");
            check(&cell, &record, a, b);
        });
    }

    #[test]
    fn no_save_succeeds_after_removal_was_reported() {
        explore(
            |cell, record| cell.save(&edited(record, 1), record.version).0,
            |cell, record| {
                cell.remove();
                cell.save(&edited(record, 2), record.version).0
            },
            |cell, record, before_or_after, after| {
                assert!(matches!(before_or_after, Written::Done | Written::Missing));
                assert_eq!(after, Written::Missing);
                assert_eq!(cell.record(at(record)), None);
            },
        );
    }

    #[test]
    fn of_two_saves_of_one_version_one_is_done() {
        explore(
            |cell, record| cell.save(&edited(record, 1), record.version).0,
            |cell, record| cell.save(&edited(record, 2), record.version).0,
            |cell, record, a, b| {
                let winner = match (a, b) {
                    (Written::Done, Written::Conflict) => 1,
                    (Written::Conflict, Written::Done) => 2,
                    outcome => panic!("{outcome:?}"),
                };
                let stored = cell.record(at(record)).expect("it is live");
                assert_eq!(stored, edited(record, winner));
            },
        );
    }

    #[test]
    fn of_two_replacements_one_is_done() {
        explore(
            |cell, record| cell.replace(record.version, at(record)),
            |cell, record| cell.replace(record.version, at(record)),
            |cell, record, a, b| {
                assert!(matches!((a, b), (Written::Done, Written::Missing) | (Written::Missing, Written::Done)));
                assert_eq!(cell.record(at(record)), None);
            },
        );
    }

    #[test]
    fn a_save_and_a_replacement_exclude_each_other() {
        explore(
            |cell, record| cell.save(&edited(record, 1), record.version).0,
            |cell, record| cell.replace(record.version, at(record)),
            |cell, record, saved, replaced| match (saved, replaced) {
                (Written::Done, Written::Conflict) => assert_eq!(cell.record(at(record)), Some(edited(record, 1))),
                (Written::Missing, Written::Done) => assert_eq!(cell.record(at(record)), None),
                outcome => panic!("{outcome:?}"),
            },
        );
    }

    #[test]
    fn what_was_touched_in_time_does_not_expire() {
        explore(
            |cell, record| {
                let deadline = record.expires_at();
                let touched = cell.touch(deadline.saturating_sub(Duration::from_millis(1)));
                (touched, cell.record(deadline).is_some())
            },
            |cell, record| cell.expire(record.expires_at()),
            |cell, record, (touched, was_alive), expired| {
                assert_eq!(touched, !expired);
                assert_eq!(was_alive, !expired);
                assert_eq!(cell.record(record.expires_at()).is_some(), !expired);
            },
        );
    }

    #[test]
    fn a_touch_and_a_save_lose_neither() {
        explore(
            |cell, record| cell.save(&edited(record, 1), record.version).0,
            |cell, record| cell.touch(record.accessed.saturating_add(Duration::from_secs(1))),
            |cell, record, saved, touched| {
                assert_eq!((saved, touched), (Written::Done, true));
                let stored = cell.record(at(record)).expect("it is live");
                assert_eq!(stored.accessed, record.accessed.saturating_add(Duration::from_secs(1)));
                assert_eq!(stored.attributes, edited(record, 1).attributes);
            },
        );
    }

    #[test]
    fn a_load_never_sees_half_a_save() {
        explore(
            |cell, record| cell.save(&edited(record, 1), record.version).0,
            |cell, record| cell.record(at(record)).expect("it is live"),
            |_, record, saved, loaded| {
                assert_eq!(saved, Written::Done);
                assert!(loaded == *record || loaded == edited(record, 1));
            },
        );
    }
}
