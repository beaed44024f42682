//! A disk that is full, for the table and for the log.

use session_core::{Created, Record, Renewed, Saved, Store, StoreError};
use workspace_tests::PostgresServer;
use workspace_tests::records::*;

use crate::support::*;

const MEGABYTE: u64 = 1 << 20;

/// So much that PostgreSQL can't make less of.
fn large(size: usize) -> Record {
    let text: String = (0..size / 64).map(|_| fresh_key().to_string()).collect();
    with(fresh_record(), |record| record.attributes = attributes("Text", text))
}

/// Makes records until one of them finds no room; those that are there, and the error.
async fn filled(store: &impl Store) -> (Vec<Record>, StoreError) {
    let mut stored = Vec::new();
    for _ in 0..200 {
        let record = large(500_000);
        match store.create(&record).await {
            Ok(written) => assert_eq!(written, Created::Done),
            Err(error) => return (stored, error),
        }
        stored.push(record);
    }
    panic!("there is room for everything");
}

async fn assert_all_there(store: &impl Store, records: &[Record]) {
    for record in records {
        assert_eq!(load(store, &record.key).await.as_ref(), Some(record));
    }
}

/// F5: what is there stays and can be read; what does not fit is an error.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let Some(server) = PostgresServer::start() else { return };
    let store = connect(&server.url()).await;
    // The log's files, which are as large, are written as before.
    server.limit_files(Some(16 * MEGABYTE));
    let (mut stored, error) = filled(&store).await;
    assert!(cause(&error).contains("could not extend file"), "{}", cause(&error));
    assert!(stored.len() > 10, "{}", stored.len());

    let larger = with(next(&stored[0]), |record| record.attributes = large(1_000_000).attributes);
    assert!(store.save(&larger, stored[0].version).await.is_err());
    let moved = with(renewed(&stored[1]), |record| record.attributes = larger.attributes.clone());
    assert!(renew(&store, &stored[1], &moved).await.is_err());
    assert_all_there(&store, &stored).await;
    assert_eq!(load(&store, &moved.key).await, None);
    // A logout needs no room.
    let ended = stored.pop().unwrap();
    store.delete(&ended.key).await.unwrap();
    assert_eq!(load(&store, &ended.key).await, None);

    server.limit_files(None);
    assert_eq!(store.save(&larger, stored[0].version).await.unwrap(), Saved::Done);
    assert_eq!(renew(&store, &stored[1], &moved).await.unwrap(), Renewed::Done);
    stored[0] = larger;
    stored[1] = moved;
    assert_all_there(&store, &stored).await;
}

/// F5: where PostgreSQL can't write its log, it gives up. Nothing acknowledged is lost.
#[tokio::test]
async fn a_full_disk_for_the_log_is_an_error_and_loses_nothing() {
    let Some(mut server) = PostgresServer::start() else { return };
    let store = connect(&server.url()).await;
    let record = created(&store, fresh_record()).await;
    let changed = with(next(&record), |record| record.attributes = attributes("Count", 2));
    // Less than there is already.
    server.limit_files(Some(MEGABYTE));
    let error = store.save(&changed, record.version).await.unwrap_err();
    assert!(cause(&error).contains("could not write to log file"), "{}", cause(&error));

    server.restart();
    assert_eq!(load(&store, &record.key).await.as_ref(), Some(&record));
    assert_eq!(store.save(&changed, record.version).await.unwrap(), Saved::Done);
    assert_eq!(load(&store, &record.key).await, Some(changed));
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).expect("a cause").to_string()
}
