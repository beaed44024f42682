//! T40, T41, T42: what a login says of itself, and what it is good for later.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{
    Authentication, ManualClock, MaybeSession, NewSession, Refusal, SessionError, SessionLayer, SignedIn,
};
use workspace_tests::client::Client;
use workspace_tests::{KindOfStore, kinds_of_stores};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
    let proof = Authentication::by(["pwd", "otp"]).credentials("first password");
    visitor.start(NewSession::new().principal("ann").authenticated(proof)).map(drop)
}

async fn remembered(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().principal("ann").remember(MONTH)).map(drop)
}

async fn contradicting(visitor: MaybeSession) -> Result<(), SessionError> {
    visitor.start(NewSession::new().remember(MONTH).idle_timeout(MONTH)).map(drop)
}

/// Lets pass whoever has the present password.
fn with_password(now: &'static str) -> axum::routing::MethodRouter {
    get(async move |user: SignedIn| -> Result<String, SessionError> {
        if !user.has_credentials(now) {
            user.remove();
            return Err(Refusal::NoSession.into());
        }
        Ok(user.authentication_methods().join(" "))
    })
}

async fn change_password(user: SignedIn) -> Result<(), SessionError> {
    Ok(user.reauthenticate(Authentication::by(["pwd"]).credentials("second password"))?)
}

fn routes() -> Router {
    Router::new()
        .route("/login", post(login))
        .route("/remembered", post(remembered))
        .route("/contradicting", post(contradicting))
        .route("/before", with_password("first password"))
        .route("/after", with_password("second password"))
        .route("/user", get(async |user: SignedIn| user.principal().to_owned()))
        .route("/change", post(change_password))
        .route("/remember", post(async |user: SignedIn| user.remember(MONTH).map_err(SessionError::from)))
        .route("/forget", post(async |user: SignedIn| user.stop_remembering().map_err(SessionError::from)))
}

async fn applications() -> Vec<(Router, Arc<ManualClock>, KindOfStore)> {
    let application = |kind: KindOfStore| {
        let clock = Arc::new(ManualClock::default());
        let builder = SessionLayer::builder(kind.store.clone()).clock(Arc::clone(&clock)).without_background_purge();
        (routes().layer(builder.build().expect("these settings work")), clock, kind)
    };
    kinds_of_stores().await.into_iter().map(application).collect()
}

#[tokio::test]
async fn a_changed_password_leaves_only_the_session_that_changed_it() {
    for (app, _, _kept) in applications().await {
        let (mut here, mut there) = (Client::new(&app), Client::new(&app));
        for client in [&mut here, &mut there] {
            client.post("/login").await;
            assert_eq!(client.get("/before").await.body, "pwd otp");
        }
        let mut stolen = here.clone();
        assert_eq!(here.post("/change").await.set_cookies().len(), 1);
        assert_eq!(here.get("/after").await.body, "pwd");
        for other in [&mut there, &mut stolen] {
            assert_eq!(other.get("/after").await.status, StatusCode::UNAUTHORIZED);
        }
        assert!(there.jar.is_empty(), "the session has ended");
    }
}

#[tokio::test]
async fn remembering_is_told_to_the_browser_at_the_login_and_later() {
    for (app, clock, _kept) in applications().await {
        for (path, is_later) in [("/login", true), ("/remembered", false)] {
            let mut visitor = Client::new(&app);
            let mut told = visitor.post(path).await;
            if is_later {
                assert!(!told.set_cookies()[0].contains("Max-Age"));
                clock.advance(MINUTE);
                told = visitor.post("/remember").await;
            }
            assert!(told.set_cookies()[0].ends_with("; Max-Age=2592000"), "{:?}", told.set_cookies());
            clock.advance(29 * DAY);
            assert_eq!(visitor.get("/user").await.body, "ann", "after {path}");
            clock.advance(DAY - SECOND);
            assert_eq!(visitor.get("/user").await.body, "ann", "after {path}");
            clock.advance(SECOND);
            assert_eq!(visitor.get("/user").await.status, StatusCode::UNAUTHORIZED, "after {path}");
        }
    }
}

#[tokio::test]
async fn who_is_forgotten_is_signed_out_by_the_idle_timeout() {
    for (app, clock, _kept) in applications().await {
        let mut visitor = Client::new(&app);
        visitor.post("/remembered").await;
        clock.advance(DAY);
        assert!(!visitor.post("/forget").await.set_cookies()[0].contains("Max-Age"));
        clock.advance(29 * MINUTE);
        assert_eq!(visitor.get("/user").await.body, "ann");
        clock.advance(30 * MINUTE);
        assert_eq!(visitor.get("/user").await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_login_that_contradicts_remembering_fails_and_starts_nothing() {
    for (app, _, _kept) in applications().await {
        let answer = Client::new(&app).post("/contradicting").await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    }
}
