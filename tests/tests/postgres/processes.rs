//! Several processes on one session.

use session_core::NewSession;
use workspace_tests::records::*;
use workspace_tests::{
    PostgresServer, Worker, count_in_processes, killed_in_the_middle_loses_nothing_acknowledged,
    killed_while_renewing_leaves_exactly_one,
};

use crate::support::*;

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// G7, F9. `CAMPAIGN=1000` for the full size.
#[tokio::test]
async fn updates_of_four_processes_add_up() {
    let Some(server) = shared_server() else { return };
    let sessions = manager(&connect(&server.url()).await);
    count_in_processes(WORKER, &server.url(), &sessions, [4, 64, campaign(5)]).await;
}

/// F8, G8: the other half of killing the server. `CAMPAIGN=300` for the full size.
#[tokio::test]
async fn a_client_killed_in_the_middle_loses_nothing_acknowledged() {
    let Some(server) = shared_server() else { return };
    let sessions = manager(&connect(&server.url()).await);
    killed_in_the_middle_loses_nothing_acknowledged(WORKER, &server.url(), &sessions, campaign(5)).await;
}

/// F8, G6. `CAMPAIGN=300` for the full size.
#[tokio::test]
async fn a_client_killed_while_renewing_leaves_exactly_one_id() {
    let Some(server) = shared_server() else { return };
    let sessions = manager(&connect(&server.url()).await);
    killed_while_renewing_leaves_exactly_one(WORKER, &server.url(), &sessions, campaign(5)).await;
}

/// G8 at the server. `CAMPAIGN=300` for the full size.
#[tokio::test]
async fn a_server_killed_under_several_processes_loses_nothing_acknowledged() {
    let Some(mut server) = PostgresServer::start() else { return };
    let sessions = manager(&connect(&server.url()).await);
    let session = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap();
    for round in 0..campaign(3) {
        let mut worker = Worker::start(WORKER, &server.url(), session.id().as_str(), 4, usize::MAX);
        let mut answers: Vec<u64> = (0..=round % 23).filter_map(|_| worker.answer()).collect();
        server.kill();
        answers.extend(worker.rest());
        let last = answers.into_iter().max().expect("there was an answer");
        server.restart();
        let found = sessions.get(session.id().as_str()).await.unwrap().expect("it is alive");
        let count = found.attr::<u64>("Count").unwrap().expect("it is counted");
        // Of those that were under way, one for each client may have arrived.
        assert!((last..=last + 4).contains(&count), "{count} is stored after {last} was acknowledged");
    }
}
