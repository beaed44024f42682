use std::time::Duration;

use axum::http::StatusCode;
use session_core::MemoryStore;
use session_core::conformance::faulty::{Fault, FaultyStore, Operation};
use tower_http::catch_panic::CatchPanicLayer;

use crate::support::{DAY, MINUTE, OLD, OURS, World, count_of, in_memory, is, visitor};

/// P32: an old store that fails is 503 and no stranger, for each extractor. Nothing is lost.
#[tokio::test]
async fn an_old_store_that_fails_is_503_and_no_stranger() {
    let world = in_memory();
    let (app, sessions) = world.app();
    world.old.set_down(true);
    for path in ["/", "/account", "/count", "/cart"] {
        let mut ann = visitor(&app, "old-ann");
        let answer = ann.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.set_cookies().is_empty() && ann.jar.contains_key(OLD), "{path}");
        assert!(!answer.body.contains("database"), "{}", answer.body);
    }
    let logout = visitor(&app, "old-ann").post("/logout").await;
    assert_eq!(logout.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(logout.set_cookies().is_empty());
    assert!(sessions.list(10).await.unwrap().is_empty());
    assert_eq!(visitor(&app, "old-ann").get("/public").await.status, StatusCode::OK);
    world.old.set_down(false);
    is(&mut visitor(&app, "old-ann"), "ann").await;
}

/// P32: nor does a second extractor of the same request take the visitor for a stranger.
#[tokio::test]
async fn a_failure_that_one_extractor_met_is_met_by_the_next() {
    let world = in_memory();
    world.old.set_down(true);
    let handler = async |first: Result<session_axum::MaybeSession, session_axum::SessionError>,
                         second: Result<session_axum::MaybeSession, session_axum::SessionError>| {
        format!("{} {}", first.is_err(), second.is_err())
    };
    let routes = axum::Router::new().route("/twice", axum::routing::get(handler));
    let app = routes.layer(world.builder().adopt(world.old.adoption()).build().unwrap());
    assert_eq!(visitor(&app, "old-ann").get("/twice").await.body, "true true");
}

/// P32: an old store that is silent is an error within the time limit.
#[tokio::test]
async fn an_old_store_that_is_silent_is_503_within_the_time_limit() {
    let world = in_memory();
    let limit = Duration::from_millis(50);
    let layer = world.builder().time_limit(limit).adopt(world.old.adoption()).build().unwrap();
    let (app, _) = crate::support::app_of(layer);
    world.old.hold();
    let answer = visitor(&app, "old-ann").get("/").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    world.old.let_go();
    is(&mut visitor(&app, "old-ann"), "ann").await;
}

/// P32: our own store fails at each of its calls in turn: 503, and the next request gets the session.
#[tokio::test]
async fn a_failure_of_our_store_at_any_call_leaves_the_old_session_to_the_next_request() {
    let mut has_succeeded = false;
    for (failing, fault) in (0..20).flat_map(|call| [(call, Fault::Down), (call, Fault::AnswerLost)]) {
        let store = FaultyStore::new(MemoryStore::new());
        let world = World::new(store.clone());
        let layer = world.builder().attempts(1).adopt(world.old.adoption()).build().unwrap();
        let (app, sessions) = crate::support::app_of(layer);
        let mut calls = 0;
        store.faults().decide(move |_| {
            calls += 1;
            let fault = (calls == failing + 1).then_some(fault);
            session_core::conformance::faulty::Plan::new(fault, Duration::ZERO, Duration::ZERO)
        });
        let mut ann = visitor(&app, "old-ann");
        let answer = ann.get("/").await;
        store.faults().recover();
        if answer.status != StatusCode::OK {
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{failing} {fault:?}");
            assert!(answer.set_cookies().is_empty() && world.old.has("old-ann"), "{failing} {fault:?}");
            is(&mut ann, "ann").await;
        }
        has_succeeded |= answer.status == StatusCode::OK;
        is(&mut ann, "ann").await;
        assert_eq!(count_of(&sessions, "ann").await, 1, "{failing} {fault:?}");
    }
    assert!(has_succeeded, "some call was not reached");
}

/// P33: a commit that fails is 503; the old session lives, and the next request gets the one that was made of it.
#[tokio::test]
async fn a_commit_that_fails_leaves_the_old_session() {
    let store = FaultyStore::new(MemoryStore::new());
    let world = World::new(store.clone());
    let (app, sessions) = world.app();
    let mut ann = visitor(&app, "old-ann");
    // The commit of `/renew` renews once more after the take-over has.
    let mut renewals = 0;
    store.faults().decide(move |operation| {
        renewals += usize::from(operation == Operation::Renew);
        let fault = (operation == Operation::Renew && renewals > 1).then_some(Fault::Refused);
        session_core::conformance::faulty::Plan::new(fault, Duration::ZERO, Duration::ZERO)
    });
    let answer = ann.post("/renew").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.set_cookies().is_empty() && world.old.has("old-ann"));
    assert_eq!(world.old.ends(), 0);
    store.faults().recover();
    is(&mut ann, "ann").await;
    assert!(ann.jar.contains_key(OURS) && !world.old.has("old-ann"));
    assert_eq!(count_of(&sessions, "ann").await, 1);
}

/// P33: a handler that panics ends nothing. The next request gets the session, however much later.
#[tokio::test]
async fn a_handler_that_panics_leaves_the_old_session() {
    for pause in [0, 1, 59, 61, 600] {
        let world = in_memory();
        let layer = world.builder().adopt(world.old.adoption()).build().unwrap();
        let sessions = layer.manager().clone();
        let app = crate::support::routes().layer(layer).layer(CatchPanicLayer::new());
        let mut ann = visitor(&app, "old-ann");
        assert_eq!(ann.get("/panic").await.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(world.old.has("old-ann") && !ann.jar.contains_key(OURS));
        world.clock.advance(Duration::from_secs(pause));
        is(&mut ann, "ann").await;
        assert!(ann.jar.contains_key(OURS) && !world.old.has("old-ann"));
        is(&mut ann, "ann").await;
        assert_eq!(count_of(&sessions, "ann").await, 1, "after {pause} s");
    }
}

/// P33: an old session that can't be ended does not fail the response.
#[tokio::test]
async fn an_ending_that_fails_after_a_take_over_leaves_the_response() {
    let world = in_memory();
    let (app, _) = world.app();
    world.old.refuse_endings();
    let mut ann = visitor(&app, "old-ann");
    is(&mut ann, "ann").await;
    assert!(ann.jar.contains_key(OURS) && !ann.jar.contains_key(OLD));
    assert_eq!(world.old.ends(), 3, "it was tried as often as the store's operations are");
    is(&mut ann, "ann").await;
    world.clock.advance(DAY - MINUTE);
    is(&mut ann, "ann").await;
}

/// P33: when the client hangs up, the commit goes on and ends the old session.
#[tokio::test]
async fn a_client_that_hangs_up_finds_the_old_session_ended() {
    let store = FaultyStore::new(MemoryStore::new());
    let world = World::new(store.clone());
    let (app, _) = world.app();
    let mut ann = visitor(&app, "old-ann");
    // The load at the commit makes sure that the session is still there.
    let old = world.old.clone();
    let hung_up = tokio::spawn({
        let mut ann = visitor(&app, "old-ann");
        async move { ann.get("/").await }
    });
    while store.faults().calls(Operation::Renew) == 0 {
        tokio::task::yield_now().await;
    }
    hung_up.abort();
    let _ = hung_up.await;
    is(&mut ann, "ann").await;
    assert!(!old.has("old-ann"));
}
