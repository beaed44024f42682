//! Whoever has everything that a request of the owner showed, and not the key.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use session_axum::DeviceBound;
use workspace_tests::Device;

use super::application::{Application, BOUND, LIFETIME, MINUTE, SESSION};
use super::software_browser::{Offer, SoftwareBrowser};

async fn is_in(thief: &mut SoftwareBrowser) -> bool {
    let answers = [thief.send(Method::GET, "/user", &[]).await.body, thief.send(Method::GET, "/", &[]).await.body];
    let is_in = answers[0] == "ann";
    assert_eq!(is_in, answers[1] == "ann");
    is_in
}

/// D4
#[tokio::test]
async fn the_session_cookie_alone_is_worth_nothing() {
    let app = Application::new();
    let owner = app.bound().await;
    let mut thief = owner.stolen();
    thief.set_cookie(BOUND, "");
    assert!(!is_in(&mut thief).await);
    let refused = thief.send(Method::POST, "/count", &[]).await;
    assert_eq!((refused.status, refused.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
}

/// D3: a key of a thief's own.
#[tokio::test]
async fn a_thief_registers_no_key() {
    let app = Application::new();
    let mut owner = app.browser();
    let login = owner.send(Method::POST, "/login", &[]).await;
    let offer = Offer::of(&login).unwrap();
    owner.register(&offer, Device::p256()).await;
    owner.get("/").await;
    // Also with the challenge of the owner's registration.
    let mut thief = owner.stolen();
    for challenge in [offer.challenge.clone(), owner.binding.as_ref().unwrap().challenge.clone().unwrap()] {
        let offer = Offer { path: offer.path.clone(), challenge };
        let answer = thief.register(&offer, Device::p256()).await;
        assert!(thief.binding.is_none() && answer.set_cookies().is_empty());
        assert_ne!(answer.status, StatusCode::FORBIDDEN, "no further challenge");
    }
    app.clock.advance(LIFETIME);
    assert_eq!(owner.get("/bound").await.body, "true");
}

/// D29
#[tokio::test]
async fn a_proof_of_another_key_is_refused_and_ends_nothing() {
    let app = Application::new();
    let mut owner = app.bound().await;
    let mut thief = owner.stolen();
    let challenge = owner.binding.as_ref().unwrap().challenge.clone().unwrap();
    let device = Device::p256();
    for proof in [device.refresh(&challenge), device.registration(&challenge), "a.b.c".to_owned()] {
        let proof = format!("\"{proof}\"");
        let answer = thief.send(Method::POST, "/dbsc/sessid/refresh", &[("secure-session-response", &proof)]).await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::FORBIDDEN, 0));
    }
    app.clock.advance(LIFETIME);
    assert_eq!(owner.get("/bound").await.body, "true");
}

/// D29: several lines are no proof, whatever the first one is.
#[tokio::test]
async fn two_proofs_at_once_are_none() {
    let app = Application::new();
    let mut owner = app.bound().await;
    let binding = owner.binding.as_ref().unwrap();
    let proof = format!("\"{}\"", binding.device.refresh(binding.challenge.as_ref().unwrap()));
    let both = [("secure-session-response", proof.as_str()), ("secure-session-response", proof.as_str())];
    let answer = owner.send(Method::POST, "/dbsc/sessid/refresh", &both).await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::FORBIDDEN, 0));
}

/// D4: cookies that another host of the domain has planted before the owner's.
#[tokio::test]
async fn planted_cookies_do_not_hide_the_good_one() {
    let app = Application::new();
    let owner = app.bound().await;
    let [session, bound] = [SESSION, BOUND].map(|name| owner.cookie(name).unwrap().to_owned());
    let planted = format!("{BOUND}=1767225600000.{}; ", "A".repeat(43)).repeat(7);
    let cookies = format!("{planted}{BOUND}={bound}; {SESSION}={session}");
    let mut other = app.browser();
    assert_eq!(other.send(Method::GET, "/user", &[("cookie", &cookies)]).await.body, "ann");
}

/// D21: what was made for one thing passes for no other.
#[tokio::test]
async fn a_challenge_is_no_cookie() {
    let app = Application::new();
    let owner = app.bound().await;
    let mut thief = owner.stolen();
    thief.set_cookie(BOUND, owner.binding.as_ref().unwrap().challenge.as_ref().unwrap());
    assert!(!is_in(&mut thief).await);
    // Nor is the bound cookie of another session.
    thief.set_cookie(BOUND, app.bound().await.cookie(BOUND).unwrap());
    assert!(!is_in(&mut thief).await);
}

/// D12
#[tokio::test]
async fn whoever_says_that_it_had_to_skip_is_refused_unless_a_grace_was_asked_for() {
    let skipped = [("secure-session-skipped", "unreachable;session_identifier=\"__Host-sessid@app.test\"")];
    let app = Application::new();
    let mut thief = app.bound().await.stolen();
    thief.set_cookie(BOUND, "");
    assert_eq!(thief.send(Method::GET, "/user", &skipped).await.body, "nobody");

    let grace = Duration::from_secs(300);
    let app = Application::with(DeviceBound::new().skip_grace(grace), |builder| builder);
    let mut owner = app.bound().await;
    let mut thief = owner.stolen();
    thief.set_cookie(BOUND, "");
    assert_eq!(thief.send(Method::GET, "/user", &[]).await.body, "nobody", "it says nothing");
    assert_eq!(thief.send(Method::GET, "/user", &skipped).await.body, "ann");
    app.clock.advance(grace);
    assert_eq!(thief.send(Method::GET, "/user", &skipped).await.body, "nobody");
    // A proof within a day lets no other grace start.
    for _ in 0..10 {
        owner.refresh().await;
        assert_eq!(owner.get("/user").await.body, "ann");
        assert_eq!(thief.send(Method::GET, "/user", &skipped).await.body, "nobody");
        app.clock.advance(20 * MINUTE);
    }
}

/// D12: a cookie that is over says nothing of a skip, nor does a link from elsewhere.
#[tokio::test]
async fn a_grace_is_for_whoever_says_that_it_had_to_skip() {
    let app = Application::with(DeviceBound::new().skip_grace(MINUTE), |builder| builder);
    let mut thief = app.bound().await.stolen();
    app.clock.advance(LIFETIME);
    for headers in [&[][..], &[("sec-fetch-site", "cross-site")]] {
        assert_eq!(thief.send(Method::GET, "/user", headers).await.body, "nobody");
    }
}

/// D12: a day after the first skip.
#[tokio::test]
async fn a_proof_after_a_day_lets_another_grace_start() {
    let skipped = [("secure-session-skipped", "quota_exceeded;session_identifier=\"__Host-sessid@app.test\"")];
    let app =
        Application::with(DeviceBound::new().skip_grace(MINUTE), |builder| builder.absolute_timeout(72 * 60 * MINUTE));
    let mut owner = app.bound().await;
    let mut skipping = owner.stolen();
    skipping.set_cookie(BOUND, "");
    assert_eq!(skipping.send(Method::GET, "/user", &skipped).await.body, "ann");
    for _ in 0..24 * 3 {
        app.clock.advance(20 * MINUTE);
        assert_eq!(skipping.send(Method::GET, "/user", &skipped).await.body, "nobody");
        assert_eq!(owner.get("/user").await.body, "ann");
    }
    app.clock.advance(20 * MINUTE);
    owner.get("/user").await;
    assert_eq!(skipping.send(Method::GET, "/user", &skipped).await.body, "ann");
}
