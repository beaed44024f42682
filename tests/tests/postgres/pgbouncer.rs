//! PgBouncer in transaction mode before the server.

use std::sync::OnceLock;

use session_core::{PrincipalKey, Store};
use session_stores::PostgresStore;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use workspace_tests::records::*;
use workspace_tests::{PgBouncer, PostgresServer, Proxy};

use crate::support::*;

const FOR_POOLERS: &str = "?statement-cache-capacity=0";

/// S3: on the store's own connections.
mod own_connections {
    session_core::conformance_tests!({
        let Some(bouncer) = super::shared_bouncer() else { return };
        super::connected(&super::url(bouncer)).await
    });
}

/// S3: on an application's pool.
mod applications_pool {
    session_core::conformance_tests!({
        let Some(bouncer) = super::shared_bouncer() else { return };
        super::of_application(bouncer).await
    });
}

/// One for all tests, as the server is. Its settings are those of Debian's package, but for the mode.
#[track_caller]
fn shared_bouncer() -> Option<&'static PgBouncer> {
    static BOUNCER: OnceLock<Option<PgBouncer>> = OnceLock::new();
    BOUNCER.get_or_init(|| PgBouncer::start(shared_server()?.addr(), "")).as_ref()
}

fn url(bouncer: &PgBouncer) -> String {
    PostgresServer::url_at(bouncer.addr()) + FOR_POOLERS
}

async fn connected(url: &str) -> PostgresStore {
    let store = connect(url).await.with_table("pooled_records").unwrap();
    store.set_up().await.expect("the server runs");
    store
}

async fn of_application(bouncer: &PgBouncer) -> PostgresStore {
    let options: PgConnectOptions = PostgresServer::url_at(bouncer.addr()).parse().unwrap();
    let options = options.extra_float_digits(None).disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(options);
    let store = PostgresStore::from_pool(pool).without_prepared_statements().with_table("pooled_by_both").unwrap();
    store.set_up().await.expect("the server runs");
    store
}

/// S3: what each operation costs, beside what it costs without a pooler.
#[tokio::test]
async fn each_operation_takes_as_many_round_trips_through_pgbouncer_as_without_it() {
    let Some(bouncer) = shared_bouncer() else { return };
    let server = shared_server().expect("it is behind the pooler");
    let (direct, pooled) = (Proxy::start(server.addr()).await.unwrap(), Proxy::start(bouncer.addr()).await.unwrap());
    let store = connected(&PostgresServer::url_at(direct.addr())).await;
    let expected = round_trips(&store, &direct).await;
    let store = connected(&(PostgresServer::url_at(pooled.addr()) + FOR_POOLERS)).await;
    assert_eq!(round_trips(&store, &pooled).await, expected);
}

async fn round_trips(store: &PostgresStore, proxy: &Proxy) -> Vec<u64> {
    let mut trips = Vec::new();
    // The first time, statements are prepared where they are.
    for _ in 0..2 {
        trips.clear();
        let mut before = proxy.round_trips();
        let mut count = || {
            let now = proxy.round_trips();
            trips.push(now - before);
            before = now;
        };
        let principal = fresh_key().to_string();
        let record =
            created(store, with(fresh_record(), |record| record.principal = Some(principal.clone().into()))).await;
        count();
        load(store, &record.key).await.unwrap();
        count();
        let changed = next(&record);
        let _ = store.save(&changed, record.version).await.unwrap();
        count();
        let _ = store.save(&changed, record.version).await.unwrap();
        count();
        store.touch(&record.key, now().saturating_add(MINUTE)).await.unwrap();
        count();
        let new = renewed(&changed);
        let _ = renew(store, &changed, &new).await.unwrap();
        count();
        moved(store, &record.key).await.unwrap();
        count();
        let principal = PrincipalKey::of(&principal);
        assert_eq!(store.of_principal(&principal, now()).await.unwrap().len(), 1);
        count();
        assert_eq!(store.delete_of_principal(&principal, None, now()).await.unwrap(), 1);
        count();
        let _ = store.delete(&new.key).await.unwrap();
        count();
        store.list(now(), 10).await.unwrap();
        count();
        store.purge_expired(now(), 10).await.unwrap();
        count();
    }
    trips
}

/// S3: prepared statements would be mixed up now and then, so the store says what to do before it starts.
#[tokio::test]
async fn a_store_that_would_prepare_statements_through_pgbouncer_does_not_start_and_says_what_to_write() {
    let Some(server) = shared_server() else { return };
    // By default it refuses the parameters of sqlx and of the store. Many let it ignore them.
    for settings in ["", "ignore_startup_parameters = extra_float_digits,options"] {
        let Some(bouncer) = PgBouncer::start(server.addr(), settings) else { return };
        let Err(error) = PostgresStore::connect(&PostgresServer::url_at(bouncer.addr())).await else {
            panic!("it starts")
        };
        let said = error.to_string();
        assert!(said.contains("PgBouncer") && said.contains("statement-cache-capacity=0"), "{said}");
        connect(&url(&bouncer)).await;
    }
    // Without a pooler the setting is of no harm.
    let store = connect(&(server.url() + FOR_POOLERS)).await;
    created(&store, fresh_record()).await;
}
