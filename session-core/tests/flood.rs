//! A [`MemoryStore`] that is flooded.
//!
//! `SESSION_ROUNDS=100000 cargo test -p session-core --release --test flood` floods a store of 100,000 sessions with ten
//! million. In a binary of its own, because it looks at the memory of the whole process.

use std::time::Duration;

use session_core::conformance::rounds;
use session_core::{MemoryStore, NewSession, SessionManager};

const MINUTE: Duration = Duration::from_secs(60);

/// Sessions that moka has taken note of but not yet made room for.
const LAG: usize = 1000;

/// F16, G15, R31.
#[tokio::test]
async fn a_flood_of_anonymous_sessions_ends_no_signed_in_one() {
    let bound = rounds();
    let store = MemoryStore::with_max_sessions(bound as u64);
    let builder = SessionManager::builder(store.clone()).without_background_purge();
    let sessions = builder.build().expect("these settings work");
    let mut signed_in = Vec::new();
    for user in 0..bound.div_ceil(100) {
        let new = NewSession::new().principal(user.to_string()).attr("Count", &user);
        signed_in.push(sessions.create(new).await.expect("the store works").id());
    }
    let mut early = None;
    for flood in 0..100 {
        for _ in 0..bound {
            sessions.create(NewSession::new().attr("Count", &flood)).await.expect("the store works");
        }
        assert!(store.len() <= bound + signed_in.len() + LAG, "{} sessions at a bound of {bound}", store.len());
        if flood == 10 {
            early = resident_bytes();
        }
    }
    if let (Some(early), Some(late)) = (early, resident_bytes()) {
        assert!(late < early + early / 5 + (10 << 20), "memory grew from {early} to {late} bytes");
    }
    for id in &signed_in {
        assert!(sessions.get(id.as_str()).await.expect("the store works").is_some());
    }
    sessions.purge_expired(MINUTE).await.expect("the store works");
    let evicted = sessions.counters().evicted as usize;
    assert!(evicted >= 99 * bound - LAG, "only {evicted} evictions are counted");
}

fn resident_bytes() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split_whitespace().nth(1)?.parse::<usize>().ok()? * 4096)
}
