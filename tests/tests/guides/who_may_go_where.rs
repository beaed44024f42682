use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use session_axum::{ManualClock, MemoryStore, Session, SessionLayer};
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use workspace_tests::client::Client;

use crate::code::who_may_go_where::{answers, confirm, guard};
use crate::{PAGE, with_login};

#[tokio::test]
async fn a_guarded_router_is_open_where_it_says_so() {
    let mut visitor = Client::new(&guard::app().unwrap());
    assert_eq!(visitor.get("/login").await.status, StatusCode::OK);
    assert_eq!(visitor.get("/assets/logo.png").await.status, StatusCode::OK);
    assert_eq!(visitor.send(Method::GET, "/", &[PAGE]).await.all("location"), ["/login?next=%2F"]);
    assert_eq!(visitor.get("/unknown").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_page_of_ones_own_is_shown_while_the_store_fails() {
    let store = FaultyStore::new(MemoryStore::new());
    let routes = Router::new().route("/", get(async |_: Session| "home"));
    let app = with_login(routes).layer(answers::layer(store.clone()).unwrap());
    let mut visitor = Client::new(&app);
    assert_eq!(visitor.send(Method::GET, "/", &[PAGE]).await.all("location"), ["/login?next=%2F"]);
    let guide = include_str!("../../../docs/guides/who-may-go-where.md");
    assert!(guide.contains(&format!("```json\n{}\n```", visitor.get("/").await.body)), "the JSON is shown whole");
    visitor.post("/login").await;
    store.faults().fail_every(Operation::READS, Fault::Refused);
    let page = visitor.send(Method::GET, "/", &[PAGE]).await;
    assert_eq!(
        (page.status, page.body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "<h1>We are back in a moment</h1>")
    );
    let script = visitor.get("/").await;
    assert_eq!(script.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(script.body.contains(r#""unavailable""#), "{}", script.body);
    store.faults().recover();
    assert_eq!(visitor.send(Method::GET, "/", &[PAGE]).await.body, "home");
}

#[tokio::test]
async fn the_password_is_asked_for_again_and_leads_back() {
    let clock = Arc::new(ManualClock::default());
    let builder = SessionLayer::builder(MemoryStore::new()).clock(Arc::clone(&clock));
    let layer = builder.sign_in_page("/login").confirm_page("/confirm").build().unwrap();
    let mut user = Client::new(&with_login(confirm::routes()).layer(layer));
    user.post("/login").await;
    assert_eq!(user.post("/account/delete").await.status, StatusCode::OK);
    clock.advance(Duration::from_secs(600));
    let form = [PAGE, ("host", "shop.example"), ("referer", "https://shop.example/account")];
    let led = user.send(Method::POST, "/account/delete", &form).await;
    assert_eq!(led.all("location"), ["/confirm?next=%2Faccount"]);
    let confirm_page = led.all("location")[0].to_owned();
    assert!(user.get(&confirm_page).await.body.contains("password"));
    assert_eq!(user.submit(&confirm_page, "password=b").await.status, StatusCode::FORBIDDEN);
    assert_eq!(user.submit(&confirm_page, "password=a").await.all("location"), ["/account"]);
    assert_eq!(user.post("/account/delete").await.body, "The account of ann is deleted");
    assert!(confirm::layer().is_ok());
}
