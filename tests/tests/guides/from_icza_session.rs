use axum::http::StatusCode;
use session_axum::{MemoryStore, SessionLayer};
use workspace_tests::client::Client;

use crate::code::from_icza_session::counter;

#[tokio::test]
async fn visits_are_counted_from_login_to_logout() {
    let mut client = Client::new(&counter::routes().layer(SessionLayer::new(MemoryStore::new())));
    client.post("/login/ann").await;
    assert_eq!(client.get("/").await.body, "ann: 2");
    client.post("/logout").await;
    assert_eq!(client.get("/").await.status, StatusCode::UNAUTHORIZED);
}
