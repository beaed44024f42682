use session_stores::TrackedRedisStore;
use workspace_tests::wrong_clocks::*;

use crate::support::*;

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_redis() {
    let Some(store) = single().await else { return };
    a_wrong_clock_ends_no_session_early(&store).await;
}

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_tracked_redis() {
    let Some(server) = shared_server() else { return };
    let store = TrackedRedisStore::connect(&server.url()).await.unwrap();
    a_wrong_clock_ends_no_session_early(&store).await;
}

#[tokio::test]
async fn a_wrong_clock_loses_no_copy_and_no_tombstone_in_redis() {
    let Some(store) = single().await else { return };
    a_wrong_clock_loses_no_copy_and_no_tombstone(&store).await;
}

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_a_cluster() {
    let Some(store) = cluster().await else { return };
    a_wrong_clock_ends_no_session_early(&store).await;
}
