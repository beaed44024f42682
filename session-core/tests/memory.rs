//! [`MemoryStore`]: the conformance suite, and what is special about its copies.
//! `SESSION_ROUNDS=100000 cargo test -p session-core --release --test memory` for a long run.
//!
//! The suite proves these requirements for each store that runs it: A3, A27, F10, R3, R7, R8, B1, B2,
//! B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, B18, B19, B20, B21, B23, B24,
//! B25, B26, B27, B28, B29, B30, B31, B32, B33, B35, B37, B38. Which function proves which is in
//! `docs/requirements.md`.

use std::time::Duration;

use session_core::conformance::faulty::FaultyStore;
use session_core::{
    Clock, FastStore, ManualClock, MemoryStore, PrincipalKey, Record, SessionId, Store, SystemRandom, Time, Version,
    conformance_tests, fast_store_tests, immediate_store_tests,
};

conformance_tests!(MemoryStore::new());

mod fast {
    super::fast_store_tests!(super::MemoryStore::new());
}

mod immediate {
    super::immediate_store_tests!(super::MemoryStore::new());
}

/// As long as nothing is said, a store for tests of faults is like the store behind it.
mod faulty {
    use super::*;

    conformance_tests!(FaultyStore::new(MemoryStore::new()));
    fast_store_tests!(FaultyStore::new(MemoryStore::new()));

    mod at_once {
        use super::*;

        conformance_tests!(FaultyStore::at_once(MemoryStore::new()));
        immediate_store_tests!(FaultyStore::at_once(MemoryStore::new()));
    }

    mod without_capabilities {
        use super::*;

        conformance_tests!(FaultyStore::new(MemoryStore::new()).without_capabilities());
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn record(now: Time) -> Record {
    let key = SessionId::generate(&SystemRandom, 18).unwrap().key();
    let mut record = Record::new(key, Version::from_number(1 << 32), now, 30 * MINUTE);
    record.principal = Some("ann".into());
    record
}

/// Other fast stores forget them by clocks of their own.
#[tokio::test]
async fn purging_forgets_tombstones_whose_time_has_passed() {
    let (store, now) = (MemoryStore::new(), ManualClock::default().now());
    let (record, until) = (record(now), now.saturating_add(MINUTE));
    store.bury(&record.key, now, until).await.unwrap();
    store.purge_expired(until, 100).await.unwrap();
    // By a clock that was set back, which shows that nothing is left of it.
    store.fill(&record, now, Time::MAX).await.unwrap();
    assert!(store.load(&record.key, now).await.unwrap().is_some());
}

/// The index by principal follows copies too, and nothing is left of them.
#[tokio::test]
async fn copies_are_listed_while_they_are_here() {
    let (store, now) = (MemoryStore::new(), ManualClock::default().now());
    let (record, ann) = (record(now), PrincipalKey::of("ann"));
    for _ in 0..2 {
        store.fill(&record, now, Time::MAX).await.unwrap();
        assert_eq!((store.of_principal(&ann, now).await.unwrap().len(), store.len()), (1, 1));
    }
    store.bury(&record.key, now, now.saturating_add(MINUTE)).await.unwrap();
    store.fill(&record, now, Time::MAX).await.unwrap();
    assert_eq!(store.of_principal(&ann, now).await.unwrap(), []);
    assert!(store.is_empty());
}
