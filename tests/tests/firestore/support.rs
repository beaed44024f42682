use std::sync::OnceLock;

use session_core::RecordKey;
use session_stores::FirestoreStore;
use workspace_tests::{FirestoreEmulator, Proxy};

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

/// An emulator, and a store that reaches it through a proxy.
pub async fn behind_proxy() -> Option<(&'static FirestoreEmulator, Proxy, FirestoreStore)> {
    let emulator = shared_emulator()?;
    let proxy = Proxy::start(emulator.addr()).await.expect("there is a free port");
    let store = FirestoreStore::connect_to_emulator(&proxy.addr().to_string(), "tests").await;
    Some((emulator, proxy, store.expect("the emulator runs")))
}

/// Where the emulator's other interface has this record.
pub fn path(collection: &str, key: &RecordKey) -> String {
    format!("{collection}/{key}")
}
