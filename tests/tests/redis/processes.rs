//! Several processes on one session.

use workspace_tests::records::*;
use workspace_tests::{
    RedisServer, count_in_processes, killed_in_the_middle_loses_nothing_acknowledged,
    killed_while_renewing_leaves_exactly_one,
};

use crate::support::*;

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// G7, F9. `CAMPAIGN=1000` for the full size.
#[tokio::test]
async fn updates_of_four_processes_add_up() {
    let Some(server) = RedisServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    count_in_processes(WORKER, &server.url(), &sessions, [4, 64, campaign(5)]).await;
}

/// F8. `CAMPAIGN=300` for the full size.
#[tokio::test]
async fn a_client_killed_in_the_middle_loses_nothing_acknowledged() {
    let Some(server) = RedisServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    killed_in_the_middle_loses_nothing_acknowledged(WORKER, &server.url(), &sessions, campaign(5)).await;
}

/// F8, G6. `CAMPAIGN=300` for the full size.
#[tokio::test]
async fn a_client_killed_while_renewing_leaves_exactly_one_id() {
    let Some(server) = RedisServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    killed_while_renewing_leaves_exactly_one(WORKER, &server.url(), &sessions, campaign(5)).await;
}
