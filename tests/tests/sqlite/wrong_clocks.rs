use workspace_tests::wrong_clocks::a_wrong_clock_ends_no_session_early;

use crate::support::*;

#[tokio::test]
async fn a_wrong_clock_ends_no_session_early_in_sqlite() {
    a_wrong_clock_ends_no_session_early(&fresh_store().await).await;
}
