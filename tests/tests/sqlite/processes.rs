//! Several processes on one file.

use session_core::{NewSession, PrincipalKey, Renewed, Store};
use tokio::task::JoinSet;
use workspace_tests::records::*;
use workspace_tests::{
    Worker, count_in_processes, killed_in_the_middle_loses_nothing_acknowledged,
    killed_while_renewing_leaves_exactly_one,
};

use crate::support::*;

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// G7, F9. `CAMPAIGN=1000` for the full size.
#[tokio::test]
async fn updates_of_four_processes_add_up() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    count_in_processes(WORKER, &file.url(), &sessions, [4, 64, campaign(5)]).await;
}

/// The same where each process has nobody to queue behind.
#[tokio::test]
async fn updates_of_lone_clients_of_four_processes_add_up() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    count_in_processes(WORKER, &file.url(), &sessions, [4, 1, campaign(100)]).await;
}

/// F8, G8. `CAMPAIGN=1000` for the full size.
#[tokio::test]
async fn a_process_killed_in_the_middle_loses_nothing_acknowledged() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    killed_in_the_middle_loses_nothing_acknowledged(WORKER, &file.url(), &sessions, campaign(5)).await;
}

/// F8, G6. `CAMPAIGN=1000` for the full size.
#[tokio::test]
async fn a_process_killed_while_renewing_leaves_exactly_one_id() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    killed_while_renewing_leaves_exactly_one(WORKER, &file.url(), &sessions, campaign(5)).await;
}

/// F8: the same for whoever opens the file after all others have died.
#[tokio::test]
async fn a_file_whose_only_process_was_killed_opens_whole() {
    let file = File::new();
    let sessions = manager(&file.open().await);
    let id = sessions.create(NewSession::new().attr("Count", &0)).await.unwrap().id();
    sessions.close().await.unwrap();
    for round in 0..campaign(5) {
        let mut worker = Worker::start(WORKER, &file.url(), id.as_str(), 4, usize::MAX);
        let mut answers: Vec<u64> = (0..=round % 23).filter_map(|_| worker.answer()).collect();
        answers.extend(worker.kill());
        let last = answers.into_iter().max().expect("there was an answer");
        let sessions = manager(&file.open().await);
        let found = sessions.get(id.as_str()).await.unwrap().expect("it is alive");
        let count = found.attr::<u64>("Count").unwrap().expect("it is counted");
        assert!((last..=last + 4).contains(&count), "{count} is stored after {last} was acknowledged");
        sessions.close().await.unwrap();
    }
}

/// Each process has its own queue of writers, so only the file decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_ends_a_session_that_is_renewed_all_the_time() {
    let file = File::new();
    let (here, there) = (file.open().await, file.open().await);
    for round in 0..campaign(50) {
        let ann = format!("ann {round}");
        let record = created(&here, with(fresh_record(), |record| record.principal = Some(ann.as_str().into()))).await;
        let (first, renewing) = (record.key, here.clone());
        let (has_begun, begins) = tokio::sync::oneshot::channel();
        let client = tokio::spawn(async move {
            let mut has_begun = Some(has_begun);
            let mut current = record;
            loop {
                let new = renewed(&current);
                if renew(&renewing, &current, &new).await.unwrap() == Renewed::Missing {
                    return current;
                }
                current = new;
                has_begun.take().map(|begun| begun.send(()));
            }
        });
        begins.await.unwrap();
        if round % 2 == 0 {
            assert_eq!(there.delete_of_principal(&PrincipalKey::of(&ann), None, now()).await.unwrap(), 1);
        } else {
            assert!(there.end(&first).await.unwrap().is_some());
        }
        let last = client.await.unwrap();
        assert_eq!(load(&there, &last.key).await, None);
        assert_eq!(there.of_principal(&PrincipalKey::of(&ann), now()).await.unwrap(), []);
    }
}

/// B36: eight connections at a time, to a file that nobody has made.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_at_a_time_make_one_table() {
    for _ in 0..campaign(5) {
        let file = std::sync::Arc::new(File::new());
        let mut openers = JoinSet::new();
        for _ in 0..8 {
            let file = file.clone();
            openers.spawn(async move { file.open().await });
        }
        let stores = openers.join_all().await;
        let record = created(&stores[0], fresh_record()).await;
        for store in &stores {
            store.set_up().await.unwrap();
            assert_eq!(load(store, &record.key).await.as_ref(), Some(&record));
        }
    }
}
