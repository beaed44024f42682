//! A store that fails when told.

use axum::http::{Response, StatusCode, header};
use axum::response::Html;
use session_axum::testing::{Operation, SessionEffect, TestClient, TestSessions};
use session_axum::{Refusal, Refused};

use super::*;

const SORRY: &str = "<h1>We are looking into it</h1>";

fn own_page(refused: &Refused<'_>) -> Option<axum::response::Response> {
    use axum::response::IntoResponse;
    (refused.refusal() == Refusal::Unavailable).then(|| (StatusCode::SERVICE_UNAVAILABLE, Html(SORRY)).into_response())
}

async fn shop_with_a_page() -> (TestSessions, TestClient<Router>) {
    let sessions = TestSessions::new();
    let layer = sessions.layer().answer_with(own_page).build().unwrap();
    let ann = sessions.sign_in(&layer, ann()).await.client(shop(layer));
    (sessions, ann)
}

#[track_caller]
fn assert_own_page(response: &Response<String>) {
    assert_eq!((response.status(), response.body().as_str()), (StatusCode::SERVICE_UNAVAILABLE, SORRY));
    assert!(!response.headers().contains_key(header::SET_COOKIE));
    assert_eq!(SessionEffect::of(response), SessionEffect::Nothing);
}

/// P9.
#[tokio::test]
async fn loading_fails_until_the_store_recovers() {
    let (sessions, mut ann) = shop_with_a_page().await;
    sessions.fail(Operation::READS);
    for _ in 0..3 {
        assert_own_page(&ann.get("/").await);
    }
    sessions.recover();
    assert_eq!(ann.get("/").await.body(), "ann", "the cookie is still there");
}

/// P9.
#[tokio::test]
async fn saving_fails_for_the_next_calls_alone() {
    let (sessions, mut ann) = shop_with_a_page().await;
    sessions.fail_next(Operation::Save, 2);
    assert_own_page(&ann.post("/cart").await);
    assert_eq!(ann.get("/cart").await.body(), "", "reading goes on");
    assert_own_page(&ann.post("/cart").await);
    assert_eq!(ann.post("/cart").await.status(), StatusCode::OK);
    assert_eq!(ann.get("/cart").await.body(), "tea", "what failed was not saved");
}

/// P9.
#[tokio::test]
async fn creating_renewing_and_ending_fail() {
    let (sessions, mut ann) = shop_with_a_page().await;
    for (operation, path) in
        [(Operation::Renew, "/login"), (Operation::Renew, "/renew"), (Operation::Delete, "/logout")]
    {
        sessions.fail(&[operation]);
        assert_own_page(&ann.post(path).await);
        sessions.recover();
        assert_eq!(ann.get("/").await.body(), "ann", "{path} has changed nothing");
    }
    ann.post("/logout").await;
    sessions.fail(&[Operation::Create]);
    assert_own_page(&ann.post("/login").await);
    assert!(ann.jar().cookie_names().is_empty());
}

/// P9.
#[tokio::test]
async fn everything_fails_and_routes_without_sessions_go_on() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().build().unwrap();
    let app = shop(layer.clone()).route("/about", get(async || "about us"));
    let mut ann = sessions.sign_in(&layer, ann()).await.client(app);
    sessions.fail(Operation::ALL);
    for path in ["/", "/cart"] {
        assert_eq!(ann.get(path).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(ann.get("/about").await.body(), "about us");
}

/// P18. No request sees what another one has not stored.
#[tokio::test]
async fn what_is_not_stored_is_seen_by_no_other_request() {
    let (sessions, mut ann) = shop_with_a_page().await;
    sessions.fail_next(Operation::Save, 1);
    ann.post("/cart").await;
    assert_eq!(ann.get("/cart").await.body(), "");

    let unit = sessions.session(super::ann());
    unit.set_attr(CART, &vec!["tea".to_owned()]).unwrap();
    assert_eq!(sessions.stored(&unit).unwrap().attr(CART).unwrap(), None, "nobody has saved it");
    unit.save().await.unwrap();
    assert!(sessions.stored(&unit).unwrap().attr(CART).unwrap().is_some());
}
