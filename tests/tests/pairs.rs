//! Real stores as two tiers: every behaviour, and several processes on one session.

#![cfg(all(feature = "memcached", feature = "postgres", feature = "redis", feature = "sqlite"))]

use std::sync::OnceLock;
use std::time::Duration;

use session_core::{FastStore, MemoryStore, NewSession, SessionManager, Store, TieredStore};
use session_stores::{MemcachedStore, PostgresStore, RedisStore, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use workspace_tests::records::{campaign, manager};
use workspace_tests::{MemcachedServer, PostgresServer, RedisServer, count_in_processes, open_store};

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// The suite moves time back and forth by minutes, and wants to see each use at once.
fn through<F: FastStore, D: Store>(fast: F, durable: D) -> TieredStore<F, D> {
    TieredStore::builder(fast, durable).max_staleness(Duration::from_secs(1_000_000)).build().unwrap()
}

fn behind<F: FastStore, D: Store>(fast: F, durable: D) -> TieredStore<F, D> {
    TieredStore::builder(fast, durable).write_behind(Default::default()).build().unwrap()
}

/// Without a disk, and with the one connection that there can be then.
async fn sqlite() -> SqliteStore {
    let pool = SqlitePoolOptions::new().max_connections(1);
    let store = SqliteStore::from_pool(pool.connect_lazy_with(SqliteConnectOptions::new().in_memory(true)));
    store.set_up().await.unwrap();
    store
}

/// One server for all tests.
fn postgres_server() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start).as_ref()
}

async fn memcached() -> Option<MemcachedStore> {
    static SERVER: OnceLock<Option<MemcachedServer>> = OnceLock::new();
    let server = SERVER.get_or_init(MemcachedServer::start).as_ref()?;
    Some(MemcachedStore::connect(&server.url()).await.unwrap())
}

async fn redis() -> Option<RedisStore> {
    static SERVER: OnceLock<Option<RedisServer>> = OnceLock::new();
    let server = SERVER.get_or_init(RedisServer::start).as_ref()?;
    Some(RedisStore::connect(&server.url()).await.unwrap())
}

async fn postgres() -> Option<PostgresStore> {
    Some(PostgresStore::connect(&postgres_server()?.url()).await.unwrap())
}

mod memory_before_sqlite {
    session_core::conformance_tests!(super::through(super::MemoryStore::new(), super::sqlite().await));
}

mod memory_long_before_sqlite {
    session_core::conformance_tests!(super::behind(super::MemoryStore::new(), super::sqlite().await));
}

mod memcached_before_postgres {
    session_core::conformance_tests!({
        let (Some(fast), Some(durable)) = (super::memcached().await, super::postgres().await) else { return };
        super::through(fast, durable)
    });
}

mod memcached_long_before_postgres {
    session_core::conformance_tests!({
        let (Some(fast), Some(durable)) = (super::memcached().await, super::postgres().await) else { return };
        super::behind(fast, durable)
    });
}

mod redis_before_postgres {
    session_core::conformance_tests!({
        let (Some(fast), Some(durable)) = (super::redis().await, super::postgres().await) else { return };
        super::through(fast, durable)
    });
}

mod redis_long_before_postgres {
    session_core::conformance_tests!({
        let (Some(fast), Some(durable)) = (super::redis().await, super::postgres().await) else { return };
        super::behind(fast, durable)
    });
}

/// What ends sessions, against whoever goes on with them.
macro_rules! races_of_endings {
    ($store:expr) => {
        session_core::conformance_tests! { @races $store =>
            logout_everywhere_against_renewals_leaves_none
            ending_others_against_renewals_leaves_this_one
            ending_one_of_a_principal_against_renewals_ends_it
            login_at_the_limit_against_renewals_leaves_one
            logins_at_once_keep_to_the_limit
        }
    };
}

mod redis_before_sqlite {
    races_of_endings!({
        let Some(fast) = super::redis().await else { return };
        super::through(fast, super::sqlite().await)
    });
}

mod redis_long_before_sqlite {
    races_of_endings!({
        let Some(fast) = super::redis().await else { return };
        super::behind(fast, super::sqlite().await)
    });
}

mod memcached_before_redis {
    races_of_endings!({
        let (Some(fast), Some(durable)) = (super::memcached().await, super::redis().await) else { return };
        super::through(fast, durable)
    });
}

mod memcached_long_before_redis {
    races_of_endings!({
        let (Some(fast), Some(durable)) = (super::memcached().await, super::redis().await) else { return };
        super::behind(fast, durable)
    });
}

/// Two applications, each with a database of its own, behind one cache with the same prefix.
#[tokio::test]
async fn two_databases_behind_one_cache_do_not_mix_their_sessions() {
    let Some(server) = RedisServer::start() else { return };
    let cache = RedisStore::connect(&server.url()).await.unwrap();
    let stores = [
        TieredStore::new(cache.clone(), sqlite().await),
        TieredStore::builder(cache, sqlite().await).write_behind(Default::default()).build().unwrap(),
    ];
    let [shop, staff] = [("shop", &stores[0]), ("staff", &stores[1])].map(|(audience, store)| {
        let builder = SessionManager::builder(store.clone()).audience(audience).without_background_purge();
        builder.build().unwrap()
    });
    for (here, there) in [(&shop, &staff), (&staff, &shop)] {
        let session = here.create(NewSession::new().principal("ann")).await.unwrap();
        for _ in 0..3 {
            assert!(there.get(session.id().as_str()).await.unwrap().is_none());
            assert!(here.get(session.id().as_str()).await.unwrap().is_some());
        }
        assert_eq!(there.counters().other_audiences, 3);
    }
}

/// G7, F9: in tiers, and what the durable one has in the end. `mode` is for [`open_store`].
async fn assert_updates_add_up(mode: &str, fast: &str, durable: &str, [clients, updates]: [usize; 2]) {
    let pair = format!("{mode}:{fast} {durable}");
    let sessions = manager(&open_store(&pair).await);
    let id = count_in_processes(WORKER, &pair, &sessions, [4, clients, updates]).await;
    sessions.close().await.unwrap();
    let session = manager(&open_store(durable).await).get(id.as_str()).await.unwrap().expect("it is durable");
    assert_eq!(session.attr::<usize>("Count").unwrap(), Some(4 * clients * updates));
}

/// Both modes, for which `CAMPAIGN=1000` is the full size.
mod updates_of_four_processes_add_up {
    use super::*;

    async fn on_redis_before_postgres(mode: &str) {
        let (Some(fast), Some(durable)) = (RedisServer::start(), postgres_server()) else { return };
        assert_updates_add_up(mode, &fast.url(), &durable.url(), [16, campaign(10)]).await;
    }

    async fn on_memcached_before_postgres(mode: &str) {
        let (Some(fast), Some(durable)) = (MemcachedServer::start(), postgres_server()) else { return };
        assert_updates_add_up(mode, &fast.url(), &durable.url(), [16, campaign(10)]).await;
    }

    async fn on_redis_before_sqlite(mode: &str) {
        let Some(fast) = RedisServer::start() else { return };
        let folder = tempfile::tempdir().unwrap();
        let durable = format!("sqlite:{}", folder.path().join("sessions.db").display());
        assert_updates_add_up(mode, &fast.url(), &durable, [16, campaign(10)]).await;
    }

    #[tokio::test]
    async fn redis_before_postgres() {
        on_redis_before_postgres("through").await;
    }

    #[tokio::test]
    async fn redis_long_before_postgres() {
        on_redis_before_postgres("behind").await;
    }

    #[tokio::test]
    async fn memcached_before_postgres() {
        on_memcached_before_postgres("through").await;
    }

    #[tokio::test]
    async fn memcached_long_before_postgres() {
        on_memcached_before_postgres("behind").await;
    }

    #[tokio::test]
    async fn redis_before_sqlite() {
        on_redis_before_sqlite("through").await;
    }

    #[tokio::test]
    async fn redis_long_before_sqlite() {
        on_redis_before_sqlite("behind").await;
    }
}

/// gaesession's own pair.
#[cfg(feature = "firestore")]
async fn memcached_and_firestore() -> Option<(MemcachedStore, session_stores::FirestoreStore)> {
    static SERVER: OnceLock<Option<workspace_tests::FirestoreEmulator>> = OnceLock::new();
    let server = SERVER.get_or_init(workspace_tests::FirestoreEmulator::start).as_ref()?;
    let durable = session_stores::FirestoreStore::connect_to_emulator(&server.addr().to_string(), "tests").await;
    Some((memcached().await?, durable.unwrap()))
}

#[cfg(feature = "firestore")]
mod memcached_long_before_firestore {
    races_of_endings!({
        let Some((fast, durable)) = super::memcached_and_firestore().await else { return };
        super::behind(fast, durable)
    });
}

#[cfg(feature = "firestore")]
mod memcached_before_firestore {
    use workspace_tests::FirestoreEmulator;

    use super::*;

    session_core::conformance_tests!({
        let Some((fast, durable)) = memcached_and_firestore().await else { return };
        through(fast, durable)
    });

    #[tokio::test]
    async fn updates_of_four_processes_add_up() {
        let (Some(fast), Some(durable)) = (MemcachedServer::start(), FirestoreEmulator::start()) else { return };
        for mode in ["through", "behind"] {
            assert_updates_add_up(mode, &fast.url(), &durable.url(), [2, campaign(10)]).await;
        }
    }
}
