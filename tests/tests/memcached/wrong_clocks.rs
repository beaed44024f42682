use session_core::{MemoryStore, TieredStore};
use workspace_tests::wrong_clocks::a_wrong_clock_ends_no_session_early;

use crate::support::*;

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_memcached() {
    let Some(store) = store().await else { return };
    a_wrong_clock_ends_no_session_early(&store).await;
}

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_behind_memcached() {
    let Some(store) = store().await else { return };
    a_wrong_clock_ends_no_session_early(&TieredStore::new(store, MemoryStore::new())).await;
}
