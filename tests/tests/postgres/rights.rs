//! A role with the rights that the guide lists, and no others.

use session_core::{PrincipalKey, Renewed, Saved, Store, StoreError};
use session_stores::PostgresStore;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::OnceCell;
use workspace_tests::PostgresServer;
use workspace_tests::records::*;

use crate::support::*;

const GUIDE: &str = include_str!("../../../docs/guides/stores.md");

/// S4: the tables were made by the printed schema.
mod documented {
    session_core::conformance_tests!({
        let Some(store) = super::shared_limited().await else { return };
        store
    });
}

async fn shared_limited() -> Option<PostgresStore> {
    static IS_SET_UP: OnceCell<()> = OnceCell::const_new();
    let server = shared_server()?;
    IS_SET_UP.get_or_init(async || set_up(server).await).await;
    Some(connect(&limited_url(server)).await)
}

/// Of the role and the database of the guide.
fn limited_url(server: &PostgresServer) -> String {
    format!("postgres://shop@{}/shop", server.addr())
}

/// The statements of the guide, one a line.
fn grants() -> impl Iterator<Item = &'static str> {
    let (_, block) = GUIDE.split_once("```sql\n").expect("the guide has a block of grants");
    block.lines().take_while(|line| !line.starts_with("```"))
}

/// A database in which nobody may do anything that was not granted.
async fn set_up(server: &PostgresServer) {
    let mut administrator = administrator(server).await;
    for statement in ["CREATE ROLE shop LOGIN", "CREATE DATABASE shop", "REVOKE ALL ON DATABASE shop FROM PUBLIC"] {
        administrator.execute(statement).await.unwrap();
    }
    let mut inside = PgConnection::connect(&server.database_url("shop")).await.unwrap();
    inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC").await.unwrap();
    let schema = PostgresStore::from_pool(PgPoolOptions::new().connect_lazy(&server.url()).unwrap()).schema();
    inside.execute(sqlx::raw_sql(AssertSqlSafe(schema))).await.unwrap();
    for grant in grants() {
        inside.execute(AssertSqlSafe(grant)).await.unwrap();
    }
}

/// S4: no right can be left out, and the role can't make a table.
#[tokio::test]
async fn each_right_of_the_guide_is_needed() {
    let Some(server) = PostgresServer::start() else { return };
    set_up(&server).await;
    let mut administrator = PgConnection::connect(&server.database_url("shop")).await.unwrap();
    let use_all = async || {
        let store = PostgresStore::connect(&limited_url(&server)).await?;
        use_everything(&store).await?;
        store.close().await
    };
    use_all().await.unwrap();
    let elsewhere = connect(&limited_url(&server)).await.with_table("others").unwrap();
    assert!(elsewhere.set_up().await.unwrap_err().to_string().contains("permission denied"));
    let mut needed = 0;
    for grant in grants() {
        let (rights, place) = grant.strip_prefix("GRANT ").unwrap().split_once(" ON ").unwrap();
        let (places, role) = place.trim_end_matches(';').split_once(" TO ").unwrap();
        for right in rights.split(", ") {
            for place in places.split(", ") {
                let change = |word: &str, to: &str| AssertSqlSafe(format!("{word} {right} ON {place} {to} {role}"));
                administrator.execute(change("REVOKE", "FROM")).await.unwrap();
                let error = use_all().await.expect_err(&format!("{right} on {place} is not needed"));
                // Without the right to use a schema, its tables are not even seen.
                let causes = ["permission denied", "no schema has been selected"];
                assert!(causes.iter().any(|cause| format!("{error:?}").contains(cause)), "{error:?}");
                administrator.execute(change("GRANT", "TO")).await.unwrap();
                use_all().await.unwrap();
                needed += 1;
            }
        }
    }
    assert_eq!(needed, 10);
}

/// Each operation of a store, and the ways that it may take.
async fn use_everything(store: &PostgresStore) -> Result<(), StoreError> {
    // Of earlier calls that failed half-way, something is left.
    let (principal, now) = (fresh_key().to_string(), now());
    let record = with(fresh_record(), |record| record.principal = Some(principal.clone().into()));
    let principal = PrincipalKey::of(&principal);
    let _ = store.create(&record).await?;
    store.load(&record.key, now).await?;
    let (changed, new) = (next(&record), renewed(&record));
    assert_eq!(store.save(&changed, record.version).await?, Saved::Done);
    store.touch(&record.key, now.saturating_add(MINUTE)).await?;
    assert_eq!(renew(store, &changed, &new).await?, Renewed::Done);
    store.follow(&record.key, now).await?;
    store.end(&record.key).await?;
    // A note of this key is replaced, as there is one already.
    let _ = store.create(&changed).await?;
    assert_eq!(renew(store, &changed, &new).await?, Renewed::Done);
    store.list(now, 10).await?;
    store.of_principal(&principal, now).await?;
    assert_eq!(store.delete_of_principal(&principal, None, now).await?, 1);
    store.purge_expired(now.saturating_add(2 * MINUTE), 10).await?;
    Ok(())
}
