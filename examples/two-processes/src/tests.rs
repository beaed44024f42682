use session_axum::testing::{Operation, SessionEffect, TestSessions};

use super::*;

/// P73.
#[tokio::test]
async fn a_visitor_of_one_process_is_known_to_the_other() {
    let sessions = TestSessions::new();
    // Two layers on one store, as in two processes.
    let [first, second] = [1, 2].map(|process| app(sessions.layer().build().unwrap(), process));
    let mut at_first = sessions.client(first);
    let nobody = at_first.submit("/sign-in", &[("user", "")]).await;
    assert_eq!((nobody.status().as_u16(), SessionEffect::of(&nobody)), (303, SessionEffect::Nothing));
    let signed_in = at_first.submit("/sign-in", &[("user", "ann")]).await;
    assert_eq!(SessionEffect::of(&signed_in), SessionEffect::Started);
    assert!(at_first.get("/").await.body().contains("Hello ann, visit 1"));

    let mut at_second = at_first.jar().clone().client(second);
    let page = at_second.get("/").await.into_body();
    assert!(page.contains("Process 2") && page.contains("Hello ann, visit 2"), "{page}");
    at_second.post("/sign-out").await;
    assert!(!at_first.get("/").await.body().contains("Hello ann"), "signed out at one is signed out at both");
}

#[tokio::test]
async fn while_redis_fails_a_visitor_is_told_so_and_stays_signed_in() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().build().unwrap();
    let ann = sessions.sign_in(&layer, NewSession::new().principal("ann")).await;
    let mut ann = ann.client(app(layer, 1));
    sessions.fail(Operation::ALL);
    assert_eq!(ann.get("/").await.status(), 503);
    sessions.recover();
    assert!(ann.get("/").await.body().contains("Hello ann, visit 1"));
}
