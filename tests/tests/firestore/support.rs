use std::sync::OnceLock;

use session_stores::FirestoreStore;
use workspace_tests::FirestoreEmulator;

/// One emulator for all tests that leave each other's sessions alone.
#[track_caller]
pub fn shared_emulator() -> Option<&'static FirestoreEmulator> {
    static EMULATOR: OnceLock<Option<FirestoreEmulator>> = OnceLock::new();
    EMULATOR.get_or_init(FirestoreEmulator::start).as_ref()
}

pub async fn store() -> Option<FirestoreStore> {
    Some(connect(shared_emulator()?).await)
}

pub async fn connect(emulator: &FirestoreEmulator) -> FirestoreStore {
    let connected = FirestoreStore::connect_to_emulator(&emulator.addr().to_string(), "tests").await;
    connected.expect("the emulator runs")
}
