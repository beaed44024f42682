use workspace_tests::wrong_clocks::a_wrong_clock_ends_no_session_early;

use crate::support::*;

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_firestore() {
    let Some(store) = store().await else { return };
    a_wrong_clock_ends_no_session_early(&store).await;
}
