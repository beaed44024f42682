//! Sessions in Google's emulator of Firestore.

#![cfg(feature = "firestore")]

use std::sync::OnceLock;

use session_stores::FirestoreStore;
use workspace_tests::FirestoreEmulator;

/// One emulator for all tests that leave each other's sessions alone.
fn shared_emulator() -> Option<&'static FirestoreEmulator> {
    static EMULATOR: OnceLock<Option<FirestoreEmulator>> = OnceLock::new();
    EMULATOR.get_or_init(FirestoreEmulator::start).as_ref()
}

async fn connect(emulator: &FirestoreEmulator) -> FirestoreStore {
    let connected = FirestoreStore::connect_to_emulator(&emulator.addr().to_string(), "tests").await;
    connected.expect("the emulator runs")
}

mod conformance {
    session_core::conformance_tests!({
        let Some(emulator) = super::shared_emulator() else { return };
        super::connect(emulator).await
    });
}
