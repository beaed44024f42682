//! The table of moved notes.

use session_core::{Deleted, PrincipalKey, Purged, Record, Renewed, Store};
use session_stores::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, Executor, SqliteConnection};
use workspace_tests::records::*;

use crate::support::*;

async fn moved_on(store: &SqliteStore, old: &Record) -> Record {
    let new = renewed(old);
    assert_eq!(renew(store, old, &new).await.unwrap(), Renewed::Done);
    new
}

#[tokio::test]
async fn notes_are_purged_when_their_time_is_over() {
    let file = File::new();
    let store = file.open().await;
    let until = now().saturating_add(MINUTE);
    for _ in 0..25 {
        let old = created(&store, fresh_record()).await;
        let new = renewed(&old);
        assert_eq!(store.renew(&old.key, old.version, &new, Some(until)).await.unwrap(), Renewed::Done);
    }
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    let mut notes = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM session_records_moved");
        count.fetch_one(&mut administrator).await.unwrap()
    };
    assert_eq!(store.purge_expired(until.saturating_sub(SECOND), 10).await.unwrap(), Purged::new(0, false));
    assert_eq!(notes().await, 25);
    for (left, more) in [(15, true), (5, true), (0, false)] {
        assert_eq!(store.purge_expired(until, 10).await.unwrap(), Purged::new(0, more), "notes are no sessions");
        assert_eq!(notes().await, left);
    }
}

/// An answer would be a guess, and whoever ends the session must know that it may not have ended.
#[tokio::test]
async fn a_damaged_note_is_an_error() {
    let file = File::new();
    let store = file.open().await;
    let old = created(&store, fresh_record()).await;
    let new = moved_on(&store, &old).await;
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    administrator.execute("UPDATE session_records_moved SET moved_to = x'00'").await.unwrap();
    assert!(!store.moved(&old.key, now()).await.unwrap_err().is_unavailable());
    assert!(!store.delete(&old.key).await.unwrap_err().is_unavailable());
    assert_eq!(load(&store, &new.key).await, Some(new));
}

#[tokio::test]
async fn a_file_without_a_table_of_notes_gets_one_and_keeps_its_sessions() {
    let file = File::new();
    let store = file.open().await;
    let record = created(&store, fresh_record()).await;
    store.close().await.unwrap();
    let mut administrator = SqliteConnection::connect(&file.url()).await.unwrap();
    administrator.execute("DROP TABLE session_records_moved").await.unwrap();
    let store = file.open().await;
    let new = moved_on(&store, &record).await;
    assert_eq!(store.delete(&record.key).await.unwrap(), Deleted::Moved(new.key));
}

/// A schema is a file that the application has attached to its connections.
#[tokio::test]
async fn both_tables_can_be_in_an_attached_file() {
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect_lazy_with(SqliteConnectOptions::new().in_memory(true));
    pool.execute("ATTACH ':memory:' AS app").await.unwrap();
    let store = SqliteStore::from_pool(pool.clone()).with_table("app.visits").unwrap();
    store.set_up().await.unwrap();
    store.set_up().await.unwrap();

    let old = created(&store, with(fresh_record(), |record| record.principal = Some("ann".into()))).await;
    let new = moved_on(&store, &old).await;
    assert_eq!(load(&store, &new.key).await.as_ref(), Some(&new));
    assert_eq!(moved(&store, &old.key).await, Some(new.key));
    let ann = PrincipalKey::of("ann");
    assert_eq!(store.delete_of_principal(&ann, Some(&old.key), now()).await.unwrap(), 0);
    assert_eq!(store.delete_of_principal(&ann, None, now()).await.unwrap(), 1);
    let made = "SELECT name FROM app.sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let made: Vec<String> = sqlx::query_scalar(made).fetch_all(&pool).await.unwrap();
    let expected = ["visits", "visits_expires_at", "visits_moved", "visits_moved_until", "visits_principal"];
    assert_eq!(made, expected);
}
