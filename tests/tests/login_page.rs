//! A login page that nobody can see is told to the developer.
//!
//! In a binary of its own, because tracing remembers for the whole process which lines nobody
//! wants to see.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use session_axum::{
    Fresh, ManualClock, MaybeSession, MemoryStore, NewSession, RequireSignedIn, Session, SessionError, SessionLayer,
};
use workspace_tests::client::Client;
use workspace_tests::log::Log;

/// What a browser sends that is to show a page.
const PAGE: [(&str, &str); 1] = [("accept", "text/html")];

fn client(routes: Router, redirect: &str) -> Client {
    Client::new(&routes.layer(SessionLayer::builder(MemoryStore::new()).sign_in_page(redirect).build().unwrap()))
}

/// B81.
#[tokio::test]
async fn a_login_page_that_redirects_to_itself_is_told_once_with_the_fix() {
    let (log, _guard) = Log::capture();
    let account = Router::new().route("/login", get(async |_: Session| "never seen"));
    for (routes, redirect) in
        [(Router::new().nest("/account", account.clone()), "/account/login?first"), (account, "/login")]
    {
        let before = log.lines_with("WARN");
        let mut client = client(routes, redirect);
        for _ in 0..20 {
            let path = redirect.split('?').next().unwrap();
            let answer = client.send(Method::GET, path, &PAGE).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "a browser would follow a redirect for ever");
        }
        assert_eq!(log.lines_with("WARN") - before, 1, "{}", log.text());
        let text = log.text();
        let warning = text.lines().rfind(|line| line.contains("WARN")).unwrap();
        assert!(warning.contains("`MaybeSession`") && warning.contains(redirect), "{warning}");
    }
}

/// B81. The page that asks for the password again.
#[tokio::test]
async fn a_confirm_page_that_redirects_to_itself_is_told_once_with_its_own_fix() {
    async fn login(visitor: MaybeSession) -> Result<(), SessionError> {
        visitor.start(NewSession::new().principal("ann")).map(drop)
    }
    let (log, _guard) = Log::capture();
    let guarded = Router::new().route("/guarded", get(async || "never seen"));
    let routes = Router::new()
        .route("/confirm", get(async |_: Fresh| "never seen"))
        .merge(guarded.route_layer(RequireSignedIn::new().fresh_within(Duration::from_secs(60))))
        .route("/login", post(login));
    for page in ["/confirm", "/guarded"] {
        let clock = Arc::new(ManualClock::default());
        let layer = SessionLayer::builder(MemoryStore::new()).clock(clock.clone()).confirm_page(page).build().unwrap();
        let mut client = Client::new(&routes.clone().layer(layer));
        client.post("/login").await;
        clock.advance(Duration::from_secs(15 * 60));
        let before = log.lines_with("WARN");
        for _ in 0..3 {
            let answer = client.send(Method::GET, page, &PAGE).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "a browser would follow a redirect for ever");
        }
        assert_eq!(log.lines_with("WARN") - before, 1, "{}", log.text());
        let text = log.text();
        let warning = text.lines().rfind(|line| line.contains("WARN")).unwrap();
        assert!(warning.contains("`SignedIn` in place of `Fresh`") && warning.contains(page), "{warning}");
    }
}

#[tokio::test]
async fn a_login_page_that_can_be_seen_is_no_reason_to_warn() {
    let (log, _guard) = Log::capture();
    // It answers in its own way.
    let own = async |sess: Result<Session, SessionError>| if sess.is_ok() { "Hello" } else { "Log in" };
    let change = async |_: Session| "changed";
    let routes = Router::new()
        .route("/", get(async |_: Session| "home"))
        .route("/login", get(async |_: MaybeSession| "Log in").post(change))
        .route("/option", get(async |_: Option<Session>| "Log in"))
        .route("/own", get(own));
    for redirect in ["/login", "/option", "/own"] {
        let mut client = client(routes.clone(), redirect);
        let led = client.send(Method::GET, "/", &PAGE).await;
        assert_eq!(led.all("location"), [format!("{redirect}?next=%2F")]);
        assert_eq!(client.send(Method::GET, redirect, &PAGE).await.body, "Log in");
        assert_eq!(client.send(Method::POST, "/login", &PAGE).await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(log.lines_with("WARN"), 0, "{}", log.text());
}
