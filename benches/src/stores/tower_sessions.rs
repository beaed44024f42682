//! tower-sessions' stores, through their own trait; two versions of it, as its moka store is for
//! the earlier one.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use tower_sessions_moka_store::MokaStore;

use super::{Contender, now, two_attributes};
use crate::stats::Random;

macro_rules! contender {
    ($name:ident, $library:ident, $store:ty, $new:expr) => {
        pub struct $name($store);

        impl Contender for $name {
            type Id = $library::session::Id;
            type Prepared = $library::session::Record;

            fn with_capacity(sessions: usize) -> Self {
                let new: fn(usize) -> $store = $new;
                $name(new(sessions))
            }

            fn new_record(&self, random: &mut Random) -> (Self::Id, Self::Prepared) {
                let id = $library::session::Id(i128::from_le_bytes(random.bytes()));
                (id, self.prepare(id, 0))
            }

            fn create(&self, mut record: Self::Prepared) {
                use $library::SessionStore;
                now(self.0.create(&mut record)).expect("it is stored");
            }

            fn get(&self, id: Self::Id) {
                use $library::SessionStore;
                black_box(now(self.0.load(&id)).expect("it does not fail"));
            }

            fn prepare_save(&self, id: Self::Id) -> Self::Prepared {
                use $library::SessionStore;
                let record = now(self.0.load(&id)).expect("it does not fail").expect("it is there");
                self.prepare(record.id, 1)
            }

            fn save(&self, record: Self::Prepared) -> bool {
                use $library::SessionStore;
                now(self.0.save(&record)).is_ok()
            }

            fn delete(&self, id: Self::Id) {
                use $library::SessionStore;
                now(self.0.delete(&id)).expect("it does not fail");
            }
        }

        impl $name {
            fn prepare(&self, id: $library::session::Id, n: usize) -> $library::session::Record {
                let expiry_date = (SystemTime::now() + Duration::from_secs(7200)).into();
                $library::session::Record { id, data: two_attributes(n).into_iter().collect(), expiry_date }
            }
        }
    };
}

contender!(Memory, tower_sessions, tower_sessions::MemoryStore, |_| Default::default());
contender!(Moka, tower_sessions_014, MokaStore, |sessions| MokaStore::new(Some(sessions as u64 * 2)));
