//! Lost answers, failing stores, several processes, and clocks that differ: the owner stays signed in.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use session_axum::{Clock, DeviceBound, ManualClock};
use session_core::conformance::faulty::{Fault, Operation};
use workspace_tests::Device;

use super::application::{Application, BOUND, LIFETIME, MINUTE, SECOND};
use super::software_browser::Offer;

/// D31
#[tokio::test]
async fn a_registration_whose_answer_is_lost_locks_nobody_out() {
    let app = Application::new();
    let mut browser = app.browser();
    let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    let device = Device::p256();
    let proof = format!("\"{}\"", device.registration(&offer.challenge));
    let headers = [("secure-session-response", proof.as_str())];
    // Sent by somebody whose answers arrive nowhere.
    let mut lost = browser.stolen();
    let first = lost.send(Method::POST, &offer.path, &headers).await;
    app.clock.advance(5 * MINUTE);
    assert_eq!(browser.get("/user").await.body, "ann", "it is not enforced");
    let again = browser.send(Method::POST, &offer.path, &headers).await;
    assert_eq!((first.status, first.body), (again.status, again.body.clone()));
    browser.begin(&again, device);
    assert_eq!(browser.get("/bound").await.body, "true");
    app.clock.advance(LIFETIME);
    assert_eq!(browser.get("/bound").await.body, "true");

    // Lost for ever: the session goes on as before, until a new authentication offers it again.
    let mut browser = app.browser();
    let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    browser.stolen().register(&offer, Device::p256()).await;
    app.clock.advance(25 * MINUTE);
    assert_eq!(browser.get("/bound").await.body, "false");
    browser.post("/again").await;
    assert_eq!(browser.get("/bound").await.body, "true");
}

/// D32: a refresh whose answer is lost comes again with the same proof.
#[tokio::test]
async fn a_refresh_whose_answer_is_lost_is_repeated() {
    let app = Application::new();
    let mut browser = app.bound().await;
    browser.refresh().await;
    let challenge = browser.binding.as_ref().unwrap().challenge.clone();
    app.clock.advance(LIFETIME);
    for _ in 0..3 {
        browser.sent.clear();
        assert_eq!(browser.refresh().await.unwrap().status, StatusCode::OK);
        assert_eq!(browser.sent.len(), 1);
        browser.binding.as_mut().unwrap().challenge.clone_from(&challenge);
    }
    assert_eq!(browser.get("/bound").await.body, "true");
}

/// D33
#[tokio::test]
async fn a_store_that_fails_for_a_while_ends_nothing() {
    let app = Application::new();
    let mut browser = app.browser();
    let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    app.store.faults().fail_every(&[Operation::Load, Operation::Save], Fault::Refused);
    assert_eq!(browser.register(&offer, Device::p256()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.store.faults().recover();
    app.store.faults().fail_every(&[Operation::Save], Fault::Refused);
    assert_eq!(browser.register(&offer, Device::p256()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    app.store.faults().recover();
    browser.register(&offer, Device::p256()).await;
    assert_eq!(browser.get("/bound").await.body, "true");

    app.clock.advance(LIFETIME);
    app.store.faults().fail_every(&[Operation::Load], Fault::Refused);
    for _ in 0..4 {
        let answer = browser.refresh().await.unwrap();
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    }
    app.store.faults().recover();
    // Unreachable, the browser sends requests without waiting for a refresh.
    let skipped = [("secure-session-skipped", "unreachable;session_identifier=\"__Host-sessid@app.test\"")];
    let answer = browser.send(Method::GET, "/", &skipped).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
    let answer = browser.send(Method::POST, "/cart", &skipped).await;
    let kept = (answer.status, answer.set_cookies().len());
    assert_eq!(kept, (StatusCode::UNAUTHORIZED, 0), "the owner's cookie stays");
    assert_eq!(browser.get("/bound").await.body, "true");
}

/// D34, bar 6: nothing is kept in a process, and clocks may differ.
#[tokio::test]
async fn any_process_answers_whatever_another_has_begun() {
    let app = Application::new();
    let clock = Arc::new(ManualClock::default());
    let other = app.process(DeviceBound::new(), &clock);
    for (ahead, behind) in [(0, 0), (30, 0), (0, 30)] {
        clock.set(app.clock.now().saturating_add(ahead * SECOND).saturating_sub(behind * SECOND));
        let mut browser = app.browser();
        let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
        browser.moved_to(&other);
        browser.register(&offer, Device::p256()).await;
        browser.moved_to(&app.app);
        assert_eq!(browser.get("/bound").await.body, "true");
        for round in 0..10 {
            app.clock.advance(LIFETIME);
            clock.advance(LIFETIME);
            browser.moved_to(if round % 2 == 0 { &app.app } else { &other });
            browser.refresh().await;
            browser.moved_to(if round % 2 == 0 { &other } else { &app.app });
            assert_eq!(browser.get("/bound").await.body, "true", "{ahead} {behind} {round}");
        }
    }
}

/// D34: a restarted server has forgotten nothing.
#[tokio::test]
async fn a_restarted_server_goes_on() {
    let app = Application::new();
    let mut browser = app.bound().await;
    app.clock.advance(LIFETIME);
    browser.moved_to(&app.process(DeviceBound::new(), &app.clock));
    assert_eq!(browser.get("/bound").await.body, "true");
}

/// D6: requests that the browser has sent before it had the answer to its registration.
#[tokio::test]
async fn requests_around_the_registration_are_let_in() {
    let app = Application::new();
    let mut browser = app.browser();
    let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    let mut without = browser.stolen();
    let mut answers = Vec::new();
    for _ in 0..50 {
        answers.push(without.send(Method::POST, "/count", &[]).await);
    }
    browser.register(&offer, Device::p256()).await;
    assert_eq!(browser.get("/bound").await.body, "true");
    for _ in 0..50 {
        answers.push(without.send(Method::POST, "/count", &[]).await);
    }
    let counts: Vec<String> = answers.into_iter().map(|answer| answer.body).collect();
    assert_eq!(counts, (1..=100).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    app.clock.advance(MINUTE);
    assert_eq!(without.send(Method::POST, "/count", &[]).await.status, StatusCode::UNAUTHORIZED);
}

/// D5: a hundred requests begin the enforcement at once, and none is lost.
#[tokio::test]
async fn a_hundred_first_proofs_at_once_are_all_served() {
    let app = Application::new();
    let mut browser = app.browser();
    browser.post("/login").await;
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let mut window = browser.stolen();
            tokio::spawn(async move { window.send(Method::POST, "/count", &[]).await.status })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(browser.post("/count").await.body, "101");
    assert!(browser.cookie(BOUND).is_some());
}
