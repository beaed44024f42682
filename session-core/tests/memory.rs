//! The conformance suite on [`MemoryStore`]: `SESSION_ROUNDS=100000 cargo test -p session-core
//! --features conformance --release --test memory` for a long run.

use session_core::{MemoryStore, conformance_tests};

conformance_tests!(MemoryStore::new());
