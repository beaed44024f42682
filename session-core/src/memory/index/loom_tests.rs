//! G19: `RUSTFLAGS="--cfg session_loom" cargo test -p session-core --release --lib memory::index` explores
//! every schedule; other tests can't run with that flag.

use std::time::Duration;

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

/// Which a renewal locks before the other: loom gives up when who waits for a lock is outrun by a thread
/// that waits for another one.
fn in_first_shard(record: Record) -> Record {
    let mut key = *record.key.as_bytes();
    key[31] &= !1;
    Record { key: RecordKey::from_bytes(key), ..record }
}

/// The same session under a key of the other shard.
fn renewed(record: &Record, name: u8) -> Record {
    let mut key = *record.key.as_bytes();
    key[0] ^= name;
    key[31] ^= 1;
    Record { key: RecordKey::from_bytes(key), ..edited(record, i32::from(name)) }
}

fn insert(index: &Index, record: &Record) -> Created {
    index.insert(record).expect("there is room")
}

fn save(index: &Index, record: &Record, expected: Version) -> Saved {
    index.save(record, expected).expect("there is room")
}

fn renew(index: &Index, old: &RecordKey, expected: Version, record: &Record, moved_until: Option<Time>) -> Renewed {
    index.renew(old, expected, record, moved_until).expect("there is room")
}

fn loaded(index: &Index, record: &Record) -> Option<Record> {
    index.load(&record.key, record.accessed)
}

/// Explores the schedules of one action in another thread and one in this, on one record.
fn explore<A, B>(
    other: impl Fn(&Index, &Record) -> A + Send + Sync + 'static,
    this: impl Fn(&Index, &Record) -> B + Send + Sync + 'static,
    check: impl Fn(&Index, &Record, A, B) + Send + Sync + 'static,
) where
    A: Send + 'static,
{
    let other = Arc::new(other);
    loom::model(move || {
        let record = in_first_shard(crate::record::sample());
        let budget = Budget::new(1000, 32 << 20);
        let index = Arc::new(Index::new(budget, Arc::new(Notes::new(&budget))));
        assert_eq!(insert(&index, &record), Created::Done);
        let spawned = {
            let (other, index, record) = (Arc::clone(&other), Arc::clone(&index), record.clone());
            thread::spawn(move || other(&index, &record))
        };
        let b = this(&index, &record);
        let a = spawned.join().expect("no panic");
        check(&index, &record, a, b);
        assert_eq!(listed(&index, &record), held(&index));
    });
}

/// The keys on the principal's list.
fn listed(index: &Index, record: &Record) -> HashSet<RecordKey> {
    let principal = PrincipalKey::of(record.principal.as_deref().expect("it has one"));
    index.owners.keys_of(&principal).into_iter().collect()
}

/// The keys of all records.
fn held(index: &Index) -> HashSet<RecordKey> {
    index.used(Kind::SignedIn).into_iter().map(|(_, key, _)| key).collect()
}

#[test]
fn no_save_succeeds_after_removal_was_reported() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| {
            index.remove(&record.key);
            save(index, &edited(record, 2), record.version)
        },
        |index, record, before_or_after, after| {
            assert!(matches!(before_or_after, Saved::Done | Saved::Missing));
            assert_eq!(after, Saved::Missing);
            assert_eq!(loaded(index, record), None);
        },
    );
}

#[test]
fn of_two_saves_of_one_version_one_is_done() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| save(index, &edited(record, 2), record.version),
        |index, record, a, b| {
            let winner = match (a, b) {
                (Saved::Done, Saved::Conflict) => 1,
                (Saved::Conflict, Saved::Done) => 2,
                outcome => panic!("{outcome:?}"),
            };
            assert_eq!(loaded(index, record), Some(edited(record, winner)));
        },
    );
}

#[test]
fn of_two_renewals_one_is_done() {
    explore(
        |index, record| renew(index, &record.key, record.version, &renewed(record, 1), None),
        |index, record| renew(index, &record.key, record.version, &renewed(record, 2), None),
        |index, record, a, b| {
            let winner = match (a, b) {
                (Renewed::Done, Renewed::Missing) => 1,
                (Renewed::Missing, Renewed::Done) => 2,
                outcome => panic!("{outcome:?}"),
            };
            assert_eq!(loaded(index, record), None);
            for name in [1, 2] {
                let new = renewed(record, name);
                assert_eq!(loaded(index, &new), (name == winner).then_some(new));
            }
        },
    );
}

#[test]
fn renewals_there_and_back_do_not_wait_for_each_other() {
    explore(
        |index, record| renew(index, &record.key, record.version, &renewed(record, 1), None),
        |index, record| renew(index, &renewed(record, 1).key, renewed(record, 1).version, record, None),
        |index, record, there, back| {
            assert_eq!(there, Renewed::Done);
            assert_eq!(loaded(index, record).is_some(), back == Renewed::Done);
            assert_eq!(loaded(index, &renewed(record, 1)).is_some(), back == Renewed::Missing);
        },
    );
}

#[test]
fn a_save_and_a_renewal_exclude_each_other() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| renew(index, &record.key, record.version, &renewed(record, 2), None),
        |index, record, saved, renewal| match (saved, renewal) {
            (Saved::Done, Renewed::Conflict) => assert_eq!(loaded(index, record), Some(edited(record, 1))),
            (Saved::Missing, Renewed::Done) => assert_eq!(loaded(index, record), None),
            outcome => panic!("{outcome:?}"),
        },
    );
}

#[test]
fn what_was_touched_in_time_does_not_expire() {
    explore(
        |index, record| {
            let deadline = record.expires_at();
            index.touch(&record.key, deadline.saturating_sub(Duration::from_millis(1)));
            index.load(&record.key, deadline).is_some()
        },
        |index, record| index.remove_expired(shard_of(&record.key), record.expires_at()),
        |index, record, was_alive, expired| {
            assert_eq!(was_alive, expired == 0);
            assert_eq!(index.load(&record.key, record.expires_at()).is_some(), was_alive);
        },
    );
}

#[test]
fn a_touch_and_a_save_lose_neither() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| index.touch(&record.key, record.accessed.saturating_add(Duration::from_secs(1))),
        |index, record, saved, ()| {
            assert_eq!(saved, Saved::Done);
            let stored = loaded(index, record).expect("it is live");
            assert_eq!(stored.accessed, record.accessed.saturating_add(Duration::from_secs(1)));
            assert_eq!(stored.attributes, edited(record, 1).attributes);
        },
    );
}

#[test]
fn a_load_never_sees_half_a_save() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| loaded(index, record).expect("it is live"),
        |_, record, saved, loaded| {
            assert_eq!(saved, Saved::Done);
            assert!(loaded == *record || loaded == edited(record, 1));
        },
    );
}

#[test]
fn a_copy_does_not_come_back_over_a_tombstone() {
    explore(
        |index, record| index.fill(&edited(record, 1), record.accessed, Time::MAX),
        |index, record| index.bury(&record.key, record.accessed, Time::MAX),
        |index, record, (), ()| assert_eq!(loaded(index, record), None),
    );
}

#[test]
fn of_two_records_under_one_key_one_is_stored() {
    let fresh = |record: &Record, value| Record { key: renewed(record, 3).key, ..edited(record, value) };
    explore(
        move |index, record| insert(index, &fresh(record, 1)),
        move |index, record| insert(index, &fresh(record, 2)),
        move |index, record, first, second| {
            assert_ne!(first, second);
            let stored = loaded(index, &fresh(record, 1)).expect("one of them");
            assert_eq!(stored, fresh(record, if first == Created::Done { 1 } else { 2 }));
        },
    );
}

#[test]
fn what_was_evicted_is_not_saved() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| {
            index.evict(&record.key);
            save(index, &edited(record, 2), record.version)
        },
        |index, record, before_or_after, after| {
            assert!(matches!(before_or_after, Saved::Done | Saved::Missing));
            assert_eq!((after, index.take_evicted()), (Saved::Missing, 1));
            assert_eq!(loaded(index, record), None);
        },
    );
}

#[test]
fn a_version_that_is_buried_is_not_saved_and_a_saved_one_not_buried() {
    explore(
        |index, record| save(index, &edited(record, 1), record.version),
        |index, record| index.bury_version(&record.key, record.version, record.accessed, Time::MAX),
        |index, record, saved, buried| match (saved, buried) {
            (Saved::Done, Buried::Conflict) => assert_eq!(loaded(index, record), Some(edited(record, 1))),
            (Saved::Missing, Buried::Done) => assert_eq!(loaded(index, record), None),
            outcome => panic!("{outcome:?}"),
        },
    );
}

#[test]
fn a_removal_against_a_renewal_leaves_no_old_record() {
    explore(
        |index, record| index.remove(&record.key),
        |index, record| renew(index, &record.key, record.version, &renewed(record, 1), None),
        |index, record, _, renewal| {
            assert_eq!(loaded(index, record), None);
            let new = renewed(record, 1);
            assert_eq!(loaded(index, &new), (renewal == Renewed::Done).then_some(new));
        },
    );
}

#[test]
fn a_copy_that_is_filled_in_while_the_last_one_expires_is_listed() {
    explore(
        |index, record| index.fill(&edited(record, 1), record.accessed, Time::MAX),
        |index, record| index.remove_expired(shard_of(&record.key), record.expires_at()),
        |_, _, (), expired| assert_eq!(expired, 1),
    );
}
