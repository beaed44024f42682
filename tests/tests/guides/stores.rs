use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use session_axum::{MemoryStore, Session, SessionLayer};
use workspace_tests::client::Client;

use crate::code::stores;
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
