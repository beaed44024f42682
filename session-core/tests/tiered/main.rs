//! A fast store before a durable one: the conformance suite, and what tiers add to it.

mod closing;
mod failing;
mod refusing;
mod support;
mod writing_behind;
mod writing_through;

/// The suite moves time back and forth by minutes, and wants to see each use at once.
mod through {
    use session_core::{MemoryStore, TieredStore};

    const HOURS: std::time::Duration = std::time::Duration::from_secs(1_000_000);

    session_core::conformance_tests!(
        TieredStore::builder(MemoryStore::new(), MemoryStore::new()).max_staleness(HOURS).build().unwrap()
    );
    session_core::immediate_store_tests!(
        TieredStore::builder(MemoryStore::new(), MemoryStore::new()).max_staleness(HOURS).build().unwrap()
    );

    mod strict {
        use super::*;

        session_core::conformance_tests!(
            TieredStore::builder(MemoryStore::new(), MemoryStore::new()).max_staleness(HOURS).strict().build().unwrap()
        );
    }
}

mod behind {
    session_core::conformance_tests!(crate::support::behind(
        session_core::MemoryStore::new(),
        session_core::MemoryStore::new()
    ));
    session_core::immediate_store_tests!(crate::support::behind(
        session_core::MemoryStore::new(),
        session_core::MemoryStore::new()
    ));
}

/// A fast tier with room for one session of each kind evicts all the time.
mod evicting {
    session_core::conformance_tests!(crate::support::behind(
        session_core::MemoryStore::with_max_sessions(1),
        session_core::MemoryStore::new()
    ));
}
