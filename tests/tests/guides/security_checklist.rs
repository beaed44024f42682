use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Form, Router};
use session_axum::{
    CrossOriginProtection, EndSession, Key, MaybeSession, MemoryStore, NewSession, RequireSignedIn, SessionError,
    SessionLayer, SignedIn,
};
use tokio::task;
use workspace_tests::client::Client;

use crate::code::security_checklist::{checks, hardened, secret};

#[derive(serde::Deserialize)]
struct Login {
    user: String,
    password: String,
}

fn routes() -> Router {
    async fn login(visitor: MaybeSession, Form(form): Form<Login>) -> Result<StatusCode, SessionError> {
        if form.password != "a" {
            return Ok(StatusCode::UNAUTHORIZED);
        }
        visitor.start(NewSession::new().principal(form.user))?;
        Ok(StatusCode::OK)
    }
    async fn home(user: SignedIn) -> String {
        user.principal().to_owned()
    }
    async fn logout(ending: EndSession) {
        ending.end();
    }
    Router::new()
        .route("/", get(home))
        .route("/login", post(login))
        .route("/transfer", post(async || "sent"))
        .route("/logout", post(logout))
}

/// P95. And they find what is missing, each time for want of one line.
#[tokio::test]
async fn the_checks_pass_with_the_settings_of_the_list_and_fail_without_any_of_them() {
    let layer = || hardened::layer(MemoryStore::new()).unwrap();
    checks::check(&hardened::protect(routes(), layer())).await;

    let guard = || RequireSignedIn::new().except(["/login"]);
    let without = [
        routes().layer(guard()).layer(layer()),
        routes().layer(CrossOriginProtection::new()).layer(layer()),
        hardened::protect(routes(), SessionLayer::builder(MemoryStore::new()).allow_http().build().unwrap()),
        hardened::protect(routes(), SessionLayer::new(MemoryStore::new())),
    ];
    for app in without {
        let checked = task::spawn(async move { checks::check(&app).await });
        assert!(checked.await.is_err_and(|error| error.is_panic()));
    }
}

/// P95.
#[tokio::test]
async fn a_logout_tells_the_browser_to_delete_what_it_keeps() {
    let mut client = Client::new(&hardened::protect(routes(), hardened::layer(MemoryStore::new()).unwrap()));
    client.submit("/login", "user=ann&password=a").await;
    assert_eq!(client.post("/logout").await.all("clear-site-data"), [r#""cache", "storage""#]);
}

/// P95.
#[test]
fn a_program_without_its_key_does_not_start() {
    assert!(secret::key(None).unwrap_err().contains("not set"));
    assert!(secret::key(Some("x".repeat(63))).unwrap_err().contains("64"));
    let key: Key = secret::key(Some("0123456789abcdef".repeat(4))).unwrap();
    assert!(session_axum::SessionCookie::new().signed([key]).build().is_ok());
}
