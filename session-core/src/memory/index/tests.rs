//! What nobody can arrange from outside: the eviction thread between two steps of one request.

use std::time::Duration;

use super::super::recency::Recency;
use super::*;

const NOW: Time = Time::from_unix_millis(0);

/// The record of an anonymous session with a value of so many bytes.
fn record(number: u32, bytes: usize) -> Record {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key[31] = number as u8;
    let mut record = Record::new(RecordKey::from_bytes(key), Version::first(0), NOW, Duration::from_secs(60));
    record.attributes = [("value".to_owned(), "x".repeat(bytes).into())].into_iter().collect();
    record
}

/// S60. A large session is there, and its request has not made room for it yet.
#[test]
fn the_thread_lets_a_large_session_give_way_before_moka_evicts_small_ones() {
    const LARGE: usize = (1 << 20) - 1000;
    let budget = Budget::new(1000, 16 << 20);
    let notes = Arc::new(Notes::new(&budget));
    let index = Arc::new(Index::new(budget, Arc::clone(&notes)));
    let recency = Recency::new(notes, Arc::clone(&index) as _);
    let small: Vec<_> = (0..400).map(|number| record(number, 0)).collect();
    let large = (400..403).map(|number| record(number, LARGE));
    for record in small.iter().cloned().chain(large) {
        assert_eq!(index.insert(&record).expect("there is room"), Created::Done);
    }
    recency.settle();

    let newest = record(403, LARGE);
    let cell = index.cell(&newest).expect("there is room");
    index.make(&mut index.shard(&newest.key).write().cells, cell);
    recency.settle();

    let alive = small.iter().filter(|record| index.load(&record.key, NOW).is_some()).count();
    assert_eq!((alive, index.len()), (400, 403), "small ones, and all");
}
