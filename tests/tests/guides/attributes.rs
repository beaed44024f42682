use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{MemoryStore, Session, SessionError, SessionLayer};
use workspace_tests::client::Client;

use crate::code::attributes;
use crate::{in_memory, with_login};

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

#[tokio::test]
async fn tickets_are_taken_until_the_update_refuses() {
    let routes = Router::new().route("/", post(attributes::refusing::take_ticket));
    let mut client = Client::new(&in_memory(routes));
    client.post("/login").await;
    for expected in ["1 tickets left", "0 tickets left", "sold out"] {
        assert_eq!(client.post("/").await.body, expected);
    }
    assert_eq!(client.post("/").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_cart_of_the_release_before_is_brought_up_to_date() {
    async fn cart(sess: Session) -> Result<String, SessionError> {
        let cart = sess.attr::<Vec<(String, u32)>>("Cart")?.unwrap_or_default();
        Ok(format!("{cart:?} {:?}", sess.attr::<String>("Language")?))
    }
    async fn add(sess: Session) -> Result<(), SessionError> {
        sess.update_attr("Cart", |cart: Option<Vec<(String, u32)>>| {
            let mut cart = cart.unwrap_or_default();
            cart.push(("jam".to_owned(), 2));
            cart
        })
        .await?;
        Ok(())
    }
    async fn old(sess: Session) -> Result<(), SessionError> {
        sess.set_attr("Cart", &["tea"])?;
        sess.set_attr("Lang", "en")?;
        Ok(())
    }
    let store = MemoryStore::new();
    let routes = with_login(Router::new().route("/", get(cart)).route("/add", post(add)));
    let new = routes.layer(attributes::upgrade::layer(store.clone()).unwrap());
    let before = with_login(Router::new().route("/", post(old))).layer(SessionLayer::new(store));
    let mut client = Client::new(&before);
    client.post("/login").await;
    client.post("/").await;
    let mut client = client.moved_to(&new);
    assert_eq!(client.get("/").await.body, r#"[("tea", 1)] Some("en")"#);
    client.post("/add").await;
    assert_eq!(client.get("/").await.body, r#"[("tea", 1), ("jam", 2)] Some("en")"#);
}
