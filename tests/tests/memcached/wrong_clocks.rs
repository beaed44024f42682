use workspace_tests::wrong_clocks::*;

use crate::support::*;

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_memcached() {
    let Some(store) = store().await else { return };
    a_wrong_clock_ends_no_session_early(&store).await;
}

#[tokio::test]
async fn a_wrong_clock_loses_no_copy_and_no_tombstone_in_memcached() {
    let Some(store) = store().await else { return };
    a_wrong_clock_loses_no_copy_and_no_tombstone(&store).await;
}
