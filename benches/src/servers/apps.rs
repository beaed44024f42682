//! The applications, each on its library's stores as the documentation shows.

use std::time::Duration;

use ::axum_session::SessionConfig;
use axum::Router;
use axum_session_redispool::SessionRedisPool;
use axum_session_sqlx::{SessionPgPool, SessionSqlitePool};
use benches::apps::{App, AxumApp, actix, axum_session, bare, ours, ruts, tower_sessions};
use redis_pool::RedisPool;
use session_core::TieredStore;
use session_stores::{FirestoreStore, MemcachedStore, PostgresStore, RedisStore, SqliteStore, TrackedRedisStore};
use tower_sessions_redis_store::fred::prelude::{Client, ClientLike, Config, Pool};
use tower_sessions_sqlx_store::sqlx as earlier_sqlx;

/// A place where an application keeps its sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Postgres,
    Sqlite,
    Memcached,
    Firestore,
}

pub struct Description {
    pub name: &'static str,
    /// The first before the second where there are two; none for sessions in memory, or no sessions.
    pub kinds: &'static [Kind],
}

const fn on(kinds: &'static [Kind], name: &'static str) -> Description {
    Description { name, kinds }
}

pub const RUTS_REDIS: &str = "ruts-redis";

pub const ALL: [Description; 23] = [
    on(&[], "axum-bare"),
    on(&[], "actix-bare"),
    on(&[Kind::Redis], "ours-redis"),
    on(&[Kind::Redis], "ours-redis-tracked"),
    on(&[Kind::Redis], "tower-sessions-redis"),
    on(&[Kind::Redis], "tower-sessions-redis-always"),
    on(&[Kind::Redis], "axum-session-redis"),
    on(&[Kind::Redis], "axum-session-redis-no-memory"),
    on(&[Kind::Redis], "actix-session-redis"),
    on(&[Kind::Redis], RUTS_REDIS),
    on(&[Kind::Postgres], "ours-postgres"),
    on(&[Kind::Postgres], "tower-sessions-postgres"),
    on(&[Kind::Postgres], "tower-sessions-postgres-always"),
    on(&[Kind::Postgres], "axum-session-postgres"),
    on(&[Kind::Postgres], "axum-session-postgres-no-memory"),
    on(&[Kind::Postgres], "ruts-postgres"),
    on(&[Kind::Sqlite], "ours-sqlite"),
    on(&[Kind::Sqlite], "tower-sessions-sqlite"),
    on(&[Kind::Sqlite], "axum-session-sqlite"),
    on(&[Kind::Memcached], "ours-memcached"),
    on(&[Kind::Firestore], "ours-firestore"),
    on(&[Kind::Redis, Kind::Postgres], "ours-redis-postgres"),
    on(&[], "ours-memory"),
];

/// An application whose sessions are there.
pub fn open(name: &str, url: &str) -> Box<dyn App> {
    match name {
        "actix-bare" => actix::app(name),
        "actix-session-redis" => actix::on_redis(url),
        _ => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let router = runtime.block_on(router(name, url));
            Box::new(AxumApp::new(runtime, router))
        }
    }
}

const RUNS: &str = "the server runs";

async fn router(name: &str, url: &str) -> Router {
    match name {
        "axum-bare" => bare::router(),
        "ours-memory" => ours::router(),
        "ours-redis" => ours::on(RedisStore::connect(url).await.expect(RUNS)),
        "ours-redis-tracked" => ours::on(TrackedRedisStore::connect(url).await.expect(RUNS)),
        "ours-postgres" => ours::on(PostgresStore::connect(url).await.expect(RUNS)),
        "ours-sqlite" => ours::on(SqliteStore::open(url).await.expect("the file can be opened")),
        "ours-memcached" => ours::on(MemcachedStore::connect(url).await.expect(RUNS)),
        "ours-firestore" => ours::on(firestore(url).await),
        "ours-redis-postgres" => ours::on(redis_before_postgres(url).await),
        "tower-sessions-redis" => tower_sessions_redis(url, false).await,
        "tower-sessions-redis-always" => tower_sessions_redis(url, true).await,
        "tower-sessions-postgres" => tower_sessions_postgres(url, false).await,
        "tower-sessions-postgres-always" => tower_sessions_postgres(url, true).await,
        "tower-sessions-sqlite" => tower_sessions_sqlite(url).await,
        "axum-session-redis" => axum_session_redis(url, SessionConfig::default()).await,
        "axum-session-redis-no-memory" => axum_session_redis(url, axum_session::without_memory()).await,
        "axum-session-postgres" => axum_session_postgres(url, SessionConfig::default()).await,
        "axum-session-postgres-no-memory" => axum_session_postgres(url, axum_session::without_memory()).await,
        "axum-session-sqlite" => axum_session_sqlite(url).await,
        RUTS_REDIS => ruts_redis(url).await,
        "ruts-postgres" => ruts_postgres(url).await,
        _ => panic!("there is no application {name}"),
    }
}

async fn firestore(url: &str) -> FirestoreStore {
    let (host, database) = url.split_once('/').expect("HOST/DATABASE");
    FirestoreStore::connect_to_emulator(host, database).await.expect(RUNS)
}

async fn redis_before_postgres(urls: &str) -> TieredStore<RedisStore, PostgresStore> {
    let (redis, postgres) = urls.split_once(' ').expect("two URLs");
    TieredStore::new(RedisStore::connect(redis).await.expect(RUNS), PostgresStore::connect(postgres).await.expect(RUNS))
}

/// As sqlx takes the name of a file that it may make.
fn sqlite_url(path: &str) -> String {
    format!("sqlite:{path}?mode=rwc")
}

async fn tower_sessions_redis(url: &str, always_save: bool) -> Router {
    let config = Config::from_url(url).expect("the URL is well formed");
    let pool = Pool::new(config, None, None, None, 6).expect("the settings work");
    pool.connect();
    pool.wait_for_connect().await.expect(RUNS);
    tower_sessions::on(tower_sessions_redis_store::RedisStore::new(pool), always_save)
}

/// How often expired sessions are deleted.
const DELETION_PERIOD: Duration = Duration::from_secs(60);

async fn tower_sessions_postgres(url: &str, always_save: bool) -> Router {
    use tower_sessions_014::ExpiredDeletion;
    let pool = earlier_sqlx::PgPool::connect(url).await.expect(RUNS);
    let store = tower_sessions_sqlx_store::PostgresStore::new(pool);
    store.migrate().await.expect("the table can be made");
    tokio::spawn(store.clone().continuously_delete_expired(DELETION_PERIOD));
    tower_sessions::on(store, always_save)
}

async fn tower_sessions_sqlite(path: &str) -> Router {
    use tower_sessions_014::ExpiredDeletion;
    let pool = earlier_sqlx::SqlitePool::connect(&sqlite_url(path)).await.expect("the file can be opened");
    let store = tower_sessions_sqlx_store::SqliteStore::new(pool);
    store.migrate().await.expect("the table can be made");
    tokio::spawn(store.clone().continuously_delete_expired(DELETION_PERIOD));
    tower_sessions::on(store, false)
}

async fn axum_session_redis(url: &str, config: SessionConfig) -> Router {
    let pool = RedisPool::from(redis::Client::open(url).expect("the URL is well formed"));
    axum_session::on(Some(SessionRedisPool::from(pool)), config).await
}

async fn axum_session_postgres(url: &str, config: SessionConfig) -> Router {
    let pool = sqlx::PgPool::connect(url).await.expect(RUNS);
    axum_session::on(Some(SessionPgPool::from(pool)), config).await
}

async fn axum_session_sqlite(path: &str) -> Router {
    let pool = sqlx::SqlitePool::connect(&sqlite_url(path)).await.expect("the file can be opened");
    axum_session::on(Some(SessionSqlitePool::from(pool)), SessionConfig::default()).await
}

async fn ruts_redis(url: &str) -> Router {
    let client = Client::new(Config::from_url(url).expect("the URL is well formed"), None, None, None);
    client.init().await.expect(RUNS);
    ruts::on(::ruts::store::redis::RedisStore::new(client.into()).await.expect(RUNS))
}

async fn ruts_postgres(url: &str) -> Router {
    let pool = earlier_sqlx::PgPool::connect(url).await.expect(RUNS);
    let builder = ::ruts::store::postgres::PostgresStoreBuilder::new(pool).create_table(true);
    ruts::on(builder.build().await.expect("the table can be made"))
}
