use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use session_axum::{MemoryStore, Session, SessionLayer};
use workspace_tests::client::Client;

use crate::code::{stores, which_store};
use crate::with_login;

async fn home(_: Session) {}

async fn signs_in(layer: SessionLayer) {
    let mut client = Client::new(&with_login(Router::new().route("/", get(home))).layer(layer));
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
    client.post("/login").await;
    assert_eq!(client.get("/").await.status, StatusCode::OK);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn sqlite_keeps_sessions_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let layer = stores::sqlite::layer(&folder.path().join("sessions.db")).await.unwrap();
    signs_in(layer).await;
    let file = folder.path().join("encrypted.db");
    signs_in(stores::encrypted::layer(&file, &[1; 32], &[2; 32]).await.unwrap()).await;
    let file = folder.path().join("any.db");
    signs_in(SessionLayer::new(stores::at_run_time::open(file.to_str()).await.unwrap())).await;
    signs_in(SessionLayer::new(stores::at_run_time::open(None).await.unwrap())).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_keeps_sessions_in_a_database() {
    let Some(server) = workspace_tests::PostgresServer::start() else { return };
    signs_in(stores::postgres::layer(&server.url()).await.unwrap()).await;
    signs_in(SessionLayer::new(stores::postgres_pool::store(&server.url()).unwrap())).await;
    assert_eq!(server.sql("SELECT count(*) FROM session_records").trim(), "2");
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_is_encrypted_with_an_authority_of_ones_own() {
    let authority = workspace_tests::Authority::new();
    let Some(mut server) = workspace_tests::PostgresServer::start() else { return };
    server.use_certificate(&authority.certify(&["localhost"]));
    server.require_tls(None);
    let address = format!("postgres://postgres@localhost:{}/postgres", server.addr().port());
    let store = stores::postgres_tls::store(&address, authority.pem().into_bytes()).unwrap();
    store.set_up().await.unwrap();
    signs_in(SessionLayer::new(store)).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_keeps_sessions_at_a_server() {
    let Some(server) = workspace_tests::RedisServer::start() else { return };
    signs_in(stores::redis::layer(&server.url()).await.unwrap()).await;
    signs_in(stores::redis::tracked(&server.url()).await.unwrap()).await;
    for prefix in ["shop:", "session:"] {
        let keys = server.ask(&["KEYS", &format!("{prefix}*")]);
        assert!(keys.contains(prefix), "{keys}");
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_keeps_sessions_in_a_cluster() {
    let Some(cluster) = workspace_tests::RedisCluster::start() else { return };
    let urls = cluster.urls();
    signs_in(stores::redis::cluster([&urls[0], &urls[1]]).await.unwrap()).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn redis_is_encrypted_with_an_authority_of_ones_own() {
    let authority = workspace_tests::Authority::new();
    let certificate = authority.certify(&["localhost"]);
    let Some(server) = workspace_tests::RedisServer::start_encrypted(&certificate, &authority, &[]) else { return };
    let url = format!("rediss://localhost:{}/", server.encrypted_port());
    let store = stores::redis_tls::store(&url, authority.pem().into_bytes()).unwrap();
    signs_in(SessionLayer::new(store)).await;
}

#[cfg(feature = "memcached")]
#[tokio::test]
async fn memcached_keeps_sessions_and_stands_before_a_database() {
    let Some(server) = workspace_tests::MemcachedServer::start() else { return };
    signs_in(stores::memcached::layer(&server.url()).await.unwrap()).await;
    let (before, database) = (server.keys().len(), MemoryStore::new());
    assert!(before > 0);
    signs_in(stores::tiers::layer(&server.url(), database.clone()).await.unwrap()).await;
    assert_eq!(database.len(), 1);
    assert!(server.keys().len() > before, "the cache has a copy");
}

/// In a process of its own, as the environment is the whole process's.
#[cfg(feature = "firestore")]
#[tokio::test]
async fn firestore_keeps_sessions_in_a_project() {
    const EMULATOR: &str = "FIRESTORE_EMULATOR_HOST";
    if std::env::var_os(EMULATOR).is_some() {
        return signs_in(stores::firestore::layer("tests").await.unwrap()).await;
    }
    let Some(emulator) = workspace_tests::FirestoreEmulator::start() else { return };
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "stores::firestore_keeps_sessions_in_a_project"]);
    let output = again.env(EMULATOR, emulator.addr().to_string()).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
}

#[tokio::test]
async fn memory_has_a_budget() {
    signs_in(SessionLayer::new(which_store::budget::store().unwrap())).await;
}

#[tokio::test]
async fn a_database_is_written_behind() {
    let database = MemoryStore::new();
    let layer = stores::write_behind::layer(MemoryStore::new(), database.clone()).unwrap();
    let sessions = layer.manager().clone();
    signs_in(layer).await;
    sessions.close().await.unwrap();
    assert_eq!(database.len(), 1);
}

#[tokio::test]
async fn a_cron_job_purges() {
    let mut job = Client::new(&stores::purge::app(SessionLayer::new(MemoryStore::new()), "a secret").unwrap());
    assert_eq!(job.get("/purge").await.status, StatusCode::UNAUTHORIZED);
    let answer = job.send(axum::http::Method::GET, "/purge", &[("authorization", "Bearer a secret")]).await;
    assert_eq!(answer.body, r#"{"completed":true,"purged":0}"#);
}
