//! How the table is made.

use session_core::{Created, Renewed, Saved, Store};
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

/// S5: names that need quotes, names that differ in their case or in their last letter, and the longest ones. Each has
/// its own indexes and its own sessions.
#[tokio::test]
async fn tables_of_names_that_need_quotes_are_tables_like_any_other() {
    let Some(server) = shared_server() else { return };
    let mut administrator = administrator(server).await;
    let (long, long_umlaut) = ("a".repeat(40), "ä".repeat(20));
    let other = format!("{}b", &long[1..]);
    let names = ["sessions", "Sessions", "SESSIONS", "user", "select", "Größen", "größen", &long, &other, &long_umlaut];
    let schemas = ["", "Order", &"ö".repeat(31)];
    let mut stores = Vec::new();
    for schema in schemas {
        if !schema.is_empty() {
            administrator.execute(AssertSqlSafe(format!("CREATE SCHEMA \"{schema}\""))).await.unwrap();
        }
        for name in names {
            let table = if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") };
            let store = connect(&server.url()).await.with_table(&table).unwrap();
            store.set_up().await.unwrap();
            let made = "SELECT indexname::text FROM pg_indexes WHERE tablename IN ($1, $1 || '_moved') \
                        AND schemaname = coalesce(nullif($2, ''), 'public') ORDER BY 1";
            let made = sqlx::query_scalar(made).bind(name).bind(schema).fetch_all(&mut administrator);
            let made: Vec<String> = made.await.unwrap();
            let endings = ["expires_at", "moved_pkey", "moved_until", "pkey", "principal"];
            assert_eq!(made, endings.map(|ending| format!("{name}_{ending}")), "{table}");
            stores.push((table, store));
        }
    }
    // Each in all tables.
    let record = fresh_record();
    for (table, store) in &stores {
        assert_eq!(store.create(&record).await.unwrap(), Created::Done, "{table}");
        let changed = next(&record);
        assert_eq!(store.save(&changed, record.version).await.unwrap(), Saved::Done, "{table}");
        assert_eq!(renew(store, &changed, &renewed(&changed)).await.unwrap(), Renewed::Done, "{table}");
        assert!(store.end(&record.key).await.unwrap().is_some(), "{table}");
        assert_eq!(store.list(now(), 10).await.unwrap(), [], "{table}");
        store.purge_expired(now(), 10).await.unwrap();
    }
}

/// S5: an index whose name is taken is not left out in silence. Nothing is made then.
#[tokio::test]
async fn a_name_that_something_else_has_is_told() {
    let Some(server) = shared_server() else { return };
    let mut administrator = administrator(server).await;
    administrator.execute("CREATE TABLE visits_of_shop_principal (name TEXT)").await.unwrap();
    let store = connect(&server.url()).await.with_table("visits_of_shop").unwrap();
    for _ in 0..2 {
        let said = store.set_up().await.unwrap_err().to_string();
        assert!(said.contains("visits_of_shop_principal") && said.contains("with_table"), "{said}");
    }
    administrator.execute("DROP TABLE visits_of_shop_principal").await.unwrap();
    store.set_up().await.unwrap();
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
