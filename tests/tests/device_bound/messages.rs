//! What is said between browser and layer.

use axum::http::{Method, StatusCode};
use session_core::conformance::faulty::Operation;
use workspace_tests::Device;

use super::application::{Application, BOUND, HOUR, LIFETIME, MINUTE, SECOND, SESSION};
use super::software_browser::{Offer, challenge_of};

/// D14, D15
#[tokio::test]
async fn a_login_is_bound_and_refreshed_when_the_cookie_has_lapsed() {
    let app = Application::new();
    let mut browser = app.browser();
    let login = browser.send(Method::POST, "/login", &[]).await;
    let offer = Offer::of(&login).unwrap();
    assert_eq!(offer.path, "/dbsc/sessid/register");
    assert_eq!(login.headers["cache-control"], "no-store");

    let registered = browser.register(&offer, Device::p256()).await;
    assert_eq!(registered.status, StatusCode::OK);
    assert_eq!(registered.headers["content-type"], "application/json");
    assert_eq!(registered.headers["cache-control"], "no-store");
    let json: serde_json::Value = serde_json::from_str(&registered.body).unwrap();
    let expected = serde_json::json!({
        "session_identifier": "__Host-sessid@app.test",
        "refresh_url": "/dbsc/sessid/refresh",
        "scope": {"include_site": false, "scope_specification": []},
        "credentials": [{
            "type": "cookie", "name": BOUND, "attributes": "HttpOnly; SameSite=Lax; Secure; Path=/",
        }],
    });
    assert_eq!(json, expected);
    assert!(registered.set_cookies()[0].contains("Max-Age=600"));
    assert_eq!(browser.cookies(), [SESSION, BOUND]);

    assert_eq!(browser.get("/bound").await.body, "true");
    for _ in 0..50 {
        app.clock.advance(LIFETIME);
        assert_eq!(browser.get("/user").await.body, "ann");
        assert!(browser.binding.is_some());
    }
}

/// D16, bar 3: once under way, each refresh is one request.
#[tokio::test]
async fn a_refresh_is_one_round_trip_and_reads_once() {
    let app = Application::new();
    let mut browser = app.bound().await;
    app.clock.advance(LIFETIME);
    browser.get("/").await;
    for _ in 0..20 {
        app.clock.advance(LIFETIME);
        // The use of the request before is noted beside it.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        browser.sent.clear();
        app.store.faults().forget_calls();
        browser.refresh().await;
        assert_eq!(browser.sent, [("POST /dbsc/sessid/refresh".to_owned(), StatusCode::OK)]);
        assert_eq!((app.store.faults().all_calls(), app.store.faults().calls(Operation::Load)), (1, 1));
        assert_eq!(browser.get("/").await.body, "ann");
    }
}

/// D17
#[tokio::test]
async fn keys_of_both_kinds_are_registered_and_refresh() {
    let app = Application::new();
    for device in [Device::p256(), Device::rsa(2048)] {
        let mut browser = app.browser();
        let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
        browser.register(&offer, device).await;
        browser.get("/").await;
        app.clock.advance(LIFETIME);
        assert_eq!(browser.get("/bound").await.body, "true");
    }
}

/// D18: one save at the registration and one when enforcement begins.
#[tokio::test]
async fn two_saves_bind_a_session() {
    let app = Application::new();
    let mut browser = app.browser();
    app.store.faults().forget_calls();
    let offer = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    assert_eq!(app.store.faults().all_calls(), 1);
    browser.register(&offer, Device::p256()).await;
    for _ in 0..3 {
        browser.get("/").await;
    }
    let calls = |operation| app.store.faults().calls(operation);
    assert_eq!((calls(Operation::Create), calls(Operation::Save), calls(Operation::Touch)), (1, 2, 0));
    assert_eq!(calls(Operation::Load), 4, "one for each request");
}

/// D10: a stolen cookie gets no challenge to register a key with.
#[tokio::test]
async fn registration_is_offered_by_a_login_and_a_new_authentication_alone() {
    let app = Application::new();
    let mut browser = app.browser();
    browser.is_old = true;
    assert!(Offer::of(&browser.post("/cart").await).is_none(), "nobody is signed in");
    assert!(Offer::of(&browser.post("/login").await).is_some());
    for path in ["/renew", "/count"] {
        assert!(Offer::of(&browser.post(path).await).is_none(), "{path}");
    }
    assert!(Offer::of(&browser.get("/").await).is_none());
    assert!(Offer::of(&browser.post("/again").await).is_some());
    for proof in [None, Some("\"x.y.z\""), Some(&*format!("\"{}\"", Device::p256().registration("1.AAAA")))] {
        let headers: Vec<_> = proof.map(|proof| ("secure-session-response", proof)).into_iter().collect();
        for path in ["/dbsc/sessid/register", "/dbsc/sessid/refresh"] {
            let answer = browser.send(Method::POST, path, &headers).await;
            assert!(challenge_of(&answer).is_none() && Offer::of(&answer).is_none() && answer.set_cookies().is_empty());
        }
    }
    // A session that is bound is not asked again.
    let mut browser = app.bound().await;
    assert!(Offer::of(&browser.post("/again").await).is_none());
    app.clock.advance(LIFETIME);
    assert_eq!(browser.get("/bound").await.body, "true");
}

/// D19: browsers without it see one header more.
#[tokio::test]
async fn a_browser_that_binds_nothing_goes_on_as_ever() {
    let app = Application::new();
    let mut browser = app.browser();
    browser.is_old = true;
    let login = browser.post("/login").await;
    assert_eq!(login.set_cookies().len(), 1);
    for hours in 0..10 {
        assert_eq!(browser.get("/user").await.body, "ann", "after {hours} times 29 minutes");
        assert_eq!(browser.get("/bound").await.body, "false");
        app.clock.advance(29 * MINUTE);
    }
    assert_eq!(browser.cookies(), [SESSION]);
}

/// D22, D27: what a browser does with an old, used, foreign or missing challenge is never the end of its session.
#[tokio::test]
async fn a_challenge_that_is_not_good_is_answered_by_another() {
    let app = Application::new();
    let foreign = app.bound().await.binding.unwrap().challenge;
    let mut browser = app.bound().await;
    browser.refresh().await;
    let used = browser.binding.as_ref().unwrap().challenge.clone();
    let cookie = browser.cookie(BOUND).map(str::to_owned);
    app.clock.advance(LIFETIME);
    for (challenge, requests) in
        [(used.clone(), 1), (used, 1), (None, 2), (foreign, 2), (Some("junk".to_owned()), 2), (cookie, 2)]
    {
        browser.binding.as_mut().unwrap().challenge = challenge;
        browser.sent.clear();
        browser.refresh().await;
        assert_eq!(browser.sent.len(), requests);
        assert_eq!(browser.get("/bound").await.body, "true");
    }
    app.clock.advance(LIFETIME + 61 * SECOND);
    assert_eq!(browser.get("/bound").await.body, "true", "the challenge was old");
}

#[tokio::test]
async fn what_asks_for_nothing_is_a_request_of_the_application() {
    let app = Application::new();
    let mut browser = app.browser();
    for (method, path) in [
        (Method::GET, "/dbsc/sessid/register"),
        (Method::GET, "/dbsc/sessid/refresh"),
        (Method::POST, "/x/dbsc/sessid/refresh"),
        (Method::POST, "/dbsc/other/refresh"),
    ] {
        assert_eq!(browser.send(method, path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(browser.send(Method::POST, "/dbsc/sessid/refresh", &[]).await.status, StatusCode::OK);
}

/// D2
#[tokio::test]
async fn nothing_secret_is_logged() {
    let (log, _guard) = workspace_tests::log::Log::capture();
    let app = Application::new();
    let mut browser = app.bound().await;
    app.clock.advance(LIFETIME);
    browser.get("/").await;
    let mut thief = browser.stolen();
    app.clock.advance(HOUR / 4);
    thief.get("/").await;
    let said = format!("{} {:?}", log.text(), app.layer);
    assert!(said.contains("bound to a device"), "{said}");
    let challenge = browser.binding.as_ref().unwrap().challenge.clone().unwrap();
    for secret in [browser.cookie(SESSION).unwrap(), thief.cookie(BOUND).unwrap(), &challenge] {
        assert!(!said.contains(secret.rsplit('.').next().unwrap()), "{said}");
    }
}
