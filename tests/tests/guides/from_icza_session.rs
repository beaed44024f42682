use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use session_axum::{MemoryStore, Session, SessionLayer};
use workspace_tests::client::Client;

use crate::code::from_icza_session::{counter, gae};
use crate::with_login;

#[tokio::test]
async fn visits_are_counted_from_login_to_logout() {
    let mut client = Client::new(&counter::routes().layer(SessionLayer::new(MemoryStore::new())));
    client.post("/login/ann").await;
    assert_eq!(client.get("/").await.body, "ann: 2");
    client.post("/logout").await;
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
}

/// P96. The fast tier may lose everything, and a cron job purges.
#[tokio::test]
async fn two_tiers_and_a_page_for_cron_stand_for_gaesession() {
    let (memcache, datastore) = (MemoryStore::new(), MemoryStore::new());
    let app = |memcache: &MemoryStore| {
        let routes = with_login(Router::new().route("/", get(async |_: Session| ())));
        gae::app(memcache.clone(), datastore.clone(), routes, "a secret").unwrap()
    };
    let mut client = Client::new(&app(&memcache));
    client.post("/login").await;
    assert_eq!((memcache.len(), datastore.len()), (1, 1));
    assert_eq!(client.moved_to(&app(&MemoryStore::new())).get("/").await.status, StatusCode::OK);
    assert_eq!(client.get("/demo/purge").await.status, StatusCode::UNAUTHORIZED);
    let purged = client.send(Method::GET, "/demo/purge", &[("authorization", "Bearer a secret")]).await;
    assert_eq!(purged.body, r#"{"completed":true,"purged":0}"#);
}
