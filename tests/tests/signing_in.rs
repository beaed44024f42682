//! T40, T41, T42: what a login says of itself, and what it is good for later.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use session_axum::{Authentication, MaybeSession, NewSession, Refusal, SessionError, SessionLayer, SignedIn};
use workspace_tests::client::Client;
use workspace_tests::{KindOfStore, kinds_of_stores};

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
        .route("/change", post(change_password))
        .route("/remember", post(async |user: SignedIn| user.remember(MONTH).map_err(SessionError::from)))
        .route("/forget", post(async |user: SignedIn| user.stop_remembering().map_err(SessionError::from)))
}

async fn applications() -> Vec<(Router, KindOfStore)> {
    let application = |kind: KindOfStore| (routes().layer(SessionLayer::new(kind.store.clone())), kind);
    kinds_of_stores().await.into_iter().map(application).collect()
}

#[tokio::test]
async fn a_changed_password_leaves_only_the_session_that_changed_it() {
    for (app, _kept) in applications().await {
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
    for (app, _kept) in applications().await {
        let mut visitor = Client::new(&app);
        assert!(!visitor.post("/login").await.set_cookies()[0].contains("Max-Age"));
        assert!(visitor.post("/remember").await.set_cookies()[0].contains("Max-Age="));
        assert!(!visitor.post("/forget").await.set_cookies()[0].contains("Max-Age"));
        assert!(visitor.post("/remembered").await.set_cookies()[0].contains("Max-Age="));
        let contradiction = visitor.post("/contradicting").await;
        assert_eq!((contradiction.status, contradiction.set_cookies().len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    }
}
