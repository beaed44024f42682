//! One clock for all.

use std::time::Duration;

use axum::http::StatusCode;
use session_axum::testing::TestSessions;
use session_axum::{Fresh, Session};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// P8.
#[tokio::test]
async fn the_clock_ends_sessions_by_both_deadlines() {
    let (sessions, layer, app) = plain_shop();
    let mut idle = sessions.sign_in(&layer, ann()).await.client(app.clone());
    sessions.advance(30 * MINUTE - Duration::from_millis(1));
    assert_eq!(idle.clone().get("/").await.status(), StatusCode::OK);
    sessions.advance(30 * MINUTE);
    assert_eq!(idle.get("/").await.status(), StatusCode::UNAUTHORIZED);

    let mut used = sessions.sign_in(&layer, ann()).await.client(app);
    for _ in 0..24 * 3 - 1 {
        sessions.advance(20 * MINUTE);
        assert_eq!(used.get("/").await.status(), StatusCode::OK);
    }
    sessions.advance(20 * MINUTE);
    assert_eq!(used.get("/").await.status(), StatusCode::UNAUTHORIZED, "24 hours have passed");
}

/// P8. A jar with a clock of its own would go on sending it.
#[tokio::test]
async fn a_cookies_lifetime_ends_by_the_same_clock() {
    let (sessions, layer, app) = plain_shop();
    let mut remembered = sessions.sign_in(&layer, ann().remember(30 * DAY)).await;
    remembered.close_browser();
    let mut client = remembered.clone().client(app);
    sessions.advance(30 * DAY - Duration::from_secs(1));
    assert_eq!(client.get("/").await.body(), "ann");
    assert_eq!(remembered.cookie_names(), ["__Host-sessid"]);
    sessions.advance(Duration::from_secs(1));
    assert!(remembered.cookie_names().is_empty());
    // The server doesn't rely on it.
    let mut thief = remembered.stolen().client(shop(layer));
    assert_eq!(thief.jar().cookie_names(), ["__Host-sessid"]);
    assert_eq!(thief.get("/").await.status(), StatusCode::UNAUTHORIZED);
}

/// P8.
#[tokio::test]
async fn closing_the_browser_drops_what_has_no_lifetime() {
    let (sessions, layer, _) = plain_shop();
    let mut jar = sessions.sign_in(&layer, ann()).await;
    jar.close_browser();
    assert!(jar.cookie_names().is_empty());
}

/// P8.
#[tokio::test]
async fn freshness_ends_by_the_same_clock() {
    async fn delete(_: Fresh) {}
    let sessions = TestSessions::new();
    let layer = sessions.layer().fresh_within(5 * MINUTE).build().unwrap();
    let app = Router::new().route("/delete", post(delete)).layer(layer.clone());
    let mut ann = sessions.sign_in(&layer, ann()).await.client(app);
    sessions.advance(5 * MINUTE - Duration::from_millis(1));
    assert_eq!(ann.post("/delete").await.status(), StatusCode::OK);
    sessions.advance(Duration::from_millis(1));
    assert_eq!(ann.post("/delete").await.status(), StatusCode::FORBIDDEN);
}

/// P8, T62.
#[tokio::test]
async fn the_grace_of_an_old_id_ends_by_the_same_clock() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().renewal_grace(Duration::from_secs(10)).build().unwrap();
    let mut ann = sessions.sign_in(&layer, ann()).await.client(shop(layer));
    let mut sent_before = ann.clone();
    ann.post("/renew").await;
    sessions.advance(Duration::from_secs(9));
    assert_eq!(sent_before.get("/").await.status(), StatusCode::OK);
    sessions.advance(Duration::from_secs(1));
    assert_eq!(sent_before.get("/").await.status(), StatusCode::UNAUTHORIZED);
}

/// P8. An application that builds its manager itself.
#[tokio::test]
async fn an_application_may_take_the_store_and_the_clock() {
    let sessions = TestSessions::new();
    let manager = session_axum::SessionManager::builder(sessions.store()).clock(sessions.clock()).build().unwrap();
    let layer = session_axum::SessionLayer::builder(manager.clone()).build().unwrap();
    let mut ann = sessions.sign_in(&layer, ann()).await.client(shop(layer));
    assert_eq!(manager.sessions_of("ann").await.unwrap().len(), 1);
    sessions.advance(30 * MINUTE);
    assert_eq!(ann.get("/").await.status(), StatusCode::UNAUTHORIZED);
    assert!(manager.sessions_of("ann").await.unwrap().is_empty());
}

/// P8. A session for unit tests has the clock, too.
#[test]
fn a_session_without_a_request_has_the_clock() {
    let sessions = TestSessions::new();
    let sess: Session = sessions.session(ann());
    assert!(sess.is_fresh(MINUTE));
    sessions.advance(MINUTE);
    assert!(!sess.is_fresh(MINUTE));
    assert!(sessions.stored(&sess).is_some());
    sessions.advance(30 * MINUTE);
    assert!(sessions.stored(&sess).is_none());
}
