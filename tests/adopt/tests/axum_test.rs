//! Another test client, which the kit signs in.

use axum::Router;
use axum::routing::{get, post};
use axum_test::TestServer;
use session_axum::testing::TestSessions;
use session_axum::{EndSession, NewSession, Session, SignedIn};

/// P1.
#[tokio::test]
async fn a_client_of_axum_test_is_signed_in() {
    let sessions = TestSessions::new();
    let layer = sessions.layer().build().unwrap();
    let app = Router::new()
        .route("/", get(async |sess: Session| sess.principal().unwrap_or_default().to_string()))
        .route("/account", get(async |_: SignedIn| "yours"))
        .route("/logout", post(async |ending: EndSession| ending.end()))
        .layer(layer.clone());
    let server = TestServer::new(app);
    server.get("/account").await.assert_status_unauthorized();

    let mut ann = sessions.sign_in(&layer, NewSession::new().principal("ann")).await;
    let (name, value) = ann.header("/");
    server.get("/").add_header(name, value).await.assert_text("ann");
    let (name, value) = ann.header("/account");
    server.get("/account").add_header(name, value).await.assert_text("yours");

    let (name, value) = ann.header("/logout");
    let response = server.post("/logout").add_header(name, value).await;
    ann.keep("/logout", response.headers());
    assert!(ann.cookie_names().is_empty());
}
