//! Endings that meet a renewal which is under way: it holds the row of the session, and is not committed yet.

use std::future::Future;

use session_core::{Deleted, PrincipalKey, Record, RecordKey, Renewed, Store, StoreError};
use session_stores::PostgresStore;
use sqlx::Executor;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use workspace_tests::PostgresServer;
use workspace_tests::records::*;

use crate::support::*;

/// What an application may ask for.
const ISOLATION_LEVELS: [&str; 3] = ["read committed", "repeatable read", "serializable"];

/// Renewals that nobody sees before they are committed.
struct UnderWay {
    store: PostgresStore,
    /// Its one connection is inside a transaction.
    connection: PgPool,
}

impl UnderWay {
    async fn begin(server: &PostgresServer) -> Self {
        let connection = PgPoolOptions::new().max_connections(1).connect(&server.url()).await.unwrap();
        connection.execute("BEGIN").await.unwrap();
        UnderWay { store: PostgresStore::from_pool(connection.clone()), connection }
    }

    async fn renew(&self, old: &Record) -> Record {
        let new = renewed(old);
        assert_eq!(renew(&self.store, old, &new).await.unwrap(), Renewed::Done);
        new
    }

    /// Begins what this name's connection does, and ends the transaction by this statement when it waits for it.
    async fn end_when_waited_for<T: Send + 'static>(
        self,
        statement: &'static str,
        name: &str,
        ending: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let ending = tokio::spawn(ending);
        let waits =
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
        let mut administrator = administrator(shared_server().expect("it runs")).await;
        while !sqlx::query_scalar::<_, bool>(waits).bind(name).fetch_one(&mut administrator).await.unwrap() {
            assert!(!ending.is_finished(), "it did not wait for the renewal");
        }
        self.connection.execute(statement).await.unwrap();
        ending.await.expect("no panic")
    }
}

/// A store of an application that has this name and asks for this isolation level.
fn store_of(server: &PostgresServer, name: &str, isolation_level: &str) -> PostgresStore {
    let options: PgConnectOptions = server.url().parse().unwrap();
    let options = options.application_name(name).options([("default_transaction_isolation", isolation_level)]);
    PostgresStore::from_pool(PgPoolOptions::new().connect_lazy_with(options))
}

async fn signed_in(store: &PostgresStore, principal: &str) -> Record {
    created(store, with(fresh_record(), |record| record.principal = Some(principal.into()))).await
}

async fn end_all(store: PostgresStore, principal: String, except: Option<RecordKey>) -> Result<usize, StoreError> {
    store.delete_of_principal(&PrincipalKey::of(&principal), except.as_ref(), now()).await
}

#[tokio::test]
async fn a_deletion_that_waits_for_a_renewal_is_told_where_it_went() {
    let Some(server) = shared_server() else { return };
    let shared = connect(&server.url()).await;
    for isolation_level in ISOLATION_LEVELS {
        for (statement, is_renewed) in [("COMMIT", true), ("ROLLBACK", false)] {
            let name = format!("deletes at {isolation_level}, {statement}");
            let store = store_of(server, &name, isolation_level);
            let old = created(&shared, fresh_record()).await;
            let under_way = UnderWay::begin(server).await;
            let new = under_way.renew(&old).await;
            let deletion = async move { store.delete(&old.key).await };
            let answer = under_way.end_when_waited_for(statement, &name, deletion).await.unwrap();
            assert_eq!(answer, if is_renewed { Deleted::Moved(new.key) } else { Deleted::Done }, "{name}");
            assert_eq!(load(&shared, &new.key).await, is_renewed.then_some(new));
        }
    }
}

#[tokio::test]
async fn a_logout_everywhere_that_waits_for_a_renewal_ends_the_renewed_session() {
    let Some(server) = shared_server() else { return };
    let shared = connect(&server.url()).await;
    for isolation_level in ISOLATION_LEVELS {
        for statement in ["COMMIT", "ROLLBACK"] {
            let name = format!("ends all at {isolation_level}, {statement}");
            let store = store_of(server, &name, isolation_level);
            let (ann, bob) = (fresh_key().to_string(), fresh_key().to_string());
            let (old, of_bob) = (signed_in(&shared, &ann).await, signed_in(&shared, &bob).await);
            let under_way = UnderWay::begin(server).await;
            let new = under_way.renew(&old).await;
            let newest = under_way.renew(&new).await;
            let ended = under_way.end_when_waited_for(statement, &name, end_all(store, ann, None)).await;
            assert_eq!(ended.unwrap(), 1, "{name}");
            for key in [old.key, new.key, newest.key] {
                assert_eq!(load(&shared, &key).await, None, "{name}");
            }
            assert_eq!(load(&shared, &of_bob.key).await, Some(of_bob));
        }
    }
}

#[tokio::test]
async fn ending_others_that_waits_for_renewals_spares_this_one() {
    let Some(server) = shared_server() else { return };
    let shared = connect(&server.url()).await;
    for isolation_level in ISOLATION_LEVELS {
        let name = format!("ends others at {isolation_level}");
        let store = store_of(server, &name, isolation_level);
        let ann = fresh_key().to_string();
        let (here, there) = (signed_in(&shared, &ann).await, signed_in(&shared, &ann).await);
        // One renewal that is known by its note, and one that is under way.
        let here_later = renewed(&here);
        assert_eq!(renew(&shared, &here, &here_later).await.unwrap(), Renewed::Done);
        let under_way = UnderWay::begin(server).await;
        let (here_last, there_last) = (under_way.renew(&here_later).await, under_way.renew(&there).await);
        let ended = under_way.end_when_waited_for("COMMIT", &name, end_all(store, ann, Some(here.key))).await;
        assert_eq!(ended.unwrap(), 1, "{name}");
        assert_eq!(load(&shared, &here_last.key).await, Some(here_last));
        assert_eq!(load(&shared, &there_last.key).await, None);
    }
}
