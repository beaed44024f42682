//! Renewing, logging out, signing in again, and what else ends a session, each with its binding.

use axum::http::{Method, StatusCode};
use session_axum::DeviceBound;
use workspace_tests::Device;

use super::application::{Application, BOUND, LIFETIME, MINUTE, SECOND, SESSION};
use super::software_browser::Offer;

/// D7, D30: the browser's side ends with the next refresh.
#[tokio::test]
async fn a_logout_clears_both_cookies_and_the_next_refresh_ends_the_binding() {
    for has_lapsed in [false, true] {
        let app = Application::new();
        let mut browser = app.bound().await;
        if has_lapsed {
            app.clock.advance(LIFETIME);
        }
        // Without a proof too.
        let answer = browser.send(Method::POST, "/logout", &[]).await;
        let cleared = answer.set_cookies();
        assert!(cleared.len() == 2 && cleared.iter().all(|cookie| cookie.contains("Max-Age=0")), "{cleared:?}");
        assert!(browser.cookies().is_empty() && browser.needs_refresh("/user"));
        assert_eq!(browser.get("/user").await.body, "nobody");
        assert!(browser.binding.is_none());
        browser.post("/login").await;
        assert!(browser.binding.is_some(), "the next login binds anew");
        assert_eq!(browser.get("/bound").await.body, "true");
    }
}

/// D30: by an administrator, by signing out everywhere, by the limit, and by the other session.
#[tokio::test]
async fn what_ends_elsewhere_ends_the_binding_at_the_next_refresh() {
    let app = Application::with(DeviceBound::new(), |builder| builder.max_sessions_per_principal(2));
    for how in 0..4 {
        let (mut browser, manager) = (app.bound().await, app.layer.manager());
        let handle = manager.sessions_of("ann").await.unwrap()[0].key;
        match how {
            0 => assert!(manager.end(&handle).await.unwrap()),
            1 => assert!(manager.end_all_of("ann").await.unwrap() > 0),
            2 => {
                for _ in 0..2 {
                    app.clock.advance(SECOND);
                    app.browser().post("/login").await;
                }
            }
            _ => {
                let other = app.browser().post("/login").await;
                let id = other.set_cookies()[0].split(['=', ';']).nth(1).unwrap().to_owned();
                let other = manager.get(&id).await.unwrap().unwrap();
                assert!(manager.end_others(&other).await.unwrap() > 0);
            }
        }
        app.clock.advance(LIFETIME);
        assert_eq!(browser.get("/user").await.body, "nobody", "{how}");
        assert!(browser.binding.is_none());
        manager.end_all_of("ann").await.unwrap();
    }
}

/// D9
#[tokio::test]
async fn the_binding_goes_with_a_renewal() {
    let app = Application::new();
    let mut browser = app.bound().await;
    let before = browser.cookie(SESSION).unwrap().to_owned();
    assert_eq!(browser.post("/renew").await.status, StatusCode::OK);
    assert_ne!(browser.cookie(SESSION).unwrap(), before);
    assert_eq!(browser.get("/bound").await.body, "true");
    // A refresh that was under way comes with the old id.
    let after = browser.cookie(SESSION).unwrap().to_owned();
    browser.set_cookie(SESSION, &before);
    assert_eq!(browser.refresh().await.unwrap().status, StatusCode::OK);
    browser.set_cookie(SESSION, &after);
    app.clock.advance(LIFETIME);
    assert_eq!(browser.get("/bound").await.body, "true");
    let mut thief = browser.stolen();
    app.clock.advance(LIFETIME + MINUTE);
    assert_eq!(thief.get("/user").await.body, "nobody");
}

/// D9: with a grace for old ids, and offers every so often.
#[tokio::test]
async fn the_binding_goes_with_offers_and_graces() {
    let app =
        Application::with(DeviceBound::new(), |builder| builder.renew_every(5 * MINUTE).renewal_grace(30 * SECOND));
    let mut browser = app.bound().await;
    let mut ids = vec![browser.cookie(SESSION).unwrap().to_owned()];
    for _ in 0..20 {
        app.clock.advance(4 * MINUTE);
        assert_eq!(browser.get("/bound").await.body, "true");
        let id = browser.cookie(SESSION).unwrap().to_owned();
        if !ids.contains(&id) {
            assert_eq!(browser.get("/bound").await.body, "true", "the offer is taken");
            // What was under way with the old id goes on with a proof, and not without.
            let mut other = browser.stolen();
            other.set_cookie(SESSION, ids.last().unwrap());
            assert_eq!(other.get("/user").await.body, "ann");
            other.set_cookie(BOUND, "");
            assert_eq!(other.get("/user").await.body, "nobody");
            ids.push(id);
        }
    }
    assert!(ids.len() > 5, "{}", ids.len());
}

/// D8: the old binding's late refresh can't end the new one.
#[tokio::test]
async fn signing_in_again_binds_anew_and_a_late_refresh_ends_nothing() {
    let app = Application::new();
    for has_lapsed in [false, true] {
        let mut browser = app.bound().await;
        if has_lapsed {
            app.clock.advance(LIFETIME);
        }
        let old_session = browser.cookie(SESSION).unwrap().to_owned();
        let old = browser.binding.take().unwrap();
        let login = browser.send(Method::POST, "/login", &[]).await;
        let new_session = browser.cookie(SESSION).unwrap().to_owned();
        assert_ne!(new_session, old_session);

        // Before the new key is registered, the old binding refreshes with the new session's cookie.
        browser.binding = Some(old);
        assert_eq!(browser.refresh().await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
        let old = browser.binding.take().unwrap();
        browser.register(&Offer::of(&login).unwrap(), Device::p256()).await;
        let new = browser.binding.take().unwrap();
        assert_eq!(new.identifier, old.identifier, "the new one replaces the old one");

        // And after it, with either cookie.
        browser.binding = Some(old);
        for session in [&old_session, &new_session] {
            browser.set_cookie(SESSION, session);
            let answer = browser.refresh().await.unwrap();
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(answer.set_cookies().is_empty());
        }
        browser.binding = Some(new);
        for _ in 0..3 {
            assert_eq!(browser.get("/bound").await.body, "true");
            app.clock.advance(LIFETIME);
        }
    }
}

/// D10: what answers an older offer ends nothing either.
#[tokio::test]
async fn a_late_registration_of_an_older_login_ends_nothing() {
    let app = Application::new();
    let mut browser = app.browser();
    let old = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    let new = Offer::of(&browser.send(Method::POST, "/login", &[]).await).unwrap();
    let answer = browser.register(&old, Device::p256()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    browser.register(&new, Device::p256()).await;
    assert_eq!(browser.get("/bound").await.body, "true");
    app.clock.advance(LIFETIME);
    assert_eq!(browser.get("/bound").await.body, "true");
}

/// D11: its owner may come again with a proof.
#[tokio::test]
async fn an_anonymous_session_ends_no_bound_one() {
    let app = Application::new();
    let mut owner = app.bound().await;
    app.clock.advance(LIFETIME);
    let mut other = owner.stolen();
    other.set_cookie(BOUND, "");
    other.send(Method::POST, "/cart", &[]).await;
    assert_eq!(owner.get("/user").await.body, "ann");
}

/// D11: a request that was under way for so long that its proof is over, or that a browser repeats.
#[tokio::test]
async fn an_anonymous_session_of_a_late_request_replaces_no_bound_one() {
    let app = Application::new();
    let mut owner = app.bound().await;
    let mut late = owner.stolen();
    app.clock.advance(LIFETIME + 2 * MINUTE);
    let answer = late.send(Method::POST, "/cart", &[]).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0), "the owner's cookie stays");
    assert_eq!(owner.get("/user").await.body, "ann");
    // A browser that has lost its key shows no such cookie.
    late.set_cookie(BOUND, "");
    let answer = late.send(Method::POST, "/cart", &[]).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::OK, 1));
}

/// D11: browsers hold no request that another host has started, so it comes without the proof that its owner has.
#[tokio::test]
async fn an_anonymous_session_of_a_request_from_elsewhere_replaces_no_bound_one() {
    let app = Application::new();
    let mut owner = app.bound().await;
    app.clock.advance(LIFETIME);
    for site in ["same-site", "cross-site"] {
        let answer = owner.send(Method::POST, "/cart", &[("sec-fetch-site", site)]).await;
        let kept = (answer.status, answer.set_cookies().len());
        assert_eq!(kept, (StatusCode::UNAUTHORIZED, 0), "the owner's cookie stays");
    }
    assert_eq!(owner.get("/user").await.body, "ann");
}
