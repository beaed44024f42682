use std::hint::black_box;
use std::time::Duration;

use session_core::{
    AnyStore, Clock, Created, ImmediateStore, MemoryStore, Record, RecordKey, Saved, Store, SystemClock, Version,
};

use super::{Contender, now, two_attributes};
use crate::stats::Random;

/// Ours, through the type that forgets which store it is, as a request uses it, with a bound of so
/// many per cent of the sessions.
pub struct Ours<const BOUND: u64>(AnyStore);

impl<const BOUND: u64> Ours<BOUND> {
    fn immediate(&self) -> &dyn ImmediateStore {
        self.0.immediate().expect("it never waits")
    }

    fn load(&self, key: &RecordKey) -> Record {
        let loaded = self.immediate().load_now(key, SystemClock.now()).expect("it answers at once");
        loaded.expect("it does not fail").expect("it is there")
    }
}

impl<const BOUND: u64> Contender for Ours<BOUND> {
    type Id = RecordKey;
    type Prepared = Record;

    fn with_capacity(sessions: usize) -> Self {
        Ours(AnyStore::new(MemoryStore::with_max_sessions(sessions as u64 * BOUND / 100)))
    }

    fn new_record(&self, random: &mut Random) -> (RecordKey, Record) {
        // A key is the hash of an id, so random bytes are like any.
        let key = RecordKey::from_bytes(random.bytes());
        let now = SystemClock.now();
        let mut record = Record::new(key, Version::from_number(1), now, Duration::from_secs(30 * 60));
        record.absolute_deadline = Some(now.saturating_add(Duration::from_secs(86_400)));
        record.attributes = two_attributes(0).into_iter().collect();
        (key, record)
    }

    fn create(&self, record: Record) {
        assert_eq!(now(self.0.create(&record)).expect("it does not fail"), Created::Done);
    }

    fn get(&self, key: RecordKey) {
        black_box(self.load(&key));
    }

    fn prepare_save(&self, key: RecordKey) -> Record {
        let mut record = self.load(&key);
        record.version = Version::from_number(record.version.get() + 1);
        record.attributes = two_attributes(1).into_iter().collect();
        record
    }

    fn save(&self, record: Record) -> bool {
        let expected = Version::from_number(record.version.get() - 1);
        let written = self.immediate().save_now(&record, expected).expect("it answers at once");
        written.expect("it does not fail") == Saved::Done
    }

    fn delete(&self, key: RecordKey) {
        now(self.0.delete(&key)).expect("it does not fail");
    }

    fn come_to_rest(&self) {
        let purged = now(self.0.purge_expired(SystemClock.now(), 1));
        assert_eq!(purged.expect("it does not fail").expired, 0);
    }
}
