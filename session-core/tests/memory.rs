//! The conformance suite on [`MemoryStore`]: `SESSION_ROUNDS=100000 cargo test -p session-core
//! --features conformance --release --test memory` for a long run.
//!
//! The suite proves these requirements for each store that runs it: A3, A27, F10, R3, R7, R8, B1, B2,
//! B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17, B18, B19, B20, B21, B23, B24,
//! B25, B26, B27, B28, B29, B30, B31, B32, B33, B35, B37, B38. Which function proves which is in
//! `docs/requirements.md`.

use session_core::{MemoryStore, conformance_tests};

conformance_tests!(MemoryStore::new());
