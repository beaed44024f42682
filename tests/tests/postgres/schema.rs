//! How the table is made.

use session_core::{PrincipalKey, Renewed, Saved, Store};
use session_stores::PostgresStore;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor};
use tokio::task::JoinSet;
use workspace_tests::records::*;

use crate::support::*;

/// B36. A database of their own for each round, as the table must not be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_at_a_time_make_one_table() {
    let Some(server) = shared_server() else { return };
    for round in 0..campaign(3) {
        let database = format!("at_once_{round}");
        administrator(server).await.execute(AssertSqlSafe(format!("CREATE DATABASE {database}"))).await.unwrap();
        let url = server.database_url(&database);
        let mut openers = JoinSet::new();
        for _ in 0..8 {
            let url = url.clone();
            openers.spawn(async move { connect(&url).await });
        }
        let stores = openers.join_all().await;
        let record = created(&stores[0], fresh_record()).await;
        for store in &stores {
            store.set_up().await.unwrap();
            assert_eq!(load(store, &record.key).await.as_ref(), Some(&record));
        }
    }
}

/// A migration of the application's makes the table; the store needs no right to.
#[tokio::test]
async fn who_may_not_make_tables_uses_one_made_by_a_migration() {
    let Some(server) = shared_server() else { return };
    let pool = PgPoolOptions::new().connect_lazy(&server.url()).unwrap();
    let store = PostgresStore::from_pool(pool).with_table("migrated.visits").unwrap();
    let migration = format!(
        "CREATE ROLE app LOGIN; CREATE SCHEMA migrated; {} GRANT USAGE ON SCHEMA migrated TO app; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON migrated.visits, migrated.visits_moved TO app;",
        store.schema()
    );
    administrator(server).await.execute(sqlx::raw_sql(AssertSqlSafe(migration))).await.unwrap();

    let options: PgConnectOptions = server.url().parse().unwrap();
    let pool = PgPool::connect_lazy_with(options.username("app"));
    let store = PostgresStore::from_pool(pool.clone()).with_table("migrated.visits").unwrap();
    store.set_up().await.unwrap();
    let record = created(&store, with(fresh_record(), |record| record.principal = Some("ann".into()))).await;
    let (changed, again) = (next(&record), renewed(&record));
    assert_eq!(store.save(&changed, record.version).await.unwrap(), Saved::Done);
    store.touch(&record.key, now().saturating_add(MINUTE)).await.unwrap();
    for new in [&again, &again] {
        // A note of this key is replaced if there is one already.
        assert_eq!(renew(&store, &changed, new).await.unwrap(), Renewed::Done);
        assert_eq!(store.end(&record.key).await.unwrap(), Some(new.key));
        created(&store, changed.clone()).await;
    }
    assert_eq!(store.delete_of_principal(&PrincipalKey::of("ann"), None, now()).await.unwrap(), 1);
    store.purge_expired(now().saturating_add(2 * MINUTE), 10).await.unwrap();
    assert_eq!(moved(&store, &record.key).await, None);
    let elsewhere = PostgresStore::from_pool(pool).with_table("migrated.others").unwrap();
    assert!(!elsewhere.set_up().await.unwrap_err().is_unavailable());
}

/// Its sessions stay.
#[tokio::test]
async fn a_table_of_sessions_without_one_of_notes_gets_it() {
    let Some(server) = shared_server() else { return };
    let store = connect(&server.url()).await.with_table("earlier").unwrap();
    store.set_up().await.unwrap();
    let record = created(&store, fresh_record()).await;
    administrator(server).await.execute("DROP TABLE earlier_moved").await.unwrap();
    store.set_up().await.unwrap();
    let new = renewed(&record);
    assert_eq!(renew(&store, &record, &new).await.unwrap(), Renewed::Done);
    assert_eq!(moved(&store, &record.key).await, Some(new.key));
}

/// PostgreSQL does not care for case in names without quotes.
#[tokio::test]
async fn tables_whose_names_differ_in_case_have_indexes_of_their_own() {
    let Some(server) = shared_server() else { return };
    let mut administrator = administrator(server).await;
    for name in ["cased", "Cased"] {
        let store = connect(&server.url()).await.with_table(name).unwrap();
        store.set_up().await.unwrap();
        let made = "SELECT indexname::text FROM pg_indexes WHERE tablename IN ($1, $1 || '_moved') ORDER BY 1";
        let made: Vec<String> = sqlx::query_scalar(made).bind(name).fetch_all(&mut administrator).await.unwrap();
        let endings = ["expires_at", "moved_pkey", "moved_until", "pkey", "principal"];
        assert_eq!(made, endings.map(|ending| format!("{name}_{ending}")));
    }
}

/// Without them, purging and logging out everywhere read the whole table.
#[tokio::test]
async fn expiry_and_principal_have_indexes() {
    let Some(server) = shared_server() else { return };
    let store = connect(&server.url()).await.with_table("indexed").unwrap();
    store.set_up().await.unwrap();
    let mut administrator = administrator(server).await;
    administrator.execute("SET enable_seqscan = off").await.unwrap();
    for (condition, index) in [
        ("indexed WHERE expires_at <= 5", "indexed_expires_at"),
        ("indexed WHERE principal = ''", "indexed_principal"),
        ("indexed_moved WHERE until <= 5", "indexed_moved_until"),
    ] {
        let explain = AssertSqlSafe(format!("EXPLAIN SELECT key FROM {condition}"));
        let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut administrator).await.unwrap();
        assert!(plan.concat().contains(index), "{plan:?}");
    }
    assert_eq!(store.capabilities(), session_core::Capabilities::ALL);
}
