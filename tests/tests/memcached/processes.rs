//! Several processes on one session.

use workspace_tests::records::*;
use workspace_tests::{MemcachedServer, count_in_processes};

use crate::support::*;

/// G7, F9.
#[tokio::test]
async fn updates_of_four_processes_add_up() {
    let Some(server) = MemcachedServer::start() else { return };
    let sessions = manager(&connect(&server).await);
    let size = [4, 16, campaign(20)];
    count_in_processes(env!("CARGO_BIN_EXE_worker"), &server.url(), &sessions, size).await;
}
