use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{Session, SessionError};
use workspace_tests::client::Client;

use crate::code::attributes;
use crate::in_memory;

#[tokio::test]
async fn attributes_are_read_and_changed_as_shown() {
    let mut client = Client::new(&in_memory(Router::new().route("/", post(attributes::values::example))));
    client.post("/login").await;
    assert_eq!(client.post("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn work_in_the_background_saves_what_it_did() {
    async fn state(sess: Session) -> Result<String, SessionError> {
        Ok(sess.attr("Export")?.unwrap_or_default())
    }
    let routes = Router::new().route("/export", post(attributes::background::export)).route("/", get(state));
    let mut client = Client::new(&in_memory(routes));
    client.post("/login").await;
    assert_eq!(client.post("/export").await.body, "The export has started");
    while client.get("/").await.body == "running" {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.get("/").await.body, "done");
}
