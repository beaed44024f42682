//! Several processes on one session.

use workspace_tests::count_in_processes;
use workspace_tests::records::*;

use crate::support::*;

/// G7, F9.
#[tokio::test]
async fn updates_of_four_processes_add_up() {
    let Some(emulator) = shared_emulator() else { return };
    let sessions = manager(&connect(emulator).await);
    let size = [4, 2, campaign(10)];
    count_in_processes(env!("CARGO_BIN_EXE_worker"), &emulator.url(), &sessions, size).await;
}
